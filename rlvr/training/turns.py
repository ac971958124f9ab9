"""Step rewards in training: kept from a batch, and credited to the turns that earned them.

`kept` is shared by PPO, which rewards single tokens, and by `ReturnsFromTurns`, which gives GRPO's groups an advantage
per turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rlvr.adapters.trl.rows import EPISODE_COLUMN
from rlvr.core.errors import OptionError

if TYPE_CHECKING:
    from rlvr.adapters.trl.trainer_types import TrlTrainer
else:
    TrlTrainer = object


class KeepsStepRewards(TrlTrainer):
    """A mixin before the class of a TRL trainer that keeps each batch's rewards and step rewards.

    Attributes:
        kept_rewards: (N, F): of all processes' rows, by each reward function.
        kept_steps: The step rewards of each of this process's rows, one per turn, times their function's weight.
    """

    def _calculate_rewards(self, inputs: list[dict[str, Any]], *args: Any, **kwargs: Any) -> Tensor:
        self.kept_rewards: Tensor = super()._calculate_rewards(inputs, *args, **kwargs)
        weights: list[float] = [
            float(weight)
            for function, weight in zip(self.reward_funcs, self.reward_weights, strict=True)
            if getattr(function, "has_step_rewards", False)
        ]
        weight = sum(weights)
        episodes = [row.get(EPISODE_COLUMN) for row in inputs]
        self.kept_steps = [
            [weight * reward for reward in getattr(episode, "step_rewards", ())]
            for episode in episodes
        ]
        return self.kept_rewards

    def chosen_tokens(self, batch: dict[str, Tensor]) -> Tensor:
        """Return a mask (B, T), True for the tokens that the policy chose."""
        chosen = batch["completion_mask"].bool()
        if "tool_mask" in batch:
            chosen &= batch["tool_mask"].bool()
        return chosen


class ReturnsFromTurns(KeepsStepRewards):
    """A mixin before `GRPOTrainer`: a turn's tokens have the advantage of what came from that turn on.

    What a rollout earned from turn k on is compared with what the others of its group earned from theirs, and divided by
    that spread where TRL divides (`scale_rewards`). A group of which no other has k turns gives that turn no advantage.
    """

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Tensor]:
        batch: dict[str, Tensor] = super()._generate_and_score_completions(inputs)
        if self.multi_objective_aggregation != "sum_then_normalize":
            raise OptionError(
                "turn_returns sums the rewards before it compares: leave multi_objective_aggregation as it is."
            )
        start = self.accelerator.process_index * len(inputs)
        rewards = self.kept_rewards[start : start + len(inputs)]
        scores = (rewards * self.reward_weights.to(rewards.device)).nansum(dim=1)
        scores[rewards.isnan().all(dim=1)] = torch.nan
        chosen = self.chosen_tokens(batch)
        turns = turn_numbers(chosen)
        returns = returns_from_turns(scores, self.kept_steps, turns)
        padded = self.accelerator.pad_across_processes(returns, dim=1, pad_index=torch.nan)
        every = self.accelerator.gather(padded)
        group = self.num_generations if self.model.training else self.num_generations_eval
        advantages = advantages_of_turns(every, group, self.scale_rewards)
        local = advantages[start : start + len(inputs)]
        batch["advantages"] = torch.where(chosen, local.gather(1, turns.clamp(min=0)), 0.0)
        return batch


def turn_numbers(mask: Tensor) -> Tensor:
    """Return the number of the turn that each token belongs to, (B, T), from 0; -1 before the first.

    Args:
        mask: True for the policy's tokens. A turn is a run of them, since an environment's tokens stand between two.
    """
    before = torch.cat([torch.zeros_like(mask[:, :1]), mask[:, :-1]], dim=1)
    return (mask & ~before).long().cumsum(1) - 1


def on_turn_ends(step_rewards: Sequence[Sequence[float]], mask: Tensor) -> Tensor:
    """Return step rewards as a tensor (B, T): each on the last token of its turn, and 0 elsewhere.

    Args:
        step_rewards: For each rollout, the rewards of its turns; empty if it has none.
        mask: True for the policy's tokens.

    A rollout with another number of turns in its mask (one that TRL has masked as a whole) gets zeros.
    """
    following = torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], dim=1)
    placed = torch.zeros(mask.shape, device=mask.device)
    for row, rewards in enumerate(step_rewards):
        ends = (mask[row] & ~following[row]).nonzero().flatten()
        if rewards and len(ends) == len(rewards):
            placed[row, ends] = torch.tensor(list(rewards), dtype=placed.dtype, device=mask.device)
    return placed


def returns_from_turns(
    scores: Tensor, step_rewards: Sequence[Sequence[float]], turns: Tensor
) -> Tensor:
    """Return what each rollout earned from each of its turns on, (B, K); NaN for turns that it doesn't have.

    Args:
        scores: (B,), the rewards with all step rewards in them; NaN for unscored rows.
        step_rewards: Of each rollout; a rollout without any has its score from every turn on.
        turns: (B, T), the numbers of the tokens' turns.
    """
    counts = turns.amax(dim=1) + 1
    most = max(1, int(counts.max()))
    returns = torch.full((len(scores), most), torch.nan, device=scores.device)
    for row, rewards in enumerate(step_rewards):
        count = int(counts[row])
        earned = 0.0
        for turn in range(count):
            returns[row, turn] = scores[row] - earned
            earned += rewards[turn] if len(rewards) == count else 0.0
    return returns


def advantages_of_turns(returns: Tensor, group: int, scale: str) -> Tensor:
    """Return each turn's advantage within its group, (N, K); 0 where there is no return to compare.

    Args:
        returns: (N, K), of the rows of all processes, group after group.
        group: Rollouts per prompt.
        scale: TRL's `scale_rewards`: group, batch or none.
    """
    grouped = returns.view(-1, group, returns.shape[1])
    centred = grouped - grouped.nanmean(dim=1, keepdim=True)
    if scale != "none":
        within = grouped if scale == "group" else returns[None]
        mean = within.nanmean(dim=1, keepdim=True)
        count = (~within.isnan()).sum(dim=1, keepdim=True)
        squares = (within - mean).square().nansum(dim=1, keepdim=True)
        centred = centred / ((squares / (count - 1).clamp(min=1)).sqrt() + 1e-4)
    return centred.view_as(returns).nan_to_num(0.0)
