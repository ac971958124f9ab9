"""What `Sql` gets right: golds, mutants, constants, hostile queries, and parity with public evaluators.

    RLVR_DATA=… python benchmarks/sql_accuracy.py [--evaluator FOLDER] [--limit N]

FOLDER has the published test-suite evaluator's `exec_eval.py` and `parse.py` (sqlparse, tqdm); where it's
named, the preset `spider_distinct` and it judge the same pairs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import rlvr
from rlvr.authoring.hostile_queries import hostile_queries
from rlvr.authoring.neighbours import files
from rlvr.authoring.neighbours.base import Base
from rlvr.authoring.neighbours.equivalents import shown
from rlvr.authoring.neighbours.mutants import mutants_of
from rlvr.scoring import Pool

CONSTANTS = (
    "SELECT 42", "SELECT 0", "SELECT 1", "SELECT 3", "SELECT NULL", "SELECT NULL WHERE 0",
    "SELECT ''", "VALUES (1), (2)", "SELECT 1, 2", "SELECT NULL, NULL WHERE 0",
)  # fmt: skip
REWARDS: tuple[dict[str, Any], ...] = (
    {}, {"columns": "any"}, {"tolerance": 1e-6}, {"preset": "spider"}, {"preset": "spider_distinct"},
    {"preset": "bird"}, {"preset": "bird", "reward": "soft_f1"},
)  # fmt: skip
HOSTILE_AT_LEAST = 5000

Tasks = list[rlvr.Task]


def fenced(sql: str) -> str:
    return f"```sql\n{sql}\n```"


def total(tasks: Tasks, responses: list[str], pool: Pool, **options: Any) -> float:
    verdicts = rlvr.score(tasks, responses, rlvr.Sql(**options), pool=pool)
    unscored = [v.message for v in verdicts if isinstance(v, rlvr.Unscored)]
    if unscored:
        print(f"  {len(unscored)} unscored: {unscored[0]}")
    return sum(float(v) for v in verdicts if isinstance(v, rlvr.Scored))


def golds(rows: list[dict[str, Any]], tasks: Tasks, beside: Tasks, pool: Pool) -> None:
    responses = [fenced(row["sql"]) for row in rows]
    for options in REWARDS:
        own, all_ = (total(some, responses, pool, **options) for some in (tasks, beside))
        print(
            f"golds right, {options or 'default'}: {own:g}, on neighbours {all_:g} of {len(rows)}"
        )


def constants(tasks: Tasks, beside: Tasks, pool: Pool) -> None:
    for sql in CONSTANTS:
        own, all_ = (total(some, [fenced(sql)] * len(some), pool) for some in (tasks, beside))
        print(f"{sql}: earns {own:g} on the tasks' own databases, {all_:g} with neighbours")


def hostile(data: Path, pool: Pool) -> None:
    """Every hostile query on every database, as often as makes 5,000."""
    paths = sorted((data / "sql/databases").glob("*.sqlite"))
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in paths}
    listed = set((data / "sql/databases").iterdir())
    tasks, responses, allowed = [], [], []
    while len(tasks) < HOSTILE_AT_LEAST:
        for path in paths:
            schema = Base.of(str(path)).schema
            table = next(one for one in schema.tables if not one.is_view)
            gold = f'SELECT * FROM "{table.name}"'
            for one in hostile_queries(schema):
                tasks.append(rlvr.Task("", {"sql": gold, "databases": [str(path)]}, "h"))
                responses.append(fenced(one.sql))
                allowed.append(one.statuses)
    began = time.perf_counter()
    verdicts = rlvr.score(tasks, responses, rlvr.Sql(max_steps=1_000_000), pool=pool)
    seconds = time.perf_counter() - began
    wrong = [
        (response[:80], verdict)
        for response, verdict, statuses in zip(responses, verdicts, allowed, strict=True)
        if not verdict.scored or verdict.status not in (*statuses, "unparsable") or verdict.reward
    ]
    after = {path: hashlib.sha256(path.read_bytes()).digest() for path in paths}
    print(
        f"hostile queries: {len(tasks)} in {seconds:.0f} s, "
        f"{dict(Counter(str(v.status) for v in verdicts if isinstance(v, rlvr.Scored)))}; "
        f"{len(wrong)} judged otherwise than they should be; databases changed: "
        f"{sum(before[path] != after[path] for path in paths)}; "
        f"files beside them: {len(set((data / 'sql/databases').iterdir()) - listed)}"
    )
    for one in wrong[:5]:
        print("  ", *one)


def parity(rows: list[dict[str, Any]], data: Path, folder: str, pool: Pool) -> None:
    """The evaluator and ours on golds against their mutants, on one database."""
    sys.path.insert(0, folder)
    from exec_eval import exec_on_db_, result_eq

    def theirs(path: str, gold: str, query: str) -> bool:
        results = []
        for sql in (gold, query):
            try:
                exec_on_db_(path, sql).send(None)
            except StopIteration as done:
                results.append(done.value)
        (_, wanted), (flag, got) = results
        return flag == "result" and bool(result_eq(wanted, got, "order by" in gold.lower()))

    tasks, responses, said = [], [], []
    for row in rows:
        path = str(data / f"sql/databases/{row['database']}.sqlite")
        schema = Base.of(path).schema
        for mutant in mutants_of(row["sql"], schema, 12):
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
                connection.set_progress_handler(lambda: True, 3_000_000)
                try:
                    connection.execute(mutant.sql).fetchall()
                except sqlite3.OperationalError as error:
                    if "interrupted" in str(error):
                        continue
            tasks.append(rlvr.Task("", {"sql": row["sql"], "databases": [path]}, "p"))
            responses.append(fenced(mutant.sql))
            said.append(theirs(path, row["sql"], mutant.sql))
    verdicts = rlvr.score(tasks, responses, rlvr.Sql("spider_distinct"), pool=pool)
    differ = [
        (task.reference["sql"], response, verdict)
        for task, response, verdict, right in zip(tasks, responses, verdicts, said, strict=True)
        if not isinstance(verdict, rlvr.Scored) or bool(verdict.reward) != right
    ]
    print(f"the evaluator and preset spider_distinct: {len(differ)} of {len(tasks)} pairs differ")
    for one in differ[:5]:
        print("  ", *one)


def equivalents(rows: list[dict[str, Any]], beside: Tasks, pool: Pool) -> None:
    """Mutants that are the gold in other words: none may be refused on neighbours."""
    tasks, responses = [], []
    for row, task in zip(rows, beside, strict=True):
        schema = Base.of(task.reference["databases"][0]).schema
        for mutant in mutants_of(row["sql"], schema):
            if shown(row["sql"], mutant, schema):
                tasks.append(task)
                responses.append(fenced(mutant.sql))
    right = total(tasks, responses, pool)
    print(f"golds in other words: {right:g} of {len(tasks)} right on neighbours")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--evaluator")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    data = Path(os.environ["RLVR_DATA"])
    lines = (data / "sql/queries.jsonl").read_text().splitlines()[: given.limit]
    rows = [json.loads(line) for line in lines]
    different = list({(row["database"], row["sql"]): n for n, row in enumerate(rows)}.values())
    with Pool(workers=2) as pool, tempfile.TemporaryDirectory() as folder:
        found = [files.gold_of(r, n, data / "sql/databases") for n, r in enumerate(rows, 1)]
        summary, paths = files.Summary(len(rows)), {}
        for gold, one in files.found_for(list(dict.fromkeys(found)), 10, 0, None):
            if isinstance(one, str):
                print(f"no neighbours: {gold.sql}: {one}")
                paths[gold] = [gold.database]
            else:
                summary.add(one)
                paths[gold] = files.write(Path(folder), gold, one)
        print(
            f"mutants: {sum(summary.passing.values())} pass the task's own database, of these "
            f"{sum(summary.equivalent.values())} equivalent, {sum(summary.killed.values())} killed "
            f"by {summary.databases} neighbours ({100 * summary.rate:.1f}%), {len(summary.left)} left"
        )
        ids = range(len(rows))
        tasks = [
            rlvr.Task("", {"sql": g.sql, "databases": [g.database]}, str(i))
            for i, g in zip(ids, found, strict=True)
        ]
        beside = [
            rlvr.Task("", {"sql": g.sql, "databases": paths[g]}, str(i))
            for i, g in zip(ids, found, strict=True)
        ]
        golds(rows, tasks, beside, pool)
        constants(tasks, beside, pool)
        hostile(data, pool)
        few = different[::4]
        equivalents([rows[n] for n in few], [beside[n] for n in few], pool)
        if given.evaluator:
            parity([rows[n] for n in different], data, given.evaluator, pool)


if __name__ == "__main__":
    main()
