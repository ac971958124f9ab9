"""PPO's arithmetic, on tensors alone: rewards of tokens, advantages, and the value's loss.

All tensors are (B, T): B rollouts of T completion tokens, padded on the right. `mask` is true where
the policy chose the token and its rollout was scored; elsewhere (padding, an environment's tokens,
unscored rollouts) there's no step of the episode, whatever the other tensors hold there, NaN
included. Episodes are counted in the policy's tokens: the step before an environment's answer is
followed by the step after it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Total = Callable[[Tensor], Tensor]
"""Sums a tensor over all processes."""


def token_rewards(scores: Tensor, kl: Tensor, mask: Tensor, beta: float) -> Tensor:
    """The reward of each token: -beta·kl, and the rollout's score on the last (Ziegler et al. 2019).

    A rollout cut at the length limit was judged as it stands, so its last token is its end too.

    Args:
        scores: (B,), what the reward functions gave; may be NaN where the mask has no token.
        kl: log π(token) - log π_ref(token) of the policy that sampled: the estimator k1.
        mask: the policy's tokens in scored rollouts.
        beta: weight of the KL.
    """
    steps = mask.cumsum(1)
    last = mask & (steps == steps[:, -1:])
    return (-beta * kl).masked_fill(~mask, 0) + torch.where(last, scores[:, None], 0)


def advantages_and_returns(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (Schulman et al. 2016, equation 16), and the value's targets.

    δ_t = r_t + γ·V(s_t+1) - V(s_t), A_t = δ_t + γλ·A_t+1, and the return is A_t + V(s_t). Nothing
    follows the last step: the value behind it is 0. Both are 0 where there's no step.
    """
    advantages = torch.zeros_like(values)
    next_value = next_advantage = torch.zeros_like(values[:, 0])
    for t in reversed(range(values.shape[1])):
        step = mask[:, t]
        advantage = rewards[:, t] + gamma * (next_value + lam * next_advantage) - values[:, t]
        advantages[:, t] = torch.where(step, advantage, 0)
        next_advantage = torch.where(step, advantage, next_advantage)
        next_value = torch.where(step, values[:, t], next_value)
    return advantages, torch.where(mask, advantages + values, 0)


def moments(x: Tensor, mask: Tensor, total: Total) -> tuple[Tensor, Tensor]:
    """Mean and (biased) variance of `x` over the mask, in all processes; 0 and 0 where it's empty."""
    count = total(mask.sum()).clamp(min=1)
    mean = total(x.masked_fill(~mask, 0).sum()) / count
    return mean, total((x - mean).masked_fill(~mask, 0).square().sum()) / count


def whiten(x: Tensor, mask: Tensor, total: Total) -> Tensor:
    """`x` with mean 0 and variance 1 over the mask in all processes, and 0 elsewhere."""
    mean, variance = moments(x, mask, total)
    return ((x - mean) * torch.rsqrt(variance + 1e-8)).masked_fill(~mask, 0)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor, total: Total) -> Tensor:
    """1 - Var(returns - values) / Var(returns); NaN where all returns are the same."""
    spread = moments(returns, mask, total)[1]
    left = moments(returns - values, mask, total)[1]
    return torch.where(spread > 1e-12, 1 - left / spread, torch.nan)


def value_losses(
    values: Tensor, old_values: Tensor, returns: Tensor, clip: float | None
) -> tuple[Tensor, Tensor]:
    """½(V - R)² of each token, or of V kept within `clip` of its old value where that is worse.

    The clipping is of PPO's own code (Engstrom et al. 2020, section 3), not of its paper.

    Returns:
        The losses, and where the clipped one was the larger: there the value gets no gradient.
    """
    losses = (values - returns).square() / 2
    if clip is None:
        return losses, torch.zeros_like(losses, dtype=torch.bool)
    near = old_values + (values - old_values).clamp(-clip, clip)
    clipped = (near - returns).square() / 2
    return torch.maximum(losses, clipped), clipped > losses
