"""`rlvr compare`: by hand on constructed runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr import Cause, Scored, Status, Unscored
from rlvr.core.errors import DataError
from rlvr.evaluation.compare import compare_runs
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run


def write(
    path: Path, rewards: dict[str, list[float | None]], env: str = "e", **labels: Any
) -> Path:
    there = (path / "run.json").exists()
    run = Run.resume(path) if there else Run.create(path, "eval", {})
    for task, samples in rewards.items():
        for i, reward in enumerate(samples):
            verdict: rlvr.Verdict = Unscored(Cause.SANDBOX, "gone")
            if reward is not None:
                verdict = Scored(reward, Status.CORRECT if reward == 1 else Status.INCORRECT)
            rollout = Rollout(env, None, rlvr.Task("q", "a", task), i, [], verdict)
            rollout.messages = [
                {"role": "user", "content": "q"},
                {"role": "assistant", "content": ""},
            ]
            run.rollout(rollout.to_json(**labels))
    run.close()
    return path


def test_by_hand(tmp_path: Path) -> None:
    first = write(
        tmp_path / "a", {"1": [1, 1], "2": [0, 0], "3": [0, 1], "4": [1], "5": [0], "x": [1]}
    )
    second = write(
        tmp_path / "b", {"1": [1, 0], "2": [1, 1], "3": [1, 1], "4": [None], "5": [1], "y": [1]}
    )
    (one,) = compare_runs(first, second)
    assert (one.env, one.left_out, one.comparison.tasks) == ("e", (2, 2), 4)
    assert one.means == ((1 + 0 + 0.5 + 0) / 4, (0.5 + 1 + 1 + 1) / 4)
    assert one.comparison.difference.value == pytest.approx((-0.5 + 1 + 0.5 + 1) / 4)
    # Half of two samples is no majority: task 3 was unsolved, and task 1 is now.
    assert (one.comparison.gained, one.comparison.lost) == (3, 1)
    assert one.comparison.p == pytest.approx(2 * (1 + 4) / 16)


def test_the_command(rlvr_cli: Any, tmp_path: Path) -> None:
    write(tmp_path / "a", {str(i): [0] for i in range(40)})
    write(tmp_path / "b", {str(i): [1 if i < 30 else 0] for i in range(40)})
    done = rlvr_cli("compare", "a", "b")
    assert "e: reward 0.0000 → 0.7500 on 40 tasks" in done.stdout
    assert "difference +0.7500, 95% from +0." in done.stdout
    assert "second alone 30, by the first alone 0: McNemar's exact p 1.86e-09" in done.stdout
    row = json.loads(rlvr_cli("compare", "a", "b", "--json").stdout)
    assert (row["tasks"], row["gained"], row["lost"]) == (40, 30, 0)


def test_of_a_training_run_the_last_measurement_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "t", {"1": [0], "2": [0]}, step=0)
    write(path, {"1": [1], "2": [0]}, step=10)
    (one,) = compare_runs(write(tmp_path / "a", {"1": [0], "2": [0]}), path)
    assert (one.comparison.tasks, one.comparison.gained, one.means) == (2, 1, (0.0, 0.5))


def test_nothing_in_common_is_told(tmp_path: Path) -> None:
    first = write(tmp_path / "a", {"1": [1]})
    with pytest.raises(DataError, match=r"no environment in common: e in .*, f in "):
        compare_runs(first, write(tmp_path / "b", {"1": [1]}, env="f"))
    with pytest.raises(DataError, match="There's no run in"):
        compare_runs(first, tmp_path / "nowhere")
    (one,) = compare_runs(first, write(tmp_path / "c", {"2": [1]}))
    assert one.to_json()["means"] == [None, None]
    assert (one.comparison.tasks, one.comparison.p) == (0, 1.0)
