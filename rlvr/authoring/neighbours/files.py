"""Neighbours for a file of tasks: databases in a folder, and the tasks with their lists of databases."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlglot

from rlvr.authoring.neighbours.search import Neighbours, neighbours_of
from rlvr.core.errors import CannotScore, DataError, RlvrError

_AT_ONCE = 64  # golds that wait for a process


@dataclass
class Summary:
    """Of all golds together: what `Neighbours` has of one, added up.

    Attributes:
        tasks: rows that were read.
        golds: different pairs of a gold and a database.
        databases: that were written.
        bytes: of these.
        without: golds that no neighbour was found for.
        empty: golds whose result is empty on every database.
        failed: golds that can't be used, with the reason.
    """

    tasks: int = 0
    golds: int = 0
    databases: int = 0
    bytes: int = 0
    without: int = 0
    empty: int = 0
    failing: int = 0
    passing: Counter[str] = field(default_factory=Counter)
    killed: Counter[str] = field(default_factory=Counter)
    equivalent: Counter[str] = field(default_factory=Counter)
    left: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, found: Neighbours) -> None:
        """One more gold."""
        self.golds += 1
        self.databases += len(found.databases)
        self.bytes += sum(map(len, found.databases))
        self.without += not found.databases
        self.empty += found.empty
        self.failing += found.failing
        self.passing.update(found.passing)
        self.killed.update(found.killed)
        self.equivalent.update(found.equivalent)
        self.left += found.left

    @property
    def rate(self) -> float:
        """The share of mutants killed, of those that pass the task's own database and aren't shown
        to be equivalent."""
        wanted = sum(self.passing.values()) - sum(self.equivalent.values())
        return sum(self.killed.values()) / wanted if wanted else 1.0


@dataclass(frozen=True, slots=True)
class Gold:
    """A gold, and the database it's for."""

    sql: str
    database: str

    @property
    def name(self) -> str:
        """Of its neighbours' files."""
        return hashlib.blake2b(f"{self.database}\0{self.sql}".encode(), digest_size=8).hexdigest()


def gold_of(row: Mapping[str, Any], number: int, folder: Path | None) -> Gold:
    """The gold of a row and its own database, by their names in a data set or in a reference.

    Args:
        folder: where databases are that are named and not given by path.

    Raises `DataError`.
    """
    reference = row.get("reference")
    given: Mapping[str, Any] = reference if isinstance(reference, Mapping) else row
    sql = next((given[k] for k in ("sql", "SQL", "query", "gold") if given.get(k)), None)
    names = given.get("databases") or [
        next((given[k] for k in ("database", "db_id", "db") if given.get(k)), None)
    ]
    if not isinstance(sql, str) or not isinstance(names[0], str):
        raise DataError(f'Row {number} has no "sql" and "database", or no "reference" with both.')
    return Gold(sql, str(find_database(names[0], folder).resolve()))


def find_database(name: str, folder: Path | None) -> Path:
    """The file of a database given by path or by name. Raises `DataError` that says where it isn't."""
    tried = [Path(name)]
    if folder is not None:
        tried = [folder / name, folder / f"{name}.sqlite", folder / name / f"{name}.sqlite", *tried]
    for path in tried:
        if path.is_file():
            return path
    raise DataError(f"There's no database {name!r}: tried {', '.join(map(str, tried))}.")


def found_for(
    golds: list[Gold], most: int, seed: int, executor: Executor | None
) -> Iterator[tuple[Gold, Neighbours | str]]:
    """For each gold its neighbours, or why there are none, in order."""
    if executor is None:
        for gold in golds:
            yield gold, attempt(gold, most, seed)
        return
    for at in range(0, len(golds), _AT_ONCE):
        some = golds[at : at + _AT_ONCE]
        results = [executor.submit(attempt, gold, most, seed) for gold in some]
        for gold, result in zip(some, results, strict=True):
            yield gold, result.result()


def attempt(gold: Gold, most: int, seed: int) -> Neighbours | str:
    """The neighbours of a gold, or why there are none."""
    try:
        return neighbours_of(gold.sql, gold.database, most, seed)
    except CannotScore as error:
        return error.message
    except (sqlite3.Error, sqlglot.errors.SqlglotError, RlvrError, RecursionError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def write(folder: Path, gold: Gold, found: Neighbours) -> list[str]:
    """Write the neighbours; returns all of the gold's databases, its own first."""
    paths = [gold.database]
    for number, data in enumerate(found.databases, 1):
        path = folder / f"{gold.name}-{number}.sqlite"
        path.write_bytes(data)
        paths.append(str(path.resolve()))
    return paths


def with_databases(row: Mapping[str, Any], paths: list[str]) -> str:
    """The row with its databases, as a line of JSON."""
    changed = dict(row)
    if isinstance(row.get("reference"), Mapping):
        changed["reference"] = {**row["reference"], "databases": paths}
        changed["reference"].pop("database", None)
    else:
        changed["databases"] = paths
    return json.dumps(changed) + "\n"
