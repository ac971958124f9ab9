"""The options of PPO: those of TRL's `GRPOConfig`, and PPO's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from trl import GRPOConfig

from rlvr.core.errors import OptionError


@dataclass
class PPOConfig(GRPOConfig):  # type: ignore[misc]
    """The options of TRL's `GRPOConfig`, and PPO's own.

    Among TRL's, `epsilon` clips the policy's ratio, `num_iterations` is the number of PPO epochs, `steps_per_generation /
    gradient_accumulation_steps` the number of mini-batches, and `beta` the KL's weight.

    Attributes:
        num_generations: Completions per prompt in a batch. PPO needs no group, so 1 suffices.
        value_model: The model that predicts the return. "head": a linear layer on the policy's last hidden
            state. "policy": a model of its own that starts as a copy of the policy. Otherwise the
            path of a reward model: a sequence classification checkpoint, used with its head.
        value_trunk_gradient: True if, with "head", the value's loss also trains the policy's trunk.
        value_learning_rate: Learning rate of the value model or head, with the policy's schedule.
        value_warmup_steps: Number of first optimizer steps that train the value alone.
        vf_coef: Weight of the value's loss, c1 in the paper.
        cliprange_value: Largest change of a value since the batch was sampled, or None.
        gamma: Discount, per token.
        lam: λ of GAE, per token: 1 is the return minus the value, 0 looks one step ahead.
        whiten_advantages: True to normalise advantages to mean 0 and variance 1 over all tokens of a batch.
        kl_in: "reward" subtracts beta·(log π - log π_ref) from each token's reward, and "loss" adds TRL's
            beta·k3 to the loss.
    """

    num_generations: int = 1
    num_generations_eval: int | None = None
    value_model: str = "head"
    value_trunk_gradient: bool = False
    value_learning_rate: float = 1e-5
    value_warmup_steps: int = 0
    vf_coef: float = 0.5
    cliprange_value: float | None = 0.2
    gamma: float = 1.0
    lam: float = 0.95
    whiten_advantages: bool = True
    kl_in: str = "reward"

    def __post_init__(self) -> None:
        completions = self.num_generations
        if completions == 1:
            # TRL refuses groups of one, which have no baseline in GRPO: a group of the whole batch passes its check.
            steps: int = self.steps_per_generation or self.gradient_accumulation_steps
            batch: int = self.generation_batch_size or self.per_device_train_batch_size * steps
            _require(batch > 1, "per_device_train_batch_size", batch, "at least 2, to whiten by")
            self.num_generations, self.num_generations_eval = batch, self.num_generations_eval or 1
        super().__post_init__()
        self.num_generations = completions
        passes = self.num_iterations * self.steps_per_generation
        accumulated: int = self.gradient_accumulation_steps
        updates = math.lcm(passes, accumulated) // accumulated

        _require(self.kl_in in ("reward", "loss"), "kl_in", self.kl_in, "'reward' or 'loss'")
        for name in ("gamma", "lam"):
            _require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "between 0 and 1")
        for name in ("vf_coef", "value_learning_rate", "cliprange_value"):
            value = getattr(self, name)
            _require(value is None or value > 0, name, value, "above 0")
        warmup = self.value_warmup_steps
        _require(warmup >= 0, "value_warmup_steps", warmup, "at least 0")
        for name, only in (
            ("loss_type", "dapo"),
            ("importance_sampling_level", "token"),
            ("multi_objective_aggregation", "sum_then_normalize"),
        ):
            value = getattr(self, name)
            _require(value == only, name, value, f"{only!r} in PPO, a mean over all tokens")
        resumable = self.save_strategy != "steps" or self.save_steps % updates == 0
        requirement = (
            f"a multiple of {updates}, since a run resumed between epochs has lost their batch"
        )
        _require(resumable, "save_steps", self.save_steps, requirement)


def _require(holds: bool, name: str, value: Any, requirement: str) -> None:
    if not holds:
        raise OptionError(f"{name} is {requirement}, not {value!r}.")
