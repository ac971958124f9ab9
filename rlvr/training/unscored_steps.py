"""Optimizer steps in which no row has a verdict: they leave the weights as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class SkipsUnscoredSteps:
    """Keeps one of TRL's trainers from moving by nothing; mixed in before the trainer's class.

    Where no row of a step has a reward the policy's loss is 0, but Adam's momentum, the decay of the weights and
    the KL of the loss would move them all the same.
    """

    _verdicts = 0  # rows with a reward, in the micro-batches of the step `_counted`
    _counted = -1

    def _calculate_rewards(self: Any, *args: Any, **options: Any) -> Tensor:
        self._rewards = super()._calculate_rewards(*args, **options)  # type: ignore[misc]
        return self._rewards

    def _generate_and_score_completions(self: Any, inputs: Any) -> dict[str, Any]:
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)  # type: ignore[misc]
        start = self.accelerator.process_index * len(inputs)
        rewards = self._rewards[start : start + len(inputs)]  # of all processes; (rows, functions)
        # A column of the batch: TRL shuffles and splits it as the others.
        return batch | {"has_verdict": ~rewards.isnan().all(dim=1)}

    def _compute_loss(self: Any, model: Any, inputs: dict[str, Any]) -> Tensor:
        if self.model.training:
            if self._counted != self.state.global_step:
                self._verdicts, self._counted = 0, self.state.global_step
            self._verdicts += int(inputs["has_verdict"].sum())
        loss: Tensor = super()._compute_loss(model, inputs)  # type: ignore[misc]
        return loss

    def create_optimizer(self: Any, model: Any = None) -> Any:
        """TRL's optimizer; without gradients nothing of it moves a weight."""
        made = super().create_optimizer(model)  # type: ignore[misc]
        optimizer = getattr(made, "optimizer", made)  # accelerate wraps it
        # DeepSpeed has it made twice, may bring one of its own without hooks, and steps once for each
        # group of parameters: so the count isn't put back here.
        if hasattr(optimizer, "rlvr_skips") or not hasattr(optimizer, "register_step_pre_hook"):
            return made

        def before_step(optimizer: Any, args: Any, options: Any) -> None:
            found = torch.tensor(self._verdicts, device=self.accelerator.device)
            if not self.accelerator.reduce(found, reduction="sum"):
                optimizer.zero_grad(set_to_none=True)

        optimizer.register_step_pre_hook(before_step)
        optimizer.rlvr_skips = True
        return made
