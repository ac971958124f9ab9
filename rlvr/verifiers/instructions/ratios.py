"""Shares: of stop words, of kinds of sentences, of a text's trigrams."""

from __future__ import annotations

from itertools import chain

from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.resources import sentence_tokens
from rlvr.verifiers.instructions.text import Text, spoken
from rlvr.verifiers.instructions.vocabulary import STOP_WORDS

_CLOSERS = "\"'”’»)]*_ "


@instruction(
    "ratio:stop_words",
    says="Make at most {percentage}% of the words stop words.",
    cheap=True,
)
def stop_words(text: Text, percentage: float) -> bool:
    """Of all runs of letters and digits; none at all is no answer."""
    if not text.words:
        return False
    return 100 * sum(word.lower() in STOP_WORDS for word in text.words) <= percentage * len(
        text.words
    )


@instruction(
    "ratio:sentence_type",
    says="Write twice as many declarative sentences as questions, and at least one question.",
)
def sentence_type(text: Text) -> bool:
    """By the mark each ends with, quotes and brackets that close after it aside."""
    statements, questions, _ = _marks([one.rstrip(_CLOSERS) for one in text.sentences])
    return questions > 0 and statements == 2 * questions


@deviates(
    "ratio:sentence_type",
    published="accepts a text without any such sentence, and misses a mark before a quote",
    ours="wants a question, and looks through quotes and brackets",
    report="https://github.com/scitix/sieval/pull/105",
)
def published_sentence_type(text: Text) -> bool:
    """None to none is two to one."""
    statements, questions, _ = _marks(text.sentences)
    return statements == 2 * questions


@instruction(
    "ratio:sentence_balance",
    says="Write as many statements as questions as exclamations, and at least one of each.",
)
def sentence_balance(text: Text) -> bool:
    """By the mark each ends with, quotes and brackets that close after it aside."""
    statements, questions, exclamations = _marks([one.rstrip(_CLOSERS) for one in text.sentences])
    return statements == questions == exclamations > 0


@deviates(
    "ratio:sentence_balance",
    published="accepts a text without any such sentence, and misses a mark before a quote",
    ours="wants one of each, and looks through quotes and brackets",
    report="https://github.com/scitix/sieval/pull/105",
)
def published_sentence_balance(text: Text) -> bool:
    """None of each is balanced."""
    statements, questions, exclamations = _marks(text.sentences)
    return statements == questions == exclamations


def _marks(sentences: list[str]) -> tuple[int, int, int]:
    statements, questions, exclamations = (
        sum(1 for one in sentences if one.endswith(mark)) for mark in ".?!"
    )
    return statements, questions, exclamations


@instruction(
    "ratio:sentence_words",
    says="Answer in three sentences of the same number of characters, with no word used twice.",
)
def sentence_words(text: Text) -> bool:
    """Words in whatever case, punctuation aside."""
    words = list(chain.from_iterable(map(_words, text.sentences)))
    return published_sentence_words(text) and len(set(words)) == len(words)


def published_sentence_words(text: Text) -> bool:
    """Whatever the words are."""
    return len(text.sentences) == 3 and len({len(one) for one in text.sentences}) == 1


deviates(
    "ratio:sentence_words",
    published="never looks whether the words differ",
    ours="does",
    report="https://github.com/modelscope/evalscope/issues/1675",
)(published_sentence_words)


def _words(sentence: str) -> list[str]:
    return [token.casefold() for token in spoken(sentence_tokens(sentence))]


@instruction(
    "ratio:overlap",
    says="Let {percentage}% (±2%) of the trigrams of your words be those of the reference text.",
    cheap=True,
)
def overlap(text: Text, reference_text: str, percentage: float) -> bool:
    """Of the response's different trigrams of words, in whatever case."""
    ours = _trigrams(text.lower.split())
    return _within(ours, _trigrams(reference_text.lower().split()), percentage)


@deviates(
    "ratio:overlap",
    published="takes the trigrams of characters",
    ours="takes those of words",
    report="https://github.com/allenai/IFBench/pull/34",
)
def published_overlap(text: Text, reference_text: str, percentage: float) -> bool:
    """Of characters."""
    return _within(_trigrams(text.raw), _trigrams(reference_text), percentage)


def _trigrams(units: str | list[str]) -> set[tuple[str, str, str]]:
    return set(zip(units, units[1:], units[2:], strict=False))


def _within(
    ours: set[tuple[str, str, str]], theirs: set[tuple[str, str, str]], wanted: float
) -> bool:
    return bool(ours) and abs(100 * (len(ours & theirs) / len(ours)) - wanted) <= 2
