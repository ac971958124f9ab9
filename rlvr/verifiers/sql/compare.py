"""Comparison of a response's result with the gold's: a bag of rows, or a sequence where the gold orders them.

Values are equal as Python has it, which is what's wanted: 1 is 1.0, -0.0 is 0.0, NULL is NULL,
'1' is no number, text is no blob; SQLite has no NaN. So bags are compared by hashing, in linear
time. Only where that finds a difference are real numbers looked at closely: the order in which
SQLite adds them up decides their last digits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, permutations

from rlvr.verifiers.sql.execution import Row, Rows
from rlvr.verifiers.sql.number_matching import unified
from rlvr.verifiers.sql.order import Ranked

_LOOKS = 1000  # at orders of columns, or the beginnings of such


def difference(
    gold: Rows,
    rows: Rows,
    *,
    ordered: bool,
    ranks: Callable[[], Ranked | None],
    any_columns: bool = False,
    tolerance: float = 0.0,
) -> str:
    """Return why `rows` isn't the gold's result, in words for a person; "" if it is.

    Args:
        ordered: True if the order of the rows counts.
        ranks: returns the groups of rows that may be in any order; called only if that matters.
        any_columns: True if the columns may be in any order.
        tolerance: numbers are equal if they differ by no more than this.
    """
    if rows.columns != gold.columns:
        return f"{_count(rows.columns, 'column')}, not {gold.columns}"
    if rows.rows == gold.rows:
        return ""
    if len(rows.rows) != len(gold.rows):
        return f"{_count(len(rows.rows), 'row')}, not {len(gold.rows)}"
    ranking = ranks() if ordered else None
    everything = [row for group in ranking.groups for row in group] if ranking else []
    wanted, got, all_ = unified(gold.rows, rows.rows, everything, tolerance)
    if ranking is not None:
        ranking = _regrouped(ranking, all_)
        if not ranking.allows(wanted):  # its two runs differ, so the first is what counts
            ranking = None
    # Where a LIMIT cuts through equals, its columns don't hold the same values: all orders are tried.
    cut = ranking is not None and Counter(got) != Counter(wanted)
    width = tuple(range(gold.columns))
    message = "other rows"
    for order in _orders(wanted, got, cut) if any_columns else (width,):
        arranged = got if order == width else [tuple(row[i] for i in order) for row in got]
        if arranged == wanted or (ranking is not None and ranking.allows(arranged)):
            return ""
        if Counter(arranged) == Counter(wanted):
            if not ordered:
                return ""
            message = "the right rows in another order"
    return message


def column_orders(wanted: Sequence[Row], got: Sequence[Row]) -> Iterator[tuple[int, ...]]:
    """Return the orders of `got`'s columns under which it's the same bag of rows as `wanted`; some at most.

    Built column by column; an order is given up as soon as its columns so far don't hold the same
    rows.
    """
    width = len(wanted[0])
    left = _LOOKS

    def extended(order: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        nonlocal left
        if len(order) == width:
            yield order
            return
        ours = Counter(row[: len(order) + 1] for row in wanted)
        for column in range(width):
            if column in order or left <= 0:
                continue
            left -= 1
            longer = (*order, column)
            if Counter(tuple(row[i] for i in longer) for row in got) == ours:
                yield from extended(longer)

    return extended(())


def _orders(wanted: Sequence[Row], got: Sequence[Row], cut: bool) -> Iterator[tuple[int, ...]]:
    if cut:
        return islice(permutations(range(len(wanted[0]))), _LOOKS)
    return column_orders(wanted, got)


def _regrouped(ranking: Ranked, rows: list[Row]) -> Ranked:
    """Return the same ranks over rows that were made comparable."""
    groups, at = [], 0
    for group in ranking.groups:
        groups.append(tuple(rows[at : at + len(group)]))
        at += len(group)
    return Ranked(tuple(groups), ranking.first)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
