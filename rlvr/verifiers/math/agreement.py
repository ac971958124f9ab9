"""Tells whether two expressions have the same value, deciding on their difference.

First exactly: like terms cancel, and rational expressions are compared by residues. Then numerically, at
several points, with digits enough for the numbers on the way: `e^{400}` and `e^{400} + 1` differ in the
174th. Two values count as equal only if they agree far beyond what numbers of their size tell apart.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import mpmath

from rlvr.verifiers.math import exact
from rlvr.verifiers.math.normal import Undefined, normal
from rlvr.verifiers.math.numeric import (
    DIGITS,
    Convention,
    NotNumeric,
    NoValue,
    NumericEvaluation,
    TooLarge,
    has_odd_fraction,
    is_approximate,
)
from rlvr.verifiers.math.tree import ZERO, Call, Num, Tree, nodes, symbols

_AGREED = 60
"""Digits that have to agree beyond the size of the numbers on the way."""

_MOST_DIGITS = 8000
_MOST_DIGITS_OF_CONSTANTS = 30_000
_APPROXIMATE_DIGITS = 30
_APPROXIMATELY = mpmath.mpf(10) ** -18

_WITH_STEPS = {"abs", "norm", "floor", "ceil", "max", "min", "mod", "sgn"}
_WHOLE = (3, 4, 5, 6, 7, 8, 10, 13, 16, 21)
_SCALES = (0.03, 23.7, 331.0, 5011.0, 1.7e6)


class Point(NamedTuple):
    """Values for the symbols.

    Attributes:
        at: name to value.
        usual: whether answers are meant to hold there, so that complex numbers on the way count as well.
            At negative points roots and logarithms may leave the reals, where √(1/n) and 1/√n part.
    """

    at: dict[str, Any]
    usual: bool


def agree(gold: Tree, answer: Tree) -> bool | None:
    """Tell whether they have the same value at every point that decides; None where none does."""
    proportional = isinstance(gold, Call) and gold.name == "difference"
    whole = exact.whole_numbers(gold) | exact.whole_numbers(answer)
    cancelled: Tree | None = None
    if not proportional:
        if not whole and _clearly_differ(gold, answer):
            return False
        try:
            cancelled = normal(Call("add", (gold, Call("neg", (answer,)))))
        except Undefined:
            return False
        if isinstance(cancelled, Num):
            return cancelled.value == 0
    names = sorted(symbols(gold) | symbols(answer))
    points = [_whole_at(names, i) for i in range(len(_WHOLE))] if whole else None
    same = exact.equal(gold, answer, points, proportional)
    if same is not None:
        return same
    try:
        if proportional:
            return _proportional(gold, answer, names)
        return _equal(gold, answer, names, whole)
    except NotNumeric:
        return None
    except TooLarge:
        pass
    if cancelled is None:
        return False
    try:
        return _equal(cancelled, ZERO, names, whole)
    except NotNumeric:
        return None
    except TooLarge:
        return False  # what can't be told is never paid


def _clearly_differ(gold: Tree, answer: Tree) -> bool:
    """Tell cheaply whether two expressions differ at a usual point, as most wrong answers do."""
    tree = Call("difference", (gold, answer))
    names = sorted(symbols(tree))
    at = {name: mpmath.mpf(11 + 4 * i) / 7 for i, name in enumerate(names)}
    if is_approximate(tree) or _conventions(tree) != [Convention()]:
        return False
    try:
        values = _evaluated(tree, Point(at, True), Convention(), 40)
    except (NotNumeric, TooLarge):
        return False
    if values is None or values.size > 8 or not (values.real or not names):
        return False
    return bool(abs(values.gold - values.answer) > mpmath.mpf(10) ** -10)


def _equal(gold: Tree, answer: Tree, names: list[str], whole: frozenset[str]) -> bool | None:
    difference = Call("difference", (gold, answer))
    seen: bool | None = None
    for convention in _conventions(difference):
        equal = _vanishes(difference, names, whole, convention)
        if equal:
            return True
        seen = equal if seen is None else seen
    return seen


def _conventions(tree: Tree) -> list[Convention]:
    """Return the ways to read both sides; each is tried on both of them alike."""
    present = {node.name for node in nodes(tree) if isinstance(node, Call)}
    conjugates = "conj" in present or ("hat" in present and bool(present & {"abs", "re", "im"}))
    return [
        Convention(real_powers, wide, conjugates)
        for real_powers in ((False, True) if has_odd_fraction(tree) else (False,))
        for wide in ((False, True) if "arccot" in present else (False,))
    ]


def _vanishes(
    tree: Call, names: list[str], whole: frozenset[str], convention: Convention
) -> bool | None:
    """Tell whether a difference is zero at every point that decides; None if no point decides.

    If an intermediate value is complex, two expressions that are equal wherever both are real may differ:
    artanh x and ½ ln((1+x)/(1-x)) for x > 1. At such a point a difference counts only if one of the two is real, or
    if they are real at no usual point.
    """
    compared = parted = confirmed = False
    for point in _points(tree, names, whole, convention):
        outcome = _is_zero(tree, point, convention)
        if outcome is None:
            continue
        zero, real, mixed = outcome
        if not real and not point.usual:
            continue
        if not zero and (real or mixed or not names):
            return False
        compared = True
        parted = parted or not zero
        confirmed = confirmed or (real and point.usual)
    if parted and not confirmed:
        return False
    return True if compared else None


def _is_zero(tree: Call, point: Point, convention: Convention) -> tuple[bool, bool, bool] | None:
    """Tell whether a difference is zero at a point, whether all values are real, and whether only one side is.

    None if there is no value.
    """
    approximate = is_approximate(tree)
    digits = _APPROXIMATE_DIGITS if approximate else DIGITS
    values = _evaluated(tree, point, convention, digits)
    if values is None:
        return None
    a, b, size, real = values
    with mpmath.workdps(digits):
        difference = abs(a - b)
        if approximate:
            return bool(difference <= _APPROXIMATELY * max(abs(a), abs(b))), real, False
        mixed = _is_real(a) != _is_real(b)
        if size < 40 and difference > mpmath.mpf(10) ** -_AGREED:
            return False, real, mixed
    if size >= 40 and _stay_apart(tree, point, convention, values):
        return False, real, mixed
    wanted = _AGREED + 4 * size
    digits = wanted + 2 * size + _AGREED
    if digits > DIGITS:
        if digits > (_MOST_DIGITS if point.at else _MOST_DIGITS_OF_CONSTANTS):
            raise TooLarge
        values = _evaluated(tree, point, convention, digits)
        if values is None:
            return None
        with mpmath.workdps(digits):
            difference = abs(values.gold - values.answer)
    with mpmath.workdps(max(digits, DIGITS)):
        return bool(difference <= mpmath.mpf(10) ** -wanted), real, mixed


def _stay_apart(tree: Call, point: Point, convention: Convention, values: _Values) -> bool:
    """Tell whether two large values differ widely and don't change with twice the digits: more digits wouldn't help."""
    again = _evaluated(tree, point, convention, 2 * DIGITS)
    if again is None:
        return False
    with mpmath.workdps(2 * DIGITS):
        near = mpmath.mpf(10) ** -_AGREED
        same = all(
            abs(a - b) <= near * abs(b)
            for a, b in ((values.gold, again.gold), (values.answer, again.answer))
        )
        largest = max(abs(again.gold), abs(again.answer))
        return bool(same and abs(again.gold - again.answer) > mpmath.sqrt(near) * largest)


def _is_real(value: Any) -> bool:
    return bool(abs(mpmath.im(value)) <= mpmath.mpf(10) ** -_AGREED * abs(value))


class _Values(NamedTuple):
    gold: Any
    answer: Any
    size: int  # decimal digits of the largest number on the way
    real: bool  # whether all numbers on the way are


def _evaluated(tree: Call, point: Point, convention: Convention, digits: int) -> _Values | None:
    """Return the values of both sides of a difference; None if one of them has none."""
    evaluation = NumericEvaluation(point.at, convention)
    with mpmath.workdps(digits):
        try:
            a, b = (evaluation.value(side) for side in tree.args)
        except NoValue:
            return None
        if not (mpmath.isfinite(a) and mpmath.isfinite(b)):
            return None
    return _Values(a, b, evaluation.bits * 30103 // 100_000 + 1, evaluation.real)


def _proportional(gold: Tree, answer: Tree, names: list[str]) -> bool | None:
    """Tell whether one is a constant multiple of the other: two equations with the same solutions."""
    first: tuple[Any, Any] | None = None
    compared = False
    tree = Call("difference", (gold, answer))
    for point in _points(tree, names, frozenset(), Convention()):
        values = _both(tree, point)
        if values is None:
            continue
        a, b, digits = values
        if a == 0 or b == 0:
            continue
        with mpmath.workdps(digits):
            first = first or (a, b)
            left, right = a * first[1], b * first[0]
            if not abs(left - right) <= mpmath.mpf(10) ** (-digits // 3) * abs(left):
                return False
        compared = True
    return True if compared else None


def _both(tree: Call, point: Point) -> tuple[Any, Any, int] | None:
    """Return both values and the number of digits that are right; None if the point doesn't count."""
    digits = DIGITS
    while True:
        values = _evaluated(tree, point, Convention(), digits)
        if values is None or not (point.usual or values.real):
            return None
        wanted = _AGREED + 6 * values.size
        if wanted <= digits or digits > DIGITS:
            return values.gold, values.answer, digits
        if wanted > _MOST_DIGITS:
            raise TooLarge
        digits = wanted


# ---------------------------------------------------------------------- points


def _points(
    tree: Call, names: list[str], whole: frozenset[str], convention: Convention
) -> Iterator[Point]:
    if not names:
        yield Point({}, True)
        return
    rng = random.Random(20_260_101)  # the same points every time
    if convention.conjugates:
        for _ in range(4):
            at = {name: _number(rng) for name in names}
            for name in names:
                if name[0] in "zw" or name in _barred(tree):
                    at[name] = mpmath.mpc(_number(rng), at[name])
            yield Point(at, True)
        return
    approximate = is_approximate(tree)
    if whole:
        for i in range(4 if approximate else len(_WHOLE)):
            at = {name: _number(rng) / (8 if approximate else 1) for name in names}
            integers = _whole_at(names, i)
            yield Point(at | {name: mpmath.mpf(integers[name]) for name in whole}, True)
        return
    if approximate:
        for divisor in (20, 20, 2):  # where most series converge first
            yield Point({name: _number(rng) / divisor for name in names}, True)
        return
    for sign in (1, 1, 1, -1, -1, -1):
        yield Point({name: sign * _number(rng) for name in names}, sign > 0)
    for sign in (1, -1):
        yield Point({name: sign * _number(rng) / 9 for name in names}, sign > 0)
    corners = _corners(tree)
    if corners or _has_steps(tree):
        for start in (3, 1009, -1013):
            yield Point({name: mpmath.mpf(start + i) for i, name in enumerate(names)}, start > 0)
        for scale, sign in itertools.product(_SCALES, (1, -1)):
            yield Point({name: sign * scale * _number(rng) / 2 for name in names}, sign > 0)
        yield from _between(corners[:6], names[:3], {name: _number(rng) for name in names})


def _barred(tree: Tree) -> frozenset[str]:
    bars = [node for node in nodes(tree) if isinstance(node, Call) and node.name == "hat"]
    return frozenset().union(*map(symbols, bars))


def _number(rng: random.Random) -> Any:
    return mpmath.mpf(rng.randint(2**30, 2**34)) / 2**31


def _whole_at(names: list[str], i: int) -> dict[str, int]:
    return {name: _WHOLE[(i + 3 * j) % len(_WHOLE)] + j for j, name in enumerate(names)}


def _has_steps(tree: Tree) -> bool:
    return any(isinstance(node, Call) and node.name in _WITH_STEPS for node in nodes(tree))


def _corners(tree: Tree) -> list[Tree]:
    """Return the expressions at whose zeros a part of `tree` may change its course: the x - 20 of √((x-20)^2)."""
    inside: list[Tree] = []
    for node in nodes(tree):
        if not isinstance(node, Call):
            continue
        if node.name in ("max", "min"):
            first = node.args[0]
            inside += [Call("add", (first, Call("neg", (arg,)))) for arg in node.args[1:]]
        elif node.name in ("abs", "norm", "sgn"):
            inside += node.args
        elif node.name == "root" or (node.name == "pow" and _is_fraction(node.args[1])):
            inside.append(node.args[0])
    sums = [part for operand in inside for part in nodes(operand) if isinstance(part, Call)]
    return list(dict.fromkeys(p for p in sums if p.name in ("add", "difference") and symbols(p)))


def _is_fraction(tree: Tree) -> bool:
    if isinstance(tree, Call) and tree.name == "neg":
        return _is_fraction(tree.args[0])
    if isinstance(tree, Call) and tree.name == "div":
        return all(isinstance(arg, Num) for arg in tree.args)
    return isinstance(tree, Num) and tree.value.denominator > 1


def _between(corners: list[Tree], names: list[str], base: dict[str, Any]) -> Iterator[Point]:
    """Points between the zeros of `corners`, and beyond them, along one symbol at a time."""
    for name in names:
        zeros = sorted({zero for corner in corners for zero in _zeros(corner, name, base)})[:12]
        if not zeros:
            continue
        middles = [(a + b) / 2 for a, b in itertools.pairwise(zeros)]
        for at in (zeros[0] - 1, *middles, zeros[-1] + 1):
            yield Point({**base, name: mpmath.mpf(at)}, at > 0)


_GRID = sorted(sign * 1.37 * 10 ** (k / 2) for k in range(-4, 9) for sign in (1, -1))


def _zeros(tree: Tree, name: str, base: dict[str, Any]) -> Iterator[float]:
    """Return where it changes its sign along one symbol, roughly."""
    if name not in symbols(tree):
        return

    def value(x: float) -> float | None:
        try:
            number = NumericEvaluation({**base, name: mpmath.mpf(x)}).value(tree)
        except (NoValue, NotNumeric, TooLarge):
            return None
        return (
            None
            if mpmath.im(number) != 0 or not mpmath.isfinite(number)
            else float(mpmath.sign(number))
        )

    with mpmath.workdps(15):
        signs = [(x, value(x)) for x in _GRID]
        for (low, a), (high, b) in itertools.pairwise(signs):
            if a is None or b is None or a * b > 0:
                continue
            for _ in range(24):
                middle = (low + high) / 2
                there = value(middle)
                if there is None:
                    break
                low, high = (middle, high) if there * a > 0 else (low, middle)
            yield (low + high) / 2
