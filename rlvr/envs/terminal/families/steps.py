"""The steps that the families of programs are made of: each as a sentence, as right code, and as wrong code.

The functions here are the source that a task's files have: `source_of` reads it. A step takes rows, each `[word, number]`,
and a parameter, and returns rows.
"""

# ruff: noqa: D103  (the functions are text of tasks, and tell nothing)

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from rlvr.envs.puzzles.common import integer, pick

Rows: TypeAlias = list[list[Any]]
Function: TypeAlias = Callable[[Rows, int], Rows]
HEADER = "Rows = list  # of rows [word, number]\n"
"""The first line of a file with steps in it."""


@dataclass(frozen=True, slots=True)
class ProgramStep:
    """A step of a program.

    Attributes:
        name: the function's name.
        sentence: what it does, with `{n}` for its parameter.
        right: a function that does it.
        wrong: functions that nearly do.
        low: the least parameter.
        high: the greatest.
    """

    name: str
    sentence: str
    right: Function
    wrong: tuple[Function, ...]
    low: int = 2
    high: int = 9


def keep_from(rows: Rows, n: int) -> Rows:
    return [[word, number] for word, number in rows if number >= n]


def keep_from_1(rows: Rows, n: int) -> Rows:
    return [[word, number] for word, number in rows if number > n]


def keep_from_2(rows: Rows, n: int) -> Rows:
    return [[word, number] for word, number in rows if abs(number) >= n]


def drop_multiples(rows: Rows, n: int) -> Rows:
    return [[word, number] for word, number in rows if number % n != 0]


def drop_multiples_1(rows: Rows, n: int) -> Rows:
    return [[word, number] for word, number in rows if number % n == 0]


def drop_multiples_2(rows: Rows, n: int) -> Rows:
    return [[word, number] for word, number in rows if number % n != 1]


def short_words(rows: Rows, n: int) -> Rows:
    return [[word, number] for word, number in rows if len(word) <= n]


def short_words_1(rows: Rows, n: int) -> Rows:
    return [[word, number] for word, number in rows if len(word) < n]


def short_words_2(rows: Rows, n: int) -> Rows:
    return [[word[:n], number] for word, number in rows]


def cap(rows: Rows, n: int) -> Rows:
    return [[word, min(number, 10 * n)] for word, number in rows]


def cap_1(rows: Rows, n: int) -> Rows:
    return [[word, max(number, 10 * n)] for word, number in rows]


def cap_2(rows: Rows, n: int) -> Rows:
    return [[word, min(number, n)] for word, number in rows]


def differences(rows: Rows, n: int) -> Rows:
    result = []
    before = 0
    for word, number in rows:
        result.append([word, number - n * before])
        before = number
    return result


def differences_1(rows: Rows, n: int) -> Rows:
    result = []
    before = 0
    for word, number in rows:
        result.append([word, number - n * before])
    return result


def differences_2(rows: Rows, n: int) -> Rows:
    result = []
    before = 0
    for word, number in rows:
        before = number - n * before
        result.append([word, before])
    return result


def totals(rows: Rows, n: int) -> Rows:
    sums: dict[str, int] = {}
    for word, number in rows:
        sums[word] = sums.get(word, 0) + n * number
    return [[word, sums[word]] for word in sorted(sums)]


def totals_1(rows: Rows, n: int) -> Rows:
    sums: dict[str, int] = {}
    for word, number in rows:
        sums[word] = n * number
    return [[word, sums[word]] for word in sorted(sums)]


def totals_2(rows: Rows, n: int) -> Rows:
    sums: dict[str, int] = {}
    for word, number in rows:
        sums[word] = sums.get(word, n) + n * number
    return [[word, sums[word]] for word in sorted(sums)]


def largest(rows: Rows, n: int) -> Rows:
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:n]


def largest_1(rows: Rows, n: int) -> Rows:
    return sorted(rows, key=lambda row: (row[1], row[0]))[:n]


def largest_2(rows: Rows, n: int) -> Rows:
    return sorted(rows, key=lambda row: (-row[1], row[0]))[: n - 1]


def every_nth(rows: Rows, n: int) -> Rows:
    return rows[n - 1 :: n]


def every_nth_1(rows: Rows, n: int) -> Rows:
    return rows[::n]


def every_nth_2(rows: Rows, n: int) -> Rows:
    return rows[n::n]


FILTERS = (
    ProgramStep("keep_from", "Keep the rows whose number is {n} or more", keep_from, (keep_from_1, keep_from_2)),
    ProgramStep("drop_multiples", "Drop the rows whose number is a multiple of {n}", drop_multiples, (drop_multiples_1, drop_multiples_2)),
    ProgramStep("short_words", "Keep the rows whose word has at most {n} letters", short_words, (short_words_1, short_words_2), 5, 6),
    ProgramStep("every_nth", "Keep each {n}th row, the {n}th first", every_nth, (every_nth_1, every_nth_2), 2, 3),
)  # fmt: skip
CHANGES = (
    ProgramStep("cap", "Replace numbers above 10 times {n} by 10 times {n}", cap, (cap_1, cap_2)),
    ProgramStep("differences", "Subtract from each number {n} times the number of the row before, as it was (0 before the first)",
         differences, (differences_1, differences_2)),
)  # fmt: skip
ENDS = (
    ProgramStep("totals", "Add up {n} times the numbers of each word, and sort the rows by word", totals, (totals_1, totals_2)),
    ProgramStep("largest", "Sort the rows by number, the largest first, and equal ones by word; keep the first {n}", largest, (largest_1, largest_2), 3, 6),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """A step with its parameter."""

    step: ProgramStep
    n: int

    @property
    def sentence(self) -> str:
        """Return what it does."""
        return self.step.sentence.format(n=self.n)

    def __call__(self, rows: Rows) -> Rows:
        """Return what the right code makes of some rows."""
        return list(self.step.right([list(row) for row in rows], self.n))


def choose(rng: np.random.Generator, level: int) -> list[Chosen]:
    """Draw steps: one more filter or change per level, then an end."""
    pool = [*FILTERS, *CHANGES]
    order = [pool[int(place)] for place in rng.permutation(len(pool))[: level + 1]]
    steps = [*order, pick(rng, ENDS)]
    return [Chosen(step, integer(rng, step.low, step.high)) for step in steps]


def applied(steps: Sequence[Chosen], rows: Rows) -> Rows:
    """Return the rows after all steps."""
    result = [list(row) for row in rows]
    for step in steps:
        result = step(result)
    return result


def source_of(function: Function, name: str) -> str:
    """Return a function's source under a name."""
    text = textwrap.dedent(inspect.getsource(function))
    return text.replace(f"def {function.__name__}(", f"def {name}(", 1)
