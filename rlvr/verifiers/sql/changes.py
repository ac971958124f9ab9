"""Statements that change a private copy of a database, and the state that they leave.

They run where verification runs: in a worker that is killed if one hangs, under an authorizer that lets rows be read and
changed and nothing else. Each is a transaction. A killed worker's job may be tried again, so the transaction also notes the
statement's number, and none is done twice.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sqlite3
import urllib.parse
from collections.abc import Collection, Mapping
from typing import Any

from rlvr.core.blame import working_on
from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Status, Verdict, correct, refused
from rlvr.core.verifier import Verifier
from rlvr.verifiers.sql import functions
from rlvr.verifiers.sql.database import Database, Identity
from rlvr.verifiers.sql.execution import Budget, Failed, Rows, failure_of, fetched, run
from rlvr.verifiers.sql.guard import QueryGuard, changing_functions, limit
from rlvr.verifiers.sql.result_text import shown

GROWTH_BYTES = 16 << 20
"""Bytes by which statements may enlarge a copy, all of them together."""

STATE = Budget(steps=20_000_000, rows=2_000, bytes=1 << 20)
"""The limits of each query of the final state."""

_PACE = 10_000
_CHANGES = (sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE)


class ChangeGuard(QueryGuard):
    """An authorizer that also lets the rows of ordinary tables be inserted, updated and deleted.

    Args:
        writable: the names of those tables, in lower case.

    The other arguments are `QueryGuard`'s.
    """

    def __init__(
        self,
        readable: Collection[str],
        modules: Collection[str],
        changing: Collection[str],
        writable: Collection[str],
    ) -> None:
        super().__init__(readable, modules, changing)
        self._writable = writable

    def __call__(
        self, action: int, first: str | None, second: str | None, *rest: str | None
    ) -> int:
        """Answer SQLite's question whether a statement may do something."""
        if action in _CHANGES and (first or "").lower() in self._writable:
            return sqlite3.SQLITE_OK
        answer = super().__call__(action, first, second, *rest)
        if action in _CHANGES:  # of a view, of SQLite's own tables
            self.denied = (
                "changing the schema: rows of tables may be read, inserted, updated and deleted"
            )
        else:
            self.denied = self.denied.replace(
                "a query may only read", "rows may be read and changed, and no more"
            )
        return answer


class PrivateCopy:
    """An open copy, with its guard set.

    Attributes:
        identity: of the file.
        connection: on which the statement runs.
        guard: what it may do.
        tables: the names of its tables and views.
        most_pages: the most pages that the copy may have.
    """

    def __init__(self, path: str, most_pages: int) -> None:
        self.connection = _opened(path)
        try:
            limit(self.connection)
            rows = self.connection.execute(
                "SELECT name, sql, type FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY rowid"
            ).fetchall()
            modules = self.connection.execute("PRAGMA module_list").fetchall()
            changing = changing_functions(self.connection)
            for pragma in (
                "foreign_keys=ON",
                "temp_store=MEMORY",
                "synchronous=OFF",
                f"max_page_count={most_pages}",
            ):
                self.connection.execute(f"PRAGMA {pragma}").fetchall()
        except (sqlite3.Error, MemoryError) as error:
            self.connection.close()
            raise _lost(path, error) from None
        self.identity = Identity.of(path)
        own = [
            (name, kind)
            for name, sql, kind in rows
            if not name.lower().startswith("sqlite_")
            and not (sql or "").lstrip().upper().startswith("CREATE VIRTUAL")
        ]
        self.tables = tuple(name for name, _ in own)
        self.guard = ChangeGuard(
            frozenset(name.lower() for name in (*self.tables, "sqlite_master", "sqlite_schema")),
            frozenset(name.lower() for (name,) in modules),
            changing,
            frozenset(name.lower() for name, kind in own if kind == "table"),
        )
        functions.replace(self.connection, self.guard, False)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


class Change(Verifier):
    """A verifier whose feedback is the result of a statement, which it runs on the copy that the reference names.

    The reference is `{"path", "number", "most_pages"}`; the number of the statement counts from 1.

    Args:
        rows: shown at most.
        characters: shown at most.
        max_steps: of SQLite's virtual machine.
    """

    name = "change"
    limit_s = 10.0

    def __init__(self, rows: int, characters: int, max_steps: int) -> None:
        self.rows, self.characters, self.max_steps = rows, characters, max_steps

    def verify(self, task: Task, response: str) -> Verdict:
        """Run the statement."""
        working_on("reference")
        reference = task.reference
        copy = PrivateCopy(reference["path"], reference["most_pages"])
        try:
            working_on("response")
            if "\0" in response:
                return refused(
                    self.name, Status.INCORRECT, "the statement has a NUL character in it"
                )
            return self._run(copy, response, int(reference["number"]))
        finally:
            copy.close()

    def _run(self, copy: PrivateCopy, sql: str, number: int) -> Verdict:
        connection = copy.connection
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] >= number:
            connection.execute("ROLLBACK")
            return correct(self.name, "done")
        result = _statement(copy, sql, Budget(self.max_steps), self.rows + 1)
        connection.set_authorizer(None)
        if isinstance(result, Failed):
            if connection.in_transaction:  # an error may have ended it
                connection.execute("ROLLBACK")
            return refused(self.name, result.status, result.message)
        (changed,) = connection.execute("SELECT changes()").fetchone()
        try:
            connection.execute(f"PRAGMA user_version={number}")
            connection.execute("COMMIT")
        except sqlite3.Error as error:  # a foreign key that is checked at the end
            connection.execute("ROLLBACK")
            return refused(self.name, Status.INCORRECT, str(error))
        if not result.columns:
            return correct(self.name, f"{changed} row{'s' * (changed != 1)} changed")
        return correct(self.name, shown(result, self.rows, self.characters))


class FinalState(Verifier):
    """A verifier whose detail `state` is what queries return from the copy that the reference names.

    The reference is `{"path", "queries"}`: queries by name, or None for all rows of each table, in an order that depends on
    the rows alone. A query that fails or returns too much, as statements may have brought about, is
    `{"unreadable": reason}`.
    """

    name = "final_state"
    limit_s = 20.0

    def verify(self, task: Task, response: str) -> Verdict:
        """Read the state."""
        working_on("reference")
        path, queries = task.reference["path"], task.reference["queries"]
        with contextlib.closing(_opened(path)) as connection:
            try:  # a worker that was killed within a transaction left it to be undone
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise _lost(path, error) from None
        with contextlib.closing(Database(Identity.of(path), catalogue=True)) as database:
            working_on("response")
            whole = queries is None
            named: Mapping[str, str] = (
                {table: f"SELECT * FROM {_quoted(table)}" for table in database.tables}
                if whole
                else queries
            )
            state = {name: _rows(database, sql, whole) for name, sql in named.items()}
        return correct(self.name, "", state=state)


def _statement(copy: PrivateCopy, sql: str, budget: Budget, first: int) -> Rows | Failed:
    left = max(1, budget.steps // _PACE)

    def spent() -> bool:
        nonlocal left
        left -= 1
        return left < 0

    copy.guard.forget()
    connection = copy.connection
    connection.set_authorizer(copy.guard)
    connection.set_progress_handler(spent, _PACE)
    connection.text_factory = lambda text: text.decode("utf-8", "replace")
    cursor = connection.cursor()
    try:
        cursor.execute(sql)
        if cursor.description is None:
            return Rows([], 0, 0)
        return fetched(cursor, budget, first)
    except MemoryError:
        return Failed(Status.LIMIT, "the statement ran out of memory")
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        if "full" in str(error):
            return Failed(Status.LIMIT, f"the database may grow by {GROWTH_BYTES >> 20} MiB")
        return failure_of(error, copy, budget)
    finally:
        cursor.close()
        connection.set_progress_handler(None, 0)


def _rows(database: Database, sql: str, whole: bool) -> Any:
    result = run(database, sql, STATE, decode=lambda text: text.decode("utf-8", "replace"))
    if isinstance(result, Failed):
        return {"unreadable": result.message}
    rows = [[_plain(value) for value in row] for row in result.rows]
    return sorted(rows, key=json.dumps) if whole else rows


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return f"x'{value.hex()}'"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _opened(path: str) -> sqlite3.Connection:
    where = urllib.parse.quote(os.fsencode(os.path.abspath(path)))
    try:
        return sqlite3.connect(f"file:{where}?mode=rw", uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise _lost(path, error) from None


def _lost(path: str, error: BaseException) -> CannotScore:
    return CannotScore(
        Cause.INTERNAL, f"the copy {path!r:.300} of a database can't be used: {error}"
    )


def pages_of(path: str) -> int:
    """Return the most pages that a copy of a database may have. Raises `CannotScore` if it can't be read."""
    with contextlib.closing(_opened(path)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchall()
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (size,) = connection.execute("PRAGMA page_size").fetchone()
        except sqlite3.Error as error:
            raise _lost(path, error) from None
    return int(pages) + GROWTH_BYTES // int(size)
