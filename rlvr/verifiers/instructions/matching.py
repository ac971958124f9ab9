"""Finding words in a response: as literal text here, as the patterns that the published checks take them for."""

from __future__ import annotations

import re
from functools import lru_cache

from rlvr.core.blame import working_on
from rlvr.verifiers.instructions.kwargs import (
    wrong,
)


def occurrences(word: str, text: str) -> int:
    """How often `word` is in the text, in whatever case, also within other words."""
    return sum(1 for _ in _literal(word.strip()).finditer(text))


def contains(word: str, text: str) -> bool:
    """Whether `word` is in the text, in whatever case, also within another word."""
    return _literal(word).search(text) is not None


def contains_whole(word: str, text: str) -> bool:
    """Whether `word` stands in the text by itself, in whatever case."""
    return _whole(word.strip()).search(text) is not None


def published_count(pattern: str, text: str) -> int:
    """Matches of a keyword taken for a regular expression, in whatever case.

    The pattern is the task author's, and so is the time it takes: Python's engine can be sent on a
    walk without end, so this is for a worker that can be killed. Raises `CannotScore(gold)` where
    it's no pattern.
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


@lru_cache(maxsize=4096)
def _literal(word: str) -> re.Pattern[str]:
    return re.compile(re.escape(word), re.IGNORECASE)


@lru_cache(maxsize=4096)
def _whole(word: str) -> re.Pattern[str]:
    # Only a letter or digit has a word's border beside it: "c++" ends at its plus.
    before = r"\b" if word[:1].isalnum() or word[:1] == "_" else r"(?<!\w)"
    after = r"\b" if word[-1:].isalnum() or word[-1:] == "_" else r"(?!\w)"
    return re.compile(before + re.escape(word) + after, re.IGNORECASE)
