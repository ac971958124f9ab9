"""The ways to train: each trainer, all weights or adapters, one turn or several; and runs that are compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

import rlvr
from rlvr.runs.run import read_rollouts
from rlvr.training.config import TrainConfig
from rlvr.training.train import TrainOutcome, train
from tests.training.test_train import Twice, easy, ends_in_even

# TRL's RLOO plays no turns. An environment whose verifier waits is played by `rollout` too.
TRAINERS = ("grpo", "rloo", "ppo", "grpo_turns", "ppo_turns")
WAYS = tuple(f"{trainer}-{weights}" for trainer in TRAINERS for weights in ("all", "lora"))


def environment(way: str, verifier: Any = ends_in_even, count: int = 40) -> rlvr.Environment:
    """Return an environment with the way's number of turns."""
    env = easy(count, verifier=verifier)
    return Twice(env.tasks, verifier, max_turns=2, name="easy") if "_turns" in way else env


def config_of(way: str, model: str, env: Any = None, **changes: Any) -> TrainConfig:
    """Return the configuration of a short run of this way, with changes."""
    trainer, _, weights = way.partition("-")
    options: dict[str, Any] = {
        "steps": 3, "batch": 16, "group": 4, "max_tokens": 24 if "_turns" in way else 12,
        "learning_rate": 1e-3, "warmup_steps": 0, "save_every": 1,
        "lora": 4 if weights == "lora" else None, "trainer": trainer.removesuffix("_turns"),
    }  # fmt: skip
    return TrainConfig(model, env or environment(way), **options | changes)


def run(way: str, model: str, path: Path, env: Any = None, **changes: Any) -> TrainOutcome:
    return train(config_of(way, model, env, **changes), path)


def weights(outcome: TrainOutcome, folder: str = "model") -> torch.Tensor:
    """Return all weights of a saved model, as one vector."""
    files = (outcome.run / folder).glob("*model.safetensors")
    (file,) = (file for file in files if not file.name.startswith("value"))
    return torch.cat([value.flatten().double() for _, value in sorted(load_file(file).items())])


def texts(outcome: TrainOutcome, part: str = "train") -> list[Any]:
    """Return the generated texts, in order."""
    return [
        (row["step"], row["task"], row["messages"])
        for row in read_rollouts(outcome.run)
        if row["part"] == part
    ]


def logged(outcome: TrainOutcome) -> list[dict[str, Any]]:
    """Return the metrics of each training step."""
    lines = (outcome.run / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if "reward" in row]
