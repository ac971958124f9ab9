"""Search the neighbours of one gold query: candidates are made from a seed, and kept if they kill a mutant."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rlvr.authoring.neighbours.base import Base
from rlvr.authoring.neighbours.demands import demands_of
from rlvr.authoring.neighbours.equivalents import equivalence_rule
from rlvr.authoring.neighbours.fill import PROFILES, candidate
from rlvr.authoring.neighbours.mutants import Mutant, constants, mutants_of
from rlvr.verifiers.sql.compare import difference
from rlvr.verifiers.sql.database import Identity, opened
from rlvr.verifiers.sql.execution import Row, Rows
from rlvr.verifiers.sql.order import order_of, ranked

_STEPS = 200  # most calls of the progress handler per query, each after 10,000 of SQLite's steps
_TRIES = 49  # most candidates


@dataclass
class Neighbours:
    """The neighbours of one gold query.

    Attributes:
        databases: SQLite files as bytes.
        passing: mutants with the gold query's result on the task's own database, by kind.
        killed: the passing mutants that a neighbour tells apart, by kind.
        equivalent: the passing mutants that are proved equivalent, by the rule that proves it.
        left: the other passing mutants, as text.
        failing: mutants that the task's own database tells apart already, or that don't run.
        empty: True if the gold query's result is empty on the task's own database and on all neighbours.
    """

    databases: list[bytes] = field(default_factory=list)
    passing: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    equivalent: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)
    failing: int = 0
    empty: bool = True


def neighbours_of(
    sql: str, path: str, most: int = 10, seed: int = 0, largest: int = 256 << 10
) -> Neighbours:
    """Return neighbour databases for the gold query `sql` on the database at `path`.

    Args:
        most: the maximum number of neighbours.
        seed: the same one makes the same databases.
        largest: the maximum size of one in bytes.

    Raises `sqlite3.Error` if the query or the database can't be used, and `sqlglot.errors.SqlglotError` if sqlglot
    can't read the query.
    """
    base = Base.of(path)
    result = Neighbours()
    with contextlib.closing(_read_only(path)) as connection:
        gold = _Gold(sql, connection)
        mutants = mutants_of(sql, base.schema) + constants(gold.rows.rows, gold.rows.columns)
        passing = [mutant for mutant in mutants if not gold.tells(mutant)]
    result.failing = len(mutants) - len(passing)
    result.passing = Counter(mutant.kind for mutant in passing)
    result.empty = not gold.rows.rows
    alive = []
    for mutant in passing:
        rule = equivalence_rule(sql, mutant, base.schema) if mutant.kind != "constant" else ""
        if rule:
            result.equivalent[rule] += 1
        else:
            alive.append(mutant)
    alive = _search(sql, base, alive, result, most, seed, largest)
    result.left = [mutant.sql for mutant in alive]
    return result


def _search(
    sql: str,
    base: Base,
    alive: list[Mutant],
    result: Neighbours,
    most: int,
    seed: int,
    largest: int,
) -> list[Mutant]:
    demands = demands_of(sql, base.schema)
    rng = random.Random(f"{seed} {sql}")
    spare: list[tuple[sqlite3.Connection, _Gold]] = []  # the gold query's result is empty on these
    for number in range(_TRIES):
        if not alive or len(result.databases) >= most:
            break
        database = candidate(base, demands, PROFILES[number % len(PROFILES)], rng)
        try:
            gold = _Gold(sql, database)
        except sqlite3.Error:
            database.close()
            continue
        if gold.says_nothing:
            spare.append((database, gold))
            continue
        alive = _kept(database, gold, alive, result, largest)
        database.close()
    for database, gold in spare:  # better than none: a mutant may have rows where the gold has none
        if alive and len(result.databases) < most:
            alive = _kept(database, gold, alive, result, largest)
        database.close()
    return alive


def _kept(
    database: sqlite3.Connection, gold: _Gold, alive: list[Mutant], result: Neighbours, largest: int
) -> list[Mutant]:
    """Return the mutants that survive this candidate, which is kept if it kills one."""
    dead = [mutant for mutant in alive if gold.tells(mutant)]
    if not dead:
        return alive
    data = database.serialize()
    if len(data) > largest:
        return alive
    result.databases.append(data)
    result.killed.update(mutant.kind for mutant in dead)
    result.empty = result.empty and not gold.rows.rows
    killed = set(map(id, dead))
    return [mutant for mutant in alive if id(mutant) not in killed]


class _Gold:
    """The gold query's result on one database."""

    def __init__(self, sql: str, database: sqlite3.Connection) -> None:
        self._database = database
        self._order = order_of(sql)
        self._error = "it returns no table"
        rows = self._run(sql)
        if rows is None:
            raise sqlite3.OperationalError(f"the gold doesn't run: {self._error}")
        self.rows = rows
        self._ranks: Any = False

    @property
    def says_nothing(self) -> bool:
        """True if the result has no row, or a single one of NULLs and zeros, as aggregates of no rows have."""
        return not self.rows.rows or (len(self.rows.rows) == 1 and not any(self.rows.rows[0]))

    def tells(self, mutant: Mutant) -> bool:
        """Return True if the mutant's result differs, or if it fails."""
        rows = self._run(mutant.sql)
        if rows is None:
            return True
        return bool(difference(self.rows, rows, ordered=self._order.ordered, ranks=self._ranked))

    def _ranked(self) -> Any:
        if self._ranks is False:
            self._ranks = ranked(self._order, self.rows.rows, self._variant)
        return self._ranks

    def _variant(self, sql: str) -> list[Row] | None:
        rows = self._run(sql)
        return None if rows is None else rows.rows

    def _run(self, sql: str) -> Rows | None:
        looks = 0

        def spent() -> bool:
            nonlocal looks
            looks += 1
            return looks > _STEPS

        self._database.set_progress_handler(spent, 10_000)
        try:
            cursor = self._database.execute(sql)
            if cursor.description is None:
                return None
            return Rows(cursor.fetchmany(20_000), len(cursor.description), 0)
        except (sqlite3.Error, sqlite3.Warning) as error:
            self._error = str(error)
            return None
        finally:
            self._database.set_progress_handler(None, 0)


def _read_only(path: str) -> sqlite3.Connection:
    return opened(Identity.of(path).path)
