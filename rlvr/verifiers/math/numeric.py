"""Whether two expressions agree numerically, to many digits and at several points.

For a worker: mpmath takes its time on large arguments, and the bounds here keep only the worst out.
"""

from __future__ import annotations

import contextlib
import random
from typing import Any

import mpmath

from rlvr.verifiers.math.tree import Call, Group, Num, Relation, Sym, Tree, children, nodes, symbols

DIGITS = 60
"""Two values are equal where they agree to so many; 1/2004! and 1/2006! differ in the first."""

_POINTS = 6
_STEPPED = (3, 1009, -1013)
"""Further points for functions with corners and steps: whole numbers, and large ones."""

_WITH_STEPS = {"abs", "norm", "floor", "ceil", "max", "min", "mod"}
_LARGEST_EXPONENT = mpmath.mpf(10) ** 12
_LARGEST_ARGUMENT = 10**6


class NotNumeric(Exception):
    """The expression has a part that isn't worked out numerically (a sum, infinity)."""


class TooLarge(Exception):
    """A part is larger than anything that's worked out for an answer."""


class NoValue(Exception):
    """There is no value there: a logarithm of 0, the larger of two complex numbers, a series that diverges."""


def agree(gold: Tree, answer: Tree) -> bool | None:
    """Whether they have the same value at every point that decides; None where none does."""
    names = sorted(symbols(gold) | symbols(answer))
    points = _POINTS + len(_STEPPED) if _has_steps(gold) or _has_steps(answer) else _POINTS
    rng = random.Random(20_260_101)  # the same points every time
    ratios: list[Any] = []
    compared = 0
    with mpmath.workdps(DIGITS + 15):
        for point in range(points if names else 1):
            # Positive points first. At negative ones, roots and logarithms may leave the reals,
            # where √(1/n) and 1/√n part: there only real values are compared.
            sign = 1 if point < _POINTS // 2 or point >= _POINTS else -1
            at = {name: sign * mpmath.mpf(rng.randint(2**30, 2**34)) / 2**31 for name in names}
            if point >= _POINTS:
                at = {
                    name: mpmath.mpf(_STEPPED[point - _POINTS] + i) for i, name in enumerate(names)
                }
            try:
                a = value(gold, at)
            except (NotNumeric, TooLarge):
                return None
            except NoValue:
                continue
            try:
                b = value(answer, at)
            except NotNumeric:
                return None
            except TooLarge:
                return False  # the gold isn't
            except NoValue:
                continue
            if not (mpmath.isfinite(a) and mpmath.isfinite(b)):
                continue
            if sign < 0 and (mpmath.im(a) != 0 or mpmath.im(b) != 0):
                continue
            if isinstance(gold, Call) and gold.name == "difference":
                if a == 0 or b == 0:
                    continue
                ratios.append(a / b)
                if not close(ratios[0], ratios[-1]):
                    return False
            elif not close(a, b):
                return False
            compared += 1
    return True if compared else None


def _has_steps(tree: Tree) -> bool:
    return any(isinstance(n, Call) and n.name in _WITH_STEPS for n in nodes(tree))


def close(a: Any, b: Any) -> bool:
    """Equal to `DIGITS` digits, relative to the larger."""
    return bool(abs(a - b) <= mpmath.mpf(10) ** -DIGITS * max(abs(a), abs(b)))


def value(tree: Tree, at: dict[str, Any]) -> Any:
    """Return the finite or infinite value with the symbols' values `at`.

    Raises `NotNumeric`, `TooLarge` or `NoValue`, whatever mpmath raises.
    """
    try:
        return _value(tree, at)
    except (NotNumeric, TooLarge, MemoryError, RecursionError):
        raise
    except (
        Exception
    ) as error:  # mpmath has no one class for them: TypeError, NotImplementedError, …
        raise NoValue from error


def rehearse(tree: Tree) -> None:
    """Work out a gold's values once, on the reference's account: one that never ends is no response's doing."""
    if isinstance(tree, Group | Relation):
        for part in children(tree):
            rehearse(part)
        return
    at = {name: mpmath.mpf(3) / 2 for name in symbols(tree)}
    with mpmath.workdps(DIGITS + 15), contextlib.suppress(NotNumeric, TooLarge, NoValue):
        value(tree, at)


def _value(tree: Tree, at: dict[str, Any]) -> Any:
    if isinstance(tree, Num):
        return mpmath.mpf(tree.value.numerator) / tree.value.denominator
    if isinstance(tree, Sym):
        if tree.name in at:
            return at[tree.name]
        if tree.name not in _CONSTANTS:
            raise NotNumeric
        return +_CONSTANTS[tree.name]
    if not isinstance(tree, Call):
        raise NotNumeric
    if tree.name.startswith("apply:"):
        return _unknown_function(tree.name, [_value(arg, at) for arg in tree.args])
    function = _FUNCTIONS.get(tree.name)
    if function is None:
        raise NotNumeric
    values = [_value(arg, at) for arg in tree.args]
    if tree.name == "pow" and abs(values[1]) > _LARGEST_EXPONENT:
        raise TooLarge
    if tree.name in _GROWING and abs(values[0]) > _LARGEST_ARGUMENT:
        raise TooLarge
    return function(*values)


def _unknown_function(name: str, args: list[Any]) -> Any:
    """f(x) for an f nobody knows: some smooth function, the same one each time."""
    seed = mpmath.mpf(sum(ord(c) * 31**i for i, c in enumerate(name))) / 7919
    return mpmath.sin(seed + sum(a * mpmath.sqrt(p) for a, p in zip(args, (2, 3, 5), strict=False)))


def _root(x: Any, degree: Any) -> Any:
    real = mpmath.re(x)
    if mpmath.im(x) == 0 and real < 0 and degree == int(degree) and int(degree) % 2:
        return -mpmath.power(-real, 1 / degree)  # in answers, the cube root of -8 is -2
    return mpmath.power(x, 1 / degree)


def _mod(a: Any, b: Any) -> Any:
    if mpmath.im(a) != 0 or mpmath.im(b) != 0:
        raise ValueError("no remainder of complex numbers")  # mpmath would look for one without end
    return mpmath.re(a) % mpmath.re(b)


_CONSTANTS = {"pi": mpmath.pi, "e": mpmath.e, "i": mpmath.mpc(0, 1)}
_GROWING = {"factorial", "exp", "sinh", "cosh", "binomial"}
_FUNCTIONS: dict[str, Any] = {
    "add": lambda a, b, *more: a + b + sum(more),
    "neg": lambda a: -a,
    "mul": lambda *factors: mpmath.fprod(factors),
    "div": lambda a, b: a / b,
    "pow": mpmath.power,
    "root": _root,
    "abs": abs,
    "norm": abs,
    "factorial": mpmath.factorial,
    "binomial": mpmath.binomial,
    "floor": mpmath.floor,
    "ceil": mpmath.ceil,
    "mod": _mod,
    "max": max,
    "min": min,
    "log": lambda x, base=None: mpmath.log(x) / mpmath.log(base) if base else mpmath.log(x),
    "ln": mpmath.log,
    "exp": mpmath.exp,
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "arctan": mpmath.atan,
    "arccot": mpmath.acot,
    "difference": lambda a, b: a - b,
    **{
        name: getattr(mpmath, name)
        for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh")
    },
}
