"""A database's schema as a prompt shows it: CREATE statements with sample rows, within a bound.

Tables in the order they were made. What doesn't fit goes in steps: first the sample rows of all
tables, then everything but columns, then the last tables, of which the names stay.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from functools import lru_cache
from typing import Any

from rlvr.verifiers.sql.database import Identity, opened
from rlvr.verifiers.sql.schema import Schema, Table, quoted, read_schema

_CELL = 40  # characters of a value
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def schema_text(path: str, rows: int = 3, characters: int = 8000) -> str:
    """Return the schema of the database at `path`.

    Args:
        rows: of each table that are shown.
        characters: that the whole may have.

    Raises `CannotScore(gold)` where there's no such database.
    """
    return _schema_text(Identity.of(path), rows, characters)


@lru_cache(maxsize=512)
def _schema_text(identity: Identity, rows: int, characters: int) -> str:
    with contextlib.closing(opened(identity.path)) as connection:
        connection.text_factory = lambda text: text.decode("utf-8", "replace")
        schema = read_schema(connection)
        samples = {t.name: _sample(connection, t, rows) for t in schema.tables if rows}
    whole = [t.sql.strip().rstrip(";") + ";" for t in schema.tables]
    with_rows = [
        f"{sql}\n{samples[t.name]}" if samples.get(t.name) else sql
        for sql, t in zip(whole, schema.tables, strict=True)
    ]
    bare = [_bare(table) for table in schema.tables]
    for parts in (with_rows, whole, bare):
        text = "\n\n".join(parts)
        if len(text) <= characters:
            return text
    return _cut(schema, bare, characters)


def _sample(connection: sqlite3.Connection, table: Table, rows: int) -> str:
    """Return the first rows as comments; none of a view, whose cost is unknown."""
    if table.is_view:
        return ""
    names = ", ".join(quoted(column.name) for column in table.columns)
    records = connection.execute(
        f"SELECT {names} FROM {quoted(table.name)} LIMIT {rows}"
    ).fetchall()
    if not records:
        return "-- (no rows)"
    head = " | ".join(_name(column.name) for column in table.columns)
    return "\n".join(["-- " + head, *("-- " + " | ".join(map(_cell, row)) for row in records)])


def _bare(table: Table) -> str:
    columns = ", ".join(f"{_name(c.name)} {c.type}".strip() for c in table.columns)
    kind = "VIEW" if table.is_view else "TABLE"
    return f"-- {kind} {_name(table.name)} ({columns})"


def _cut(schema: Schema, parts: list[str], characters: int) -> str:
    kept: list[str] = []
    room = characters - 200
    for part in parts:
        if len(part) + 1 > room:
            break
        kept.append(part)
        room -= len(part) + 1
    rest = ", ".join(_name(table.name) for table in schema.tables[len(kept) :])
    more = f"-- and {len(parts) - len(kept)} more: {rest}"
    return "\n".join([*kept, more])[:characters]


def _name(name: str) -> str:
    return name if _PLAIN.match(name) else quoted(name).replace("\n", " ")


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"x'{value[:8].hex()}…'" if len(value) > 8 else f"x'{value.hex()}'"
    text = " ".join(str(value)[:400].split())
    return text[: _CELL - 1] + "…" if len(text) > _CELL else text
