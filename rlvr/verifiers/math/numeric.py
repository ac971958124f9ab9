"""The numeric value of an expression, to the digits that mpmath is set to, and what it passed on the way.

For a worker: mpmath takes its time on large arguments, and the bounds here keep only the worst out.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import comb, factorial, gcd, lcm
from typing import Any

import mpmath

from rlvr.verifiers.math.exact import small
from rlvr.verifiers.math.tree import (
    BOUND,
    Call,
    Group,
    Num,
    Relation,
    Sym,
    Tree,
    children,
    nodes,
    symbols,
)

DIGITS = 160
"""Digits that most expressions are evaluated to."""

_LARGEST_EXPONENT = mpmath.mpf(10) ** 12
_LARGEST_ARGUMENT = 10**6
_MOST_TERMS = 2000
_MOST_STEPS = 5000  # of all sums and integrals of one evaluation; more is left to SymPy
_MOST_DIGITS_OF_GAMMA = 400
_MOST_EXTRAPOLATED = 160  # terms of a sum without end
_MOST_BITS_OF_ANGLE = 50_000
_INFINITE = Sym("oo")
_MINUS_INFINITE = Call("neg", (_INFINITE,))
_ESTIMATED_ERROR = mpmath.mpf(10) ** -20  # of an integral that counts as worked out


class NotNumeric(Exception):
    """The expression has a part that isn't worked out numerically (a limit, infinity)."""


class TooLarge(Exception):
    """A part is larger than anything that's worked out for an answer."""


class NoValue(Exception):
    """There is no value there: a logarithm of 0, the larger of two complex numbers, a series that diverges."""


@dataclass(frozen=True, slots=True)
class Convention:
    """Says how to read functions that are defined in more than one way.

    Attributes:
        real_powers: (-8)^(1/3) is -2, as the cube root is, and not the principal value.
        wide_arccot: arccot takes values from 0 to pi, and not from -pi/2 to pi/2.
        conjugates: a hat over a symbol is its conjugate.
    """

    real_powers: bool = False
    wide_arccot: bool = False
    conjugates: bool = False


class NumericEvaluation:
    """One evaluation, with values for the symbols.

    Attributes:
        bits: how far the largest or smallest number on the way is from 1, as a power of two.
        real: whether all numbers on the way were real.
        steps: terms of sums, and points of integrals, so far.
    """

    def __init__(self, at: dict[str, Any], convention: Convention = Convention()) -> None:
        self.at = at
        self.convention = convention
        self.bits = 0
        self.real = True
        self.steps = 0
        self.vanishing = 0  # levels of sums and integrals, whose terms may be too small to count

    def value(self, tree: Tree) -> Any:
        """Return the finite or infinite value.

        Raises `NotNumeric`, `TooLarge` or `NoValue`, whatever mpmath raises.
        """
        try:
            return self._value(tree)
        except (NotNumeric, TooLarge, NoValue, MemoryError):
            raise
        except Exception as error:  # mpmath raises many kinds: TypeError, NotImplementedError, …
            raise NoValue from error

    def _value(self, tree: Tree) -> Any:
        number = self._worked_out(tree)
        if isinstance(number, mpmath.mpc):
            if number.imag:
                self.real = False
            else:
                number = number.real
        if number and mpmath.isfinite(number):
            self.bits = max(self.bits, abs(int(mpmath.mag(number))))
        return number

    def _worked_out(self, tree: Tree) -> Any:
        if isinstance(tree, Num):
            return mpmath.mpf(tree.value.numerator) / tree.value.denominator
        if isinstance(tree, Sym):
            if tree.name in self.at:
                return self.at[tree.name]
            letter, _, index = tree.name.partition("_")
            if index in self.at and index.startswith(BOUND):  # a term of a sequence
                return _unknown_function(letter, [self.at[index]])
            if tree.name not in _CONSTANTS:
                raise NotNumeric
            return +_CONSTANTS[tree.name]
        if not isinstance(tree, Call):
            raise NotNumeric
        if tree.name.startswith("big:"):
            return self._big(tree)
        if tree.name.startswith("apply:"):
            return _unknown_function(tree.name, [self._value(arg) for arg in tree.args])
        if tree.name == "hat" and not self.convention.conjugates:
            raise NotNumeric
        function = _FUNCTIONS.get(tree.name)
        if function is None:
            raise NotNumeric
        values = [self._value(arg) for arg in tree.args]
        if tree.name == "pow":
            if abs(values[1]) > _LARGEST_EXPONENT:
                if self.vanishing and abs(values[0]) > 2 and mpmath.re(values[1]) < 0:
                    return mpmath.mpf(0)  # the end of an integral of e^-x
                raise TooLarge
            return self._power(values[0], values[1], tree.args[1])
        if tree.name in _GROWING:
            if any(abs(value) > _LARGEST_ARGUMENT for value in values):
                if self.vanishing and tree.name == "exp" and mpmath.re(values[0]) < 0:
                    return mpmath.mpf(0)
                raise TooLarge
            if tree.name in _EXPONENTIAL:  # 1 - tanh 200 is as small as e^-400
                self.bits = max(self.bits, int(3 * abs(mpmath.re(values[0]))))
        if tree.name in _PERIODIC and mpmath.mag(values[0]) > _MOST_BITS_OF_ANGLE:
            raise TooLarge
        if tree.name == "arccot" and self.convention.wide_arccot:
            return mpmath.pi / 2 - mpmath.atan(values[0])
        return function(*values)

    def _power(self, base: Any, exponent: Any, written: Tree) -> Any:
        if self.convention.real_powers and mpmath.im(base) == 0 and mpmath.re(base) < 0:
            odd = _odd_fraction(written)
            if odd is not None:
                magnitude = mpmath.power(-mpmath.re(base), exponent)
                return -magnitude if odd.numerator % 2 else magnitude
        return mpmath.power(base, exponent)

    # ------------------------------------------------------------------ sums, products, integrals

    def _big(self, tree: Call) -> Any:
        if tree.name == "big:series":
            return self._value(tree.args[0])
        if tree.name == "big:int" and len(tree.args) == 4:
            return self._integral(tree)
        low = tree.args[1] if len(tree.args) == 3 else None
        if (
            tree.name not in ("big:sum", "big:prod")
            or not isinstance(low, Relation)
            or low.signs != ("=",)
            or not isinstance(low.sides[0], Sym)
        ):
            raise NotNumeric
        name = low.sides[0].name
        start = self._whole(low.sides[1])
        if tree.args[2] == _INFINITE:
            sums = mpmath.nsum if tree.name == "big:sum" else mpmath.nprod
            return _extrapolated(sums, self._body(tree.args[0], name), start)
        stop = self._whole(tree.args[2])
        if stop - start > _MOST_TERMS:
            raise TooLarge
        body = self._body(tree.args[0], name)
        terms = [body(mpmath.mpf(k)) for k in range(start, stop + 1)]
        return mpmath.fsum(terms) if tree.name == "big:sum" else mpmath.fprod(terms)

    def _whole(self, tree: Tree) -> int:
        value = self._value(tree)
        nearest = mpmath.nint(mpmath.re(value))
        if value != nearest:
            raise NoValue
        if abs(nearest) > _LARGEST_EXPONENT:
            raise TooLarge
        return int(nearest)

    def _body(self, tree: Tree, name: str) -> Callable[[Any], Any]:
        def body(k: Any) -> Any:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                raise NotNumeric
            before = self.at
            self.at = {**before, name: k}
            self.vanishing += 1
            try:
                return self._value(tree)
            finally:
                self.at = before
                self.vanishing -= 1

        return body

    def _integral(self, tree: Call) -> Any:
        body, low, high, bound = tree.args
        if not isinstance(bound, Sym):
            raise NotNumeric
        ends = []
        for end in (low, high):
            if end in (_INFINITE, _MINUS_INFINITE):
                ends.append(mpmath.inf if end == _INFINITE else -mpmath.inf)
            else:
                ends.append(self._value(end))
        integral, error = mpmath.quad(self._body(body, bound.name), ends, error=True)
        if not error <= _ESTIMATED_ERROR * max(1, abs(integral)):
            raise NotNumeric
        return integral


def value(tree: Tree, at: dict[str, Any]) -> Any:
    """Return the value with the symbols' values `at`. Raises what `NumericEvaluation.value` raises."""
    return NumericEvaluation(at).value(tree)


def is_approximate(tree: Tree) -> bool:
    """Tell whether it has an integral, or a sum or product without end, whose value has few digits."""
    return any(
        isinstance(node, Call)
        and (node.name == "big:int" or (node.name.startswith("big:") and _INFINITE in node.args))
        for node in nodes(tree)
    )


def rehearse(tree: Tree) -> None:
    """Work out a gold's values once, on the reference's account: one that never ends is no response's doing."""
    if isinstance(tree, Group | Relation):
        for part in children(tree):
            rehearse(part)
        return
    approximate = is_approximate(tree)
    at = {name: mpmath.mpf(3) / (8 if approximate else 2) for name in symbols(tree)}
    digits = 30 if approximate else DIGITS
    with mpmath.workdps(digits), contextlib.suppress(NotNumeric, TooLarge, NoValue):
        value(tree, at)


def _extrapolated(sums: Callable[..., Any], body: Callable[[Any], Any], start: int) -> Any:
    """Return the value of a sum or product without end, if it's the same with more digits."""

    def evaluated(extra: int) -> Any:
        terms = itertools.count()

        def term(k: Any) -> Any:
            if next(terms) > _MOST_EXTRAPOLATED:
                raise NotNumeric  # it hardly converges, or not at all
            return body(k)

        with mpmath.workdps(mpmath.mp.dps + extra):
            return sums(term, [start, mpmath.inf], method="r+s")

    value, again = evaluated(0), evaluated(6)
    if not abs(value - again) <= _ESTIMATED_ERROR * max(1, abs(value)):
        raise NotNumeric
    return +again


def _unknown_function(name: str, args: list[Any]) -> Any:
    """f(x) for an f nobody knows: some smooth function, the same one each time."""
    if any(mpmath.isfinite(a) and mpmath.mag(a) > _MOST_BITS_OF_ANGLE for a in args):
        raise TooLarge  # the sine of a number with millions of digits takes minutes
    seed = mpmath.mpf(sum(ord(c) * 31**i for i, c in enumerate(name))) / 7919
    return mpmath.sin(seed + sum(a * mpmath.sqrt(p) for a, p in zip(args, (2, 3, 5), strict=False)))


def _root(x: Any, degree: Any) -> Any:
    real = mpmath.re(x)
    if mpmath.im(x) == 0 and real < 0 and degree == int(degree) and int(degree) % 2:
        return -mpmath.power(-real, 1 / degree)  # in answers, the cube root of -8 is -2
    return mpmath.power(x, 1 / degree)


def _odd_fraction(exponent: Tree) -> Fraction | None:
    """Return the exponent if it's a fraction whose denominator is odd, as in x^(2/3)."""
    fraction = small(exponent, {})
    if fraction is None or fraction.denominator % 2 == 0 or fraction.denominator == 1:
        return None
    return fraction


def has_odd_fraction(tree: Tree) -> bool:
    """Tell whether a power in it has an exponent such as 2/3, so that conventions differ."""
    return any(
        isinstance(node, Call) and node.name == "pow" and _odd_fraction(node.args[1]) is not None
        for node in nodes(tree)
    )


def _mod(a: Any, b: Any) -> Any:
    if mpmath.im(a) != 0 or mpmath.im(b) != 0:
        raise ValueError("no remainder of complex numbers")  # mpmath would look for one without end
    a, b = mpmath.re(a), mpmath.re(b)
    return a - b * _floor(a / b)


def _floor(x: Any) -> Any:
    """Return the floor; log_2 8 is 3 even if its last digit says 2.99…9."""
    nearest = mpmath.nint(x)
    if abs(x - nearest) < mpmath.mpf(10) ** (-mpmath.mp.dps // 2):
        return nearest
    return mpmath.floor(x)


def _integers(function: Callable[..., int]) -> Callable[..., Any]:
    def of(*values: Any) -> Any:
        if any(mpmath.im(v) != 0 or mpmath.re(v) != mpmath.nint(mpmath.re(v)) for v in values):
            raise NoValue
        if any(mpmath.mag(v) > mpmath.mp.prec for v in values):
            raise NoValue  # not all of its digits are there
        return mpmath.mpf(function(*(int(mpmath.re(v)) for v in values)))

    return of


def _factorial(n: Any) -> Any:
    if isinstance(n, mpmath.mpf) and 0 <= n <= 3000 and n == int(n):
        return mpmath.mpf(factorial(int(n)))  # much faster than by the gamma function
    return _gamma(mpmath.factorial)(n)


def _binomial(n: Any, k: Any) -> Any:
    if all(isinstance(x, mpmath.mpf) and 0 <= x <= 5000 and x == int(x) for x in (n, k)):
        return mpmath.mpf(comb(int(n), int(k)))
    return _gamma(mpmath.binomial)(n, k)


def _gamma(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function made of gamma functions, which take seconds at thousands of digits."""

    def of(*values: Any) -> Any:
        if mpmath.mp.dps > _MOST_DIGITS_OF_GAMMA:
            raise TooLarge
        return function(*values)

    return of


_CONSTANTS = {"pi": mpmath.pi, "e": mpmath.e, "i": mpmath.mpc(0, 1)}
_EXPONENTIAL = {"exp", "sinh", "cosh", "tanh", "coth", "sech", "csch"}
_PERIODIC = {"sin", "cos", "tan", "cot", "sec", "csc", "cis", "exp"}
_GROWING = {"factorial", "double", "binomial", "choose", "falling"} | _EXPONENTIAL
_FUNCTIONS: dict[str, Any] = {
    "add": lambda a, b, *more: a + b + sum(more),
    "neg": lambda a: -a,
    "mul": lambda *factors: mpmath.fprod(factors),
    "div": lambda a, b: a / b,
    "pow": mpmath.power,
    "root": _root,
    "abs": abs,
    "norm": abs,
    "factorial": _factorial,
    "double": _gamma(mpmath.fac2),
    "binomial": _binomial,
    "choose": _binomial,
    "falling": _gamma(mpmath.ff),
    "floor": _floor,
    "ceil": lambda x: -_floor(-x),
    "mod": _mod,
    "gcd": _integers(gcd),
    "lcm": _integers(lcm),
    "max": max,
    "min": min,
    "sgn": mpmath.sign,
    "conj": mpmath.conj,
    "hat": mpmath.conj,
    "re": mpmath.re,
    "im": mpmath.im,
    "cis": lambda x: mpmath.cos(x) + mpmath.mpc(0, 1) * mpmath.sin(x),
    "log": lambda x, base=None: mpmath.log(x) / mpmath.log(base) if base else mpmath.log(x),
    "ln": mpmath.log,
    "exp": mpmath.exp,
    "difference": lambda a, b: a - b,
    **{name: getattr(mpmath, name) for name in ("sin", "cos", "tan", "cot", "sec", "csc")},
    **{f"arc{name}": getattr(mpmath, f"a{name}") for name in ("sin", "cos", "tan", "cot", "sec", "csc")},
    **{name: getattr(mpmath, name) for name in ("sinh", "cosh", "tanh", "coth", "sech", "csch")},
    **{f"ar{name}": getattr(mpmath, f"a{name}") for name in ("sinh", "cosh", "tanh", "coth", "sech", "csch")},
}  # fmt: skip
