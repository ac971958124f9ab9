"""What `Sql` gets right: golds, mutants, constants, hostile queries, and parity with public evaluators.

    RLVR_DATA=… python benchmarks/sql_accuracy.py [--evaluator FOLDER] [--limit N]

FOLDER has the published test-suite evaluator's `exec_eval.py` and `parse.py` (sqlparse, tqdm); where it's
named, it and our two presets for it judge the same pairs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import rlvr
from rlvr.authoring.audit.hacks.hostile_queries import hostile_queries
from rlvr.authoring.neighbours import files
from rlvr.authoring.neighbours.base import Base
from rlvr.authoring.neighbours.equivalents import equivalence_rule
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
MARK = "RLVR_SQL_ACCURACY"

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


def parity(rows: list[dict[str, Any]], data: Path, folder: str, scratch: Path, pool: Pool) -> None:
    """Judge golds and their mutants by the evaluator itself and by rlvr, on one database."""
    sys.path.insert(0, folder)
    from exec_eval import eval_exec_match

    pairs: list[tuple[str, str, str]] = []
    for row in rows:
        path = str(data / f"sql/databases/{row['database']}.sqlite")
        home = scratch / row["database"]  # it runs every database in a folder
        home.mkdir(exist_ok=True)
        copy = str(shutil.copy(path, home))
        for mutant in mutants_of(row["sql"], Base.of(path).schema, 8):
            if ends(path, mutant.sql):
                pairs.append((copy, row["sql"], mutant.sql))
    for preset, kept in (("spider", False), ("spider_distinct", True)):
        tasks = [rlvr.Task("", {"sql": gold, "databases": [path]}, "p") for path, gold, _ in pairs]
        responses = [fenced(query) for _, _, query in pairs]
        verdicts = rlvr.score(tasks, responses, rlvr.Sql(preset), pool=pool)
        differ = [
            (pair, verdict)
            for pair, verdict in zip(pairs, verdicts, strict=True)
            if not isinstance(verdict, rlvr.Scored)
            or verdict.reward != eval_exec_match(pair[0], pair[2], pair[1], False, kept, False)
        ]
        print(f"the evaluator and preset {preset}: {len(differ)} of {len(pairs)} pairs differ")
        for one in differ[:5]:
            print("  ", *one)


def ends(path: str, sql: str) -> bool:
    """Whether a query ends in time: the evaluator has nothing that would end it."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        connection.set_progress_handler(lambda: True, 1_000_000)
        try:
            connection.execute(sql).fetchall()
        except sqlite3.OperationalError as error:
            return "interrupted" not in str(error)
    return True


def equivalents(rows: list[dict[str, Any]], beside: Tasks, pool: Pool) -> None:
    """Mutants that are the gold in other words: none may be refused on neighbours."""
    tasks, responses = [], []
    for row, task in zip(rows, beside, strict=True):
        schema = Base.of(task.reference["databases"][0]).schema
        for mutant in mutants_of(row["sql"], schema):
            if equivalence_rule(row["sql"], mutant, schema):
                tasks.append(task)
                responses.append(fenced(mutant.sql))
    right = total(tasks, responses, pool)
    print(f"golds in other words: {right:g} of {len(tasks)} right on neighbours")


def marked() -> list[str]:
    """Return the processes that this one or its children started and that are still there."""
    wanted, found = f"{MARK}={os.getpid()}".encode(), []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in environ.read_bytes().split(b"\0"):
                found.append(environ.parent.name)
    return [pid for pid in found if pid != str(os.getpid())]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--evaluator")
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    data = Path(os.environ["RLVR_DATA"])
    lines = (data / "sql/queries.jsonl").read_text().splitlines()[: given.limit]
    rows = [json.loads(line) for line in lines]
    different = list({(row["database"], row["sql"]): n for n, row in enumerate(rows)}.values())
    os.environ[MARK] = str(os.getpid())  # the pool's processes inherit it
    with Pool(workers=2) as pool, tempfile.TemporaryDirectory() as folder:
        found = [files.gold_of(r, n, data / "sql/databases") for n, r in enumerate(rows, 1)]
        summary, paths = files.NeighbourSummary(len(rows)), {}
        for gold, one in files.neighbours_for(list(dict.fromkeys(found)), 10, 0, None):
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
            parity([rows[n] for n in few], data, given.evaluator, Path(folder), pool)
    time.sleep(2.0)
    print(f"processes left: {len(marked())}")


if __name__ == "__main__":
    main()
