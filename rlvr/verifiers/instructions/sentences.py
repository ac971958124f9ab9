"""How one sentence goes with the next."""

from __future__ import annotations

import string
from itertools import pairwise

from rlvr.verifiers.instructions.registry import (
    instruction,
)
from rlvr.verifiers.instructions.text import EDGES, NO_PUNCTUATION, Text


@instruction(
    "sentence:increment",
    says="Give each sentence exactly {small_n} more words than the one before it.",
)
def increment(text: Text, small_n: int) -> bool:
    """Words are what stands between white space, punctuation aside."""
    counts = [len(one.translate(NO_PUNCTUATION).split()) for one in text.sentences]
    return all(b == a + small_n for a, b in pairwise(counts))


@instruction(
    "sentence:alliteration_increment",
    says="Give each sentence more neighbouring words that begin alike than the one before it.",
)
def alliteration_increment(text: Text) -> bool:
    """Words that begin as a neighbour does, over the whole sentence."""
    counts = [_alliterating(one.lower().split()) for one in text.sentences]
    return all(a < b for a, b in pairwise(counts))


def _alliterating(chunks: list[str]) -> int:
    firsts = [word[0] for chunk in chunks if (word := chunk.lstrip(EDGES))]
    alike = [a == b for a, b in pairwise(firsts)]
    # A run of n pairs has n + 1 words.
    return sum(alike) + sum(b and not a for a, b in pairwise([False, *alike]))


@instruction(
    "custom:sentence_alphabet",
    says="Tell a story in 26 sentences whose first words begin with A, B, C and so on to Z.",
)
def sentence_alphabet(text: Text) -> bool:
    """In whatever case; the very first character counts."""
    firsts = [one.split(maxsplit=1)[0][0].lower() for one in text.sentences]
    return firsts == list(string.ascii_lowercase)
