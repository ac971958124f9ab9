r"""Terms of sequences whose kind of rule is given::

    5, 9, 17, 33, … each term from the third on is p·(the last) + q·(the one before) + c    →    …

"What comes next?" has no one answer unless the rules that may be at work are named. So each prompt
names the kind of rule, and gives terms enough that only one rule of that kind fits: that's checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.envs.puzzles.common import integer, nonzero, pick, puzzle
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.math import Math

_ONE = "Put the number alone in \\boxed{}."
_PRIMES = (11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)


@dataclass(frozen=True)
class SequencesLevel:
    """Makes one problem of a kind from `rng`."""

    kind: Callable[[np.random.Generator], Task]


def _polynomial(rng: np.random.Generator, degree: int, terms: int, ahead: tuple[int, int]) -> Task:
    """Draw degree + 2 terms or more, which one polynomial of that degree fits."""
    factors = [integer(rng, -99, 99), *(nonzero(rng, most) for most in (60, 30, 9)[:degree])]
    asked = terms + integer(rng, *ahead)
    values = [sum(c * n**k for k, c in enumerate(factors)) for n in range(1, asked + 1)]
    rule = f"is given by a polynomial in n of degree {degree}"
    return _task(values, terms, f"The n-th term of this sequence {rule}.", asked)


def _interleaved(rng: np.random.Generator) -> Task:
    starts = [integer(rng, -99, 99) for _ in "ab"]
    steps = [nonzero(rng, 40) for _ in "ab"]
    if steps[0] == steps[1]:
        steps[1] += 1 if steps[1] != -1 else 2
    asked = integer(rng, 15, 60)
    values = [starts[i % 2] + i // 2 * steps[i % 2] for i in range(asked)]
    rule = (
        "The 1st, 3rd, 5th, … terms of this sequence form an arithmetic progression; "
        "so do the 2nd, 4th, 6th, …."
    )
    return _task(values, 6, rule, asked)


def _recurrence(rng: np.random.Generator) -> Task:
    """Draw terms from which three independent equations fix p, q and c."""
    while True:
        values = [nonzero(rng, 40), nonzero(rng, 40)]
        p, q, c = nonzero(rng, 4), nonzero(rng, 4), nonzero(rng, 20)
        while len(values) < 8:
            values.append(p * values[-1] + q * values[-2] + c)
        if abs(values[-1]) < 10**6 and len(set(values)) == 8 and _determinant(values):
            break
    rule = (
        "From the third term on, each term of this sequence is p times the term before it, plus "
        "q times the one before that, plus c, for fixed whole numbers p, q and c."
    )
    return _task(values, 6, rule, integer(rng, 7, 8))


def _modular(rng: np.random.Generator) -> Task:
    """Draw the same modulo a prime; three independent equations fix p, q and c, too."""
    while True:
        m = pick(rng, _PRIMES)
        values = [integer(rng, 0, m - 1), integer(rng, 0, m - 1)]
        p, q, c = (integer(rng, 1, m - 1) for _ in "pqc")
        while len(values) < 11:
            values.append((p * values[-1] + q * values[-2] + c) % m)
        if _determinant(values) % m:
            break
    rule = (
        "From the third term on, each term of this sequence is the remainder modulo "
        f"{m} of p times the term before it, plus q times the one before that, plus c, for fixed "
        "whole numbers p, q and c."
    )
    shown = ", ".join(map(str, values[:8]))
    prompt = (
        f"{rule}\n\n{shown}, …\n\nWhat are the next three terms? Put them in \\boxed{{}} as a "
        f"tuple, such as \\boxed{{(1, 2, 3)}}."
    )
    reference = f"({', '.join(map(str, values[8:]))})"
    return Task(prompt, reference, None, {"terms": values[:8], "asked": 3})


def _determinant(values: list[int]) -> int:
    """Return the determinant of the equations for p, q and c from the third to fifth term; 0 if they depend on each other."""
    a, b, c, d = values[:4]
    # | b a 1 |
    # | c b 1 |
    # | d c 1 |
    return b * (b - c) - a * (c - d) + (c * c - b * d)


def _task(values: list[int], terms: int, rule: str, asked: int) -> Task:
    shown = ", ".join(map(str, values[:terms]))
    prompt = (
        f"{rule}\n\n{shown}, …\n\nWhat is the term with the number {asked}, counted from 1? {_ONE}"
    )
    return Task(prompt, str(values[asked - 1]), None, {"terms": values[:terms], "asked": 1})


def _quadratic(rng: np.random.Generator) -> Task:
    return _polynomial(rng, 2, 5, (1, 3))


def _cubic(rng: np.random.Generator) -> Task:
    return _polynomial(rng, 3, 6, (4, 20))


LEVELS = {
    1: SequencesLevel(_quadratic),
    2: SequencesLevel(_interleaved),
    3: SequencesLevel(_recurrence),
    4: SequencesLevel(_cubic),
    5: SequencesLevel(_modular),
}


def problem(rng: np.random.Generator, level: SequencesLevel) -> Task:
    """Draw one problem of that level."""
    return level.kind(rng)


def naive(task: Task) -> str:
    """Continue by the last difference."""
    *_, before, last = task.metadata["terms"]
    terms = [last + k * (last - before) for k in range(1, task.metadata["asked"] + 1)]
    shown = ", ".join(map(str, terms))
    return f"\\boxed{{{shown}}}" if len(terms) == 1 else f"\\boxed{{({shown})}}"


@environment("sequences")
def make(
    split: str = "train", level: int = 1, size: int = 1_000_000, seed: int = 0, mode: Mode = "boxed"
) -> Environment:
    """Make sequences whose kind of rule is given and whose next term is asked for.

    Args:
        split: train, dev or test.
        level: 1 quadratic; 2 two progressions in turn; 3 a recurrence; 4 cubic, far ahead; 5 a
            recurrence modulo a prime.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    return puzzle("sequences", problem, Math(mode), LEVELS, level, split, size, seed)
