"""Lists that go on: 1, 2, …, 9 is 1, 2, 3, …, 9, and both are the numbers from 1 to 9."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from rlvr.verifiers.math.tree import Call, Num, Tree, Word

DOTS = Word("…")
MAX_ITEMS = 200
"""A longer list keeps its dots."""


def going_on(items: Sequence[Tree]) -> list[Tree]:
    """Return a list with dots in one form: worked out where it has an end, else its first two values, dots, its end.

    What shows no constant step is left as it's written.
    """
    at = items.index(DOTS)
    shown = [item.value for item in items[:at] if isinstance(item, Num)]
    if len(shown) < max(at, 2) or items.count(DOTS) > 1:
        return list(items)
    step = shown[1] - shown[0]
    if any(later - earlier != step for earlier, later in pairwise(shown)) or not step:
        return list(items)
    ends = items[at + 1 :]
    numbers = [item.value for item in ends if isinstance(item, Num)]
    if ends and len(numbers) == len(ends):
        return _worked_out(shown[0], step, len(shown), numbers) or list(items)
    return (
        [Num(shown[0]), Num(shown[1]), DOTS, *ends[-1:]]
        if len(ends) <= 1 or _follow(ends, step)
        else list(items)
    )


def _worked_out(
    first: Fraction, step: Fraction, shown: int, ends: list[Fraction]
) -> list[Tree] | None:
    count = (ends[-1] - first) / step
    if count.denominator != 1 or not shown + len(ends) <= count < MAX_ITEMS:
        return None  # of "1, 2, …, 3" the dots stand for nothing
    values = [first + step * place for place in range(int(count) + 1)]
    return [Num(value) for value in values] if values[-len(ends) :] == ends else None


def _follow(ends: Sequence[Tree], step: Fraction) -> bool:
    """Tell whether the last values are a step apart as they're written: n - 1, n."""
    before = [Call("add", (last, Call("neg", (Num(step),)))) for last in ends[1:]]
    return all(one == other for one, other in zip(ends, before, strict=False))
