"""A query's run within its budget: its result, or how it failed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from rlvr.core.verdict import Status
from rlvr.verifiers.sql.database import Database
from rlvr.verifiers.sql.guard import STORED_BYTES, VALUE_BYTES, QueryGuard

Row: TypeAlias = tuple[Any, ...]

_PACE = 10_000  # steps of SQLite's virtual machine between two looks at the budget
_CELLS = 64  # fetched at once: each may be as large as a value may be
_CELL_BYTES = 64  # what a value takes here besides its text
_TOO_BIG = "string or blob too big"  # SQLite's words; ours on printf are others


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of one query on one database.

    Attributes:
        steps: of SQLite's virtual machine. Unlike seconds they're the same on every machine.
        rows: in its result.
        bytes: of its result in memory.
    """

    steps: int = 100_000_000
    rows: int = 100_000
    bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Rows:
    """A query's result: None, int, float, str or bytes by row; `names` are the columns'."""

    rows: list[Row]
    columns: int
    size: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A query that has no result: `incorrect` by its own error, or `limit` where it ran away."""

    status: Status
    message: str


class Guarded(Protocol):
    """A database that is open, or anything else with a guard."""

    @property
    def guard(self) -> QueryGuard:
        """What a statement may do, and why the last one might not."""
        ...


def run(
    database: Database,
    sql: str,
    budget: Budget,
    decode: Callable[[bytes], str] | None = None,
    first: int | None = None,
) -> Rows | Failed:
    """Return the result of `sql`.

    Args:
        decode: of text from UTF-8. By default Python's own, and where text isn't UTF-8, the
            bytes that can't be read become lone surrogates.
        first: rows that are wanted; by default all.
    """
    database.connection.text_factory = decode or str
    outcome = _run(database, sql, budget, first)
    if isinstance(outcome, Failed) and outcome.message.endswith(_TOO_BIG):
        # A stored value, maybe, that the query counts or passes over. None is larger than the file.
        largest = min(database.identity.size, STORED_BYTES)
        if largest > VALUE_BYTES:
            database.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, largest)
            outcome = _run(database, sql, budget, first)
            database.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES)
    if decode is None and isinstance(outcome, Failed) and "decode to UTF-8" in outcome.message:
        database.connection.text_factory = _tolerant
        outcome = _run(database, sql, budget, first)
    return outcome


def _tolerant(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _run(database: Database, sql: str, budget: Budget, first: int | None) -> Rows | Failed:
    left = max(1, budget.steps // _PACE)

    def spent() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    connection = database.connection
    connection.set_progress_handler(spent, min(_PACE, budget.steps))
    database.guard.forget()
    cursor = connection.cursor()
    try:
        cursor.execute(sql)
        return fetched(cursor, budget, first)
    except MemoryError:
        return Failed(Status.LIMIT, "the query ran out of memory")
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        return failure_of(error, database, budget)
    finally:
        cursor.close()


def fetched(cursor: sqlite3.Cursor, budget: Budget, first: int | None) -> Rows | Failed:
    """Return a cursor's rows within the budget, only the first ones if their number is given."""
    if cursor.description is None:
        return Failed(Status.INCORRECT, "the statement returns no table")
    columns = len(cursor.description)
    at_once = max(1, _CELLS // columns)
    rows: list[Row] = []
    size = 0
    while chunk := cursor.fetchmany(at_once):
        rows += chunk
        size += len(chunk) * columns * _CELL_BYTES
        size += sum(len(v) for row in chunk for v in row if type(v) is str or type(v) is bytes)
        if first is not None and len(rows) >= first:
            del rows[first:]
            break
        if len(rows) > budget.rows:
            return Failed(Status.LIMIT, f"the query returns more than {budget.rows} rows")
        if size > budget.bytes:
            message = f"the query's result is larger than {budget.bytes / (1 << 20):g} MiB"
            return Failed(Status.LIMIT, message)
    return Rows(rows, columns, size, tuple(part[0] for part in cursor.description))


def failure_of(error: Exception, database: Guarded, budget: Budget) -> Failed:
    """Return why a statement failed, in words for a model."""
    message = str(error)
    if message == "interrupted":
        return Failed(Status.LIMIT, f"the query takes more than {budget.steps} steps")
    if "too big" in message or database.guard.too_large:
        message = database.guard.too_large or message
        return Failed(Status.LIMIT, f"the query makes too large a value: {message}")
    if database.guard.denied:
        return Failed(Status.INCORRECT, f"not allowed: {database.guard.denied}")
    if database.guard.failure:
        return Failed(Status.INCORRECT, database.guard.failure)
    if "one statement" in message:
        message = "there's more than one statement; one query is allowed"
    elif isinstance(error, sqlite3.ProgrammingError) and "binding" in message:
        message = "the query has a parameter in it, and there's no value for it"
    return Failed(Status.INCORRECT, message)
