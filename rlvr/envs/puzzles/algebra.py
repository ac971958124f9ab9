r"""Equations with one exact solution::

    Solve 7(x - 12) + 5 = 3x + 101 for x.    →    45

Solutions are drawn first and equations built around them, so that each has exactly one answer: a
whole number, a fraction, or the tuple of a system's unknowns. `rlvr.Math` compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.envs.puzzles.common import integer, nonzero, puzzle
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.math import Math

_NUMBER = "Put the number alone in \\boxed{}, as a whole number or a fraction in lowest terms."
_TUPLE = "Put the solution in \\boxed{} as a tuple, such as \\boxed{%s}."


@dataclass(frozen=True)
class AlgebraLevel:
    """The kind of equation, and the number of unknowns of a system."""

    kind: str
    unknowns: int = 1


LEVELS = {
    1: AlgebraLevel("linear"),
    2: AlgebraLevel("brackets"),
    3: AlgebraLevel("system", 2),
    4: AlgebraLevel("quadratic"),
    5: AlgebraLevel("system", 3),
}


def problem(rng: np.random.Generator, level: AlgebraLevel) -> Task:
    """Draw one equation or system of that level."""
    if level.kind == "linear":
        return _linear(rng)
    if level.kind == "brackets":
        return _brackets(rng)
    return _quadratic(rng) if level.kind == "quadratic" else _system(rng, level.unknowns)


def _linear(rng: np.random.Generator) -> Task:
    a, b, x = integer(rng, 2, 40), nonzero(rng, 99), nonzero(rng, 99)
    return _task(f"Solve {_sum({'x': a, '': b})} = {a * x + b} for x.", str(x))


def _brackets(rng: np.random.Generator) -> Task:
    while True:
        a, b, c, d = (nonzero(rng, most) for most in (12, 20, 40, 12))
        if a == d or abs(a) == 1:
            continue
        x = Fraction(nonzero(rng, 60), integer(rng, 1, 4))
        e = a * (x + b) + c - d * x
        if e.denominator == 1:
            left = f"{a}({_sum({'x': 1, '': b})}) {_signed(c)}"
            return _task(f"Solve {left} = {_sum({'x': d, '': int(e)})} for x.", str(x))


def _quadratic(rng: np.random.Generator) -> Task:
    """Draw (ax - b)(cx - d) = 0, multiplied out, with part of it on the other side."""
    while True:
        a, c = integer(rng, 1, 6), integer(rng, 1, 6)
        b, d = nonzero(rng, 30), nonzero(rng, 30)
        roots = (Fraction(b, a), Fraction(d, c))
        if roots[0] != roots[1]:
            break
    s, t = nonzero(rng, 20), nonzero(rng, 50)
    left = _sum({"x^2": a * c, "x": -(a * d + b * c) + s, "": b * d + t})
    right = _sum({"x": s, "": t})
    return _task(f"What is the larger of the two solutions of {left} = {right}?", str(max(roots)))


def _system(rng: np.random.Generator, unknowns: int) -> Task:
    names = "xyz"[:unknowns]
    solution = [nonzero(rng, 30) for _ in names]
    while True:
        matrix = rng.integers(-9, 10, size=(unknowns, unknowns))
        if matrix.all() and abs(float(np.linalg.det(matrix))) > 0.5:
            break
    rows = []
    for row in matrix.tolist():
        value = sum(a * x for a, x in zip(row, solution, strict=True))
        rows.append(f"{_sum(dict(zip(names, row, strict=True)))} = {value}")
    asked = f"({', '.join(names)})"
    question = f"Solve this system of equations for {asked}:\n\n" + "\n".join(rows) + "\n"
    form = _TUPLE % f"({', '.join('123'[:unknowns])})"
    return Task(
        f"{question}\n{form}", f"({', '.join(map(str, solution))})", None, {"unknowns": unknowns}
    )


def _task(question: str, reference: str) -> Task:
    return Task(f"{question} {_NUMBER}", reference, None, {"unknowns": 1})


def _sum(terms: dict[str, int]) -> str:
    """Write `{"x": -2, "": 5}` as "-2x + 5", and an empty sum as "0"."""
    text = ""
    for name, factor in terms.items():
        if factor:
            shown = str(abs(factor)) if abs(factor) != 1 or not name else ""
            sign = "-" if factor < 0 else "+"
            text += f" {sign} {shown}{name}" if text else f"{sign.strip('+')}{shown}{name}"
    return text or "0"


def _signed(number: int) -> str:
    return f"{'-' if number < 0 else '+'} {abs(number)}"


def naive(task: Task) -> str:
    """Answer with small whole numbers: 1, (1, 1), (1, 1, 1)."""
    ones = ", ".join("1" * task.metadata["unknowns"])
    return f"\\boxed{{{ones}}}" if task.metadata["unknowns"] == 1 else f"\\boxed{{({ones})}}"


@environment("algebra")
def make(
    split: str = "train", level: int = 1, size: int = 1_000_000, seed: int = 0, mode: Mode = "boxed"
) -> Environment:
    """Make equations and systems of equations, which are solved exactly.

    Args:
        split: train, dev or test.
        level: 1 ax + b = c; 2 brackets, fractions; 3 two unknowns; 4 quadratic; 5 three unknowns.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    return puzzle("algebra", problem, Math(mode), LEVELS, level, split, size, seed)
