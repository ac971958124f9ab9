"""GRPO with vLLM on the CPU: vLLM generates, the verifier scores, GRPO steps, and the weights go back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import rlvr
from rlvr.policies.openai import OpenAIPolicy
from rlvr.runs.run import read_rollouts
from rlvr.training.config import Source, TrainConfig
from rlvr.training.train import TrainOutcome, train
from tests.vllm_cpu.conftest import NAME, Server, ask, logprobs_by_torch, serve, stop
from tests.vllm_cpu.weights import WeightSyncError, load_weights

pytestmark = pytest.mark.usefixtures("vllm_trains")
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


# What vLLM says of a token's log-probability against the trainer: rounding, on whatever processor. One
# step's weights behind would be off by more than 1e-2.
ROUNDING = 5e-4


@pytest.fixture
def steps(pytestconfig: pytest.Config) -> int:
    """In the gate, enough for the weights to go back and forth; otherwise, for the model to learn."""
    return 80 if pytestconfig.getoption("--all") else 4


def check(outcome: TrainOutcome, steps: int) -> None:
    (before,), (after,) = outcome.before, outcome.after
    if steps >= 80:
        assert before.correct.value < 0.3
        assert after.correct.value > 0.9
    lines = (outcome.run / "metrics.jsonl").read_text().splitlines()
    log = [row for row in map(json.loads, lines) if "reward" in row]
    assert [row["step"] for row in log] == list(range(1, steps + 1))
    for row in log:
        # What vLLM said of its tokens is what the trainer says: it had the weights of each step.
        assert row["sampling/sampling_logp_difference/max"] < ROUNDING
        assert row["sampling/importance_sampling_ratio/mean"] == pytest.approx(1.0, abs=1e-3)
        assert row["rlvr/unscored"] == 0
    assert log[-1]["kl/sequence/k3"] > 0


@pytest.mark.sweep
def test_colocated(warmed: Path, tmp_path: Path, steps: int) -> None:
    check(train(config(warmed, steps, vllm="colocate"), tmp_path / "run"), steps)


def test_with_a_server(server: Server, warmed: Path, tmp_path: Path, steps: int) -> None:
    given = config(warmed, steps, vllm="server", base_url=server.base_url)
    check(train(given, tmp_path / "run"), steps)


@pytest.mark.sweep
@pytest.mark.parametrize("trainer", ["rloo", "ppo"])
def test_the_other_trainers_colocated(trainer: Any, warmed: Path, tmp_path: Path) -> None:
    rates = {"value_learning_rate": 1e-3} if trainer == "ppo" else {}
    given = config(
        warmed, 20, vllm="colocate", trainer=trainer, measure_every=20,
        trl={"vllm_max_model_length": 128, "adam_beta2": 0.99, **rates},
    )  # fmt: skip
    outcome = train(given, tmp_path / "run")
    (before,), (after,) = outcome.before, outcome.after
    assert after.correct.value > before.correct.value + 0.2
    lines = (outcome.run / "metrics.jsonl").read_text().splitlines()
    log = [row for row in map(json.loads, lines) if "reward" in row]
    assert len(log) == 20
    for row in log:
        # RLOO corrects nothing by vLLM's log-probabilities, and so doesn't ask for them.
        if trainer == "ppo":
            assert row["sampling/sampling_logp_difference/max"] < ROUNDING
        assert row["rlvr/unscored"] == 0


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
        assert row["sampling/sampling_logp_difference/max"] < ROUNDING


@pytest.mark.sweep
def test_a_server_that_can_t_take_weights_is_told_at_once(warmed: Path, tmp_path: Path) -> None:
    plain = serve(warmed, tmp_path / "log", "--worker-extension-cls", "")
    try:
        given = config(warmed, 1, vllm="server", base_url=plain.url)
        with pytest.raises(WeightSyncError, match="--worker-extension-cls"):
            train(given, tmp_path / "run")
        check_that_vllm_alone_is_stale(plain, warmed, tmp_path / "other")
    finally:
        stop(plain)
    assert not (tmp_path / "run").exists()


def check_that_vllm_alone_is_stale(server: Server, warmed: Path, other: Path) -> None:
    """The trap that the extension is there for: vLLM says it took the weights, and uses old ones."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(warmed)
    assert model.config.tie_word_embeddings
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(0.25)
    model.save_pretrained(other)
    AutoTokenizer.from_pretrained(warmed).save_pretrained(other)
    body = {"method": "reload_weights", "kwargs": {"weights_path": str(other)}}
    answer = httpx.post(f"{server.url}/collective_rpc", json=body, timeout=300)
    assert answer.status_code == 200
    policy = OpenAIPolicy(NAME, server.base_url, max_tokens=4, logprobs=True)
    (one,) = ask(policy, "102+175=")
    assert one.token_ids is not None
    expected = logprobs_by_torch(other, "102+175=", one.token_ids)
    assert np.abs(np.array(one.logprobs) - expected).max() > 1e-2


def test_the_extension_loads_the_output_layer_too(
    server: Server, warmed: Path, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(warmed)
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(0.25)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(warmed).save_pretrained(tmp_path)
    count = len(list(model.parameters()))
    load_weights(server.url, tmp_path / "model.safetensors", count)
    (one,) = ask(OpenAIPolicy(NAME, server.base_url, max_tokens=4, logprobs=True), "102+175=")
    assert one.token_ids is not None
    expected = logprobs_by_torch(tmp_path, "102+175=", one.token_ids)
    assert np.abs(np.array(one.logprobs) - expected).max() < ROUNDING
