r"""Countdown: reach a target with given numbers, each used once::

    3, 7, 25, 50 → 196    →    \boxed{(50 - 25 + 3) * 7}

Any expression counts that uses each number exactly once, only + - * / and brackets, and has the
target's value exactly. Numbers stand in ascending order, so that no two prompts are one problem, and
no target can be had by signs alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from rlvr.core.environment import Environment
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, correct, refused
from rlvr.envs.puzzles.common import integer, pick, puzzle
from rlvr.verifiers.extraction import Mode
from rlvr.verifiers.function import FunctionVerifier
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.reader import read
from rlvr.verifiers.math.tree import Call, Num, Relation, Tree
from rlvr.verifiers.math.vocabulary import Unreadable

PROMPT = (
    "Use each of the numbers {numbers} exactly once, with + - * / and brackets, to make {target}. "
    "Numbers can't be joined to longer ones. Put the expression alone in \\boxed{{}}, such as "
    "\\boxed{{(1 + 2) * 3}}."
)
MAX_LENGTH = 400
"""Characters of an answer that are read; eight numbers need no more."""

_MOST = 9999  # of what stands in brackets


@dataclass(frozen=True)
class CountdownLevel:
    """The count of numbers from 1 to `largest`, and the operators that may join them."""

    count: int
    largest: int
    operators: str


LEVELS = {
    1: CountdownLevel(3, 99, "+-*"),
    2: CountdownLevel(3, 99, "+-*/"),
    3: CountdownLevel(4, 99, "+-*/"),
    4: CountdownLevel(5, 99, "+-*/"),
    5: CountdownLevel(6, 99, "+-*/"),
    6: CountdownLevel(8, 99, "+-*/"),
}


def problem(rng: np.random.Generator, level: CountdownLevel) -> Task:
    """Draw numbers, and a target that is the value of a random expression of them."""
    while True:
        numbers = sorted(integer(rng, 1, level.largest) for _ in range(level.count))
        drawn = _combined(rng, numbers, level.operators)
        if drawn is None:
            continue
        target, solution = drawn
        if not 10 <= target <= 999 or target in numbers:
            continue
        if target in _by_signs(numbers):
            continue
        fields = {"numbers": numbers, "target": target}
        prompt = PROMPT.format(numbers=", ".join(map(str, numbers)), target=target)
        return Task(prompt, fields | {"solution": solution}, None, fields)


def _combined(
    rng: np.random.Generator, numbers: list[int], operators: str
) -> tuple[int, str] | None:
    """Return a value and its expression, by joining two parts at random until one is left."""
    parts = [(number, str(number)) for number in numbers]
    while len(parts) > 1:
        a, left = parts.pop(int(rng.integers(len(parts))))
        b, right = parts.pop(int(rng.integers(len(parts))))
        operator = pick(rng, operators)
        if a < b:
            a, left, b, right = b, right, a, left
        if operator == "+":
            value = a + b
        elif operator == "-":
            value = a - b
        elif operator == "*":
            value = a * b if b > 1 else 0
        else:
            value = a // b if b > 1 and a % b == 0 else 0
        if not 0 < value <= _MOST:
            return None
        parts.append((value, f"({left} {operator} {right})"))
    value, expression = parts[0]
    return value, expression[1:-1]


def _by_signs(numbers: list[int]) -> set[int]:
    """Return every sum of the numbers with signs."""
    sums = {0}
    for number in numbers:
        sums = {total + signed for total in sums for signed in (number, -number)}
    return sums


def demonstrate(task: Task) -> str:
    """Return the solution that was found when the task was made."""
    return f"\\boxed{{{task.reference['solution']}}}"


def judge(task: Task, answer: str) -> Scored:
    """Tell whether `answer` uses each number once and equals the target; it may end in "= target"."""
    target = Fraction(task.reference["target"])
    if len(answer) > MAX_LENGTH:
        return _wrong("the expression is too long")
    try:
        tree = read(clean(answer))
    except Unreadable as error:
        return _wrong(f"it can't be read: {error}")
    if isinstance(tree, Relation):
        if tree.signs != ("=",) or tree.sides[1] != Num(target):
            return _wrong("more than an expression")
        tree = tree.sides[0]
    used: list[Fraction] = []
    try:
        value = _value(tree, used)
    except (Unreadable, ZeroDivisionError) as error:
        return _wrong(str(error) or "a division by 0")
    if sorted(used) != task.reference["numbers"]:
        return _wrong("the numbers used aren't those given, each once")
    if value != target:
        return _wrong(f"it isn't {target}")
    return correct("countdown", "", answer=answer)


def _wrong(why: str) -> Scored:
    return refused("countdown", Status.INCORRECT, why)


def _value(tree: Tree, used: list[Fraction]) -> Fraction:
    """Return the exact value; the expression's numbers are added to `used`."""
    if isinstance(tree, Num):
        used.append(tree.value)
        return tree.value
    if not isinstance(tree, Call) or tree.name not in ("add", "mul", "div", "neg"):
        raise Unreadable("only + - * / and brackets may be used")
    values = [_value(part, used) for part in tree.args]
    result = values[0]
    if tree.name == "neg":
        return -result
    for other in values[1:]:
        if tree.name == "add":
            result += other
        elif tree.name == "mul":
            result *= other
        else:
            result /= other
    return result


def naive(task: Task) -> str:
    """Choose greedily, from the largest number down, the operator that comes closest to the target."""
    target = task.metadata["target"]
    *rest, largest = task.metadata["numbers"]
    value, expression = Fraction(largest), str(largest)
    for number in reversed(rest):
        steps = {"+": value + number, "-": value - number, "*": value * number, "/": value / number}
        operator = min(steps, key=lambda symbol: abs(steps[symbol] - target))
        value, expression = steps[operator], f"({expression} {operator} {number})"
    return f"\\boxed{{{expression}}}"


@environment("countdown")
def make(
    split: str = "train", level: int = 1, size: int = 1_000_000, seed: int = 0, mode: Mode = "boxed"
) -> Environment:
    """Make puzzles that reach a target with given numbers, each used once.

    Args:
        split: train, dev or test.
        level: 1 to 6: three to eight numbers.
        size: how many tasks the split has.
        seed: of all tasks of all splits.
        mode: where the answer is looked for.
    """
    verifier = FunctionVerifier(judge, mode, "countdown", inline=True, demonstrate=demonstrate)
    return puzzle("countdown", problem, verifier, LEVELS, level, split, size, seed)
