"""`rlvr data verl` and `rlvr data openrlhf`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import CommandLine


def test_each_split_is_a_file(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    done = rlvr_cli(
        *("data", "openrlhf", "arithmetic", "-o", "out", "--limit", "3", "--env", "level=2")
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["out/train.jsonl: 3 tasks", "out/test.jsonl: 3 tasks"]
    line = json.loads((tmp_path / "out" / "test.jsonl").read_text().splitlines()[0])
    carried = json.loads(line["label"])
    assert carried["options"] == {"level": 2, "split": "test"}
    assert carried["task"]["id"] == "test-0"


def test_verl_gets_parquet(rlvr_cli: CommandLine, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    done = rlvr_cli("data", "verl", "arithmetic", "-o", "out", "--splits", "dev", "--limit", "2")
    assert done.returncode == 0, done.stderr
    table = parquet.read_table(tmp_path / "out" / "dev.parquet").to_pylist()
    assert [row["agent_name"] for row in table] == ["rlvr"] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["arithmetic", "-o", "out"], "1000000 tasks: say how many with limit="),
        (["gsm9k", "-o", "out"], "Did you mean 'gsm8k'"),
        (["arithmetic", "-o", "out", "--splits", "trian"], "There's no split 'trian'"),
        (["arithmetic", "-o", "out", "--splits", " ,"], "--splits is empty"),
    ],
)
def test_a_mistake_is_one_line(rlvr_cli: CommandLine, arguments: list[str], said: str) -> None:
    for kind in ("verl", "openrlhf"):
        done = rlvr_cli("data", kind, *arguments)
        assert done.returncode == 2
        assert said in done.stderr
        assert "Traceback" not in done.stderr
