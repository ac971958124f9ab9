"""Measures that tell a text from filler, each a number from the response (and its prompt) alone, in linear time.

None of them looks at what is said. Each takes what is long enough for it to mean something and is
None for the rest.
"""

from __future__ import annotations

import math
import re
import unicodedata
import zlib
from collections import Counter
from functools import lru_cache
from itertools import pairwise

_WORD = re.compile(r"\w+")
_BREAK = re.compile(r"[^\w\s'’-]|\n")
_LONGEST = 200_000  # characters that are looked at; what follows can't make filler a text

FUNCTION_WORDS = frozenset(
    [
        "the",
        "a",
        "an",
        "of",
        "and",
        "to",
        "in",
        "is",
        "are",
        "was",
        "were",
        "be",
        "been",
        "it",
        "that",
        "this",
        "these",
        "those",
        "for",
        "on",
        "with",
        "as",
        "at",
        "by",
        "from",
        "or",
        "but",
        "if",
        "not",
        "have",
        "has",
        "had",
        "will",
        "would",
        "can",
        "could",
        "should",
        "may",
        "i",
        "you",
        "he",
        "she",
        "we",
        "they",
        "my",
        "your",
        "his",
        "her",
        "our",
        "their",
        "its",
        "me",
        "him",
        "us",
        "them",
        "which",
        "who",
        "what",
        "when",
        "where",
        "how",
        "there",
        "so",
        "than",
        "then",
        "no",
        "do",
        "does",
        "did",
        "about",
        "into",
        "over",
        "after",
        "before",
        "between",
        "also",
        "more",
        "most",
        "all",
        "any",
        "some",
        "such",
        "only",
        "just",
        "up",
        "out",
    ]
)
# Not "a": people and questions are called A.
_LEADING = frozenset(("the", "an", "my", "your", "our", "their", "his", "its"))
_NEVER_AFTER = frozenset(
    ("the", "a", "an", "of", "and", "is", "are", "was", "were", "be", "to", "in", "it", "that", "on",
     "at", "from", "into", "with", "or", "but", "if", "i", "you", "he", "she", "they", "we")
)  # fmt: skip


def words_of(text: str) -> list[str]:
    """Return the runs of letters and digits, in lower case."""
    return _WORD.findall(text[:_LONGEST].lower())


def substance(text: str) -> float:
    """Share of the characters, white space aside, that are letters or digits."""
    signs = "".join(text[:_LONGEST].split())
    return sum(map(str.isalnum, signs)) / len(signs) if signs else 0.0


def compression(text: str) -> float | None:
    """Bytes after compression to bytes before; of 400 characters or more."""
    data = text[:_LONGEST].encode("utf-8", "replace")
    return len(zlib.compress(data, 6)) / len(data) if len(data) >= 400 else None


def repetition(words: list[str]) -> float | None:
    """Share of the runs of four words that were there before; of 12 words or more."""
    if len(words) < 12:
        return None
    runs = Counter(zip(words, words[1:], words[2:], words[3:], strict=False))
    return 1 - len(runs) / runs.total()


def commonest(words: list[str]) -> float | None:
    """Share of the words that the commonest one is; of 3 words or more."""
    return max(Counter(words).values()) / len(words) if len(words) >= 3 else None


def variety(words: list[str]) -> float | None:
    """Different words to the square root of all (Guiraud's index); of 8 words or more."""
    return len(set(words)) / math.sqrt(len(words)) if len(words) >= 8 else None


def echo(words: list[str], prompt: list[str]) -> float | None:
    """Share of the runs of five words that are the prompt's; of 8 words or more."""
    ours, theirs = _fives(words), _fives(prompt)
    return len(ours & theirs) / len(ours) if len(words) >= 8 else None


def copy(words: list[str], prompt: list[str]) -> float | None:
    """Return the share of runs of five words that both have: 1 for the prompt itself; of 8 words or more."""
    ours, theirs = _fives(words), _fives(prompt)
    return len(ours & theirs) / len(ours | theirs) if len(words) >= 8 else None


def _fives(words: list[str]) -> set[tuple[str, ...]]:
    return set(zip(words, words[1:], words[2:], words[3:], words[4:], strict=False))


def foreign(text: str) -> float | None:
    """Share of the letters that aren't of the writing system of most; of 40 letters or more.

    Chinese characters and kana are one system, as they are in Japanese.
    """
    systems = Counter(_script(sign) for sign in text[:_LONGEST] if sign.isalpha())
    if systems.total() < 40:
        return None
    return 1 - max(systems.values()) / systems.total()


@lru_cache(maxsize=65536)
def _script(sign: str) -> str:
    name = unicodedata.name(sign, "?").partition(" ")[0]
    return "CJK" if name in ("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA") else name


def function_words(words: list[str]) -> float | None:
    """Share of the words that only join others; of 30 words or more in Latin letters without accents."""
    plain = [word for word in words if word.isascii() and word.isalpha()]
    if len(plain) < 30 or 2 * len(plain) < len(words):
        return None
    return sum(word in FUNCTION_WORDS for word in plain) / len(plain)


def misjoined(words: list[str]) -> float | None:
    """Neighbours that English hardly joins ("the of", "my to"), to how many chance alone would join.

    Near 0 for sentences and near 1 for their words in any order. Where `function_words` says it's
    English, and where chance alone would make five.
    """
    share = function_words(words)
    if share is None or share < 0.2:
        return None
    before = sum(word in _LEADING for word in words)
    after = sum(word in _NEVER_AFTER for word in words)
    by_chance = before * after / len(words)
    if by_chance < 5:
        return None
    wrong = sum(a in _LEADING and b in _NEVER_AFTER for a, b in pairwise(words))
    return wrong / by_chance


def unbroken(text: str) -> int:
    """Return the most words in a row with nothing but spaces between them."""
    return max((len(run.split()) for run in _BREAK.split(text[:_LONGEST])), default=0)


def own_words(words: list[str], aside: frozenset[str]) -> int:
    """Count the different words besides those that its instructions name."""
    return len(set(words) - aside)
