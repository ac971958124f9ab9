"""Neighbour databases for a file of tasks: the databases in a folder, and the tasks with their lists."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlglot

from rlvr.authoring.neighbours.search import Neighbours, neighbours_of
from rlvr.core.errors import CannotScore, DataError, RlvrError
from rlvr.core.files import replacing
from rlvr.envs.data import read_file

_AT_ONCE = 64  # gold queries that are submitted to the processes together


@dataclass
class NeighbourSummary:
    """The sums of the `Neighbours` of all gold queries.

    Attributes:
        tasks: the number of rows.
        golds: the number of different pairs of a gold query and a database.
        databases: the number of databases that were written.
        bytes: their total size.
        without: gold queries without a neighbour.
        empty: gold queries whose result is empty on every database.
        failed: gold queries that can't be used, with the reason.
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

    def add(self, neighbours: Neighbours) -> None:
        """Add a gold query's neighbours."""
        self.golds += 1
        self.databases += len(neighbours.databases)
        self.bytes += sum(map(len, neighbours.databases))
        self.without += not neighbours.databases
        self.empty += neighbours.empty
        self.failing += neighbours.failing
        self.passing.update(neighbours.passing)
        self.killed.update(neighbours.killed)
        self.equivalent.update(neighbours.equivalent)
        self.left += neighbours.left

    @property
    def rate(self) -> float:
        """The share of killed mutants among those that pass the task's own database and aren't proved equivalent."""
        distinguishable = sum(self.passing.values()) - sum(self.equivalent.values())
        return sum(self.killed.values()) / distinguishable if distinguishable else 1.0


@dataclass(frozen=True, slots=True)
class GoldQuery:
    """A gold query and its database."""

    sql: str
    database: str

    @property
    def name(self) -> str:
        """The beginning of the names of its neighbours' files."""
        return hashlib.blake2b(f"{self.database}\0{self.sql}".encode(), digest_size=8).hexdigest()


def gold_of(row: Mapping[str, Any], number: int, folder: Path | None) -> GoldQuery:
    """Return the gold query of a row and its database, from a data set's columns or a reference.

    Args:
        folder: the folder of databases that are named and not given by path.

    Raises `DataError` if the row has no query or no database.
    """
    reference = row.get("reference")
    columns: Mapping[str, Any] = reference if isinstance(reference, Mapping) else row
    sql = next((columns[k] for k in ("sql", "SQL", "query", "gold") if columns.get(k)), None)
    names = columns.get("databases") or [
        next((columns[k] for k in ("database", "db_id", "db") if columns.get(k)), None)
    ]
    if not isinstance(sql, str) or not isinstance(names[0], str):
        raise DataError(f'Row {number} has no "sql" and "database", or no "reference" with both.')
    return GoldQuery(sql, str(find_database(names[0], folder).resolve()))


def find_database(name: str, folder: Path | None) -> Path:
    """Return the file of a database given by path or by name. Raises `DataError` with the paths that were tried."""
    paths = [Path(name)]
    if folder is not None:
        paths = [folder / name, folder / f"{name}.sqlite", folder / name / f"{name}.sqlite", *paths]
    for path in paths:
        if path.is_file():
            return path
    raise DataError(f"There's no database {name!r}: tried {', '.join(map(str, paths))}.")


def write_neighbours(
    file: str | Path,
    output: str | Path,
    databases: str | Path | None = None,
    most: int = 10,
    seed: int = 0,
    limit: int | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> NeighbourSummary:
    """Make neighbour databases for a file of SQL tasks::

        summary = write_neighbours("tasks.jsonl", "neighbours", databases="databases")

    Args:
        file: JSONL; each row has "sql" and "database" (a path or a name), or a "reference" with both.
        output: the folder for tasks.jsonl, left.txt (mutants that no neighbour tells apart) and databases/.
        databases: the folder of databases that the rows name; by default the file's.
        most: neighbours per task.
        seed: the same one makes the same files.
        limit: only so many tasks, from the first.
        workers: processes; by default one per processor.
        progress: called with the numbers of finished and of all different gold queries.

    Raises `DataError` if a row can't be used. A gold query that can't be used keeps its own database alone, and is in the
    summary's `failed`.
    """
    file, output = Path(file), Path(output)
    rows = list(read_file(file))[:limit]
    golds = [gold_of(row, n, Path(databases or file.parent)) for n, row in enumerate(rows, 1)]
    distinct = list(dict.fromkeys(golds))
    folder = output / "databases"
    folder.mkdir(parents=True, exist_ok=True)
    summary = NeighbourSummary(tasks=len(rows))
    paths: dict[GoldQuery, list[str]] = {}
    processes = min(workers or len(os.sched_getaffinity(0)), len(distinct))
    context = multiprocessing.get_context("forkserver")
    with (
        ProcessPoolExecutor(processes, mp_context=context) if processes > 1 else nullcontext()
    ) as pool:
        for gold, neighbours in neighbours_for(distinct, most, seed, pool):
            if isinstance(neighbours, str):
                summary.failed.append(f"{gold.database}: {gold.sql[:200]}: {neighbours}")
                paths[gold] = [gold.database]
            else:
                summary.add(neighbours)
                paths[gold] = write(folder, gold, neighbours)
            progress(len(paths), len(distinct))
    with replacing(output / "tasks.jsonl") as out:
        for row, gold in zip(rows, golds, strict=True):
            out.write(with_databases(row, paths[gold]).encode())
    with replacing(output / "left.txt") as out:
        out.write(("\n".join(summary.left) + "\n").encode())
    return summary


def neighbours_for(
    golds: list[GoldQuery], most: int, seed: int, executor: Executor | None
) -> Iterator[tuple[GoldQuery, Neighbours | str]]:
    """Yield each gold query with its neighbours, or with the reason why there are none, in order."""
    if executor is None:
        for gold in golds:
            yield gold, attempt(gold, most, seed)
        return
    for at in range(0, len(golds), _AT_ONCE):
        batch = golds[at : at + _AT_ONCE]
        results = [executor.submit(attempt, gold, most, seed) for gold in batch]
        for gold, result in zip(batch, results, strict=True):
            yield gold, result.result()


def attempt(gold: GoldQuery, most: int, seed: int) -> Neighbours | str:
    """Return the neighbours of a gold query, or the reason why there are none."""
    try:
        return neighbours_of(gold.sql, gold.database, most, seed)
    except CannotScore as error:
        return error.message
    except (sqlite3.Error, sqlglot.errors.SqlglotError, RlvrError, RecursionError) as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def write(folder: Path, gold: GoldQuery, neighbours: Neighbours) -> list[str]:
    """Write the neighbours, and return the paths of all databases of the gold query, its own first."""
    paths = [gold.database]
    for number, data in enumerate(neighbours.databases, 1):
        path = folder / f"{gold.name}-{number}.sqlite"
        path.write_bytes(data)
        paths.append(str(path.resolve()))
    return paths


def with_databases(row: Mapping[str, Any], paths: list[str]) -> str:
    """Return the row with its databases as a line of JSON."""
    changed = dict(row)
    if isinstance(row.get("reference"), Mapping):
        changed["reference"] = {**row["reference"], "databases": paths}
        changed["reference"].pop("database", None)
    else:
        changed["databases"] = paths
    return json.dumps(changed) + "\n"
