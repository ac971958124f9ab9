"""The comparison of two single expressions, as the caller's thread can settle it; and nearness, where an author allows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeAlias

from rlvr.verifiers.math.estimates import apart
from rlvr.verifiers.math.normal import Undefined, normal
from rlvr.verifiers.math.tree import (
    Call,
    Num,
    Sym,
    Tree,
    nodes,
    symbols,
)

Truth: TypeAlias = bool | None


Leaf: TypeAlias = Callable[[Tree, Tree], Truth]


_EMPTY = Sym("empty")


def quick(gold: Tree, answer: Tree) -> Truth:
    """Return a leaf comparison by normal form: exact where both are numbers, else undecided."""
    try:
        if _names_points(gold) and _names_points(answer):
            return gold == answer
        gold, answer = normal(gold), normal(answer)
    except Undefined:
        return False
    if gold == answer:
        return True
    if isinstance(gold, Num) and isinstance(answer, Num):
        return False
    ours, theirs = list(nodes(gold)), list(nodes(answer))
    if _EMPTY in ours or _EMPTY in theirs:
        return False  # no value is the empty set, nor is anything worked out with it
    if _are_based(ours) != _are_based(theirs):
        return False
    if symbols(gold) != symbols(answer) and not _may_vanish(gold, answer):
        return False
    return None


def at_once(gold: Tree, answer: Tree) -> Truth:
    """Compare as `quick` does, and tell values apart that are plainly others."""
    same = quick(gold, answer)
    return False if same is None and apart(gold, answer) else same


def _names_points(tree: Tree) -> bool:
    """Tell whether it's written C(5, 2), which may be a point as well: C(5, 3) isn't the same then."""
    return isinstance(tree, Call) and tree.name == "choose" and not symbols(tree)


def _are_based(parts: Sequence[Tree]) -> bool:
    """Tell whether a number in another base is among them, which stands for itself."""
    return any(isinstance(part, Call) and part.name == "base" for part in parts)


def _may_vanish(gold: Tree, answer: Tree) -> bool:
    """Tell whether symbols that one side alone has could cancel out there."""
    extra = symbols(gold) ^ symbols(answer)
    counts = [node.name for tree in (gold, answer) for node in nodes(tree) if isinstance(node, Sym)]
    return all(counts.count(name) > 1 for name in extra)


def is_at_most_one(tree: Tree) -> bool:
    """Tell whether a value is at most 1, as a share is, or can't be told to be more."""
    try:
        value = normal(tree)
    except Undefined:
        return True
    return isinstance(value, Num) and abs(value.value) <= 1


def some(truths: Sequence[Truth]) -> Truth:
    """Tell whether one of them is true; None where that isn't known."""
    if True in truths:
        return True
    return None if None in truths else False


# ---------------------------------------------------------------------- nearness where an author allows it

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
    """Return the number of decimals of a terminating decimal."""
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
            number: Any = value(tree, {})
            if mpmath.im(number) != 0 or not mpmath.isfinite(number):
                return None
            real = mpmath.re(number)
            if real != 0 and abs(mpmath.mag(real)) > _LARGEST_BITS:
                return None
            return Fraction(mpmath.nstr(real, 45, strip_zeros=False))
    except (NotNumeric, TooLarge, NoValue):
        return None
