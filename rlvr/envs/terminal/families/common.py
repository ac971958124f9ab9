"""Words, names, folders and random texts for the generators of terminal tasks."""

from __future__ import annotations

import numpy as np

from rlvr.core.errors import OptionError
from rlvr.envs.puzzles.common import integer, pick, sample

LEVELS = (1, 2, 3)
"""The levels of every family."""

WORDS = (
    "amber", "anchor", "apple", "arrow", "basin", "beacon", "birch", "bridge", "candle", "canyon", "cedar", "cipher",
    "cliff", "clover", "copper", "coral", "cotton", "crater", "delta", "ember", "falcon", "fern", "flint", "forest",
    "garnet", "glacier", "granite", "harbor", "hazel", "heron", "indigo", "island", "ivory", "jasper", "juniper",
    "kestrel", "lagoon", "lantern", "laurel", "linen", "lotus", "maple", "marble", "meadow", "nickel", "oasis", "olive",
    "onyx", "orchid", "otter", "pebble", "pepper", "pine", "quartz", "raven", "reef", "river", "saffron", "sage",
    "silver", "spruce", "summit", "thistle", "timber", "tulip", "valley", "velvet", "walnut", "willow", "zephyr",
)  # fmt: skip
NAMES = (
    "ada", "ben", "cleo", "dan", "eva", "finn", "gus", "hana", "ivo", "jane", "kai", "lena", "max", "nora", "omar",
    "pia", "quin", "rosa", "sven", "tess", "uma", "vera", "will", "yara",
)  # fmt: skip


def by_level(level: int, *values: int) -> int:
    """Return the value of a level from 1 on."""
    if level not in LEVELS:
        raise OptionError(f"level is one of {', '.join(map(str, LEVELS))}, not {level!r:.40}.")
    return values[level - 1]


def slug(rng: np.random.Generator) -> str:
    """Return a name for a folder or a file that hardly any other task has."""
    return f"{pick(rng, WORDS)}-{integer(rng, 1000, 9999)}"


def sentence(rng: np.random.Generator, words: int) -> str:
    """Return random words as a line."""
    return " ".join(pick(rng, WORDS) for _ in range(words))


def paragraph(rng: np.random.Generator, lines: int) -> list[str]:
    """Return lines of random words."""
    return [sentence(rng, integer(rng, 4, 9)) for _ in range(lines)]


def moment(rng: np.random.Generator, day: int = 0) -> str:
    """Return a time such as 2026-03-07T12:01:59, on a day from 1 to 28 (default: any)."""
    day = day or integer(rng, 1, 28)
    hour, minute, second = integer(rng, 0, 23), integer(rng, 0, 59), integer(rng, 0, 59)
    return f"2026-03-{day:02}T{hour:02}:{minute:02}:{second:02}"


def shuffled(rng: np.random.Generator, items: list[str]) -> list[str]:
    """Return the items in random order."""
    return sample(rng, items, len(items))


def lines(items: list[str]) -> str:
    """Return lines as a file's text."""
    return "".join(f"{item}\n" for item in items)
