"""A query's tree in MySQL's or PostgreSQL's dialect, made one that sqlglot writes as SQLite's.

Each node has a rule by its class's name, `_on_cast` for a Cast, and is translated after its children. Where dates
are concerned, rules go by the kind of an expression: "date", "timestamp" or "interval".
"""

from __future__ import annotations

from typing import Any

from rlvr.verifiers.sql.aggregates import AGGREGATES
from rlvr.verifiers.sql.dialect_functions import FUNCTIONS
from rlvr.verifiers.sql.translation_of_dates import DateRules, Untranslatable

ALIASES = {
    "mysql": {"std": "stddev_pop", "stddev": "stddev_pop", "variance": "var_pop"},
    "postgres": {"stddev": "stddev_samp", "variance": "var_samp"},
}
_CLOCKS = {
    "now": "CURRENT_TIMESTAMP", "sysdate": "CURRENT_TIMESTAMP", "utc_timestamp": "CURRENT_TIMESTAMP", "curtime": "CURRENT_TIME",
    "utc_date": "CURRENT_DATE", "utc_time": "CURRENT_TIME", "clock_timestamp": "CURRENT_TIMESTAMP",
    "statement_timestamp": "CURRENT_TIMESTAMP", "transaction_timestamp": "CURRENT_TIMESTAMP",
}  # fmt: skip
_DATES = frozenset(("last_day", "make_date", "to_date", "makedate"))
_TIMESTAMPS = frozenset(("from_unixtime", "to_timestamp", "str_to_date"))


class Translation(DateRules):
    """A tree in another dialect, made one that sqlglot writes as SQLite's."""

    # ------------------------------------------------------------ functions

    def _on_anonymous(self, node: Any) -> Any:
        name = str(node.this).lower()
        if name.startswith(("mysql_", "postgres_")):
            raise Untranslatable(f"there's no function {name}")
        if name in _CLOCKS:
            clock = {"CURRENT_DATE": self._exp.CurrentDate, "CURRENT_TIME": self._exp.CurrentTime}
            current = clock.get(_CLOCKS[name], self._exp.CurrentTimestamp)()
            return self._as(current, "date" if _CLOCKS[name] == "CURRENT_DATE" else "timestamp")
        name = ALIASES[self._dialect].get(name) or name
        args = node.expressions
        if name in ("adddate", "subdate") and len(args) == 2:
            step = (
                args[1]
                if self._kind(args[1]) == "interval"
                else self._call("interval", args[1], "day")
            )
            return self._plus(args[0], step, less=name == "subdate")
        if name == "age" and len(args) == 1:
            args = [self._exp.CurrentDate(), *args]
        if name in ("unix_timestamp",) and not args:
            args = [self._exp.CurrentTimestamp()]
        if name == "to_timestamp" and len(args) == 1:
            return self._call(
                "date_plus",
                "1970-01-01 00:00:00",
                self._call("interval", args[0], "second"),
                kind="timestamp",
            )
        if name == "timestampdiff" or (name in ("date_trunc",) and args):
            args = [self._exp.Literal.string(args[0].name), *args[1:]]
        if name in FUNCTIONS[self._dialect] or name in AGGREGATES:
            kind = "date" if name in _DATES else "timestamp" if name in _TIMESTAMPS else ""
            if name == "date_trunc":
                kind = "timestamp" if self._kind(args[1]) != "date" else "date"
            if name in ("age", "interval_times"):
                kind = "interval"
            return self._call(name, *args, kind=kind)
        return node

    def _on_concat(self, node: Any) -> Any:
        return self._call("concat", *node.expressions) if self._dialect == "postgres" else node

    def _on_mod(self, node: Any) -> Any:
        return self._call("mod", node.this, node.expression)

    def _on_round(self, node: Any) -> Any:
        decimals = node.args.get("decimals")
        if decimals is None or (decimals.is_int and not isinstance(decimals, self._exp.Neg)):
            return node
        return self._call("round", node.this, decimals)

    def _on_trunc(self, node: Any) -> Any:
        return self._call("truncated", node.this, node.args.get("decimals"))

    def _on_length(self, node: Any) -> Any:
        exp = self._exp
        return exp.Length(this=exp.cast(node.this, "blob")) if node.args.get("binary") else node

    def _on_jsonextract(self, node: Any) -> Any:
        # MySQL's -> and JSON_EXTRACT are SQLite's json_extract, whose numbers are numbers.
        exp = self._exp
        if self._dialect != "mysql" or type(node) is not exp.JSONExtract:
            return node
        return exp.Anonymous(
            this="json_extract",
            expressions=[node.this, exp.convert(node.expression.sql("sqlite").strip("'"))],
        )

    def _on_regexplike(self, node: Any) -> Any:
        return self._call("regexp_like", node.this, node.expression, node.args.get("flag"))

    def _on_regexpilike(self, node: Any) -> Any:
        return self._call("regexp_like", node.this, node.expression, "i")

    def _on_similarto(self, node: Any) -> Any:
        return self._call("similar", node.this, node.expression)

    def _on_overlay(self, node: Any) -> Any:
        args = node.args
        return self._call(
            "overlay", node.this, node.expression, args.get("from_"), args.get("for_")
        )

    def _on_substring(self, node: Any) -> Any:
        start = node.args.get("start")
        if start is not None and start.is_string and node.args.get("length") is None:
            return self._call("regexp_substr", node.this, start)
        return node

    def _on_xor(self, node: Any) -> Any:
        exp = self._exp
        sides = [
            exp.Paren(this=exp.Not(this=exp.Paren(this=side)))
            for side in (node.this, node.expression)
        ]
        return exp.Paren(this=exp.NEQ(this=sides[0], expression=sides[1]))

    def _on_rand(self, node: Any) -> Any:
        return self._exp.Anonymous(this="RANDOM", expressions=[])

    # ------------------------------------------------------------ aggregates

    def _on_groupconcat(self, node: Any) -> Any:
        exp = self._exp
        value, separator = node.this, node.args.get("separator")
        flags, keys = "", []
        if isinstance(separator, exp.Order):
            value, separator = (
                exp.Order(this=value, expressions=separator.expressions),
                separator.this,
            )
        if isinstance(value, exp.Order):
            for key in value.expressions:
                flags += "d" if key.args.get("desc") else "a"
                flags += "f" if key.args.get("nulls_first") else "l"
                keys.append(key.this)
            value = value.this
        if isinstance(value, exp.Distinct):
            flags = f"u{flags}"
            values = value.expressions
            value = values[0] if len(values) == 1 else self._call("row", *values)
        if not flags:
            return node
        return self._call(
            "group_concat", flags, separator if separator is not None else ",", value, *keys
        )

    def _on_withingroup(self, node: Any) -> Any:
        (key,) = node.expression.expressions
        direction = "d" if key.args.get("desc") else "a"
        names = {"PercentileCont": "percentile_cont", "PercentileDisc": "percentile_disc"}
        kind = type(node.this).__name__
        if kind in names:
            return self._call(names[kind], node.this.this, key.this, direction)
        if kind == "Mode" or node.this.name.lower() == "mode":
            return self._call("mode", key.this)
        raise Untranslatable(f"{node.this.sql()[:60]} WITHIN GROUP has no counterpart in SQLite")

    def _on_distinct(self, node: Any) -> Any:
        exp = self._exp
        values = node.expressions
        if (
            isinstance(node.parent, exp.Count)
            and len(values) == 1
            and isinstance(values[0], exp.Tuple)
        ):
            values = values[0].expressions
        if isinstance(node.parent, exp.Count) and len(values) > 1:
            return exp.Distinct(expressions=[self._call("row", *values)])
        return node

    def _on_arrayagg(self, node: Any) -> Any:
        raise Untranslatable("SQLite has no arrays")

    def _on_any(self, node: Any) -> Any:
        if isinstance(node.this.unnest(), self._exp.Array) and isinstance(
            node.parent, self._exp.EQ
        ):
            return node
        raise Untranslatable("ANY of anything but a written array has no counterpart in SQLite")

    # ------------------------------------------------------------ tables

    def _on_table(self, node: Any) -> Any:
        if self._dialect == "postgres" and node.db.lower() == "public" and not node.catalog:
            node.set("db", None)
        if type(node.this).__name__ in ("ExplodingGenerateSeries", "GenerateSeries"):
            return self._series(node)
        return node

    def _series(self, node: Any) -> Any:
        """Return a recursive query for `generate_series` of numbers or moments."""
        import sqlglot

        exp = self._exp
        series, alias = node.this, node.args.get("alias")
        start, end = series.args["start"], series.args["end"]
        step = series.args.get("step") or exp.convert(1)
        after = self._plus(exp.column("value"), step, False) if self._kind(step) == "interval" else exp.Add(this=exp.column("value"), expression=step)  # fmt: skip
        name = alias.name if alias is not None else "generate_series"
        columns = alias.args.get("columns") if alias is not None else None
        column = columns[0].name if columns else name
        query = sqlglot.parse_one(
            f"WITH RECURSIVE series_(value) AS (SELECT {start.sql('sqlite')} WHERE {start.sql('sqlite')} <= {end.sql('sqlite')}"
            f" UNION ALL SELECT {after.sql('sqlite')} FROM series_ WHERE {after.sql('sqlite')} <= {end.sql('sqlite')})"
            " SELECT value FROM series_",
            read="sqlite",
        )
        query.set("expressions", [exp.alias_(exp.column("value"), column, quoted=True)])
        return exp.Subquery(
            this=query, alias=exp.TableAlias(this=exp.to_identifier(name, quoted=True))
        )

    def _on_from(self, node: Any) -> Any:
        source = node.this
        is_dual = (
            isinstance(source, self._exp.Table) and source.name.lower() == "dual" and not source.db
        )
        return None if is_dual and self._dialect == "mysql" else node

    def _on_setoperation(self, node: Any) -> Any:
        """Take off the brackets around a part, which SQLite doesn't allow there."""
        exp = self._exp
        for side in ("this", "expression"):
            part = node.args[side]
            if isinstance(part, exp.Subquery) and not part.alias:
                inner = part.unnest()
                plain = isinstance(inner, exp.Select) and not any(
                    inner.args.get(k) for k in ("order", "limit", "offset")
                )
                node.set(
                    side,
                    inner
                    if plain
                    else exp.Select(expressions=[exp.Star()]).from_(inner.subquery("part_")),
                )
        return node

    def _on_values(self, node: Any) -> Any:
        exp = self._exp
        alias = node.args.get("alias")
        columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
        if not columns:
            return node
        inner = node.copy()
        inner.set("alias", None)
        names = [
            exp.alias_(exp.column(f"column{n}"), column.name, quoted=True)
            for n, column in enumerate(columns, 1)
        ]
        query = exp.Select(expressions=names).from_(exp.Subquery(this=inner))
        return exp.Subquery(this=query, alias=exp.TableAlias(this=alias.this))

    def _on_subquery(self, node: Any) -> Any:
        exp = self._exp
        alias = node.args.get("alias")
        columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
        if columns and isinstance(node.this, exp.Select) and len(node.this.selects) == len(columns):
            pairs = zip(node.this.selects, columns, strict=True)
            node.this.set(
                "expressions",
                [
                    exp.alias_(selected.unalias(), column.name, quoted=True)
                    for selected, column in pairs
                ],
            )
            alias.set("columns", None)
        return node

    def _on_lateral(self, node: Any) -> Any:
        raise Untranslatable("LATERAL has no counterpart in SQLite")

    def _on_rollup(self, node: Any) -> Any:
        raise Untranslatable("ROLLUP has no counterpart in SQLite")

    def _on_cube(self, node: Any) -> Any:
        raise Untranslatable("CUBE has no counterpart in SQLite")

    def _on_groupingsets(self, node: Any) -> Any:
        raise Untranslatable("GROUPING SETS have no counterpart in SQLite")
