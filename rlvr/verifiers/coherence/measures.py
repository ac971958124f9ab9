"""Measures that tell a text from filler, each a number from the response (and its prompt) alone, in linear time.

None of them depends on the meaning of the text. A measure is None for a text that is too short for it.
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
_LONGEST = 200_000  # characters that are measured; later ones can't turn filler into a text

FUNCTION_WORDS = frozenset(
    ("the", "a", "an", "of", "and", "to", "in", "is", "are", "was", "were", "be", "been", "it", "that",
     "this", "these", "those", "for", "on", "with", "as", "at", "by", "from", "or", "but", "if", "not",
     "have", "has", "had", "will", "would", "can", "could", "should", "may", "i", "you", "he", "she", "we",
     "they", "my", "your", "his", "her", "our", "their", "its", "me", "him", "us", "them", "which", "who",
     "what", "when", "where", "how", "there", "so", "than", "then", "no", "do", "does", "did", "about",
     "into", "over", "after", "before", "between", "also", "more", "most", "all", "any", "some", "such",
     "only", "just", "up", "out")
)  # fmt: skip
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
    """Return the share of letters and digits among the characters that aren't white space."""
    signs = "".join(text[:_LONGEST].split())
    return sum(map(str.isalnum, signs)) / len(signs) if signs else 0.0


def compression(text: str) -> float | None:
    """Return the size after compression as a share of the size before; of 400 bytes or more."""
    data = text[:_LONGEST].encode("utf-8", "replace")
    return len(zlib.compress(data, 6)) / len(data) if len(data) >= 400 else None


def repetition(words: list[str]) -> float | None:
    """Return the share of runs of four words that occur earlier in the text; of 12 words or more."""
    if len(words) < 12:
        return None
    runs = Counter(zip(words, words[1:], words[2:], words[3:], strict=False))
    return 1 - len(runs) / runs.total()


def commonest(words: list[str]) -> float | None:
    """Return the commonest word's share of all words; of 3 words or more."""
    return max(Counter(words).values()) / len(words) if len(words) >= 3 else None


def variety(words: list[str]) -> float | None:
    """Return the number of different words divided by the square root of all (Guiraud's index); of 8 words or more."""
    return len(set(words)) / math.sqrt(len(words)) if len(words) >= 8 else None


def echo(words: list[str], prompt: list[str]) -> float | None:
    """Return the share of the response's runs of five words that the prompt has, too; of 8 words or more."""
    ours, theirs = _fives(words), _fives(prompt)
    return len(ours & theirs) / len(ours) if len(words) >= 8 else None


def copy(words: list[str], prompt: list[str]) -> float | None:
    """Return the share of all runs of five words that both have (1 for the prompt itself); of 8 words or more."""
    ours, theirs = _fives(words), _fives(prompt)
    return len(ours & theirs) / len(ours | theirs) if len(words) >= 8 else None


def _fives(words: list[str]) -> set[tuple[str, ...]]:
    return set(zip(words, words[1:], words[2:], words[3:], words[4:], strict=False))


def foreign(text: str) -> float | None:
    """Return the share of letters outside the most frequent writing system; of 40 letters or more.

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
    """Return the share of English function words; of 30 words or more in Latin letters without accents."""
    plain = [word for word in words if word.isascii() and word.isalpha()]
    if len(plain) < 30 or 2 * len(plain) < len(words):
        return None
    return sum(word in FUNCTION_WORDS for word in plain) / len(plain)


def misjoined(words: list[str]) -> float | None:
    """Return the number of pairs that English hardly has ("the of", "my to"), divided by the number expected by chance.

    The ratio is near 0 for sentences and near 1 for their words in any order. It is None if `function_words` says that
    the text isn't English, or if fewer than five pairs are expected.
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
    """Return the length, in words, of the longest run with only spaces between the words."""
    return max((len(run.split()) for run in _BREAK.split(text[:_LONGEST])), default=0)


def own_words(words: list[str], aside: frozenset[str]) -> int:
    """Count the different words except those that the instructions name."""
    return len(set(words) - aside)
