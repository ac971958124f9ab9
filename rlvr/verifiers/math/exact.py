"""Exact rational arithmetic on trees, within bounds that keep it quick."""

from __future__ import annotations

from fractions import Fraction
from math import factorial, isqrt

from rlvr.verifiers.math.tree import Call, Num, Sym, Tree, Word

MAX_BITS = 20_000
"""No intermediate value grows past this many bits."""


class TooLarge(Exception):
    """A number here is larger than anything that should be computed for an answer."""


def exact(tree: Tree) -> Fraction | None:
    """The rational value of `tree`, or None where it has none (symbols, roots, functions).

    Raises `TooLarge` where a value would pass `MAX_BITS`, ZeroDivisionError where it's undefined.
    """
    if isinstance(tree, Num):
        return tree.value
    if not isinstance(tree, Call):
        return None
    if tree.name == "base":
        return _in_base(tree)
    if tree.name in ("pm", "log"):
        return None
    values = [exact(arg) for arg in tree.args]
    if any(value is None for value in values):
        return None
    a, *rest = [value for value in values if value is not None]
    b = rest[0] if rest else a
    if tree.name == "add":
        return _bounded(a + b)
    if tree.name == "neg":
        return -a
    if tree.name == "mul":
        return _bounded(a * b)
    if tree.name == "div":
        return _bounded(a / b)
    if tree.name == "abs":
        return abs(a)
    if tree.name == "pow":
        return _power(a, b)
    if tree.name == "root":
        return _root(a, b)
    if tree.name == "factorial":
        if a.denominator != 1 or a < 0:
            return None
        if a > 1000:
            raise TooLarge
        return Fraction(factorial(int(a)))
    if tree.name == "binomial" and a.denominator == b.denominator == 1 and 0 <= b <= a:
        if a > 1000:
            raise TooLarge
        return Fraction(factorial(int(a)) // factorial(int(b)) // factorial(int(a - b)))
    return None


def _bounded(value: Fraction) -> Fraction:
    if value.numerator.bit_length() + value.denominator.bit_length() > MAX_BITS:
        raise TooLarge
    return value


def _power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator != 1:
        root = _root(base, Fraction(exponent.denominator))
        return None if root is None else _power(root, Fraction(exponent.numerator))
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    if base in (0, 1, -1):
        return base if exponent % 2 or (base == 0 and exponent) else Fraction(1)
    bits = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent) * bits > MAX_BITS:
        raise TooLarge
    return Fraction(base ** int(exponent))


def _root(value: Fraction, degree: Fraction) -> Fraction | None:
    """The root where it's rational, else None."""
    if degree.denominator != 1 or not 2 <= degree <= 64 or value < 0:
        return None
    top = _integer_root(value.numerator, int(degree))
    bottom = _integer_root(value.denominator, int(degree))
    return None if top is None or bottom is None else Fraction(top, bottom)


def _integer_root(value: int, degree: int) -> int | None:
    if value < 2:
        return value
    if degree == 2:
        root = isqrt(value)
        return root if root * root == value else None
    low, high = 1, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if middle**degree <= value:
            low = middle
        else:
            high = middle - 1
    return low if low**degree == value else None


def _in_base(tree: Call) -> Fraction | None:
    number, index = tree.args
    if not isinstance(number, Num) or not isinstance(index, Word | Sym):
        return None
    text = index.text if isinstance(index, Word) else index.name
    if not text.isascii() or not text.isdigit() or not 2 <= int(text[:3]) <= 36:
        return None
    try:
        return Fraction(int(str(number.value), int(text)))
    except ValueError:
        return None
