"""Every causal model of transformers: its answers in batches, and a step of each trainer on it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.training.config import TrainConfig

pytest.importorskip("torch")
pytest.importorskip("trl")

from rlvr.policies.base import Request
from rlvr.policies.transformers import TransformersPolicy
from rlvr.training.quickstart.model import make_tokenizer
from rlvr.training.train import train
from tests.training.architectures import FAMILIES, make

TOKENIZER = make_tokenizer()
TASKS = [rlvr.Task("1+" * (i % 5) + f"{i}=", "1", str(i)) for i in range(8)]


@rlvr.verifier(mode="whole", inline=True)
def share_of_digits(task: rlvr.Task, answer: str) -> float:
    return sum(letter.isdigit() for letter in answer) / max(1, len(answer))


@pytest.mark.sweep(gate=("GPT2", "Mamba"))
@pytest.mark.parametrize("family", FAMILIES)
def test_answers_of_a_batch_are_those_of_each_alone(family: str) -> None:
    model = make(family, TOKENIZER)
    policy = TransformersPolicy(model, TOKENIZER, max_new_tokens=8)
    requests = [Request.of(task) for task in TASKS]
    alone = [policy.respond([request])[0].token_ids for request in requests]
    assert [one.token_ids for one in policy.respond(requests)] == alone


@pytest.mark.sweep(gate=("GPT2-ppo-policy", "Mamba-ppo-head"))
@pytest.mark.parametrize(
    "trainer",
    ["ppo-head", "ppo-policy", "grpo", "rloo", "grpo_lora", "rloo_lora", "ppo_lora-policy"],
)
@pytest.mark.parametrize("family", FAMILIES)
def test_a_step(family: str, trainer: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    make(family, TOKENIZER).save_pretrained(folder)
    TOKENIZER.save_pretrained(folder)
    name, _, value_model = trainer.partition("-")
    env = rlvr.SingleTurn(rlvr.TaskSet(TASKS, "sums"), share_of_digits)
    options: dict[str, Any] = {"trl": {"value_model": value_model}} if value_model else {}
    if name.endswith("_lora"):
        name, options["lora"] = name.removesuffix("_lora"), 4
    config = TrainConfig(
        str(folder), env, trainer=name, steps=1, batch=8, group=4, max_tokens=8, beta=0.01,
        learning_rate=1e-3, warmup_steps=0, held_out=env, measure_every=1, save_every=1, **options,
    )  # fmt: skip
    outcome = train(config, tmp_path / "run")
    assert outcome.step == 1
    rows = map(json.loads, (outcome.run / "metrics.jsonl").read_text().splitlines())
    (step,) = [row for row in rows if "reward" in row]
    assert math.isfinite(step["loss"])
    assert 0 < step["grad_norm"] < 1e3
    assert step["rlvr/unscored"] == 0
