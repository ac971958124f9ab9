"""`Sql` against plain sqlite3 and, where it's there, the test-suite evaluator, in one run.

    RLVR_DATA=… python benchmarks/sql_speed.py [--evaluator FOLDER]

FOLDER has the published evaluator's `exec_eval.py` and `parse.py`, which need sqlparse and tqdm. Plain
sqlite3 opens the file and runs both queries of a pair; ours goes through `rlvr.score` and a pool of one
worker, golds in its cache. A pair is a gold and itself, or a gold and the database's next gold.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import rlvr
from rlvr.authoring.neighbours.base import Base
from rlvr.authoring.neighbours.demands import Demands
from rlvr.authoring.neighbours.fill import PROFILES, candidate
from rlvr.scoring import Pool

ROUNDS = 3


class Pair(NamedTuple):
    gold: str
    query: str
    database: str


def pairs(data: Path) -> dict[str, list[Pair]]:
    rows = [json.loads(line) for line in (data / "sql/queries.jsonl").read_text().splitlines()]
    same, other = [], []
    for row, following in zip(rows, rows[1:] + rows[:1], strict=True):
        path = str(data / f"sql/databases/{row['database']}.sqlite")
        same.append(Pair(row["sql"], row["sql"], path))
        if following["database"] == row["database"] and following["sql"] != row["sql"]:
            other.append(Pair(row["sql"], following["sql"], path))
    return {"the gold": same, "another gold": other}


def rate(judge: Callable[[], object], count: int) -> float:
    """Things a second, the median of some rounds."""
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        judge()
        rates.append(count / (time.perf_counter() - began))
    return statistics.median(rates)


def plainly(some: list[Pair]) -> None:
    for pair in some:
        for sql in (pair.gold, pair.query):
            connection = sqlite3.connect(pair.database)
            connection.execute(sql).fetchall()
            connection.close()


def scorer(some: list[Pair], pool: Pool, databases: dict[str, list[str]]) -> Callable[[], object]:
    tasks = [
        rlvr.Task(
            "", {"sql": pair.gold, "databases": databases.get(pair.database, [pair.database])}
        )
        for pair in some
    ]
    responses = [f"It's this:\n\n```sql\n{pair.query}\n```\n" for pair in some]
    verifier = rlvr.Sql()
    judge = lambda: rlvr.score(tasks, responses, verifier, pool=pool)  # noqa: E731
    judge()  # the cache is warm
    return judge


def evaluator(folder: str, some: list[Pair], scratch: Path) -> Callable[[], object]:
    sys.path.insert(0, folder)
    from exec_eval import eval_exec_match

    homes = {}
    for pair in some:  # it runs every database in a folder
        home = scratch / Path(pair.database).stem
        home.mkdir(exist_ok=True)
        homes[pair.database] = str(shutil.copy(pair.database, home))

    def judge() -> None:
        for pair in some:
            eval_exec_match(homes[pair.database], pair.query, pair.gold, False, False, False)

    return judge


def ten(data: Path, scratch: Path) -> dict[str, list[str]]:
    """For each database itself and nine that are filled at random."""
    found = {}
    for path in sorted((data / "sql/databases").glob("*.sqlite")):
        base, rng = Base.of(str(path)), random.Random(path.name)
        demands = Demands(tables={table.name.lower() for table in base.schema.tables})
        paths = [str(path)]
        for number in range(9):
            made = candidate(base, demands, PROFILES[number % len(PROFILES)], rng)
            copy = scratch / f"{path.stem}-{number}.sqlite"
            copy.write_bytes(made.serialize())
            made.close()
            paths.append(str(copy))
        found[str(path)] = paths
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--evaluator", help="the folder with the test-suite evaluator's files")
    given = parser.parse_args()
    data = Path(os.environ["RLVR_DATA"])
    print("{:<34}{:>9}{:>9}{:>9}{:>9}{:>9}".format("pairs, 1 database", "ours/s", "plain/s", "ratio",
                                                   "theirs/s", "ratio"))  # fmt: skip
    with Pool(workers=1) as pool, tempfile.TemporaryDirectory() as folder:
        for name, some in pairs(data).items():
            ours = rate(scorer(some, pool, {}), len(some))
            plain = rate(lambda: plainly(some), len(some))  # noqa: B023
            line = f"{name:<34}{ours:>9.0f}{plain:>9.0f}{ours / plain:>9.2f}"
            if given.evaluator:
                few = some[:: max(1, len(some) // 400)]
                theirs = rate(evaluator(given.evaluator, few, Path(folder)), len(few))
                line += f"{theirs:>9.0f}{ours / theirs:>9.1f}"
            print(line)
        made = ten(data, Path(folder))
        # Some golds take long on ten databases; the worker takes them in any order.
        some = pairs(data)["the gold"][::4]
        several = rate(scorer(some, pool, made), len(some))
        print(f"tasks of 10 databases: {several:.0f} a second")


if __name__ == "__main__":
    main()
