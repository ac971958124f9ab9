"""The options of PPO: TRL's `GRPOConfig` and a few of PPO's own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trl import GRPOConfig

from rlvr.core.errors import OptionError


@dataclass
class PPOConfig(GRPOConfig):  # type: ignore[misc]
    """What TRL's `GRPOConfig` has, and PPO's own.

    Of TRL's, `epsilon` clips the policy's ratio, `num_iterations` is the number of PPO epochs,
    `steps_per_generation / gradient_accumulation_steps` the number of mini-batches, `beta` the
    weight of the KL. Those that only make sense with groups (`scale_rewards`) are ignored, those
    that make another objective (`loss_type`) are refused.

    Attributes:
        num_generations: completions of each prompt in a batch; PPO needs no group, so 1 will do.
        value_model: what predicts the return. "head": a linear layer on the policy's last hidden
            state. "policy": a model of its own that starts as a copy of the policy. Otherwise the
            path of a sequence classification checkpoint (a reward model), with its head.
        value_trunk_gradient: with "head", whether the value's loss trains the policy's trunk as well.
        value_learning_rate: of the value model or head; follows the policy's schedule.
        value_warmup_steps: first so many optimizer steps train the value alone.
        vf_coef: weight of the value's loss (c1 in the paper).
        cliprange_value: how far a value may go from what it was when the batch was sampled; None
            doesn't clip.
        gamma: discount, per token.
        lam: λ of GAE, per token; 1 is the return less the value, 0 one step ahead.
        whiten_advantages: to mean 0 and variance 1 over all tokens of a batch.
        kl_in: "reward" puts -beta·(log π - log π_ref) on each token's reward, "loss" adds TRL's
            beta·k3 to the loss.
    """

    num_generations: int = 1
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
            # TRL refuses groups of one, since GRPO has its baseline from the group: a check to get
            # past, with the largest group that divides the batch.
            self.num_generations_eval = self.num_generations_eval or 1
            steps = self.steps_per_generation or self.gradient_accumulation_steps
            batch = self.generation_batch_size or self.per_device_train_batch_size * steps
            if batch < 2:
                raise OptionError(
                    "A batch of one rollout has no spread to whiten advantages by; raise "
                    "per_device_train_batch_size or gradient_accumulation_steps."
                )
            self.num_generations = batch
        super().__post_init__()
        self.num_generations = completions
        self._check()

    def _check(self) -> None:
        if self.kl_in not in ("reward", "loss"):
            raise OptionError(f"kl_in is 'reward' or 'loss', not {self.kl_in!r}.")
        if not self.value_model:
            raise OptionError("value_model is 'head', 'policy' or the path of a reward model.")
        for name in ("gamma", "lam"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name} is between 0 and 1, not {getattr(self, name)}.")
        for name in ("vf_coef", "value_learning_rate", "cliprange_value"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise OptionError(f"{name} is above 0, not {value}.")
        if self.value_warmup_steps < 0:
            raise OptionError(f"value_warmup_steps is at least 0, not {self.value_warmup_steps}.")
        for name, only in (
            ("loss_type", "dapo"),  # TRL's name for the mean over tokens
            ("importance_sampling_level", "token"),
            ("multi_objective_aggregation", "sum_then_normalize"),
        ):
            if getattr(self, name) != only:
                raise OptionError(
                    f"PPO's objective is the mean over tokens of their own clipped ratios: "
                    f"{name} stays {only!r}, not {getattr(self, name)!r}."
                )
        if self.save_strategy == "steps" and self.save_steps % self.updates_per_batch:
            raise OptionError(
                f"save_steps={self.save_steps} would save between two epochs or mini-batches, and "
                f"a resumed run has lost the batch: make it a multiple of {self.updates_per_batch}."
            )

    @property
    def updates_per_batch(self) -> int:
        """Optimizer steps from one generated batch to where the next one begins an optimizer step."""
        passes = self.num_iterations * self.steps_per_generation
        return (
            math.lcm(passes, self.gradient_accumulation_steps) // self.gradient_accumulation_steps
        )
