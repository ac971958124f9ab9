r"""Grids of houses and their residents' attributes, from clues with exactly one solution::

    There are 3 houses in a row … Ben lives directly left of whoever keeps the owl. …
    →    \boxed{Ann, red, cat; Ben, blue, dog; Cleo, green, owl}

Clues are drawn until propagation over sets of possible houses, without a guess, leaves one house
for everything: that proves that the solution is the only one, and that it can be found by
reasoning alone. Then every clue that isn't needed is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.envs.puzzles.common import integer, pick, plain, puzzle, sample
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.function import FunctionVerifier

CATEGORIES = {
    "name": (
        "{}",
        "Ann Ben Cleo Dan Eva Finn Gus Hana Ivo Jane Kai Lena Max Nora Omar Pia Quin Rosa",
    ),
    "colour": ("whoever has the {} house", "red blue green white yellow black pink orange grey"),
    "pet": ("whoever keeps the {}", "cat dog owl fox horse snake goat parrot hamster turtle"),
    "drink": ("whoever drinks {}", "tea coffee milk juice water cocoa lemonade soda cider"),
}
_SAID = {
    "at": "{a} lives in house {p}.",
    "not_at": "{a} doesn't live in house {p}.",
    "same": "{a} and {b} are the same person.",
    "other": "{a} and {b} are different people.",
    "left": "{a} lives directly left of {b}.",
    "next": "{a} and {b} are neighbours.",
    "before": "{a} lives somewhere to the left of {b}.",
}


@dataclass(frozen=True)
class LogicGridLevel:
    """The numbers of houses and categories, and how often each kind of clue is tried."""

    houses: int
    categories: int
    kinds: tuple[str, ...]


_DIRECT = ("at", "not_at", "same", "same", "left", "next", "before")
_INDIRECT = ("not_at", "same", "other", "left", "next", "next", "before")
LEVELS = {
    1: LogicGridLevel(3, 2, _DIRECT),
    2: LogicGridLevel(3, 3, _DIRECT),
    3: LogicGridLevel(4, 3, _INDIRECT),
    4: LogicGridLevel(5, 3, _INDIRECT),
    5: LogicGridLevel(5, 4, _INDIRECT),
}


class Clue(NamedTuple):
    """A clue: `a` and `b` are values, numbered category by category; `house` counts from 0."""

    kind: str
    a: int
    b: int = 0
    house: int = 0


def problem(rng: np.random.Generator, level: LogicGridLevel) -> Task:
    """Draw clues that leave one solution and are all needed."""
    n, m = level.houses, level.categories
    house_of = [int(h) for _ in range(m) for h in rng.permutation(n)]
    clues = _needed(rng, _enough(rng, level, house_of), n, m)
    names = list(CATEGORIES)[:m]
    values = [v for name in names for v in sorted(sample(rng, CATEGORIES[name][1].split(), n))]
    rows = [
        [values[k * n + house_of[k * n : k * n + n].index(h)] for k in range(m)] for h in range(n)
    ]
    listed = [values[k * n : k * n + n] for k in range(m)]
    fields = {"categories": listed, "houses": [[c.house, c.a] for c in clues if c.kind == "at"]}
    return Task(_prompt(names, listed, clues, n), _shown(rows), None, fields)


def _prompt(names: list[str], listed: list[list[str]], clues: list[Clue], n: int) -> str:
    phrases = [
        CATEGORIES[name][0].format(v) for name, vs in zip(names, listed, strict=True) for v in vs
    ]
    lines = []
    for clue in clues:
        text = _SAID[clue.kind].format(a=phrases[clue.a], b=phrases[clue.b], p=clue.house + 1)
        lines.append(f"- {text[0].upper()}{text[1:]}")
    categories = "\n".join(
        f"- {name}: {', '.join(vs)}" for name, vs in zip(names, listed, strict=True)
    )
    return (
        f"There are {n} houses in a row, numbered from 1 on the left to {n} on the right. One person "
        f"lives in each, and no two share a value of any of these:\n{categories}\n\nClues:\n"
        + "\n".join(lines)
        + f"\n\nWho lives where? Put one row a house in \\boxed{{}}, from house 1 to house {n}, each "
        f"with {', '.join(names)} in this order, with commas between the values and semicolons "
        f"between the houses: \\boxed{{{'; '.join([', '.join(names), '…'])}}}."
    )


def _shown(rows: list[list[str]]) -> str:
    return "; ".join(", ".join(row) for row in rows)


def _enough(rng: np.random.Generator, level: LogicGridLevel, house_of: list[int]) -> list[Clue]:
    """Draw random true clues that together leave one solution."""
    n, m = level.houses, level.categories
    possible = [(1 << n) - 1] * (n * m)
    clues: list[Clue] = []
    idle = 0
    while any(mask & (mask - 1) for mask in possible):
        kind = "at" if idle > 60 else pick(rng, level.kinds)
        clue = _true_clue(rng, kind, house_of, n)
        if clue is None:
            idle += 1
            continue
        tried = possible.copy()
        propagate(tried, [*clues, clue], n)
        if tried == possible:
            idle += 1
            continue
        possible, idle = tried, 0
        clues.append(clue)
    return clues


def _true_clue(rng: np.random.Generator, kind: str, house_of: list[int], n: int) -> Clue | None:
    """Draw a true clue of that kind; None if the values drawn make none."""
    a, b = integer(rng, 0, len(house_of) - 1), integer(rng, 0, len(house_of) - 1)
    at, to = house_of[a], house_of[b]
    if kind == "at":
        return Clue(kind, a, house=at)
    if kind == "not_at":
        house = integer(rng, 0, n - 1)
        return Clue(kind, a, house=house) if house != at else None
    if kind in ("same", "other"):
        true = a // n != b // n and (at == to) == (kind == "same")
    else:
        true = {"left": to - at == 1, "next": abs(at - to) == 1, "before": at < to}[kind]
    return Clue(kind, a, b) if true else None


def _needed(rng: np.random.Generator, clues: list[Clue], n: int, m: int) -> list[Clue]:
    """Return the clues without which propagation isn't enough, in random order."""
    kept = [clues[int(i)] for i in rng.permutation(len(clues))]
    for clue in tuple(kept):
        rest = [other for other in kept if other is not clue]
        possible = [(1 << n) - 1] * (n * m)
        propagate(possible, rest, n)
        if not any(mask & (mask - 1) for mask in possible):
            kept = rest
    return kept


def propagate(possible: list[int], clues: list[Clue], n: int) -> None:
    """Remove impossible houses from `possible`, a bit set per value, until nothing changes."""
    before: list[int] = []
    while before != possible:
        before = possible.copy()
        for kind, a, b, house in clues:
            x, y = possible[a], possible[b]
            if kind == "at":
                possible[a] = x & 1 << house
            elif kind == "not_at":
                possible[a] = x & ~(1 << house)
            elif kind == "same":
                possible[a] = possible[b] = x & y
            elif kind == "other":
                possible[a] = x & ~y if not y & (y - 1) else x
                possible[b] = y & ~x if not x & (x - 1) else y
            elif kind == "left":
                possible[a], possible[b] = x & y >> 1, y & x << 1
            elif kind == "next":
                possible[a], possible[b] = x & (y << 1 | y >> 1), y & (x << 1 | x >> 1)
            else:
                possible[a] = x & (1 << max(y.bit_length() - 1, 0)) - 1  # below the highest of y
                possible[b] = y & ~((x & -x) * 2 - 1)  # above the lowest of x
        for start in range(0, len(possible), n):
            _all_differ(possible, start, n)


def _all_differ(possible: list[int], start: int, n: int) -> None:
    """Exclude taken houses for the other values of a category, and settle houses that only one value may have."""
    for i in range(start, start + n):
        if not possible[i] & (possible[i] - 1):
            for j in range(start, start + n):
                if j != i:
                    possible[j] &= ~possible[i]
    once = twice = 0
    for i in range(start, start + n):
        twice |= once & possible[i]
        once |= possible[i]
    for i in range(start, start + n):
        if possible[i] & once & ~twice:
            possible[i] &= once & ~twice


_NUMBERED = re.compile(r"\s*+(?:house\s*+)?(\d)\s*+[:.)]", re.IGNORECASE | re.ASCII)


def judge(task: Task, answer: str) -> bool:
    """Tell whether every house has the values of the one solution."""
    text = plain(answer.replace("\\\\", ";")).replace("\n", ";")
    rows = [row for row in text.split(";") if not row.isspace() and row]
    wanted = task.reference.split("; ")
    if len(rows) != len(wanted):
        return False
    for number, (row, right) in enumerate(zip(rows, wanted, strict=True), 1):
        label = _NUMBERED.match(row)
        if label is not None:
            if int(label.group(1)) != number:
                return False
            row = row[label.end() :]
        if ", ".join(" ".join(cell.split()) for cell in row.split(",")).lower() != right.lower():
            return False
    return True


def naive(task: Task) -> str:
    """Use only explicit clues; put everything else in the order of its list."""
    columns = []
    for k, listed in enumerate(task.metadata["categories"]):
        n = len(listed)
        column = {h: listed[a - k * n] for h, a in task.metadata["houses"] if a // n == k}
        rest = [value for value in listed if value not in column.values()]
        columns.append([column[h] if h in column else rest.pop(0) for h in range(n)])
    return f"\\boxed{{{_shown([list(row) for row in zip(*columns, strict=True)])}}}"


@environment("logic_grid")
def make(
    split: str = "train", level: int = 1, size: int = 1_000_000, seed: int = 0, mode: Mode = "boxed"
) -> Environment:
    """Make puzzles about who lives where, from clues with one solution.

    Args:
        split: train, dev or test.
        level: 1 to 5: from three houses with two categories to five houses with four.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    verifier = FunctionVerifier(judge, mode, "logic_grid", inline=True)
    return puzzle("logic_grid", problem, verifier, LEVELS, level, split, size, seed)
