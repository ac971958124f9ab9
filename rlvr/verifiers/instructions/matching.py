"""Finding keywords in a response: as whole words, and as the patterns that the published checks take them for."""

from __future__ import annotations

import re
from functools import lru_cache

from rlvr.core.blame import working_on
from rlvr.verifiers.instructions import segmentation
from rlvr.verifiers.instructions.kwargs import wrong


def occurrences(word: str, normal_text: str) -> int:
    """Return how often a keyword or its plural is in a normal text as a whole word, in any case."""
    return sum(1 for _ in _whole(word, plural=True).finditer(normal_text))


def contains(word: str, normal_text: str) -> bool:
    """Return whether a keyword or its plural is in a normal text as a whole word, in any case."""
    return _whole(word, plural=True).search(normal_text) is not None


def contains_exactly(word: str, normal_text: str) -> bool:
    """Return whether a word is in a normal text by itself and not in its plural, in any case."""
    return _whole(word, plural=False).search(normal_text) is not None


def published_count(pattern: str, text: str) -> int:
    """Return the number of matches of a keyword taken for a regular expression, in any case.

    The pattern is the task author's, and so is the time it takes: Python's engine can be sent on a
    walk without end, so this is for a worker that can be killed. Raises `CannotScore(gold)` for
    text that is no pattern.
    """
    working_on("reference")
    try:
        count = sum(1 for _ in re.finditer(pattern, text, re.IGNORECASE))
    except re.error as error:
        raise wrong(
            f"the published check can't read {pattern!r:.80} as a pattern: {error}."
        ) from None
    working_on("response")
    return count


@lru_cache(maxsize=1024)
def _literal(word: str) -> re.Pattern[str]:
    return re.compile(re.escape(word), re.IGNORECASE)


def literal_count(word: str, text: str) -> int:
    """Return how often a keyword is in the text, also within other words, in any case."""
    return sum(1 for _ in _literal(word.strip()).finditer(text))


def published_contains_whole(word: str, text: str) -> bool:
    r"""Return whether a word is in the text between `\b`s, in any case."""
    return _between_borders(word.strip()).search(text) is not None


@lru_cache(maxsize=1024)
def _between_borders(word: str) -> re.Pattern[str]:
    # Only a letter or digit has a word's border beside it: "c++" ends at its plus.
    before = r"\b" if word[:1].isalnum() or word[:1] == "_" else r"(?<!\w)"
    after = r"\b" if word[-1:].isalnum() or word[-1:] == "_" else r"(?!\w)"
    return re.compile(before + re.escape(word) + after, re.IGNORECASE)


@lru_cache(maxsize=4096)
def _whole(word: str, plural: bool) -> re.Pattern[str]:
    """Return the pattern of a keyword with no letter or digit beside it.

    Underscores are emphasis ("_art_"). Scripts without spaces have no borders between words, and
    Hangul puts its particles behind them.
    """
    word = segmentation.normal(word.strip())
    inside = r"\s+".join(map(re.escape, word.split()))
    before = "" if segmentation.is_unspaced(word[:1]) else r"(?<![^\W_])"
    hangul = "\uac00" <= word[-1:] <= "\ud7a3"
    after = "" if hangul or segmentation.is_unspaced(word[-1:]) else r"(?![^\W_])"
    ending = r"(?:e?s)?" if plural and word[-1:].isalpha() and word[-1:].isascii() else ""
    return re.compile(before + inside + ending + after, re.IGNORECASE)
