"""Whatever a query tries: the verdict is right, the file is the same, and the worker lives."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

import rlvr
from rlvr import Sql, Status
from rlvr.authoring.audit.hacks.hostile_queries import hostile_queries
from rlvr.authoring.neighbours.base import Base
from rlvr.scoring import Pool
from tests.tiers import Sample


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_hostile_queries_on_a_database(pool: Pool, database: str) -> None:
    schema = Base.of(database).schema
    task = rlvr.Task("", {"sql": "SELECT * FROM singer", "databases": [database]}, "t")
    tried = list(hostile_queries(schema))
    before, folder = digest(Path(database)), set(os.listdir(Path(database).parent))
    responses = [f"```sql\n{one.sql}\n```" for one in tried]
    verdicts = rlvr.score([task] * len(tried), responses, Sql(max_steps=1_000_000), pool=pool)
    wrong = [
        (one.sql[:100], verdict)
        for one, verdict in zip(tried, verdicts, strict=True)
        if not verdict.scored
        or verdict.reward
        or verdict.status not in (*one.statuses, Status.UNPARSABLE)
    ]
    assert wrong == []
    assert len(tried) > 130
    assert digest(Path(database)) == before
    assert set(os.listdir(Path(database).parent)) == folder
    assert (
        rlvr.score([task], ["```sql\nSELECT * FROM singer\n```"], Sql(), pool=pool)[0].reward == 1
    )


def test_hostile_queries_are_tried_on_real_databases(
    pool: Pool, data: Path, sample: Sample
) -> None:
    for path in sample(sorted((data / "sql/databases").glob("*.sqlite"))[::20], 4):
        schema, before = Base.of(str(path)).schema, digest(path)
        table = next(one for one in schema.tables if not one.is_view)
        reference = {"sql": f'SELECT * FROM "{table.name}"', "databases": [str(path)]}
        tried = list(hostile_queries(schema))
        responses = [f"```sql\n{one.sql}\n```" for one in tried]
        task = rlvr.Task("", reference, "t")
        verdicts = rlvr.score([task] * len(tried), responses, Sql(max_steps=1_000_000), pool=pool)
        assert all(verdict.scored and not verdict.reward for verdict in verdicts)
        assert digest(path) == before


def test_a_call_that_no_step_interrupts_costs_its_worker_alone(database: str) -> None:
    task = rlvr.Task("", {"sql": "SELECT 5", "databases": [database]}, "t")
    hang = (
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(instr("
        "printf('%.*c', 900000, 'a'), printf('%.*c', 400000 + x % 99, 'a') || 'b')) FROM r"
    )
    with Pool(workers=1) as pool:
        hung, fine = rlvr.score(
            [task] * 2,
            [f"```sql\n{hang}\n```", "```sql\nSELECT count(*) FROM singer\n```"],
            Sql(),
            pool=pool,
            limit_s=1.0,
        )
    assert hung.scored
    assert hung.status is Status.LIMIT
    assert fine.reward == 1.0


def test_a_gold_that_hangs_is_nobodys_wrong_answer(database: str) -> None:
    gold = (
        "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(instr("
        "printf('%.*c', 900000, 'a'), printf('%.*c', 400000 + x % 99, 'a') || 'b')) FROM r"
    )
    task = rlvr.Task("", {"sql": gold, "databases": [database]}, "t")
    with Pool(workers=1) as pool:
        (verdict,) = rlvr.score([task], ["```sql\nSELECT 1\n```"], Sql(), pool=pool, limit_s=1.0)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.GOLD


@pytest.mark.parametrize("name", ["rlvr-stolen.sqlite", "rlvr-attached.sqlite", "rlvr-written"])
def test_nothing_is_left_in_the_folder_for_temporary_files(name: str) -> None:
    assert not Path("/tmp", name).exists()
