"""Sets of real numbers as expressions over intervals, and their one form: sorted intervals that don't touch.

The endpoints are sorted, the line falls into cells (the points and the gaps between them), and every set is a bit
mask over the cells: union, intersection and complement are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key
from typing import Literal, NamedTuple, TypeAlias

from rlvr.verifiers.math.estimates import estimate
from rlvr.verifiers.math.tree import Call, Num, Sym, Tree, symbols

MAX_ENDS = 200
"""Most endpoints of a set; a set with more is equal only to the same text."""

_INFINITE = Sym("oo")


class Unordered(Exception):
    """Two endpoints whose order isn't known: `a` and `b`."""


class Undecided(Exception):
    """Two endpoints that may be equal, which a worker must decide."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval, or a point if both ends are the same; an end without a bound is None."""

    low: Tree | None
    high: Tree | None
    closed: tuple[bool, bool]


@dataclass(frozen=True, slots=True)
class Combined:
    """An operation on sets: "or", "and", "not", "comma" (see `_Line.mask`), "integers", "naturals"."""

    operator: str
    parts: tuple[RealSet, ...] = ()


RealSet: TypeAlias = Interval | Combined


class Canonical(NamedTuple):
    """Sorted intervals that don't touch; `integral` if they hold integers alone."""

    intervals: tuple[Interval, ...]
    integral: bool


LINE = Interval(None, None, (False, False))
EMPTY = Combined("or")
INTEGERS = Combined("integers")
NATURALS = Combined("naturals")


def point(value: Tree) -> Interval:
    """Return the set of one value."""
    return Interval(value, value, (True, True))


def interval(low: Tree | None, high: Tree | None, closed: tuple[bool, bool]) -> Interval:
    """Return an interval; an infinite end is open whatever its bracket."""
    below = None if low == Call("neg", (_INFINITE,)) else low
    above = None if high == _INFINITE else high
    ends = (closed[0] and below is not None, closed[1] and above is not None)
    return Interval(below, above, ends)


# ---------------------------------------------------------------------- the canonical form

Order: TypeAlias = Callable[[Tree, Tree], int]
"""Return a negative number, 0 or a positive one; raise `Unordered` or `Undecided`."""

Same: TypeAlias = Callable[[Tree, Tree], "bool | None"]


def ordered(gold: Tree, answer: Tree, same: Same) -> int:
    """Return the order of two endpoints; `same` returns True if they are equal, and None if it can't decide."""
    if gold == answer:
        return 0
    if isinstance(gold, Num) and isinstance(answer, Num):
        return -1 if gold.value < answer.value else 1
    below, above = estimate(gold), estimate(answer)
    if below is not None and above is not None:
        gap = below.value - above.value
        if abs(gap) > 2 * (below.error + above.error):
            return -1 if gap < 0 else 1
    equal = same(gold, answer)
    if equal:
        return 0
    if equal is None and not symbols(gold) and not symbols(answer):
        raise Undecided
    raise Unordered


def canonical(values: RealSet, order: Order, first_natural: int = 1) -> Canonical:
    """Return the canonical form of a set. Raises `Unordered` or `Undecided`."""
    integral = is_integral(values)
    if integral is None:
        raise Unordered
    line = _Line(values, order, first_natural)
    intervals = line.intervals(line.mask(values))
    return _integers(intervals) if integral else Canonical(intervals, False)


def same_set(gold: RealSet, answer: RealSet, order: Order, same: Same) -> bool | None:
    """Return True if two sets are equal, with natural numbers from 1 or from 0. Raises as `canonical`."""
    truths = []
    for first in (1, 0) if has_naturals(gold) or has_naturals(answer) else (1,):
        ours, theirs = canonical(gold, order, first), canonical(answer, order, first)
        truths.append(_same_intervals(ours, theirs, same))
    return True if True in truths else None if None in truths else False


def _same_intervals(gold: Canonical, answer: Canonical, same: Same) -> bool | None:
    if gold.integral != answer.integral or len(gold.intervals) != len(answer.intervals):
        return False
    truths: list[bool | None] = []
    for our_interval, their_interval in zip(gold.intervals, answer.intervals, strict=True):
        if our_interval.closed != their_interval.closed:
            return False
        for mine, yours in (
            (our_interval.low, their_interval.low),
            (our_interval.high, their_interval.high),
        ):
            if mine is not None and yours is not None:
                truths.append(same(mine, yours))
            elif mine is not yours:
                return False
    return False if False in truths else None if None in truths else True


def has_naturals(values: RealSet) -> bool:
    """Return True if the set depends on 0 being a natural number."""
    return isinstance(values, Combined) and (
        values.operator == "naturals" or any(map(has_naturals, values.parts))
    )


def is_integral(values: RealSet) -> bool | None:
    """Return True if the set holds integers alone; None for a mixture, such as all numbers except the integers."""
    if isinstance(values, Interval):
        return False
    if values.operator in ("integers", "naturals"):
        return True
    parts = [is_integral(part) for part in values.parts]
    if values.operator in ("and", "comma") and True in parts:
        return True
    if None in parts or (values.operator == "not" and True in parts) or len({*parts}) > 1:
        return None
    return True in parts


class _Line:
    """The real line cut at a set's endpoints: cell 2i+1 is the i-th of them, the even cells are the gaps."""

    def __init__(self, values: RealSet, order: Order, first_natural: int) -> None:
        self.first = Interval(Num(Fraction(first_natural)), None, (True, False))
        ends = list(dict.fromkeys(_ends(values, self.first)))
        if len(ends) > MAX_ENDS:
            raise Unordered
        self.points: list[Tree] = []
        self.places: dict[Tree, int] = {}
        for end in sorted(ends, key=cmp_to_key(order)):
            if not self.points or order(self.points[-1], end) != 0:
                self.points.append(end)
            self.places[end] = len(self.points) - 1
        self.all = (1 << (2 * len(self.points) + 1)) - 1

    def mask(self, values: RealSet) -> int:
        """Return the cells of a set. Conditions between commas hold together or, if they exclude each other, singly."""
        if isinstance(values, Interval):
            return self._interval(values)
        if values.operator == "integers":
            return self.all
        if values.operator == "naturals":
            return self._interval(self.first)
        masks = [self.mask(part) for part in values.parts]
        either, both = 0, self.all
        for mask in masks:
            either |= mask
            both &= mask
        if values.operator == "not":
            return self.all & ~either
        if values.operator == "or":
            return either
        return both or (either if values.operator == "comma" else 0)

    def _interval(self, interval: Interval) -> int:
        start, stop = 0, 2 * len(self.points)
        if interval.low is not None:
            start = 2 * self.places[interval.low] + (1 if interval.closed[0] else 2)
        if interval.high is not None:
            stop = 2 * self.places[interval.high] + (1 if interval.closed[1] else 0)
        if start > stop:
            raise Unordered  # (5, 2) and 5 < x < 2 aren't meant as the empty set
        return ((1 << (stop - start + 1)) - 1) << start

    def intervals(self, mask: int) -> tuple[Interval, ...]:
        """Return the runs of cells in a mask."""
        runs: list[Interval] = []
        while mask:
            start = (mask & -mask).bit_length() - 1
            run = mask >> start
            length = (~run & (run + 1)).bit_length() - 1
            stop = start + length - 1
            mask &= ~(((1 << length) - 1) << start)
            low = self.points[(start - 1) // 2] if start else None
            high = self.points[stop // 2] if stop < 2 * len(self.points) else None
            runs.append(Interval(low, high, (start % 2 == 1, stop % 2 == 1)))
        return tuple(runs)


def _ends(values: RealSet, first: Interval) -> list[Tree]:
    if isinstance(values, Interval):
        return [end for end in (values.low, values.high) if end is not None]
    if values.operator == "naturals":
        return _ends(first, first)
    return [end for part in values.parts for end in _ends(part, first)]


def _integers(intervals: Sequence[Interval]) -> Canonical:
    """Return the integers in some intervals: one by one if they are few."""
    runs: list[tuple[int | None, int | None]] = []
    for interval in intervals:
        low = None if interval.low is None else -_below(interval.low, interval.closed[0], -1)
        high = None if interval.high is None else _below(interval.high, interval.closed[1], 1)
        if low is not None and high is not None and low > high:
            continue
        if runs and low is not None and runs[-1][1] == low - 1:
            runs[-1] = (runs[-1][0], high)
        else:
            runs.append((low, high))
    pieces: list[Interval] = []
    endless = False
    for low, high in runs:
        if low is None or high is None or high - low > MAX_ENDS:
            endless = True
            ends = [None if end is None else Num(Fraction(end)) for end in (low, high)]
            pieces.append(Interval(ends[0], ends[1], (low is not None, high is not None)))
        else:
            pieces += [point(Num(Fraction(n))) for n in range(low, high + 1)]
    return Canonical(tuple(pieces), endless)


def _below(end: Tree, closed: bool, turn: int) -> int:
    """Return the largest integer that is at most `turn` times `end`, or less than it if the end is open."""
    if isinstance(end, Num):
        value = turn * end.value
        return math.floor(value) if closed or value.denominator > 1 else int(value) - 1
    bounded = estimate(end)
    if bounded is None or abs(bounded.value) > 1e9:
        raise Unordered
    floor = math.floor(turn * bounded.value - bounded.error)
    if floor != math.floor(turn * bounded.value + bounded.error):
        raise Unordered
    return floor


# ---------------------------------------------------------------------- sets without an order


def same_as_written(
    gold: RealSet, answer: RealSet, same: Same
) -> bool | Literal["unordered"] | None:
    """Return True if two sets have the same intervals, in any order; "unordered" if those aren't written out."""
    ours, theirs = _written(gold), _written(answer)
    if ours is None or theirs is None or max(len(ours), len(theirs)) > MAX_ENDS:
        return "unordered"
    table = [
        [_same_intervals(Canonical((a,), False), Canonical((b,), False), same) for b in theirs]
        for a in ours
    ]
    lines = [*table, *zip(*table, strict=True)]
    truths = [True if True in line else None if None in line else False for line in lines]
    return False if False in truths else None if None in truths else True


def _written(values: RealSet) -> list[Interval] | None:
    if isinstance(values, Interval):
        return [values]
    parts = [_written(part) for part in values.parts]
    intervals = [interval for part in parts if part is not None for interval in part]
    if None in parts or values.operator in ("integers", "naturals"):
        return None
    if values.operator == "not":
        if len(intervals) != 1 or intervals[0].low is None or intervals[0].low != intervals[0].high:
            return None
        point = intervals[0].low
        return [Interval(None, point, (False, False)), Interval(point, None, (False, False))]
    if values.operator == "or" or len(intervals) < 2:
        return intervals
    lows = [piece for piece in intervals if piece.high is None and piece.low is not None]
    highs = [piece for piece in intervals if piece.low is None and piece.high is not None]
    if len(intervals) != 2 or len(lows) != 1 or len(highs) != 1:
        return None
    return [Interval(lows[0].low, highs[0].high, (lows[0].closed[0], highs[0].closed[1]))]
