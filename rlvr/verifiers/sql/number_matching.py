"""Numbers that are near enough become the same number, so that rows can be compared by hashing.

Real numbers count as equal up to the ninth significant digit, since sums depend on the order of
their terms; with a declared tolerance, so do all numbers that are as near as that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from rlvr.verifiers.sql.execution import Row

NOISE = 1e-9
"""Relative difference that is no difference between real numbers."""

_MATCHED = 400  # rows that are matched one by one, where tolerances overlap


def unified(
    gold: list[Row], rows: list[Row], more: list[Row], tolerance: float = 0.0
) -> tuple[list[Row], list[Row], list[Row]]:
    """Return three lists of rows of one width, with near numbers in a column made the same.

    Numbers that lie between two others, near to both while these are apart, belong to neither: there,
    rows of `rows` are matched with rows of `gold`, each with one, and take its numbers.
    """
    width = len(gold[0]) if gold else 0
    changed: list[dict[float, float]] = []
    overlapping = False
    for column in range(width):
        values = {row[column] for part in (gold, rows, more) for row in part}
        names, crowded = _names(values, tolerance)
        changed.append(names)
        overlapping = overlapping or crowded
    if overlapping:
        rows = _matched(gold, rows, tolerance)
        return gold, rows, more
    columns = [column for column in range(width) if changed[column]]
    if not columns:
        return gold, rows, more
    a, b, c = (_renamed(part, columns, changed) for part in (gold, rows, more))
    return a, b, c


def near(a: object, b: object, tolerance: float) -> bool:
    """Return whether two values are equal up to noise and tolerance."""
    if a == b:
        return True
    if not isinstance(a, int | float) or not isinstance(b, int | float):
        return False
    if isinstance(a, int) and isinstance(b, int) and not tolerance:
        return False
    apart = abs(a - b)
    if apart == float("inf"):  # relative to two infinities, any distance is small
        return False
    return apart <= tolerance or apart <= NOISE * min(abs(a), abs(b))


def _names(values: Iterable[object], tolerance: float) -> tuple[dict[float, float], bool]:
    """Return one number for each group of near ones, and whether nearness is ambiguous."""
    numbers = sorted(v for v in values if isinstance(v, int | float))
    names: dict[float, float] = {}
    first = last = None
    for number in numbers:
        if last is not None and near(last, number, tolerance):
            if not near(first, number, tolerance):
                return {}, True
            names[number] = first if first is not None else number
        else:
            first = number
        last = number
    return names, False


def _renamed(rows: Sequence[Row], columns: list[int], names: list[dict[float, float]]) -> list[Row]:
    changed = []
    for row in rows:
        cells = list(row)
        for column in columns:
            if isinstance(cells[column], int | float):
                cells[column] = names[column].get(cells[column], cells[column])
        changed.append(tuple(cells))
    return changed


def _matched(gold: list[Row], rows: list[Row], tolerance: float) -> list[Row]:
    """Return `rows` in their own order, with each that has a partner in `gold` replaced by it.

    Where those at the same places are near, these are the pairs. Else they're found by augmenting
    paths among few rows, in sorted order among many; rows must agree in what is no number.
    """
    if all(_same(ours, theirs, tolerance) for ours, theirs in zip(gold, rows, strict=False)):
        return list(gold)
    result = list(rows)
    pools: dict[tuple[object, ...], tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for at, (ours, theirs) in enumerate(zip(gold, rows, strict=False)):
        pools[_exact(ours)][0].append(at)
        pools[_exact(theirs)][1].append(at)
    for ours_at, theirs_at in pools.values():
        if len(theirs_at) <= _MATCHED:
            pairs = _assigned(gold, rows, ours_at, theirs_at, tolerance)
        else:
            ours_at.sort(key=lambda at: _numbers(gold[at]))
            theirs_at.sort(key=lambda at: _numbers(rows[at]))
            pairs = dict(zip(theirs_at, ours_at, strict=False))
        for theirs_one, ours_one in pairs.items():
            if _same(gold[ours_one], rows[theirs_one], tolerance):
                result[theirs_one] = gold[ours_one]
    return result


def _same(a: Row, b: Row, tolerance: float) -> bool:
    return all(near(x, y, tolerance) for x, y in zip(a, b, strict=True))


def _exact(row: Row) -> tuple[object, ...]:
    return tuple(0.5 if isinstance(v, int | float) else (v,) for v in row)


def _numbers(row: Row) -> list[float]:
    return [value for value in row if isinstance(value, int | float)]


def _assigned(
    gold: list[Row], rows: list[Row], ours_at: list[int], theirs_at: list[int], tolerance: float
) -> dict[int, int]:
    """Return a largest assignment of rows to golds that are near, by augmenting paths without recursion."""
    near_to = {t: [o for o in ours_at if _same(gold[o], rows[t], tolerance)] for t in theirs_at}
    taken: dict[int, int] = {}  # gold to row
    for start in theirs_at:
        came: dict[int, int] = {}  # gold to the row it was reached from
        queue, reached = [start], None
        while queue and reached is None:
            row = queue.pop()
            for candidate in near_to[row]:
                if candidate in came:
                    continue
                came[candidate] = row
                if candidate not in taken:
                    reached = candidate
                    break
                queue.append(taken[candidate])
        while reached is not None:  # turn the path around
            row = came[reached]
            before = next((g for g, r in taken.items() if r == row), None)
            if before is not None and before != reached:
                del taken[before]
            taken[reached] = row
            reached = before if row != start else None
    return {row: index for index, row in taken.items()}
