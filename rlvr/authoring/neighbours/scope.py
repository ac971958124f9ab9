"""Resolve the column names of a query to their tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from sqlglot import exp

from rlvr.verifiers.sql.schema import Schema

Place: TypeAlias = tuple[str, str]
"""A table's and a column's name, in lower case."""


def place_of(column: Any, schema: Schema) -> Place | None:
    """Return the column's table and name, searched from the inner scope outwards; None if it is computed or unknown."""
    scope = column.parent_select
    name = column.name.lower()
    while scope is not None:
        places = []
        for source in sources(scope):
            if column.table and source.alias_or_name.lower() != column.table.lower():
                continue
            table = schema.table(source.name)
            if table is not None and table.column(name) is not None:
                places.append((table.name.lower(), name))
        if places:
            return places[0] if len(places) == 1 else None  # ambiguous, which SQLite refuses
        scope = scope.parent_select
    return None


def sources(select: Any) -> Iterator[exp.Table]:
    """Yield the tables in a SELECT's own FROM and JOINs."""
    clause = select.args.get("from_") or select.args.get("from")
    parts = [clause.this] if clause is not None else []
    parts += [join.this for join in select.args.get("joins") or ()]
    yield from (part for part in parts if isinstance(part, exp.Table))
