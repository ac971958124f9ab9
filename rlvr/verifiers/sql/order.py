"""The order that a gold asks for: which of its rows may be in any order, and what its LIMIT cuts off.

Rows with equal order keys may be in any order, and where LIMIT cuts through such rows, any of
them may be in the result. sqlglot finds the keys; the gold runs once more without its LIMIT and with the
rank of each row as one more column (DENSE_RANK, so that collations and NULLs are SQLite's business).
If each key is a column of the result and holds no text, the rows tell by themselves. Where none of this can
be done, the gold's own order counts.
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
    """The order that an outermost query asks for.

    Attributes:
        ordered: whether it has an ORDER BY.
        first: how many rows its OFFSET leaves out.
        limited: whether it has a LIMIT.
        keys: the result's columns that it orders by, if it orders by columns alone.
        everything: the query without LIMIT, if it orders by columns alone.
        with_rank: the query without LIMIT and with the rank as its last column.
    """

    ordered: bool
    first: int = 0
    limited: bool = False
    keys: tuple[int, ...] | None = None
    everything: str | None = None
    with_rank: str | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows by rank, of which those of one rank may be in any order, and the first that is asked for."""

    groups: tuple[tuple[Row, ...], ...]
    first: int

    def allows(self, rows: Sequence[Row]) -> bool:
        """Return whether the gold allows these rows in this order."""
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
    """Return the gold's rows by rank; None if its own order is all that's known.

    Args:
        run: runs a variant of the gold; None if that fails.
    """
    keys = order.keys
    # Text is equal or not by its column's collation, which only SQLite knows.
    has_text = keys is None or any(type(row[i]) is str for row in gold for i in keys)
    if order.with_rank is not None and (order.limited or has_text):
        rows = run(order.with_rank)
        if rows is not None:
            groups = groupby(rows, lambda row: row[-1])
            return Ranked(tuple(tuple(r[:-1] for r in group) for _, group in groups), order.first)
    if keys is None or order.everything is None:
        return None
    rows = run(order.everything) if order.limited else gold
    if rows is None:
        return None
    same = groupby(rows, lambda row: [row[i] for i in keys])
    return Ranked(tuple(tuple(group) for _, group in same), order.first)


@lru_cache(maxsize=4096)
def order_of(sql: str) -> Order:
    """Return the order that `sql` asks for, which SQLite can run. It's the author's, never a model's."""
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
    # "1 COLLATE NOCASE" is the first column, too.
    bare = [key.this if isinstance(key, exp.Collate) else key for key in keys]
    places = [_place(key, tree) for key in bare]
    everything = tree.copy()
    everything.set("limit", None)
    everything.set("offset", None)
    if all(place is not None for place in places):
        positions = tuple(place for place in places if place is not None)
        return Order(
            True,
            first,
            limit is not None,
            None if any(map(_is_collated, keys)) else positions,
            everything.sql("sqlite"),
            _with_rank(everything, by, positions),
        )
    if not isinstance(tree, exp.Select) or tree.args.get("distinct"):
        return Order(True)
    resolved = by.copy()
    for key, place in zip(resolved.expressions, places, strict=True):
        if place is not None:
            _replace_key(key, tree.expressions[place].unalias().copy())
    window = exp.Window(this=exp.Anonymous(this="DENSE_RANK"), order=resolved)
    everything.append("expressions", exp.alias_(window, "rank of the row", quoted=True))
    return Order(True, first, limit is not None, None, None, everything.sql("sqlite"))


def _with_rank(everything: Any, by: Any, places: tuple[int, ...]) -> str:
    """Return a query of all rows in order, with their ranks by these columns.

    The columns of a subquery keep their collations, those of a DISTINCT or a UNION, too.
    """
    from sqlglot import exp

    columns = [f"c{number}" for number in range(len(everything.selects))]
    order = by.copy()
    for key, place in zip(order.expressions, places, strict=True):
        _replace_key(key, exp.column(columns[place]))
    unordered = everything.copy()
    unordered.set("order", None)
    names = ", ".join(columns)
    return (
        f"WITH gold_({names}) AS ({unordered.sql('sqlite')}) SELECT {names},"
        f" DENSE_RANK() OVER ({order.sql('sqlite').strip()}) AS rank_ FROM gold_ ORDER BY rank_"
    )


def _replace_key(ordered: Any, column: Any) -> None:
    """Put another expression into a term of ORDER BY; an explicit collation stays."""
    (ordered.this if _is_collated(ordered.this) else ordered).set("this", column)


def _is_collated(key: Any) -> bool:
    from sqlglot import exp

    return isinstance(key, exp.Collate)


def _number(clause: Any) -> int | None:
    """Return the number of a LIMIT or OFFSET: 0 without one, None if it isn't a plain number."""
    if clause is None:
        return 0
    value = clause.expression
    return int(value.this) if value.is_int and int(value.this) >= 0 else None


def _place(key: Any, tree: Any) -> int | None:
    """Return the result's column that a key names: by number, by alias, or by being the same expression."""
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
