"""Floating-point values of expressions with a bound on their error, to order endpoints and to read signs.

For the caller's thread: one pass over the tree, no imports, no large numbers.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from rlvr.verifiers.math.tree import Call, Num, Sym, Tree, symbols


class Bounded(NamedTuple):
    """A value with an error of at most `error`. Intermediate values may be complex; see `_finite`."""

    value: float
    error: float


_EPSILON = 2.0**-50
_CONSTANTS: dict[str, Any] = {"pi": math.pi, "e": math.e, "i": 1j}


def estimate(tree: Tree, at: Mapping[str, float] | None = None) -> Bounded | None:
    """Return the real value of `tree` with the symbols' values `at`; None if it can't be computed."""
    bounded = _finite(tree, at or {})
    return None if bounded is None or isinstance(bounded.value, complex) else bounded


def sign(tree: Tree, at: Mapping[str, float] | None = None) -> int:
    """Return 1 or -1; 0 if the estimate doesn't decide the sign."""
    bounded = estimate(tree, at)
    if bounded is None or abs(bounded.value) <= bounded.error:
        return 0
    return 1 if bounded.value > 0 else -1


def apart(left: Tree, right: Tree) -> bool:
    """Return True if two expressions certainly have different values at a point at which answers are meant to hold.

    It is True for most wrong answers. False means nothing: the values may be too near each other, or unknown.
    """
    names = sorted(symbols(left) | symbols(right))
    at = {name: (11 + 4 * place) / 7 for place, name in enumerate(names)}
    first = _finite(left, at)
    second = _finite(right, at) if first is not None else None
    if first is None or second is None:
        return False
    if names and (isinstance(first.value, complex) or isinstance(second.value, complex)):
        return False
    return abs(first.value - second.value) > 2 * (first.error + second.error)


def _finite(tree: Tree, at: Mapping[str, float]) -> Bounded | None:
    """Return the real or complex value of `tree`; None if it can't be computed."""
    try:
        bounded = _estimate(tree, at)
    except (ArithmeticError, ValueError, TypeError):  # beyond a float, or of a complex number
        return None
    if bounded is None or not (cmath.isfinite(bounded.value) and math.isfinite(bounded.error)):
        return None
    return bounded


def _estimate(tree: Tree, at: Mapping[str, float]) -> Bounded | None:
    if isinstance(tree, Num):
        return _rounded(tree.value.numerator / tree.value.denominator, 0.0)
    if isinstance(tree, Sym):
        value = at.get(tree.name, _CONSTANTS.get(tree.name))
        return None if value is None else _rounded(value, 0.0)
    rule = _RULES.get(tree.name) if isinstance(tree, Call) else None
    if rule is None:
        return None
    assert isinstance(tree, Call)
    args = [_estimate(arg, at) for arg in tree.args]
    if any(arg is None for arg in args):
        return None
    return rule(*args)


def _rounded(value: Any, error: float) -> Bounded:
    return Bounded(value, error * (1 + _EPSILON) + abs(value) * _EPSILON)


def _sum(*terms: Bounded) -> Bounded:
    total = Bounded(0.0, 0.0)
    for term in terms:
        total = _rounded(total.value + term.value, total.error + term.error)
    return total


def _product(*factors: Bounded) -> Bounded:
    total = Bounded(1.0, 0.0)
    for factor in factors:
        error = (
            abs(total.value) * factor.error
            + abs(factor.value) * total.error
            + total.error * factor.error
        )
        total = _rounded(total.value * factor.value, error)
    return total


def _quotient(a: Bounded, b: Bounded) -> Bounded | None:
    room = abs(b.value) - b.error
    if room <= 0:
        return None
    value = a.value / b.value
    return _rounded(value, (a.error + abs(value) * b.error) / room)


def _power(a: Bounded, b: Bounded) -> Bounded | None:
    exponent = b.value
    if exponent == int(exponent) and 0 <= exponent <= 64 and b.error < 1e-9:
        return _product(*[a] * int(exponent))
    if a.value <= 2 * a.error:
        return None
    value = a.value**exponent
    off = abs(exponent) * a.error / (a.value - a.error) + abs(math.log(a.value)) * b.error
    return _rounded(value, abs(value) * off * 2) if off < 0.1 else None


def _root(a: Bounded, degree: Bounded) -> Bounded | None:
    if a.value == 0 and a.error == 0:
        return a
    if a.value < 0 and degree.value % 2 == 1 and degree.error < 1e-9:
        positive = _root(Bounded(-a.value, a.error), degree)
        return None if positive is None else Bounded(-positive.value, positive.error)
    inverse = _quotient(Bounded(1.0, 0.0), degree)
    return None if inverse is None else _power(a, inverse)


def _logarithm(a: Bounded, base: Bounded | None = None) -> Bounded | None:
    if a.value <= 2 * a.error:
        return None
    natural = _rounded(math.log(a.value), a.error / (a.value - a.error) + _EPSILON)
    if base is None:
        return natural
    below = _logarithm(base)
    return None if below is None else _quotient(natural, below)


def _smooth(function: Callable[[float], float]) -> Callable[[Bounded], Bounded]:
    """Return the rule of a function whose slope is at most 1, such as sin."""
    return lambda a: _rounded(function(a.value), a.error + _EPSILON)


def _abs(a: Bounded) -> Bounded:
    return Bounded(abs(a.value), a.error)


_Rule: TypeAlias = Callable[..., "Bounded | None"]
_RULES: dict[str, _Rule] = {
    "add": _sum,
    "neg": lambda a: Bounded(-a.value, a.error),
    "mul": _product,
    "div": _quotient,
    "pow": _power,
    "root": _root,
    "abs": _abs,
    "ln": _logarithm,
    "log": _logarithm,
    "sin": _smooth(math.sin),
    "cos": _smooth(math.cos),
    "arctan": _smooth(math.atan),
    "exp": lambda a: _power(_rounded(math.e, 0.0), a),
}
