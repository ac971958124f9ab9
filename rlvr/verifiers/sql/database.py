"""A database file, opened so that queries can read it and do almost nothing else."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import urllib.parse
from dataclasses import dataclass

from rlvr.core.errors import CannotScore
from rlvr.core.verdict import Cause
from rlvr.verifiers.sql import dialect_functions, functions
from rlvr.verifiers.sql.guard import QueryGuard, changing_functions, limit

_CATALOGUE = ("sqlite_master", "sqlite_schema")
_HOT = bytes.fromhex("d9d505f920a163d7")  # the start of a rollback journal that is still needed


@dataclass(frozen=True, slots=True)
class Identity:
    """A file and its state: cheap to read, and different after each write to the file."""

    path: str
    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, path: str) -> Identity:
        """Read a file's identity.

        Raises `CannotScore(gold)` if there is no such file, or if a -wal or -journal file holds some of its content.
        """
        try:
            status = os.stat(path)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise _unusable(path, f"can't be read: {why}") from None
        if not stat.S_ISREG(status.st_mode):
            raise _unusable(path, "is no file")
        # A connection that is opened as immutable ignores the changes in these two files.
        if _holds(path + "-wal", b""):
            name = os.path.basename(path)
            raise _unusable(
                path, f"has changes in {name}-wal: run PRAGMA wal_checkpoint(TRUNCATE) on it"
            )
        if _holds(path + "-journal", _HOT):
            raise _unusable(path, "was left within a write: open it once for writing")
        return cls(
            path,
            status.st_dev,
            status.st_ino,
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )


class Database:
    """An open database and its guard.

    Attributes:
        identity: The file's identity when it was opened.
        connection: The connection for queries; use it for nothing else.
        guard: The authorizer that decides what a query may do.
        tables: Names of the tables and views that queries may read.

    Args:
        identity: The file to open.
        clock: Let queries read the current time.
        catalogue: Let queries read the schema, in sqlite_master.
        dialect: The dialect whose functions queries may call besides SQLite's.

    Raises `CannotScore(gold)` if SQLite can't read the file.
    """

    def __init__(
        self,
        identity: Identity,
        clock: bool = False,
        catalogue: bool = False,
        dialect: str = "sqlite",
    ) -> None:
        self.identity = identity
        self.clock = clock
        self.connection = opened(identity.path)
        try:
            limit(self.connection)
            # Before the guard is set: afterwards the guard would have to allow these queries.
            rows = self.connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY rowid"
            ).fetchall()
            modules = self.connection.execute("PRAGMA module_list").fetchall()
            changing = changing_functions(self.connection)
        except (sqlite3.Error, MemoryError) as error:
            self.connection.close()
            raise _unusable(
                identity.path, f"is no database that SQLite can read: {error}"
            ) from None
        self.tables = tuple(
            name
            for name, sql in rows
            if not name.lower().startswith("sqlite_") and not _is_virtual(sql)
        )
        self.guard = QueryGuard(
            frozenset(name.lower() for name in (*self.tables, *(_CATALOGUE if catalogue else ()))),
            frozenset(name.lower() for (name,) in modules),
            changing,
            clock,
        )
        functions.replace(self.connection, self.guard, clock)
        if dialect != "sqlite":
            dialect_functions.install(self.connection, self.guard, dialect)
        self.connection.set_authorizer(self.guard)

    def columns(self) -> dict[str, tuple[str, ...]]:
        """Return the columns of each table and view. Slow: it opens the file again."""
        columns: dict[str, tuple[str, ...]] = {}
        with contextlib.closing(opened(self.identity.path)) as connection:
            for table in self.tables:
                with contextlib.suppress(sqlite3.Error):  # a view may name a table that was dropped
                    rows = connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
                    columns[table] = tuple(name for (name,) in rows)
        return columns

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


def _holds(path: str, head: bytes) -> bool:
    """Return True if the file exists, isn't empty, and begins with `head`."""
    try:
        if not os.stat(path).st_size:
            return False
        with open(path, "rb") as file:
            return file.read(len(head)) == head
    except OSError:
        return False


def opened(path: str) -> sqlite3.Connection:
    """Open a read-only connection. Raises `CannotScore(gold)`."""
    where = urllib.parse.quote(os.fsencode(os.path.abspath(path)))
    try:
        connection = sqlite3.connect(
            f"file:{where}?mode=ro&immutable=1",
            uri=True,
            isolation_level=None,
            check_same_thread=False,  # each thread has its own, but any thread may collect it
        )
        # The schema is trusted to call functions, because views call ours; the guard limits which.
        for pragma in ("query_only=ON", "trusted_schema=ON", "temp_store=MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as error:
        raise _unusable(path, f"can't be opened: {error}") from None
    return connection


def _is_virtual(sql: str | None) -> bool:
    return (sql or "").lstrip().upper().startswith("CREATE VIRTUAL")


def _unusable(path: str, why: str) -> CannotScore:
    return CannotScore(Cause.GOLD, f"the database {path!r:.300} {why}")
