"""`rlvr runs`: any number of runs, listed, sorted and filtered by what they were made with."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any


def test_runs_are_listed_sorted_and_filtered(rlvr_cli: Any, tmp_path: Path) -> None:
    for policy, seed in (("oracle", "1"), ("random", "2"), ("empty", "3")):
        rlvr_cli("eval", "arithmetic", "--policy", policy, "--limit", "9", "--seed", seed, "--run", f"runs/{policy}")  # fmt: skip
    head, *rows = rlvr_cli("runs", "--sort", "-reward").stdout.splitlines()
    assert head.split()[:4] == ["run", "kind", "environment", "split"]
    assert rows[0].split()[:5] == ["runs/oracle", "eval", "arithmetic", "test", "oracle"]
    assert len(rows) == 3
    (row,) = rlvr_cli("runs", "--where", "config.seed=2", "--json").stdout.splitlines()
    assert (json.loads(row)["run"], json.loads(row)["tasks"]) == ("runs/random", 9)
    wrong = rlvr_cli("runs", "--sort", "config.sed")
    assert wrong.returncode == 2
    assert "Did you mean 'config.seed'" in wrong.stderr


def test_a_thousand_runs(rlvr_cli: Any, tmp_path: Path) -> None:
    for i in range(1000):
        folder = tmp_path / "runs" / str(i)
        folder.mkdir(parents=True)
        about = {"kind": "eval", "config": {"environment": "e", "policy": "p", "seed": i}}
        (folder / "run.json").write_text(json.dumps(about | {"began": f"2026-{i:04}"}))
        report = {"env": "e", "part": None, "mean": {"value": i / 1000}, "scored": 5, "rollouts": 5}
        (folder / "report.json").write_text(json.dumps({"reports": [report]}))
    (tmp_path / "runs/7/report.json").write_text("{torn")
    (tmp_path / "runs/8/run.json").write_text("[]")
    began = time.monotonic()
    done = rlvr_cli("runs", "--sort", "reward")
    assert time.monotonic() - began < 60
    lines = done.stdout.splitlines()
    assert len(lines) == 1001
    assert lines[-1].startswith("runs/7 ")  # it has no figure
