"""Mutants of a query, each with one change that people and models make by mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeAlias

import sqlglot
from sqlglot import exp

from rlvr.authoring.neighbours.scope import place_of, sources
from rlvr.verifiers.sql.schema import Schema

Node: TypeAlias = Any  # the type has another name in older versions of sqlglot
Change: TypeAlias = Callable[[Any], Node]
"""A function that replaces a node in a copy of the query: it returns the new node, or None to remove it."""

_COMPARISONS: dict[Node, tuple[Node, ...]] = {
    exp.EQ: (exp.NEQ, exp.GTE, exp.LTE),
    exp.NEQ: (exp.EQ,),
    exp.GT: (exp.GTE, exp.LT),
    exp.GTE: (exp.GT, exp.LTE),
    exp.LT: (exp.LTE, exp.GT),
    exp.LTE: (exp.LT, exp.GTE),
}
_AGGREGATES: dict[Node, tuple[Node, ...]] = {
    exp.Max: (exp.Min,),
    exp.Min: (exp.Max,),
    exp.Sum: (exp.Avg, exp.Max),
    exp.Avg: (exp.Sum, exp.Max),
}
_ARITHMETIC: dict[Node, Node] = {
    exp.Add: exp.Sub, exp.Sub: exp.Add, exp.Mul: exp.Div, exp.Div: exp.Mul,
}  # fmt: skip
_TESTS = (exp.In, exp.Like, exp.Between, exp.Is, exp.Exists)
_COMPOUNDS = (exp.Union, exp.Intersect, exp.Except)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A changed query, and the kind of the change."""

    kind: str
    sql: str


def mutants_of(sql: str, schema: Schema, most: int = 60) -> list[Mutant]:
    """Return different mutants of `sql`, one of each kind in turn, so that `most` leaves out no kind.

    Raises `sqlglot.errors.SqlglotError` if `sql` can't be read.
    """
    tree = sqlglot.parse_one(sql, read="sqlite")
    texts = {tree.sql("sqlite"), sql}
    by_kind: dict[str, list[Mutant]] = {}
    for number, node in enumerate(tree.walk()):
        for kind, change in _changes(node, schema):
            changed = _with(tree, number, change)
            if changed is not None and changed not in texts:
                texts.add(changed)
                by_kind.setdefault(kind, []).append(Mutant(kind, changed))
    turns = zip_longest(*by_kind.values())
    return [mutant for turn in turns for mutant in turn if mutant is not None][:most]


def constants(rows: Sequence[Sequence[Any]], columns: int) -> list[Mutant]:
    """Return queries that read nothing: the gold query's result as constants, or no rows."""
    if not rows:
        nothing = ", ".join(["NULL"] * columns)
        return [Mutant("constant", f"SELECT {nothing} WHERE 0")]
    if len(rows) * columns > 5000:
        return []
    lines = [", ".join(map(_literal, row)) for row in rows]
    return [Mutant("constant", "VALUES " + ", ".join(f"({line})" for line in lines))]


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return {"inf": "9e999", "-inf": "-9e999"}.get(repr(value), repr(value))


def _with(tree: Node, number: int, change: Change) -> str | None:
    """Return the query with the node of that number changed; None if the result can't be written as SQL."""
    copy = tree.copy()
    node = next(candidate for at, candidate in enumerate(copy.walk()) if at == number)
    replacement = change(node)
    try:
        if replacement is None:
            node.pop()
        elif replacement is not node:
            if node is copy:
                copy = replacement
            else:
                node.replace(replacement)
        return str(copy.sql("sqlite"))
    except (sqlglot.errors.SqlglotError, ValueError, AttributeError):
        return None


def _changes(node: Node, schema: Schema) -> Iterator[tuple[str, Change]]:
    for find in (
        _conditions, _values, _aggregates, _selects, _columns, _joins, _orders, _compounds
    ):  # fmt: skip
        yield from find(node, schema)


def _conditions(node: Node, _: Schema) -> Iterator[tuple[str, Change]]:
    for operator in _COMPARISONS.get(type(node), ()):
        yield "comparison", _as(operator)
    if isinstance(node, exp.And | exp.Or):
        flipped = exp.Or if isinstance(node, exp.And) else exp.And
        yield "logic", _as(flipped)
        yield "condition", lambda n: n.this
        yield "condition", lambda n: n.expression
    if isinstance(node, exp.Not):
        yield "negation", lambda n: n.this
    elif isinstance(node, _TESTS) and not isinstance(node.parent, exp.Not):
        yield "negation", lambda n: exp.Not(this=exp.Paren(this=n.copy()))
    if isinstance(node, exp.Between):
        yield (
            "comparison",
            lambda n: exp.and_(
                exp.GT(this=n.this.copy(), expression=n.args["low"].copy()),
                exp.LTE(this=n.this.copy(), expression=n.args["high"].copy()),
            ),
        )
        yield (
            "comparison",
            lambda n: exp.and_(
                exp.GTE(this=n.this.copy(), expression=n.args["low"].copy()),
                exp.LT(this=n.this.copy(), expression=n.args["high"].copy()),
            ),
        )
    if isinstance(node, exp.Where | exp.Having):
        yield "condition", lambda n: None


def _values(node: Node, _: Schema) -> Iterator[tuple[str, Change]]:
    if type(node) in _ARITHMETIC:
        operator = _ARITHMETIC[type(node)]
        yield "arithmetic", _as(operator)
    if not isinstance(node, exp.Literal):
        return
    if isinstance(node.parent, exp.Limit | exp.Offset):
        number = int(node.this) if node.this.isdigit() else 1
        yield "limit", lambda n: exp.Literal.number(number + 1)
        if number > 1:
            yield "limit", lambda n: exp.Literal.number(number - 1)
    elif not node.is_string:
        yield "literal", lambda n: exp.Literal.number(_moved(n.this, 1))
        yield "literal", lambda n: exp.Literal.number(_moved(n.this, -1))
    elif isinstance(node.parent, exp.Like):
        for pattern in dict.fromkeys((node.this.lstrip("%"), node.this.rstrip("%"))):
            yield "pattern", _to(exp.Literal.string(pattern))
        wider = f"%{node.this.strip('%')}%"
        yield "pattern", lambda n: exp.Literal.string(wider)
    else:
        yield "literal", lambda n: exp.Literal.string(n.this + "x")
        yield "literal", lambda n: exp.Literal.string(n.this.swapcase())


def _moved(number: str, by: int) -> str:
    value = float(number)
    return str(int(value) + by) if value.is_integer() else repr(value + by)


def _aggregates(node: Node, schema: Schema) -> Iterator[tuple[str, Change]]:
    for aggregate in _AGGREGATES.get(type(node), ()):
        yield "aggregate", _as(aggregate)
    if not isinstance(node, exp.Count):
        return
    if isinstance(node.this, exp.Distinct):
        yield "distinct", lambda n: exp.Count(this=n.this.expressions[0])
        return
    if not isinstance(node.this, exp.Star):
        yield "aggregate", lambda n: exp.Count(this=exp.Star())
        yield "distinct", lambda n: exp.Count(this=exp.Distinct(expressions=[n.this.copy()]))
        return
    for column in _some_columns(node.parent_select, schema):
        yield "aggregate", _to(exp.Count(this=column.copy()))
        yield "distinct", _to(exp.Count(this=exp.Distinct(expressions=[column.copy()])))


def _some_columns(select: Node | None, schema: Schema) -> list[exp.Column]:
    """Return at most two columns of the tables that a SELECT reads: the tables' last ones, which are seldom keys."""
    columns = []
    for source in sources(select) if select is not None else ():
        table = schema.table(source.name)
        if table is not None and table.columns:
            columns.append(exp.column(table.columns[-1].name, source.alias_or_name, quoted=True))
    return columns[:2]


def _selects(node: Node, _: Schema) -> Iterator[tuple[str, Change]]:
    if not isinstance(node, exp.Select):
        return
    if not node.args.get("distinct"):
        yield "distinct", lambda n: n.distinct(copy=False)
    else:
        yield "distinct", lambda n: _set(n, "distinct", None)
    if len(node.expressions) > 1:
        yield "columns", lambda n: _set(n, "expressions", n.expressions[::-1])
    group = node.args.get("group")
    if group is not None and len(group.expressions) > 1:
        yield "group", _grouped(slice(None, -1))
        yield "group", _grouped(slice(1, None))


def _as(kind: Node) -> Change:
    """Return the change to another operator with the same operands."""

    def changed(node: Node) -> Node:
        right = node.args.get("expression")
        return kind(this=node.this, expression=right) if right is not None else kind(this=node.this)

    return changed


def _to(new: Node) -> Change:
    return lambda _: new.copy()


def _compound(kind: Node) -> Change:
    return lambda n: kind(**{**n.args, "distinct": True})


def _grouped(positions: slice) -> Change:
    def changed(node: Node) -> Node:
        group = node.args["group"]
        group.set("expressions", group.expressions[positions])
        return node

    return changed


def _set(node: Node, key: str, value: Any) -> Node:
    node.set(key, value)
    return node


def _columns(node: Node, schema: Schema) -> Iterator[tuple[str, Change]]:
    """Yield changes to other columns of the same table, those of the same kind first."""
    if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
        return
    place = place_of(node, schema)
    table = schema.table(place[0]) if place else None
    schema_column = table.column(place[1]) if table and place else None
    if table is None or schema_column is None:
        return
    columns = [c for c in table.columns if c is not schema_column]
    columns.sort(key=lambda c: c.affinity != schema_column.affinity)
    for other in columns[:2]:
        yield "column", _to(exp.column(other.name, node.table or None, quoted=True))


def _joins(node: Node, _: Schema) -> Iterator[tuple[str, Change]]:
    if not isinstance(node, exp.Join):
        return
    if node.args.get("side"):
        yield "join", lambda n: _set(n, "side", None)
    elif node.args.get("on") or node.args.get("using"):
        yield "join", lambda n: _set(_set(n, "kind", None), "side", "LEFT")
    select = node.parent
    name = node.alias_or_name.lower()
    if select is not None and name:
        inside = {id(column) for column in node.find_all(exp.Column)}
        used = [c for c in select.find_all(exp.Column) if id(c) not in inside]
        if all(c.table and c.table.lower() != name for c in used):
            yield "join", lambda n: None


def _orders(node: Node, _: Schema) -> Iterator[tuple[str, Change]]:
    if isinstance(node, exp.Ordered):
        yield "order", lambda n: _set(_set(n, "desc", not n.args.get("desc")), "nulls_first", None)
    if isinstance(node, exp.Order) and not isinstance(node.parent, exp.Window):
        yield "order", lambda n: None
        if len(node.expressions) > 1:
            yield "order", lambda n: _set(n, "expressions", n.expressions[:1])
    if isinstance(node, exp.Limit):
        yield "limit", lambda n: None


def _compounds(node: Node, _: Schema) -> Iterator[tuple[str, Change]]:
    if not isinstance(node, _COMPOUNDS):
        return
    for compound in _COMPOUNDS:
        if not isinstance(node, compound):
            yield "compound", _compound(compound)
    if isinstance(node, exp.Union):
        yield "compound", lambda n: _set(n, "distinct", not n.args.get("distinct"))
    yield "compound", lambda n: n.this
