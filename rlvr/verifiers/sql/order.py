"""Whether a gold orders its result, which rows it leaves in any order, and what its LIMIT cuts off.

Rows with equal order keys may stand in any order, and where LIMIT cuts through such rows, any of
them may be in the result. The keys are found by sqlglot: where each is a column of the result,
the rows tell; else the gold runs once more without its LIMIT and with the rank of each row
(DENSE_RANK, so that collations and NULLs are SQLite's business) as one more column. Where that
can't be done, the gold's own order counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, TypeAlias

from rlvr.verifiers.sql.execution import Row
from rlvr.verifiers.sql.statement import orders

Run: TypeAlias = Callable[[str], list[Row] | None]


@dataclass(frozen=True, slots=True)
class Order:
    """What the outermost query says about order.

    Attributes:
        ordered: whether it has an ORDER BY.
        first: how many rows its OFFSET leaves out.
        limited: whether it has a LIMIT.
        keys: the result's columns that it orders by, where it orders by columns alone.
        everything: the query without LIMIT; with the rank as its last column where `keys` is None.
            None where that isn't known: then nothing is left in any order.
    """

    ordered: bool
    first: int = 0
    limited: bool = False
    keys: tuple[int, ...] | None = None
    everything: str | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows in order, of which those of one rank may stand in any, and which of them are asked for."""

    groups: tuple[tuple[Row, ...], ...]
    first: int

    def allows(self, rows: Sequence[Row]) -> bool:
        """Whether these are rows that were asked for, in an order that was."""
        at = 0  # of the group's first row, counted from the first that's asked for
        at -= self.first
        for group in self.groups:
            part = rows[max(0, at) : max(0, at + len(group))]
            at += len(group)
            if not part:
                if at >= len(rows) and rows:
                    return True
                continue
            if len(part) == len(group):
                if Counter(part) != Counter(group):
                    return False
            elif not Counter(part) <= Counter(group):
                return False
        return at >= len(rows)


def ranked(order: Order, gold: list[Row], run: Run) -> Ranked | None:
    """The gold's rows by rank; None where its own order is all that's known.

    Args:
        run: runs a variant of the gold; None where that fails.
    """
    if order.everything is None:
        return None
    keys = order.keys
    rows = gold if keys is not None and not order.limited else run(order.everything)
    if rows is None:
        return None
    if keys is None:
        key: Callable[[Row], Any] = lambda row: row[-1]  # noqa: E731
        groups = tuple(tuple(r[:-1] for r in group) for _, group in groupby(rows, key))
    else:
        chosen = keys
        key = lambda row: [row[i] for i in chosen]  # noqa: E731
        groups = tuple(tuple(group) for _, group in groupby(rows, key))
    return Ranked(groups, order.first)


@lru_cache(maxsize=4096)
def order_of(sql: str) -> Order:
    """What `sql`, which SQLite can run, says about order. It's the author's, never a model's."""
    if not orders(sql):
        return Order(False)
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(sql, read="sqlite")
        return _order(tree) if isinstance(tree, exp.Query) else Order(True)
    except MemoryError:
        raise
    except Exception:  # SQLite runs it, and sqlglot has many ways not to read it
        return Order(True)


def _order(tree: Any) -> Order:
    from sqlglot import exp

    by = tree.args.get("order")
    if by is None:  # sqlglot hangs it elsewhere than SQLite does
        return Order(True)
    offset, limit = tree.args.get("offset"), tree.args.get("limit")
    first, most = _number(offset), _number(limit)
    if first is None or most is None:
        return Order(True)
    keys = [key.this for key in by.expressions]
    places = [_place(key, tree) for key in keys]
    everything = tree.copy()
    everything.set("limit", None)
    everything.set("offset", None)
    if all(place is not None for place in places):
        known = tuple(place for place in places if place is not None)
        return Order(True, first, limit is not None, known, everything.sql("sqlite"))
    if not isinstance(tree, exp.Select) or tree.args.get("distinct"):
        return Order(True)
    resolved = by.copy()
    for key, place in zip(resolved.expressions, places, strict=True):
        if place is not None:
            key.set("this", tree.expressions[place].unalias().copy())
    window = exp.Window(this=exp.Anonymous(this="DENSE_RANK"), order=resolved)
    everything.append("expressions", exp.alias_(window, "rank of the row", quoted=True))
    return Order(True, first, limit is not None, None, everything.sql("sqlite"))


def _number(clause: Any) -> int | None:
    """Of a LIMIT or OFFSET: 0 where there's none, None where it isn't a plain number."""
    if clause is None:
        return 0
    value = clause.expression
    return int(value.this) if value.is_int and int(value.this) >= 0 else None


def _place(key: Any, tree: Any) -> int | None:
    """The result's column that a key names: by number, by alias, or by being the same expression."""
    from sqlglot import exp

    # The names of a compound's columns are those of its first part.
    columns = tree.selects
    if any(column.is_star for column in columns):
        return None
    if key.is_int:
        number = int(key.this)
        return number - 1 if 0 < number <= len(columns) else None
    if isinstance(key, exp.Column) and not key.table:
        names = [column.alias_or_name.lower() for column in columns]
        if key.name.lower() in names:
            return names.index(key.name.lower())
    for place, column in enumerate(columns):
        if column.unalias() == key:
            return place
    return None
