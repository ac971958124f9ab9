"""`Sql`: tools that query an SQLite database, or change a copy of it that is the episode's own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rlvr.core.episode import Episode
from rlvr.core.errors import CannotScore, OptionError, ToolError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Status, Unscored
from rlvr.core.verifier import Verifier
from rlvr.envs.toolboxes.base import Toolbox
from rlvr.scoring import score
from rlvr.verifiers.sql.changes import Change, FinalState, pages_of
from rlvr.verifiers.sql.result_text import Look

MOST_BYTES = 256 << 20
"""Bytes of a database of which each episode may have a copy."""

_SCHEMA = "SELECT sql AS statement FROM sqlite_master WHERE type IN ('table', 'view') AND sql IS NOT NULL ORDER BY rowid"


class SqlSession(Episode):
    """The statements of one episode."""

    def __init__(self, toolbox: SqlToolbox, database: str) -> None:
        self._toolbox = toolbox
        self._database = database
        self._folder = ""
        self._number = 0
        self._most_pages = 0

    def open(self) -> None:
        """Copy the database, if it may be changed."""
        if not self._toolbox.changes:
            return
        self._folder = tempfile.mkdtemp(prefix="rlvr-sql-")
        try:
            copied = shutil.copyfile(self._database, Path(self._folder, "copy.sqlite"))
        except OSError as error:
            raise CannotScore(
                Cause.GOLD, f"{self._database!r} can't be copied: {error.strerror}"
            ) from None
        self._database = str(copied)
        self._most_pages = pages_of(self._database)

    def sql(self, statement: str) -> str:
        """Run one SQLite statement and return its result: the names of the columns, then a line per row.

        Args:
            statement: the statement.
        """
        toolbox = self._toolbox
        verifier: Verifier
        if toolbox.changes:
            self._number += 1
            verifier = Change(toolbox.rows, toolbox.characters, toolbox.max_steps)
            reference: dict[str, Any] = {
                "path": self._database,
                "number": self._number,
                "most_pages": self._most_pages,
            }
        else:
            verifier = Look(toolbox.rows, toolbox.characters, toolbox.max_steps)
            reference = {"sql": "SELECT 1", "databases": [self._database]}
        verdict = _judged(reference, statement, verifier)
        if verdict.status is not Status.CORRECT:
            raise ToolError(verdict.feedback)
        return verdict.feedback

    def tables(self) -> str:
        """Return the statements that have created the tables and views."""
        reference = {"sql": "SELECT 1", "databases": [self._database]}
        verdict = _judged(reference, _SCHEMA, _Schema(200, self._toolbox.characters))
        return verdict.feedback

    def outcome(self) -> Any:
        """Return the final state of the copy; None if nothing may be changed."""
        if not self._toolbox.changes:
            return None
        state = self._toolbox.state
        reference = {"path": self._database, "queries": dict(state) if state is not None else None}
        return _judged(reference, "", FinalState()).detail["state"]

    def close(self) -> None:
        """Remove the copy."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


class _Schema(Look):
    """A look at the schema, whose statements aren't cut short."""


@dataclass(frozen=True)
class SqlToolbox(Toolbox):
    """Tools on an SQLite database: `sql(statement)`, and `tables()`, which shows the schema.

        reads = rlvr.tools.Sql("shop.sqlite")
        changes = rlvr.tools.Sql("shop.sqlite", changes=True, state={"open": "SELECT id FROM orders WHERE open ORDER BY id"})
        env = rlvr.ToolEnv(tasks, rlvr.Outcome(path="open"), changes, calls="native")

    Statements run in rlvr's workers, under an authorizer: nothing is attached, loaded or configured by them, and those that
    take too long, too much memory or too many rows are ended. By default they only read. With `changes`, each episode has a
    copy of its own whose rows it may insert, update and delete; each statement is a transaction. The copy's final state is
    the episode's outcome.

    Args:
        database: an SQLite file; or a key of the task's metadata that names one, as "metadata.database".
        changes: True if rows may be changed.
        state: queries by name, whose rows are the outcome; by default all rows of each table, in an order that depends on
            the rows alone.
        rows: of a result, at most.
        characters: of a result, at most.
        max_steps: of SQLite's virtual machine, per statement.

    Raises `OptionError` if there's no such file, or if it is too large to be copied.
    """

    name: ClassVar[str] = "sql"  # type: ignore[misc]
    session: ClassVar[type[Any]] = SqlSession

    database: str | os.PathLike[str]
    changes: bool = False
    state: Mapping[str, str] | None = None
    rows: int = 50
    characters: int = 3500
    max_steps: int = 50_000_000

    def __post_init__(self) -> None:
        database = os.fspath(self.database)
        object.__setattr__(self, "database", database)
        if self.state is not None and not self.changes:
            raise OptionError("state is what changes leave: give changes=True, too.")
        if self.state is not None:
            object.__setattr__(self, "state", dict(self.state))
        for name in ("rows", "characters", "max_steps"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise OptionError(f"{name} is a whole number from 1 on, not {value!r:.40}.")
        if not database.startswith("metadata."):
            object.__setattr__(self, "database", os.path.abspath(database))
            self._check(database)

    def __hash__(self) -> int:
        return hash((self.database, self.changes))

    def start(self, task: Task, shared: dict[str, Any]) -> SqlSession:
        """Return the statements of an episode. Raises `CannotScore` if the task names no database."""
        database = str(self.database)
        if database.startswith("metadata."):
            key = database.removeprefix("metadata.")
            named = task.metadata.get(key)
            if not isinstance(named, str):
                raise CannotScore(
                    Cause.GOLD, f"the task's metadata name no database as {key!r:.60}"
                )
            try:
                self._check(named)
            except OptionError as error:
                raise CannotScore(Cause.GOLD, str(error)) from None
            database = os.path.abspath(named)
        return SqlSession(self, database)

    def notes(self) -> Mapping[str, str]:
        """Return the limits."""
        may = (
            "Rows may be read, inserted, updated and deleted; each statement is a transaction."
            if self.changes
            else "Only queries are allowed, which change nothing."
        )
        return {"sql": f"{may} At most {self.rows} rows are shown."}

    def _check(self, database: str) -> None:
        try:
            size = os.stat(database).st_size
            with open(database, "rb") as file:
                is_database = file.read(16) == b"SQLite format 3\0"
        except OSError as error:
            raise OptionError(
                f"The database {database!r} can't be read: {error.strerror}."
            ) from None
        if not is_database:
            raise OptionError(f"{database!r} is no SQLite database.")
        if self.changes and size > MOST_BYTES:
            raise OptionError(
                f"{database!r} has {size >> 20} MiB; each episode copies it, so it may have {MOST_BYTES >> 20}."
            )


Sql = SqlToolbox
"""The name under which `rlvr.tools` has it; `rlvr.Sql` is the verifier."""


def _judged(reference: dict[str, Any], statement: str, verifier: Verifier) -> Scored:
    (verdict,) = score([Task("", reference, "")], [statement], verifier)
    if isinstance(verdict, Unscored):
        raise CannotScore(verdict.cause, verdict.message)
    return verdict
