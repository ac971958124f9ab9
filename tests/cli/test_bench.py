"""`rlvr bench`: the real parts, each beside its bare baseline."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rlvr.cli.bench import PARTS


@pytest.mark.parametrize("part", ["math", "pool", "sql", "instructions"])
def test_each_row_has_a_time_and_a_ratio_to_a_baseline(part: str, rlvr_cli: Any) -> None:
    done = rlvr_cli("bench", part, "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows
    for row in rows:
        assert row["name"].startswith(f"{part}: ")
        assert row["baseline"]
        assert row["ours_ms"] > 0
        assert row["baseline_ms"] > 0
        assert row["ratio"] == pytest.approx(row["ours_ms"] / row["baseline_ms"])


def test_the_table_of_a_part_in_a_sandbox(rlvr_cli: Any) -> None:
    done = rlvr_cli("bench", "jail", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    head, row = done.stdout.splitlines()
    assert head.split() == ["part", "ms", "ratio", "baseline"]
    assert row.startswith("jail: a program, one test")


def test_a_part_that_is_not_there_gets_the_nearest_one(rlvr_cli: Any) -> None:
    done = rlvr_cli("bench", "jails")
    assert done.returncode == 2
    assert "Did you mean 'jail'" in done.stderr
    assert set(PARTS) == {"start", "math", "pool", "sql", "instructions", "jail"}
