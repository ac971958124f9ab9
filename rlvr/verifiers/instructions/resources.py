"""Other packages and their data that the checks need: loaded at first use, usually in a worker.

A resource that is missing is no wrong answer: `CannotScore(internal)`, with the command that fixes it.
Everything here is a function of its arguments: the language detector is seeded, nothing is drawn.
"""

from __future__ import annotations

import importlib
from functools import cache, lru_cache
from typing import Any

from rlvr.core.errors import CannotScore
from rlvr.core.verdict import Cause


class MissingResource(CannotScore):
    """A package or a file that a check needs isn't on this machine."""


NLTK_PACKAGES = {
    "punkt_tab": "tokenizers/punkt_tab/english/",
    "averaged_perceptron_tagger_eng": "taggers/averaged_perceptron_tagger_eng/",
}
"""What `rlvr data nltk` fetches, and where it lies in a folder that `NLTK_DATA` names."""

_CACHED = 400  # characters; longer texts aren't kept


def sentences(text: str) -> list[str]:
    """Return the sentences of an English text, by Punkt (Kiss and Strunk, 2006) with nltk's `punkt_tab`."""
    tokens: list[str] = _punkt().tokenize(text)
    return tokens


def tokens(text: str) -> list[str]:
    """Treebank tokens, sentence by sentence: what `nltk.word_tokenize` gives."""
    return [token for sentence in sentences(text) for token in sentence_tokens(sentence)]


def sentence_tokens(sentence: str) -> list[str]:
    """Treebank tokens of one sentence."""
    return list(_short_tokens(sentence) if len(sentence) <= _CACHED else _tokens(sentence))


def tags(tokens: list[str]) -> list[str]:
    """Return the Penn Treebank tags of a sentence's tokens."""
    # The tagger reads left to right and looks two words ahead, so what comes later can't matter.
    return [tag for _, tag in _tagger().tag(tokens)]


@lru_cache(maxsize=4096)
def language_of(text: str) -> str | None:
    """Return the language's code by langdetect's method; None where the text has no letters to go by."""
    _package("langdetect")
    from rlvr.verifiers.instructions import language_detection

    return language_detection.language_of(text)


@cache
def languages() -> frozenset[str]:
    """Return the codes of the languages that the detector knows."""
    _package("langdetect")
    from rlvr.verifiers.instructions import language_detection

    return frozenset(language_detection.known_languages())


def is_emoji(character: str) -> bool:
    """Return whether one character is an emoji by itself."""
    listed: bool = _package("emoji").is_emoji(character)
    return listed


_EMOJI_REACH = 48
"""Characters at a sentence's end that are searched: a family of four with skin tones has 15."""


def ends_with_emoji(sentence: str) -> bool:
    """Return whether a sentence ends with an emoji, punctuation and brackets aside."""
    tail = sentence[-_EMOJI_REACH:]
    last = _emojis(tail)[-1:]
    return bool(last) and not any(map(str.isalnum, tail[last[0][1] :]))


def begins_with_emoji(sentence: str) -> bool:
    """Return whether a sentence begins with an emoji, punctuation and brackets aside."""
    head = sentence[:_EMOJI_REACH]
    first = _emojis(head)[:1]
    return bool(first) and not any(map(str.isalnum, head[: first[0][0]]))


def _emojis(text: str) -> list[tuple[int, int]]:
    """Return where emojis of one or several characters begin and end."""
    if text.isascii():
        return []
    matches = _package("emoji").emoji_list(text)
    return [(match["match_start"], match["match_end"]) for match in matches]


@lru_cache(maxsize=65536)
def syllables(word: str) -> int:
    """Syllables of an English word by syllapy's list and, beyond it, its rules; 0 where it has none."""
    count: int = _package("syllapy").count(word)
    return count


@lru_cache(maxsize=16384)
def _short_tokens(sentence: str) -> tuple[str, ...]:
    return _tokens(sentence)


def _tokens(sentence: str) -> tuple[str, ...]:
    return tuple(_word_tokenizer().tokenize(sentence))


@cache
def _word_tokenizer() -> Any:
    return _package("nltk.tokenize").NLTKWordTokenizer()


@cache
def _punkt() -> Any:
    _package("nltk")
    from rlvr.verifiers.instructions.punkt import Punkt

    try:
        return Punkt()
    except LookupError as error:
        raise _missing("punkt_tab") from error


@cache
def _tagger() -> Any:
    try:
        return _package("nltk.tag.perceptron").PerceptronTagger(lang="eng")
    except LookupError as error:
        raise _missing("averaged_perceptron_tagger_eng") from error


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingResource(
            Cause.INTERNAL,
            f"this instruction needs the package {name.partition('.')[0]!r}: "
            f"pip install 'rlvr[ifeval]'.",
        ) from error


def _missing(package: str) -> MissingResource:
    return MissingResource(
        Cause.INTERNAL,
        f"this instruction needs nltk's {package!r}, and it isn't in NLTK_DATA nor in nltk's own "
        f"places: run `rlvr data nltk` once.",
    )
