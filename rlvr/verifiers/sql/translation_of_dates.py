"""Rules for dates, times and intervals, by the kind of each expression: "date", "timestamp" or "interval"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Untranslatable(Exception):
    """The query can't be read in that dialect, or needs what SQLite lacks; the message says what."""


class Rules:
    """A translation without rules: it walks the tree and keeps the kinds of expressions."""

    def __init__(self, dialect: str) -> None:
        from sqlglot import exp

        self._dialect = dialect
        self._exp = exp
        self._kinds: dict[int, str] = {}  # "date", "timestamp" or "interval", by the id of a node
        self._kept: list[Any] = []  # so that no id is used twice

    def of(self, tree: Any) -> Any:
        """Return the translated tree, without the brackets around the whole query that SQLite doesn't allow."""
        return self._without_brackets(self._translated(tree))

    def _without_brackets(self, tree: Any) -> Any:
        exp = self._exp
        if not isinstance(tree, exp.Subquery) or tree.args.get("alias"):
            return tree
        inner = self._without_brackets(tree.this)
        outside = {
            key: tree.args[key] for key in ("order", "limit", "offset") if tree.args.get(key)
        }
        if not outside:
            return inner
        query = exp.Select(expressions=[exp.Star()]).from_(exp.Subquery(this=inner))
        for key, clause in outside.items():
            query.set(key, clause)
        return query

    def _translated(self, node: Any) -> Any:
        for key, value in list(node.args.items()):
            if isinstance(value, list):
                node.set(
                    key,
                    [
                        self._translated(v) if isinstance(v, self._exp.Expression) else v
                        for v in value
                    ],
                )
            elif isinstance(value, self._exp.Expression):
                node.set(key, self._translated(value))
        rule = self._rule(node)
        translated = rule(node) if rule is not None else node
        if translated is not node:
            self._kept.append(translated)
        return translated

    def _rule(self, node: Any) -> Callable[[Any], Any] | None:
        for kind in type(node).__mro__:
            rule = getattr(self, f"_on_{kind.__name__.lower()}", None)
            if rule is not None:
                return rule  # type: ignore[no-any-return]
        return None

    def _call(self, name: str, *args: Any, kind: str = "") -> Any:
        exp = self._exp
        args = tuple(exp.convert(arg) if isinstance(arg, str | int) else arg for arg in args)
        call = exp.Anonymous(
            this=f"{self._dialect}_{name}", expressions=[a for a in args if a is not None]
        )
        return self._as(call, kind)

    def _as(self, node: Any, kind: str) -> Any:
        self._kept.append(node)
        if kind:
            self._kinds[id(node)] = kind
        return node

    def _kind(self, node: Any) -> str:
        exp = self._exp
        while isinstance(
            node, exp.Paren | exp.Max | exp.Min | exp.Coalesce | exp.Greatest | exp.Least
        ):
            node = node.this
        return self._kinds.get(id(node), "")


class DateRules(Rules):
    """EXTRACT, INTERVAL, casts, differences and comparisons."""

    def _on_extract(self, node: Any) -> Any:
        return self._call("part", node.this.name.lower(), node.expression)

    def _on_currentdate(self, node: Any) -> Any:
        return self._as(self._exp.CurrentDate(), "date")

    def _on_currenttimestamp(self, node: Any) -> Any:
        return self._as(self._exp.CurrentTimestamp(), "timestamp")

    _on_currentdatetime = _on_localtimestamp = _on_currenttimestamp

    def _on_tsordstodate(self, node: Any) -> Any:
        return self._as(self._exp.TsOrDsToDate(this=node.this), "date")

    def _on_cast(self, node: Any) -> Any:
        exp = self._exp
        to = node.to
        kind = to.this
        types = exp.DataType.Type
        if kind in (types.DATE,):
            return self._as(node, "date")
        if kind in exp.DataType.TEMPORAL_TYPES and kind not in (types.TIME, types.TIMETZ):
            return self._as(exp.cast(node.this, "timestamp"), "timestamp")
        if kind in (types.TIME, types.TIMETZ):
            return exp.Anonymous(this="time", expressions=[node.this])
        if kind is types.INTERVAL or isinstance(kind, exp.Interval):
            return self._as(node.this, "interval")
        if kind in (types.JSON, types.JSONB):
            return node.this
        if kind is types.DECIMAL and len(to.expressions) == 2:
            return self._call(
                "round", exp.cast(node.this, "real"), exp.convert(int(to.expressions[1].name))
            )
        return node

    def _on_interval(self, node: Any) -> Any:
        exp = self._exp
        unit, value = node.args.get("unit"), node.this
        name = unit.name.lower() if unit is not None else ""
        if value is not None and value.is_string:
            return self._as(exp.Literal.string(f"{value.name} {name}".strip()), "interval")
        if not name:
            return self._as(value, "interval")
        return self._call("interval", value, name, kind="interval")

    def _plus(self, base: Any, step: Any, less: bool) -> Any:
        kind = self._kind(base)
        kind = kind if kind in ("date", "interval") else "timestamp"
        return self._call("date_less" if less else "date_plus", base, step, kind=kind)

    def _on_dateadd(self, node: Any) -> Any:
        return self._shifted(node, less=False)

    _on_timestampadd = _on_datetimeadd = _on_tsordsadd = _on_dateadd

    def _on_datesub(self, node: Any) -> Any:
        return self._shifted(node, less=True)

    _on_timestampsub = _on_datetimesub = _on_datesub

    def _shifted(self, node: Any, less: bool) -> Any:
        step, unit = node.expression, node.args.get("unit")
        if self._kind(step) != "interval":
            name = unit.name.lower() if unit is not None else "day"
            step = self._on_interval(self._exp.Interval(this=step, unit=self._exp.var(name)))
        return self._plus(node.this, step, less)

    def _on_datediff(self, node: Any) -> Any:
        return (
            self._call("datediff", node.this, node.expression) if self._dialect == "mysql" else node
        )

    def _on_timestampdiff(self, node: Any) -> Any:
        return self._call(
            "timestampdiff", node.args["unit"].name.lower(), node.expression, node.this
        )

    def _on_timestamptrunc(self, node: Any) -> Any:
        kind = "date" if self._kind(node.this) == "date" else "timestamp"
        return self._call("date_trunc", node.args["unit"].name.lower(), node.this, kind=kind)

    _on_datetrunc = _on_timestamptrunc

    def _on_add(self, node: Any) -> Any:
        exp = self._exp
        sides = (node.this, node.expression)
        kinds = tuple(map(self._kind, sides))
        if kinds[1] == "interval":
            return self._plus(*sides, less=False)
        if kinds[0] == "interval":
            return self._plus(sides[1], sides[0], less=False)
        if self._dialect == "postgres" and "date" in kinds:
            base, days = sides if kinds[0] == "date" else sides[::-1]
            step = (
                exp.Literal.string(f"{days.name} day")
                if days.is_int
                else self._call("interval", days, "day")
            )
            return self._plus(base, step, less=False)
        return node

    def _on_sub(self, node: Any) -> Any:
        kinds = (self._kind(node.this), self._kind(node.expression))
        if kinds[1] == "interval":
            return self._plus(node.this, node.expression, less=True)
        if self._dialect == "postgres" and ("date" in kinds or "timestamp" in kinds):
            is_date = kinds == ("date", "") and node.expression.is_int
            timed = "timestamp" in kinds
            return self._call(
                "minus",
                node.this,
                node.expression,
                kind="date" if is_date else "interval" if timed else "",
            )
        return node

    def _on_mul(self, node: Any) -> Any:
        for step, number in ((node.this, node.expression), (node.expression, node.this)):
            if self._kind(step) == "interval":
                return self._call("interval_times", step, number, kind="interval")
        return node

    def _on_binary(self, node: Any) -> Any:
        exp = self._exp
        compared = (
            exp.EQ
            | exp.NEQ
            | exp.LT
            | exp.LTE
            | exp.GT
            | exp.GTE
            | exp.NullSafeEQ
            | exp.NullSafeNEQ
        )
        if isinstance(node, exp.EQ) and isinstance(node.expression, exp.Any):
            return exp.In(this=node.this, expressions=node.expression.this.unnest().expressions)
        if isinstance(node, compared):
            self._make_comparable(node, ("this", "expression"))
        return node

    def _on_between(self, node: Any) -> Any:
        self._make_comparable(node, ("this", "low", "high"))
        return node

    def _on_ordered(self, node: Any) -> Any:
        if self._kind(node.this) == "interval":
            self._make_comparable(node, ("this",))
        return node

    def _make_comparable(self, node: Any, sides: tuple[str, ...]) -> None:
        """Have SQLite compare timestamps and intervals, which are texts, by what they mean."""
        kinds = {self._kind(node.args[side]) for side in sides}
        function = (
            "interval_size" if "interval" in kinds else "comparable" if "timestamp" in kinds else ""
        )
        for side in sides if function else ():
            node.set(side, self._call(function, node.args[side]))
