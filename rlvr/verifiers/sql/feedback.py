"""SQLite's message on a query, with the names of the schema that it may have meant."""

from __future__ import annotations

import re
from difflib import get_close_matches

from rlvr.verifiers.sql.database import Database

_COLUMN = re.compile(r"no such column: (.+)", re.DOTALL)
_TABLE = re.compile(r"no such table: (.+)", re.DOTALL)
_AMBIGUOUS = re.compile(r"ambiguous column name: (.+)", re.DOTALL)
_MOST = 3
_LONGEST = 64  # characters of a name that are compared: the comparison takes quadratic time


def explained(message: str, database: Database, dialect: str = "sqlite") -> str:
    """Return `message`, with the nearest names if a name is wrong."""
    message = message[:500]
    if dialect != "sqlite" and message.startswith("no such function"):
        return f"{message}; of {dialect}'s functions it isn't one that can be run on SQLite"
    if match := _COLUMN.match(message):
        return message + _nearest_columns(match[1], database)
    if match := _TABLE.match(message):
        name = match[1].rpartition(".")[2]
        return message + _among(name, {table.lower(): table for table in database.tables}, "tables")
    if match := _AMBIGUOUS.match(message):
        name = match[1].rpartition(".")[2].lower()
        homes = [t for t, columns in database.columns().items() if name in map(str.lower, columns)]
        return f"{message}; it's in {', '.join(homes[:6])}" if homes else message
    return message


def _nearest_columns(written: str, database: Database) -> str:
    _, _, name = written.rpartition(".")
    homes: dict[str, list[str]] = {}
    for table, columns in database.columns().items():
        for column in columns:
            homes.setdefault(column.lower(), []).append(f"{table}.{column}")
    if name.lower() in homes:  # a right name in a wrong place
        return f"; there's {', '.join(homes[name.lower()][:_MOST])}"
    near = get_close_matches(name.lower()[:_LONGEST], list(homes), n=_MOST, cutoff=0.5)
    nearest = [home for match in near for home in homes[match]]
    return f"; nearest are {', '.join(nearest[:_MOST])}" if nearest else ""


def _among(name: str, names: dict[str, str], kind: str) -> str:
    near = get_close_matches(name.lower()[:_LONGEST], list(names), n=_MOST, cutoff=0.5)
    if near:
        return f"; nearest are {', '.join(names[match] for match in near)}"
    return f"; the {kind} are {', '.join(list(names.values())[:12])}"
