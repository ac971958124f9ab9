"""The quickstart, run as a user runs it, with a third of its steps; in the gate, with very few."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import rlvr

pytest.importorskip("torch")
pytest.importorskip("trl")

from rlvr.training.quickstart import QuickstartConfig
from rlvr.training.quickstart.additions import WARMUP_BATCH, additions, unseen
from tests.warm import TRAINERS, Warm


class Finished:
    """A quickstart's folder, its numbers of steps and what it printed."""

    def __init__(self, path: Path, warmup: int, steps: int, out: str, err: str) -> None:
        self.path, self.warmup, self.steps, self.out, self.err = path, warmup, steps, out, err
        self.measured = [step for step in (0, 1, 2, 5, 10, 20) if step <= steps]

    def rows(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.path / name).read_text().splitlines()]


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
    warm: Callable[[Sequence[str]], Warm],
) -> Finished:
    """The command in a fresh process; in the gate, in a fork of one that has imported the trainers."""
    folder = tmp_path_factory.mktemp("quickstart")
    path = folder / "run"
    warmup, steps = (900, 20) if pytestconfig.getoption("--all") else (60, 2)
    words = ["quickstart", "--warmup-steps", str(warmup), "--steps", str(steps), "--run", str(path)]
    if pytestconfig.getoption("--all"):
        command = [sys.executable, "-m", "rlvr", *words]
        done = subprocess.run(command, capture_output=True, timeout=900)
    else:
        done = warm(TRAINERS).run(words, b"", folder, os.environ | {"COLUMNS": "200"}, 900)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, err
    return Finished(path, warmup, steps, out, err)


def accuracy(rollouts: list[dict[str, Any]], step: int) -> float:
    rewards = [row["verdict"]["reward"] for row in rollouts if row["step"] == step]
    assert len(rewards) == QuickstartConfig.held_out
    return sum(reward == 1.0 for reward in rewards) / len(rewards)


@pytest.mark.sweep
def test_held_out_accuracy_rises(run: Finished) -> None:
    rollouts = run.rows("rollouts.jsonl")
    assert accuracy(rollouts, run.steps) - accuracy(rollouts, 0) >= 0.4


def test_what_it_says_is_what_the_rollouts_say(run: Finished) -> None:
    rollouts = run.rows("rollouts.jsonl")
    said = re.search(r"held-out accuracy (\S+) → (\S+) \(seed 0, (\d+) steps", run.out)
    assert said is not None
    shown = [f"{accuracy(rollouts, step):.3f}" for step in (0, run.steps)]
    assert said.groups() == (*shown, str(run.steps))
    measured = {
        row["step"]: row["held_out_accuracy"]
        for row in run.rows("metrics.jsonl")
        if "held_out_accuracy" in row
    }
    assert measured == {step: accuracy(rollouts, step) for step in run.measured}


def test_every_verdict_is_right_by_python_itself(run: Finished) -> None:
    for row in run.rows("rollouts.jsonl"):
        question, response = (message["content"] for message in row["messages"])
        assert row["reference"] == str(eval(question.rstrip("=")))
        boxed = re.findall(r"\\boxed\{([^{}]*)\}", response)
        right = bool(boxed) and boxed[-1].lstrip("0") == row["reference"]
        assert (row["verdict"]["reward"] == 1.0) == right


def test_the_same_held_out_tasks_are_measured_each_time(run: Finished) -> None:
    rollouts = run.rows("rollouts.jsonl")
    asked = {step: [r["task"] for r in rollouts if r["step"] == step] for step in run.measured}
    assert all(tasks == asked[0] for tasks in asked.values())
    assert len(set(asked[0])) == QuickstartConfig.held_out
    assert {row["task"].partition("-")[0] for row in rollouts} == {"test"}


def test_every_step_is_in_the_metrics(run: Finished) -> None:
    steps = [row for row in run.rows("metrics.jsonl") if "reward" in row]
    assert [row["step"] for row in steps] == list(range(1, run.steps + 1))
    for row in steps:
        assert 0 <= row["reward"] <= 1
        assert row["reward"] == pytest.approx(row["rlvr/math"])
        assert row["rlvr/unscored"] == 0
        assert "kl" in row


def test_the_run_is_whole(run: Finished) -> None:
    about = json.loads((run.path / "run.json").read_text())
    assert about["kind"] == "quickstart"
    assert about["config"]["steps"] == run.steps
    assert {"torch", "transformers", "trl"} <= set(about["versions"])
    assert (run.path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert (run.path / "model" / "model.safetensors").is_file()


def test_progress_is_told_where_there_is_no_terminal(run: Finished) -> None:
    assert f"warm-up {run.warmup}/{run.warmup}  loss" in run.err
    assert re.search(rf"GRPO {run.steps}/{run.steps} .*reward", run.err)
    assert "Traceback" not in run.err
    assert "Warning" not in run.err


@pytest.mark.sweep
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_problem_is_in_two_of_warm_up_training_and_held_out(seed: int) -> None:
    config = QuickstartConfig(seed=seed, steps=60)
    first = list(additions("train", config.warmup_steps * WARMUP_BATCH).tasks)
    warm_up = {task.text for task in first}
    fresh = unseen(first, seed, config.steps * 16).tasks
    training = {task.text for task in fresh}
    held_out = {task.text for task in additions("test", config.held_out).tasks}
    assert len(fresh) == 60 * 16
    assert len(warm_up) > 30_000
    assert training.isdisjoint(warm_up)
    assert held_out.isdisjoint(warm_up | training)


def test_a_run_that_is_there_is_left_alone(run: Finished, rlvr_cli: Any) -> None:
    done = rlvr_cli("train", "quickstart", "--run", run.path)
    assert done.returncode == 2
    assert "There's a run in" in done.stderr
    assert len(run.rows("rollouts.jsonl")) == len(run.measured) * QuickstartConfig.held_out


def test_the_small_models_tokenizer_reads_what_the_verifier_does() -> None:
    from rlvr.training.quickstart.model import make_tokenizer

    tokenizer = make_tokenizer()
    text = "2+5+0=7;\\boxed{277}"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    (verdict,) = rlvr.score([rlvr.Task("", "277")], [tokenizer.decode(ids)], rlvr.Math())
    assert float(verdict) == 1.0
