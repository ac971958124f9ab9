"""GRPO with vLLM on the CPU: vLLM generates, the verifier scores, GRPO steps, and the weights go back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.evaluation.run import read_rollouts
from rlvr.training.config import Source, TrainConfig
from rlvr.training.train import Outcome, train
from rlvr.training.vllm_cpu import WeightSyncError
from tests.vllm_cpu.conftest import Server, serve, stop

OPTIONS = {"digits": 3, "terms": 2, "operators": "+", "prompt": "{compact}="}


def config(model: Path, steps: int, **options: Any) -> TrainConfig:
    return TrainConfig(
        str(model),
        Source("arithmetic", split="train", options=OPTIONS),
        **{
            "steps": steps,
            "max_tokens": 40,
            "learning_rate": 3e-4,
            "held_out": Source("arithmetic", split="test", options=OPTIONS, limit=128),
            "measure_every": 20,
            "trl": {"vllm_max_model_length": 128, "adam_beta2": 0.99},
            **options,
        },
    )


def check(outcome: Outcome, steps: int) -> None:
    (before,), (after,) = outcome.before, outcome.after
    assert before.correct.value < 0.3
    assert after.correct.value > 0.9
    lines = (outcome.run / "metrics.jsonl").read_text().splitlines()
    log = [row for row in map(json.loads, lines) if "reward" in row]
    assert [row["step"] for row in log] == list(range(1, steps + 1))
    for row in log:
        # What vLLM said of its tokens is what the trainer says: it had the weights of each step.
        assert row["sampling/sampling_logp_difference/max"] < 1e-4
        assert row["sampling/importance_sampling_ratio/mean"] == pytest.approx(1.0, abs=1e-3)
        assert row["rlvr/unscored"] == 0
    assert log[-1]["kl/sequence/k3"] > 0.1


def test_colocated(warmed: Path, tmp_path: Path) -> None:
    check(train(config(warmed, 80, vllm="colocate"), tmp_path / "run"), 80)


def test_with_a_server(server: Server, warmed: Path, tmp_path: Path) -> None:
    given = config(warmed, 80, vllm="server", base_url=server.base_url)
    check(train(given, tmp_path / "run"), 80)


class Again(rlvr.MultiTurn):
    """Asks for the next sum, twice."""

    def reply(self, task: rlvr.Task, messages: list[dict[str, str]]) -> str | None:
        return "12+13=" if len(messages) < 4 else None


def test_several_turns_colocated(warmed: Path, tmp_path: Path) -> None:
    tasks = [rlvr.Task(f"{i}+{i + 1}=", "25", str(i)) for i in range(100, 164)]
    env = Again(rlvr.TaskSet(tasks, "again"), rlvr.Math(), max_turns=2)
    given = config(warmed, 4, vllm="colocate", max_tokens=100, batch=32, held_out=None)
    given = TrainConfig(**{**vars(given), "environments": env})
    outcome = train(given, tmp_path / "run")
    rows = list(read_rollouts(outcome.run))
    assert len(rows) == 4 * 32
    assert all(len(row["messages"]) == 4 for row in rows if row["stop"] == "stop")
    lines = (outcome.run / "metrics.jsonl").read_text().splitlines()
    for row in map(json.loads, lines):
        assert row["sampling/sampling_logp_difference/max"] < 1e-4


def test_a_server_that_can_t_take_weights_is_told_at_once(warmed: Path, tmp_path: Path) -> None:
    plain = serve(warmed, tmp_path / "log", "--worker-extension-cls", "")
    try:
        given = config(warmed, 1, vllm="server", base_url=plain.url)
        with pytest.raises(WeightSyncError, match="--worker-extension-cls"):
            train(given, tmp_path / "run")
    finally:
        stop(plain)
    assert not (tmp_path / "run").exists()
