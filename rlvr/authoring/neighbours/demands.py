"""`Demands`: a gold query's demands on the data, from its conditions, joins, groups and counts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlglot
from sqlglot import exp

from rlvr.authoring.neighbours.scope import Place, place_of
from rlvr.verifiers.sql.schema import Schema


@dataclass
class Demands:
    """The values, columns and sizes that decide a gold query's result.

    Attributes:
        hits: by column, values for which a condition on it is true.
        misses: by column, values near these for which it is false: one above, one below, in another case.
        links: pairs of columns that are compared with each other.
        sizes: sizes of groups if the query counts them: the number it compares with, one above and one below.
        tables: the tables that the query reads, in lower case.
        columns: the columns that it reads.
        grouped: the columns by which it groups, orders or removes duplicates.
    """

    hits: dict[Place, list[Any]] = field(default_factory=dict)
    misses: dict[Place, list[Any]] = field(default_factory=dict)
    links: list[tuple[Place, Place]] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    tables: set[str] = field(default_factory=set)
    columns: set[Place] = field(default_factory=set)
    grouped: set[Place] = field(default_factory=set)


def demands_of(sql: str, schema: Schema) -> Demands:
    """Return the demands of `sql` on the data. Raises `sqlglot.errors.SqlglotError` if it can't be read."""
    tree = sqlglot.parse_one(sql, read="sqlite")
    demands = Demands()
    for table in tree.find_all(exp.Table):
        schema_table = schema.table(table.name)
        if schema_table is not None:
            demands.tables.add(schema_table.name.lower())
    for node in tree.walk():
        if isinstance(node, exp.Column):
            place = place_of(node, schema)
            if place is not None:
                demands.columns.add(place)
                if isinstance(
                    node.find_ancestor(exp.Group, exp.Order, exp.Select), exp.Group | exp.Order
                ):
                    demands.grouped.add(place)
        elif isinstance(node, exp.Predicate | exp.Binary | exp.In | exp.Between):
            _of_condition(node, schema, demands)
        elif isinstance(node, exp.SetOperation):
            _linked(zip(node.left.selects, node.right.selects, strict=False), schema, demands)
    return demands


def _of_condition(node: Any, schema: Schema, demands: Demands) -> None:
    left, right = node.this, node.args.get("expression")
    if isinstance(node, exp.In):
        query = node.args.get("query")
        if query is not None:
            _linked(
                zip(
                    [left],
                    query.this.selects if isinstance(query, exp.Subquery) else query.selects,
                    strict=False,
                ),
                schema,
                demands,
            )
        values = [_value(expression) for expression in node.expressions]
        _add_values(left, [v for v in values if v is not None], [], schema, demands)
        return
    if isinstance(node, exp.Between):
        low, high = _value(node.args["low"]), _value(node.args["high"])
        if low is not None and high is not None:
            _add_values(left, [low, high], [_beside(low, -1), _beside(high, 1)], schema, demands)
        return
    if right is None:
        return
    if isinstance(left, exp.Column) and isinstance(right, exp.Column):
        if isinstance(node, exp.EQ):
            _linked([(left, right)], schema, demands)
        return
    if isinstance(node, exp.EQ) and isinstance(right, exp.Subquery):
        _linked(zip([left], right.this.selects, strict=False), schema, demands)
        return
    if isinstance(left, exp.Literal | exp.Neg) and not isinstance(right, exp.Literal):
        left, right = right, left
    value = _value(right)
    if value is None:
        return
    if isinstance(node, exp.Like):
        _add_values(left, *_matching(str(value)), schema, demands)
    elif isinstance(left, exp.Column):
        hits, misses = _around(type(node), value)
        _add_values(left, hits, misses, schema, demands)
    elif left.find(exp.Count) is not None and isinstance(value, int):
        demands.sizes += [max(1, value + by) for by in (0, 1, -1)]
    elif isinstance(node, exp.Predicate):
        for column in left.find_all(exp.Column):  # SUM(x) > 5, a + b = 3
            _add_values(column, [value, _beside(value, 1), _beside(value, -1)], [], schema, demands)


def _add_values(
    column: Any, hits: list[Any], misses: list[Any], schema: Schema, demands: Demands
) -> None:
    if not isinstance(column, exp.Column):
        column = column.find(exp.Column) if isinstance(column, exp.Expression) else None
    place = place_of(column, schema) if column is not None else None
    if place is not None:
        demands.hits.setdefault(place, []).extend(hits)
        demands.misses.setdefault(place, []).extend(misses)


def _linked(pairs: Any, schema: Schema, demands: Demands) -> None:
    for ours, theirs in pairs:
        a, b = ours.find(exp.Column), theirs.find(exp.Column)
        if a is not None and b is not None:
            places = place_of(a, schema), place_of(b, schema)
            if places[0] and places[1] and places[0] != places[1]:
                demands.links.append((places[0], places[1]))


def _around(kind: Any, value: Any) -> tuple[list[Any], list[Any]]:
    above, below = _beside(value, 1), _beside(value, -1)
    if kind is exp.EQ or kind is exp.Is:
        return [value], [above, below, *([value[:-1]] if isinstance(value, str) else [])]
    if kind is exp.NEQ:
        return [above, below], [value]
    if kind is exp.GT:
        return [above], [value, below]
    if kind is exp.GTE:
        return [value, above], [below]
    if kind is exp.LT:
        return [below], [value, above]
    if kind is exp.LTE:
        return [value, below], [above]
    return [value], [above, below]


def _beside(value: Any, by: int) -> Any:
    if isinstance(value, str):
        if not value:
            return "x"
        return value + "x" if by > 0 else value.swapcase()
    return value + by


def _matching(pattern: str) -> tuple[list[Any], list[Any]]:
    """Return texts that a LIKE pattern just matches, and texts that it just doesn't."""
    core = pattern.replace("%", "").replace("_", "m")
    hits = [core]
    if pattern.startswith("%"):
        hits.append("a" + core)
    if pattern.endswith("%"):
        hits.append(core + "b")
    if len(hits) == 3:
        hits.append("a" + core + "b")
    misses = [
        text for text in ("a" + core, core + "b", core[:-1], "a" + core + "b") if text not in hits
    ]
    return hits, misses


def _value(node: Any) -> Any:
    """Return a literal's value; None for another expression."""
    if isinstance(node, exp.Neg):
        value = _value(node.this)
        return -value if isinstance(value, int | float) else None
    if isinstance(node, exp.Column) and not node.table and node.this.quoted:
        return node.name  # SQLite reads "x" as a string where no column is called so
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string:
        return node.this
    number = float(node.this)
    return int(number) if number.is_integer() and "." not in node.this else number
