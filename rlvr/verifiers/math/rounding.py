"""Nearness where an author allows it; never by default."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from rlvr.verifiers.math.normal import Undefined, normal
from rlvr.verifiers.math.tree import Num, Tree, symbols

_LARGEST_BITS = 100_000  # of a number that is written out as a fraction
MIN_DIGITS = 3
"""Decimals that a response needs at least when it rounds a reference that is no decimal."""


def within(gold: Tree, answer: Tree, tolerance: float, rounded: bool, inline: bool) -> bool | None:
    """Tell whether `answer` is near enough to `gold`; None where that can't be told exactly.

    Args:
        tolerance: an absolute distance.
        rounded: whether a rounding counts: the answer to the digits of a decimal gold, or a gold
            that is no decimal to the digits of a decimal answer, `MIN_DIGITS` at least.
        inline: whether this is the caller's thread, where only rational numbers are looked at: no bound
            on an expression bounds the time that its value takes.
    """
    if symbols(gold) or symbols(answer):
        return None
    a, b = _number(gold, inline), _number(answer, inline)
    if a is None or b is None:
        return None
    if abs(a - b) <= Fraction(tolerance):
        return True
    if not rounded:
        return False
    for exact, decimal, least in ((b, gold, 0), (a, answer, MIN_DIGITS)):
        digits = _digits(decimal)
        if digits is not None and digits >= max(1, least):
            shown = _number(decimal, inline)
            if shown is not None and abs(exact - shown) <= Fraction(1, 2 * 10**digits):
                return True
    return False


def _digits(tree: Tree) -> int | None:
    """How many decimals a terminating decimal has."""
    if not isinstance(tree, Num):
        return None
    denominator = tree.value.denominator
    for digits in range(1, 40):
        if 10**digits % denominator == 0:
            return digits
    return None


def _number(tree: Tree, inline: bool) -> Fraction | None:
    try:
        simple = normal(tree)
    except Undefined:
        return None
    if isinstance(simple, Num):
        return simple.value
    return None if inline else _numerically(tree)


def _numerically(tree: Tree) -> Fraction | None:
    import mpmath

    from rlvr.verifiers.math.numeric import NotNumeric, NoValue, TooLarge, value

    try:
        with mpmath.workdps(50):
            found: Any = value(tree, {})
            if mpmath.im(found) != 0 or not mpmath.isfinite(found):
                return None
            real = mpmath.re(found)
            if real != 0 and abs(mpmath.mag(real)) > _LARGEST_BITS:
                return None
            return Fraction(mpmath.nstr(real, 45, strip_zeros=False))
    except (NotNumeric, TooLarge, NoValue):
        return None
