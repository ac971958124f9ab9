"""PPO's arithmetic, on tensors alone: rewards of tokens, advantages, and the value's loss.

All tensors are (B, T): B rollouts of T completion tokens, padded on the right. `mask` is True for tokens that the policy
chose in a scored rollout. Other positions (padding, an environment's tokens, unscored rollouts) are no steps, and their
values are ignored, even NaN: the step before an environment's reply is followed by the step after it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def token_rewards(
    scores: Tensor, kl: Tensor, mask: Tensor, beta: float, steps: Tensor | None = None
) -> Tensor:
    """Return the reward of each token: -beta·kl, plus the rollout's score on the last (Ziegler et al. 2019).

    A rollout that was cut at the length limit was judged as it is, so that its last token counts as its end.

    Args:
        scores: (B,), the rewards; NaN is allowed for rows without a token in the mask.
        kl: log π(token) - log π_ref(token) of the sampling policy: the estimator k1.
        mask: True for the steps.
        beta: Weight of the KL.
        steps: Rewards of single tokens that are a part of the scores; the last token gets what is left.
    """
    count = mask.cumsum(1)
    last = mask & (count == count[:, -1:])
    rewards = (-beta * kl).masked_fill(~mask, 0)
    if steps is not None:
        steps = steps.masked_fill(~mask, 0)
        rewards = rewards + steps
        scores = scores - steps.sum(1)
    return rewards + torch.where(last, scores[:, None], 0)


def advantages_and_returns(
    rewards: Tensor, values: Tensor, mask: Tensor, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Return advantages by generalised advantage estimation (Schulman et al. 2016, equation 16), and the value's targets.

    δ_t = r_t + γ·V(s_t+1) - V(s_t), A_t = δ_t + γλ·A_t+1, and the return is A_t + V(s_t). The value after the last
    step is 0. Both results are 0 outside the mask.
    """
    advantages = torch.zeros_like(values)
    next_value = next_advantage = torch.zeros_like(values[:, 0])
    for t in reversed(range(values.shape[1])):
        step = mask[:, t]
        delta = rewards[:, t] + gamma * next_value - values[:, t]
        next_advantage = torch.where(step, delta + gamma * lam * next_advantage, next_advantage)
        next_value = torch.where(step, values[:, t], next_value)
        advantages[:, t] = torch.where(step, next_advantage, 0)
    return advantages, torch.where(mask, advantages + values, 0)


def moments(x: Tensor, mask: Tensor, total: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Return mean and (biased) variance over the mask, 0 if it is empty; `total` sums over all processes."""
    count = total(mask.sum()).clamp(min=1)
    mean = total(x.masked_fill(~mask, 0).sum()) / count
    return mean, total((x - mean).masked_fill(~mask, 0).square().sum()) / count


def whiten(x: Tensor, mask: Tensor, total: Callable[[Tensor], Tensor]) -> Tensor:
    """Return `x` normalised to mean 0 and variance 1 over the mask, and 0 elsewhere; `total` is as in `moments`."""
    mean, variance = moments(x, mask, total)
    return ((x - mean) * torch.rsqrt(variance + 1e-8)).masked_fill(~mask, 0)


def value_losses(
    values: Tensor, old_values: Tensor, returns: Tensor, clip: float | None
) -> tuple[Tensor, Tensor]:
    """Return the value's loss of each token, and True for the tokens whose clipped loss counts.

    The loss is ½(V - R)², or that of V clipped to within `clip` of its old value if it is larger; then the value has no
    gradient. The clipping is of PPO's first code, not of its paper (Engstrom et al. 2020, section 3).
    """
    losses = (values - returns).square() / 2
    if clip is None:
        return losses, torch.zeros_like(losses, dtype=torch.bool)
    near = old_values + (values - old_values).clamp(-clip, clip)
    clipped = (near - returns).square() / 2
    return torch.maximum(losses, clipped), clipped > losses
