"""Arithmetic in five levels, generated::

    What is 417 + 385? Put the result in \\boxed{}.    →    802

Tasks of a split depend on the seed and their index alone, and no prompt is in two splits.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import generated
from rlvr.envs.fixtures import fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.turns import SingleTurn
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.math import Math

PROMPT = Prompt("What is {expression}? Put the result in \\boxed{}.")
_APPLY = {"+": operator.add, "-": operator.sub, "*": operator.mul}


@dataclass(frozen=True)
class ArithmeticLevel:
    """Terms have exactly `digits` digits and are joined by random `operators`; * binds tighter."""

    digits: int
    terms: int
    operators: str

    def __post_init__(self) -> None:
        if type(self.digits) is not int or not 1 <= self.digits <= 18:
            raise OptionError(f"digits is a whole number from 1 to 18, not {self.digits!r}.")
        if type(self.terms) is not int or not 2 <= self.terms <= 100:
            raise OptionError(f"terms is a whole number from 2 to 100, not {self.terms!r}.")
        named = self.operators if isinstance(self.operators, str) else ""
        if not named or set(named) - set(_APPLY):
            operators = "".join(_APPLY)
            raise OptionError(f"operators are some of {operators!r}, not {self.operators!r}.")


LEVELS = {
    1: ArithmeticLevel(digits=2, terms=2, operators="+-"),
    2: ArithmeticLevel(digits=3, terms=2, operators="+-"),
    3: ArithmeticLevel(digits=2, terms=2, operators="*"),
    4: ArithmeticLevel(digits=3, terms=3, operators="+-*"),
    5: ArithmeticLevel(digits=4, terms=5, operators="+-*"),
}


@environment("arithmetic")
def make(
    split: str = "train",
    level: int = 1,
    digits: int | None = None,
    terms: int | None = None,
    operators: str | None = None,
    prompt: Prompt | str | dict[str, str] = PROMPT,
    size: int = 1_000_000,
    seed: int = 0,
    mode: Mode = "boxed",
) -> Environment:
    """Make sums, differences and products.

    Args:
        split: train, dev or test.
        level: 1 to 5; `digits`, `terms` and `operators` (of "+-*") override its own.
        prompt: may use {expression}.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    if level not in tuple(LEVELS):  # a tuple also answers for what can't be hashed
        raise OptionError(f"level is one of {', '.join(map(str, LEVELS))}, not {level!r}.")
    base = LEVELS[level]
    wanted = ArithmeticLevel(
        digits=base.digits if digits is None else digits,
        terms=base.terms if terms is None else terms,
        operators=base.operators if operators is None else operators,
    )
    tasks = generated(
        problem,
        split=split,
        size=size,
        seed=seed,
        name="arithmetic",
        prompt=Prompt.of(prompt),
        level=wanted,
    )
    fixtures = fixtures_of("arithmetic", mode == "boxed")
    return SingleTurn(tasks, Math(mode), fixtures=fixtures)


def problem(rng: np.random.Generator, prompt: Prompt, level: ArithmeticLevel) -> Task:
    """Draw one problem of that level. `prompt` may use {expression}, and {compact} without spaces."""
    low = 10 ** (level.digits - 1) if level.digits > 1 else 0
    numbers = [int(n) for n in rng.integers(low, 10**level.digits, size=level.terms)]
    signs = [str(s) for s in rng.choice(list(level.operators), size=level.terms - 1)]
    spoken = "".join(f" {s} {n}" for s, n in zip(signs, numbers[1:], strict=True))
    expression = f"{numbers[0]}{spoken}"
    fields = {"expression": expression, "compact": expression.replace(" ", "")}
    metadata = {"expression": expression}
    return Task(prompt.render(fields), str(_result(numbers, signs)), None, metadata)


def _result(numbers: list[int], signs: list[str]) -> int:
    """Return the expression's value; products come first."""
    sums = [numbers[0]]
    for sign, number in zip(signs, numbers[1:], strict=True):
        if sign == "*":
            sums[-1] *= number
        else:
            sums.append(_APPLY[sign](0, number))
    return sum(sums)
