"""`Base`: the parts of a task's own database that its neighbours use, namely its schema and some of its rows."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import Any

from rlvr.verifiers.sql.database import opened
from rlvr.verifiers.sql.schema import Schema, quoted, read_schema

_ROWS = 200


@dataclass(frozen=True, slots=True)
class Base:
    """A schema, and up to 200 rows of each table by its name in lower case."""

    schema: Schema
    rows: dict[str, list[tuple[Any, ...]]]

    @classmethod
    def of(cls, path: str) -> Base:
        """Return the base of a database file. Raises `CannotScore` or `sqlite3.Error` if it can't be read."""
        connection = opened(path)
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        with contextlib.closing(connection):
            schema = read_schema(connection)
            rows = {}
            for table in schema.tables:
                if not table.is_view:
                    names = ", ".join(quoted(column.name) for column in table.columns)
                    cursor = connection.execute(
                        f"SELECT {names} FROM {quoted(table.name)} LIMIT {_ROWS}"
                    )
                    rows[table.name.lower()] = cursor.fetchall()
        return cls(schema, rows)


def empty_database(schema: Schema) -> sqlite3.Connection:
    """Return a database in memory with this schema and no rows. Raises `sqlite3.Error`."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("PRAGMA page_size=512")
    database.execute("PRAGMA foreign_keys=OFF")
    for statement in (*(table.sql for table in schema.tables), *schema.indexes):
        database.execute(statement)
    return database


def without_orphans(database: sqlite3.Connection, schema: Schema) -> None:
    """Remove rows that break a foreign key until none does."""
    for _ in range(len(schema.tables) + 1):
        before = database.total_changes
        for table in schema.tables:
            for key in table.foreign_keys:
                pairs = list(
                    zip(map(quoted, key.columns), map(quoted, key.referenced), strict=True)
                )
                is_set = " AND ".join(f"child.{ours} IS NOT NULL" for ours, _ in pairs)
                same = " AND ".join(f"parent.{theirs} = child.{ours}" for ours, theirs in pairs)
                with contextlib.suppress(sqlite3.Error):  # as of a table that isn't there
                    database.execute(
                        f"DELETE FROM {quoted(table.name)} AS child WHERE {is_set} AND NOT EXISTS "
                        f"(SELECT 1 FROM {quoted(key.table)} AS parent WHERE {same})"
                    )
        if database.total_changes == before:
            return
