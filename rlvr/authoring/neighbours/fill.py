"""Fill a schema with a few rows that are aimed at a gold query.

Every value is drawn from the task's own rows, from the values that the gold query compares with, or from values near
these; it may be NULL if the column permits it. SQLite itself refuses rows that break a constraint, and foreign keys are
drawn from the rows that they refer to.
"""

from __future__ import annotations

import random
import sqlite3
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rlvr.authoring.neighbours.base import Base, empty_database, without_orphans
from rlvr.authoring.neighbours.demands import Demands
from rlvr.authoring.neighbours.scope import Place
from rlvr.verifiers.sql.schema import Column, ForeignKey, Table, quoted

Value: TypeAlias = Any
Record: TypeAlias = dict[str, Value]
"""A row by its columns' names in lower case."""

_UNREAD = 6  # rows of a table that the gold query doesn't read


@dataclass(frozen=True, slots=True)
class Profile:
    """The shares by which a candidate is filled.

    Attributes:
        rows: rows of each table that the gold query reads.
        hits: share of rows for which the gold query's conditions should be true.
        base: share of rows that begin as one of the task's own.
        nulls: share of NULLs in columns that permit them, in tables that the gold query reads.
        repeats: share of values that repeat one of the same column.
        partners: share of a parent table's rows that foreign keys may refer to.
    """

    rows: int
    hits: float
    base: float
    nulls: float
    repeats: float
    partners: float


PROFILES = (
    Profile(12, 0.6, 0.7, 0.06, 0.15, 0.7),
    Profile(25, 0.5, 0.5, 0.10, 0.30, 0.6),
    Profile(6, 0.7, 0.5, 0.00, 0.25, 0.6),
    Profile(40, 0.4, 0.6, 0.05, 0.35, 0.8),
    Profile(15, 0.8, 0.3, 0.15, 0.50, 0.5),
    Profile(3, 0.9, 0.6, 0.00, 0.10, 1.0),
    Profile(30, 0.3, 0.9, 0.02, 0.05, 0.9),
)


def candidate(
    base: Base, demands: Demands, profile: Profile, rng: random.Random
) -> sqlite3.Connection:
    """Return a filled database in memory. Raises `sqlite3.Error` if the schema can't be made again."""
    database = empty_database(base.schema)
    filling = _Filling(base, demands, profile, rng)
    for table in _parents_first(base):
        filling.fill(table)
        names = ", ".join(quoted(column.name) for column in table.columns)
        marks = ", ".join("?" * len(table.columns))
        rows = [
            tuple(record[column.name.lower()] for column in table.columns)
            for record in filling.records[table.name.lower()]
        ]
        database.execute("BEGIN")
        database.executemany(
            f"INSERT OR IGNORE INTO {quoted(table.name)} ({names}) VALUES ({marks})", rows
        )
        database.execute("COMMIT")
    without_orphans(database, base.schema)
    return database


def _parents_first(base: Base) -> list[Table]:
    """Return the tables, each after the tables that it refers to; cycles in the order of their declaration."""
    remaining = [table for table in base.schema.tables if not table.is_view]
    names = {table.name.lower() for table in remaining}
    ordered: list[Table] = []
    while remaining:
        ordered_names = {table.name.lower() for table in ordered}
        ready = [
            table
            for table in remaining
            if all(
                key.table.lower() in ordered_names | {table.name.lower()}
                or key.table.lower() not in names
                for key in table.foreign_keys
            )
        ]
        ordered += ready or remaining[:1]
        remaining = [table for table in remaining if table not in ordered]
    return ordered


@dataclass
class _Filling:
    base: Base
    demands: Demands
    profile: Profile
    rng: random.Random
    records: dict[str, list[Record]] = field(default_factory=dict)
    favourites: dict[str, list[Record]] = field(default_factory=dict)
    """Rows for which the gold query's conditions should be true: foreign keys refer to them more often."""

    def fill(self, table: Table) -> None:
        name = table.name.lower()
        records = self.records[name] = []
        favourites = self.favourites[name] = []
        read = name in self.demands.tables
        count = self.profile.rows if read else min(_UNREAD, self.profile.rows)
        if read and self.demands.sizes:
            count = max(count, min(120, 4 * max(self.demands.sizes)))
        originals = self.base.rows.get(name, [])
        names = [column.name.lower() for column in table.columns]
        parents = _Parents(self, table)
        sticky: Record = {}
        group_rows_left = 0  # rows of the group that is being filled
        for _ in range(count):
            hit = self.rng.random() < self.profile.hits
            original = None
            if originals and self.rng.random() < self.profile.base:
                original = dict(zip(names, self.rng.choice(originals), strict=True))
            if group_rows_left <= 0:
                sticky = parents.chosen(hit)
                group_rows_left = self.rng.choice(
                    [*self.demands.sizes, 1] if self.demands.sizes else (1, 1, 2, 3)
                )
                group = {c: None for c in names if (name, c) in self.demands.grouped}
            record: Record = {}
            for column in table.columns:
                key = column.name.lower()
                if key in sticky:
                    record[key] = sticky[key]
                elif group.get(key) is not None and self.rng.random() < 0.9:
                    record[key] = group[key]
                else:
                    record[key] = self._value(table, column, original, records, hit)
                    if key in group:
                        group[key] = record[key]
            group_rows_left -= 1
            records.append(record)
            if hit:
                favourites.append(record)

    def _value(
        self,
        table: Table,
        column: Column,
        original: Record | None,
        records: list[Record],
        hit: bool,
    ) -> Value:
        rng, place = self.rng, (table.name.lower(), column.name.lower())
        single = any(unique == {column.name} for unique in table.uniques)
        if single:
            return self._unique(place, column, original, records, hit)
        read = place[0] in self.demands.tables
        may_be_null = not column.required and not column.key
        if read and may_be_null and rng.random() < self.profile.nulls:
            return None
        if hit and rng.random() < 0.85 and self.demands.hits.get(place):
            return _fitting(rng.choice(self.demands.hits[place]), column)
        if rng.random() < 0.5 and self.demands.misses.get(place):
            return _fitting(rng.choice(self.demands.misses[place]), column)
        linked = self._linked(place)
        if linked and rng.random() < 0.7:
            return rng.choice(linked)
        if records and rng.random() < self.profile.repeats:
            return rng.choice(records)[place[1]]
        if original is not None and rng.random() < 0.9:
            return original[place[1]]
        return self._drawn(place, column)

    def _unique(
        self,
        place: Place,
        column: Column,
        original: Record | None,
        records: list[Record],
        hit: bool,
    ) -> Value:
        """Return a value that the column doesn't have yet."""
        used = {record[place[1]] for record in records}
        aimed = self.demands.hits.get(place, []) if hit else self.demands.misses.get(place, [])
        linked = self._linked(place)
        choices = [_fitting(value, column) for value in aimed]
        choices += self.rng.sample(linked, min(3, len(linked)))
        choices += [original[place[1]]] if original is not None else []
        for choice in choices:
            if choice is not None and choice not in used:
                return choice
        numbers = [value for value in used if isinstance(value, int)]
        if column.affinity in ("INTEGER", "NUMERIC", "REAL") and (numbers or not used):
            return max(numbers, default=0) + self.rng.randint(1, 3)
        return f"{self._drawn(place, column)}{len(used)}"

    def _linked(self, place: Place) -> list[Value]:
        """Return values of the columns that the gold query compares this one with, as far as they are filled."""
        values: list[Value] = []
        for a, b in self.demands.links:
            linked_place = b if a == place else a if b == place else None
            if linked_place is not None and linked_place[0] != place[0]:
                values += [
                    r[linked_place[1]]
                    for r in self.records.get(linked_place[0], [])
                    if r[linked_place[1]] is not None
                ]
        return values

    def _drawn(self, place: Place, column: Column) -> Value:
        """Return a value of the column's own kind."""
        originals = self.base.rows.get(place[0], [])
        if originals:
            table = self.base.schema.table(place[0])
            assert table is not None
            at = [c.name.lower() for c in table.columns].index(place[1])
            value = self.rng.choice(originals)[at]
            if value is not None or not (column.required or column.key):
                if self.rng.random() < 0.3:
                    return _beside(value, self.rng)
                return value
        if column.affinity == "TEXT" or not column.type:
            return self.rng.choice(("a", "b", "B", "ab", "" if not column.key else "c"))
        return self.rng.randint(0, 9)


class _Parents:
    """The rows that a table's foreign keys refer to: some never, some more than once."""

    def __init__(self, filling: _Filling, table: Table) -> None:
        self._filling = filling
        self._table = table
        self._allowed: list[tuple[ForeignKey, list[Record], list[Record]]] = []
        rng = filling.rng
        for key in table.foreign_keys:
            rows = filling.records.get(key.table.lower(), [])
            candidates = [row for row in rows if rng.random() < filling.profile.partners] or rows[
                :1
            ]
            favourites = filling.favourites.get(key.table.lower(), [])
            self._allowed.append(
                (key, candidates, [row for row in favourites if row in candidates])
            )

    def chosen(self, hit: bool) -> Record:
        """Return values for the columns of all foreign keys."""
        rng = self._filling.rng
        values: Record = {}
        for key, rows, favourites in self._allowed:
            columns = [self._table.column(name) for name in key.columns]
            optional = all(c is not None and not c.required and not c.key for c in columns)
            if optional and rng.random() < self._filling.profile.nulls:
                values |= {name.lower(): None for name in key.columns}
                continue
            pool = favourites if favourites and (hit or rng.random() < 0.4) else rows
            if not pool:
                continue  # drawn like any other; orphans are taken out at the end
            row = rng.choice(pool)
            for ours, theirs in zip(key.columns, key.referenced, strict=True):
                if theirs.lower() in row:
                    values.setdefault(ours.lower(), row[theirs.lower()])
        return values


def _beside(value: Value, rng: random.Random) -> Value:
    """Return a value near another: if the data held a single value, a constant would be right."""
    if isinstance(value, int | float):
        return value + rng.choice((-1, 1))
    return value + rng.choice("xyz") if isinstance(value, str) else value


def _fitting(value: Value, column: Column) -> Value:
    """Return a literal as the column stores it: '12' in a column of numbers is a number."""
    if isinstance(value, str) and column.affinity in ("INTEGER", "REAL", "NUMERIC"):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if number.is_integer() else number
    if isinstance(value, int | float) and column.affinity == "TEXT":
        return str(value)
    return value
