"""Proofs that a mutant is equivalent to its gold query, so that no database can tell them apart.

A mutant is equivalent if it has the same normal form after sqlglot's simplification, or by a rule below whose premises
the schema guarantees. A mutant without a proof counts as one that isn't killed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
from sqlglot.optimizer.simplify import simplify

from rlvr.authoring.neighbours.mutants import Mutant
from rlvr.authoring.neighbours.scope import place_of, sources
from rlvr.verifiers.sql.schema import Schema

Node: TypeAlias = Any  # the type has another name in older versions of sqlglot


def equivalence_rule(gold: str, mutant: Mutant, schema: Schema) -> str:
    """Return the rule that proves the mutant equivalent to the gold query; "" if there is none."""
    ours, theirs = _read(gold), _read(mutant.sql)
    for name, rule in (("same normal form", None), *_RULES):
        a, b = ours.copy(), theirs.copy()
        if rule is not None:
            a, b = rule(a, schema), rule(b, schema)
        if _normal(a) == _normal(b):
            return name
    a, b = ours, theirs
    for _, rule in _RULES:
        a, b = rule(a, schema), rule(b, schema)
    return "several rules" if _normal(a) == _normal(b) else ""


def _read(sql: str) -> Node:
    return sqlglot.parse_one(sql, read="sqlite")


def _normal(tree: Node) -> str:
    return str(simplify(normalize_identifiers(tree.copy(), dialect="sqlite")).sql("sqlite"))


def _distinct(tree: Node, schema: Schema) -> Node:
    """Remove DISTINCT if no two rows can be equal: they have a key or all grouping columns, or there is one row."""
    for select in tree.find_all(exp.Select):
        if select.args.get("distinct") and (_in_set(select) or _rows_differ(select, schema)):
            select.set("distinct", None)
    return tree


def _in_set(select: Node) -> bool:
    """Return True if repeated rows don't matter to the query around it: IN, EXISTS, or a compound that is a set."""
    parent = select.parent
    if isinstance(parent, exp.Subquery):
        parent = parent.parent
    if select.args.get("limit"):
        return False
    if isinstance(parent, exp.SetOperation):
        return bool(parent.args.get("distinct")) or isinstance(parent, exp.Intersect | exp.Except)
    return isinstance(parent, exp.Exists) or (
        isinstance(parent, exp.In) and select is not parent.this
    )


def _counted(tree: Node, schema: Schema) -> Node:
    """Write COUNT(x) as COUNT(*) if x is never NULL, and COUNT(DISTINCT x) if x is also a key."""
    for count in tree.find_all(exp.Count):
        select = count.parent_select
        if select is None or any(join.side for join in select.args.get("joins") or ()):
            continue
        inner = count.this
        is_distinct = isinstance(inner, exp.Distinct) and len(inner.expressions) == 1
        column = inner.expressions[0] if is_distinct else inner
        if not isinstance(column, exp.Column):
            continue
        place = place_of(column, schema)
        table = schema.table(place[0]) if place else None
        schema_column = table.column(place[1]) if table and place else None
        if table is None or schema_column is None or place is None:
            continue
        if not (schema_column.required or schema_column.key or place in _tested(select, schema)):
            continue
        alone = len(list(sources(select))) == 1 and not select.args.get("joins")
        if is_distinct and not (alone and frozenset({schema_column.name}) in table.uniques):
            continue
        count.set("this", exp.Star())
    return tree


def _single(tree: Node, schema: Schema) -> Node:
    """Remove ORDER BY, DISTINCT and a LIMIT above 0 from queries that return one row."""
    for select in tree.find_all(exp.Select):
        if _one_row(select):
            select.set("order", None)
            limit = select.args.get("limit")
            if limit is not None and limit.expression.is_int and int(limit.expression.this) > 0:
                select.set("limit", None)
            select.set("distinct", None)
    return tree


def _joined(tree: Node, schema: Schema) -> Node:
    """Write a LEFT JOIN as an inner join if every row has a partner, by a foreign key that can't be NULL."""
    for join in tree.find_all(exp.Join):
        on, select = join.args.get("on"), join.parent
        if join.side == "LEFT" and _in_where(join, select, schema):
            join.set("side", None)
        if join.side != "LEFT" or not isinstance(on, exp.EQ) or not isinstance(select, exp.Select):
            continue
        if not isinstance(join.this, exp.Table):
            continue
        sides = [on.this, on.expression]
        if not all(isinstance(side, exp.Column) for side in sides):
            continue
        sides.sort(key=lambda side: side.table.lower() == join.alias_or_name.lower())
        ours, theirs = (place_of(side, schema) for side in sides)
        if ours and theirs and _refers(schema, ours, theirs):
            join.set("side", None)
    return tree


def _in_where(join: Node, select: Node, schema: Schema) -> bool:
    """Return True if WHERE has a condition that is true only for rows with a partner."""
    name = join.alias_or_name.lower()
    return any(column.table.lower() == name for column in _strict(select))


def _tested(select: Node, schema: Schema) -> set[Any]:
    """Return the columns that can't be NULL in rows for which WHERE is true."""
    return {place_of(column, schema) for column in _strict(select)}


def _strict(select: Node) -> list[Node]:
    """Return the columns that WHERE compares, by AND alone: a comparison is never true for NULL."""
    where = select.args.get("where") if isinstance(select, exp.Select) else None
    columns: list[Node] = []
    conditions = [where.this] if where is not None else []
    while conditions:
        condition = conditions.pop()
        if isinstance(condition, exp.And):
            conditions += [condition.this, condition.expression]
        elif isinstance(condition, exp.Paren):
            conditions.append(condition.this)
        elif isinstance(condition, _COMPARISONS):
            sides = [condition.this, condition.args.get("expression")]
            columns += [side for side in sides if isinstance(side, exp.Column)]
    return columns


_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.In, exp.Between)


def _refers(schema: Schema, ours: tuple[str, str], theirs: tuple[str, str]) -> bool:
    table = schema.table(ours[0])
    column = table.column(ours[1]) if table else None
    if table is None or column is None or not (column.required or column.key):
        return False
    return any(
        len(key.columns) == 1
        and key.columns[0].lower() == ours[1]
        and (key.table.lower(), key.referenced[0].lower()) == theirs
        for key in table.foreign_keys
    )


def _unordered(tree: Node, schema: Schema) -> Node:
    """Remove ORDER BY where no result depends on it: in a subquery without a LIMIT."""
    for order in list(tree.find_all(exp.Order)):
        select = order.parent
        inner = isinstance(select, exp.Query) and select is not tree
        if inner and not select.args.get("limit") and not isinstance(select, exp.SetOperation):
            order.pop()
    return tree


_RULES: tuple[tuple[str, Callable[[Node, Schema], Node]], ...] = (
    ("one row", _single),
    ("rows differ by a key", _distinct),
    ("never NULL", _counted),
    ("always a partner", _joined),
    ("order within", _unordered),
)


def _fixed(select: Node, table: str, schema: Schema) -> set[str]:
    """Return the table's columns that WHERE, by AND alone, fixes to one value."""
    where = select.args.get("where")
    parts = [where.this] if where is not None else []
    names = set()
    while parts:
        condition = parts.pop()
        if isinstance(condition, exp.And):
            parts += [condition.this, condition.expression]
        elif isinstance(condition, exp.EQ) and isinstance(condition.expression, exp.Literal):
            place = (
                place_of(condition.this, schema) if isinstance(condition.this, exp.Column) else None
            )
            schema_table = schema.table(table)
            column = (
                schema_table.column(place[1])
                if place and schema_table and place[0] == table
                else None
            )
            if column is not None:
                names.add(column.name)
    return names


def _one_row(select: Node) -> bool:
    """Return True if a query returns one row, of aggregates over all rows."""
    if select.args.get("group") or not select.expressions:
        return False
    return all(
        any(agg.find_ancestor(exp.Select) is select for agg in expression.find_all(exp.AggFunc))
        and expression.find(exp.Window) is None
        for expression in select.expressions
    )


def _rows_differ(select: Node, schema: Schema) -> bool:
    if _one_row(select):
        return True
    group = select.args.get("group")
    texts = {_normal(expression.unalias()) for expression in select.expressions}
    if group is not None:
        return all(_normal(expression) in texts for expression in group.expressions)
    tables = list(sources(select))
    if len(tables) != 1 or select.args.get("joins"):
        return False
    table = schema.table(tables[0].name)
    if table is None:
        return False
    selected = [expression.unalias() for expression in select.expressions]
    if any(isinstance(expression, exp.Star) for expression in selected):
        names = {column.name for column in table.columns}
    else:
        places = (
            place_of(expression, schema)
            for expression in selected
            if isinstance(expression, exp.Column)
        )
        schema_columns = (table.column(place[1]) for place in places if place)
        names = {column.name for column in schema_columns if column is not None}
    required = {column.name for column in table.columns if column.required or column.key}
    names = names | _fixed(select, table.name.lower(), schema)
    return any(unique <= names and unique <= required for unique in table.uniques)
