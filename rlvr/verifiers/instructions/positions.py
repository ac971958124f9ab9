"""Which word stands where: in a sentence, in a paragraph, in the whole."""

from __future__ import annotations

import re
from itertools import pairwise

from rlvr.verifiers.instructions.kwargs import (
    wrong,
)
from rlvr.verifiers.instructions.matching import contains_whole
from rlvr.verifiers.instructions.registry import (
    deviates,
    instruction,
)
from rlvr.verifiers.instructions.resources import sentence_tokens
from rlvr.verifiers.instructions.text import EDGES, Text, spoken

_NO_WORD = re.compile(r"[^\w\s]")


@instruction(
    "sentence:keyword",
    says="Use the keyword {word!r} in sentence {N}.",
)
def sentence_keyword(text: Text, word: str, N: int) -> bool:
    """As a whole word, in whatever case; sentences are counted from 1."""
    return contains_whole(word, _nth(text, N, "sentence:keyword: N"))


@instruction(
    "words:keywords_specific_position",
    says="Make {keyword!r} word {m} of sentence {n}.",
)
def keywords_specific_position(text: Text, keyword: str, n: int, m: int) -> bool:
    """In whatever case; punctuation is no word; both are counted from 1."""
    words = spoken(sentence_tokens(_nth(text, n, "words:keywords_specific_position: n")))
    return _is(words, m, "words:keywords_specific_position: m", keyword)


@instruction(
    "keywords:keyword_specific_position",
    says="Make {keyword!r} word {m} of sentence {n}.",
)
def keyword_specific_position(text: Text, keyword: str, n: int, m: int) -> bool:
    """As `words:keywords_specific_position`."""
    return keywords_specific_position(text, keyword, n, m)


@deviates(
    "keywords:keyword_specific_position",
    published="counts punctuation as words, and wants the keyword's own case",
    ours="counts words alone, in whatever case",
    report="https://github.com/allenai/IFBench/issues/22",
)
def published_keyword_position(text: Text, keyword: str, n: int, m: int) -> bool:
    """Among all tokens."""
    tokens = sentence_tokens(_nth(text, n, "keywords:keyword_specific_position: n"))
    return 0 < m <= len(tokens) and tokens[m - 1] == keyword.strip()


def _nth(text: Text, n: int, what: str) -> str:
    """Sentence n, counted from 1; "" where there's none."""
    if n < 1:
        raise wrong(f"{what} is at least 1, not {n}.")
    return text.sentences[n - 1] if n <= len(text.sentences) else ""


def _is(words: list[str], m: int, what: str, keyword: str) -> bool:
    if m < 1:
        raise wrong(f"{what} is at least 1, not {m}.")
    return m <= len(words) and words[m - 1].lower() == keyword.strip().lower()


@instruction("keywords:start_end", says="Begin and end with the same word, and nothing after it.")
def start_end(text: Text) -> bool:
    """In whatever case; among the Treebank tokens, so that a mark at the end is the last."""
    words = text.tokens
    return len(words) > 1 and words[0].lower() == words[-1].lower()


@instruction("first_word:first_word_answer", says="Begin with the word {first_word!r}.", cheap=True)
def first_word_answer(text: Text, first_word: str) -> bool:
    """Up to the first white space, in whatever case."""
    return text.chunks[0].lower() == first_word.strip().lower()


@instruction("first_word:first_word_sent", says="Begin each sentence with the word {first_word!r}.")
def first_word_sent(text: Text, first_word: str) -> bool:
    """Up to the first white space, in whatever case."""
    wanted = first_word.strip().lower()
    return all(one.split(maxsplit=1)[0].lower() == wanted for one in text.sentences)


@instruction("last_word:last_word_answer", says="End with the word {last_word!r}.", cheap=True)
def last_word_answer(text: Text, last_word: str) -> bool:
    """In whatever case, punctuation aside."""
    return _NO_WORD.sub("", text.chunks[-1]).lower() == last_word.strip().lower()


@instruction("last_word:last_word_sent", says="End each sentence with the word {last_word!r}.")
def last_word_sent(text: Text, last_word: str) -> bool:
    """In whatever case, punctuation aside."""
    wanted = last_word.strip().lower()
    ends = (_NO_WORD.sub("", one.rsplit(maxsplit=1)[-1]).lower() for one in text.sentences)
    return all(end == wanted for end in ends)


@instruction(
    "words:last_first",
    says="Begin each sentence with the word that the one before it ended with.",
)
def last_first(text: Text) -> bool:
    """In whatever case, punctuation aside."""
    for one, after in pairwise(text.sentences):
        last, first = one.rstrip(EDGES).split(), after.lstrip(EDGES).split()
        if not last or not first or last[-1].lower() != first[0].lower():
            return False
    return True


@instruction(
    "words:paragraph_last_first",
    says="End each paragraph with the word it begins with; paragraphs are separated by a newline.",
    cheap=True,
)
def paragraph_last_first(text: Text) -> bool:
    """In whatever case, punctuation at the ends aside; lines without words don't count."""
    paragraphs = (line.strip().lower().strip(EDGES).split() for line in text.lines)
    return all(words[0] == words[-1] for words in paragraphs if words)
