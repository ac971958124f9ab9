"""A database's tables as they were declared: for prompts and for neighbour databases."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `type` as declared, `key` its place in the primary key from 1, 0 where it's not in it."""

    name: str
    type: str
    required: bool
    key: int

    @property
    def affinity(self) -> str:
        """INTEGER, TEXT, BLOB, REAL or NUMERIC, by SQLite's rules (datatype3.html, 3.1)."""
        declared = self.type.upper()
        for affinity, parts in _AFFINITIES:
            if any(part in declared for part in parts):
                return affinity
        return "NUMERIC" if declared else "BLOB"


_AFFINITIES = (
    ("INTEGER", ("INT",)),
    ("TEXT", ("CHAR", "CLOB", "TEXT")),
    ("BLOB", ("BLOB",)),
    ("REAL", ("REAL", "FLOA", "DOUB")),
)


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`columns` refer to `others` of the table `table`, in order."""

    columns: tuple[str, ...]
    table: str
    referenced: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view.

    Attributes:
        name: as declared.
        sql: its CREATE statement.
        columns: in order; those that a query may name.
        foreign_keys: none for a view.
        uniques: sets of columns whose values together are unique, the primary key's among them.
        is_view: whether it's a view.
    """

    name: str
    sql: str
    columns: tuple[Column, ...]
    foreign_keys: tuple[ForeignKey, ...] = ()
    uniques: tuple[frozenset[str], ...] = ()
    is_view: bool = False

    def column(self, name: str) -> Column | None:
        """Return the column of that name, whatever its case."""
        return next((c for c in self.columns if c.name.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class Schema:
    """All tables and views in the order they were made, and the statements that make the indexes."""

    tables: tuple[Table, ...]
    indexes: tuple[str, ...] = ()

    def table(self, name: str) -> Table | None:
        """Return the table or view of that name, whatever its case."""
        return next((t for t in self.tables if t.name.lower() == name.lower()), None)


def read_schema(connection: sqlite3.Connection) -> Schema:
    """Return the schema of a database, without SQLite's own tables and without virtual ones.

    A view that can't be used any more, since a table of its is gone, is left out.
    """
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    ).fetchall()
    tables = []
    for kind, name, sql in rows:
        own = name.lower().startswith("sqlite_")
        if kind not in ("table", "view") or own or sql.upper().startswith("CREATE VIRTUAL"):
            continue
        try:
            tables.append(_table(connection, kind, name, sql))
        except sqlite3.Error:
            continue
    return Schema(tuple(tables), tuple(sql for kind, _, sql in rows if kind == "index"))


def quoted(name: str) -> str:
    """Return `name` in double quotes, as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _table(connection: sqlite3.Connection, kind: str, name: str, sql: str) -> Table:
    info = connection.execute(
        'SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?) WHERE hidden = 0', (name,)
    ).fetchall()
    columns = tuple(Column(n, t or "", bool(required), key) for n, t, required, key in info)
    if kind == "view":
        return Table(name, sql, columns, is_view=True)
    return Table(
        name, sql, columns, _foreign_keys(connection, name), _uniques(connection, name, columns)
    )


def _foreign_keys(connection: sqlite3.Connection, name: str) -> tuple[ForeignKey, ...]:
    rows = connection.execute(
        'SELECT id, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id DESC, seq',
        (name,),
    ).fetchall()
    parts_of: dict[int, list[tuple[str, str, str | None]]] = {}
    for id, table, ours, theirs in rows:
        parts_of.setdefault(id, []).append((table, ours, theirs))
    keys = []
    for parts in parts_of.values():
        table = parts[0][0]
        targets = [theirs for _, _, theirs in parts]
        if None in targets:  # the other table's primary key is meant
            info = connection.execute(
                "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table,)
            )
            targets = [column for (column,) in info]
        if len(targets) == len(parts):
            ours = tuple(column for _, column, _ in parts)
            keys.append(ForeignKey(ours, table, tuple(str(column) for column in targets)))
    return tuple(keys)


def _uniques(
    connection: sqlite3.Connection, name: str, columns: tuple[Column, ...]
) -> tuple[frozenset[str], ...]:
    keys = {frozenset(c.name for c in columns if c.key)} - {frozenset()}
    indexes = connection.execute(
        'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial', (name,)
    ).fetchall()
    for (index,) in indexes:
        parts = connection.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()
        if all(part is not None for (part,) in parts):  # an expression has no name
            keys.add(frozenset(part for (part,) in parts))
    return tuple(sorted(keys, key=sorted))
