"""PPO's arithmetic against numbers worked by hand and against the definition, written out naively."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import torch

from rlvr.training.ppo.gae import (
    advantages_and_returns,
    moments,
    token_rewards,
    value_losses,
    whiten,
)
from rlvr.training.turns import advantages_of_turns, on_turn_ends, returns_from_turns, turn_numbers


def alone(x: torch.Tensor) -> torch.Tensor:
    return x


def row(*numbers: float) -> torch.Tensor:
    return torch.tensor([numbers], dtype=torch.float64)


def naive(
    rewards: list[float], values: list[float], gamma: float, lam: float
) -> tuple[list[float], list[float]]:
    """Equation 16 as it stands: A_t = Σ (γλ)^k δ_t+k, of an episode without holes."""
    following = [*values[1:], 0.0][: len(values)]
    deltas = [r + gamma * n - v for r, n, v in zip(rewards, following, values, strict=True)]
    advantages = [
        sum((gamma * lam) ** (k - t) * deltas[k] for k in range(t, len(deltas)))
        for t in range(len(deltas))
    ]
    return advantages, [a + v for a, v in zip(advantages, values, strict=True)]


def test_advantages_worked_by_hand() -> None:
    # δ = 0.9·0.4-0.5, 0.9·0.3-0.4, 1-0.3 = -0.14, -0.13, 0.7 and γλ = 0.72
    advantages, returns = advantages_and_returns(
        row(0, 0, 1), row(0.5, 0.4, 0.3), row(1, 1, 1).bool(), gamma=0.9, lam=0.8
    )
    assert advantages[0].tolist() == pytest.approx([0.12928, 0.374, 0.7])
    assert returns[0].tolist() == pytest.approx([0.62928, 0.774, 1.0])


@pytest.mark.parametrize("seed", range(20))
def test_advantages_are_the_definitions_whatever_stands_between_the_steps(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    batch, length = 6, 11
    mask = torch.rand(batch, length, generator=generator) < 0.6  # holes anywhere, and cut anywhere
    mask[0] = False  # an unscored row
    gamma, lam = torch.rand(2, generator=generator).tolist()
    rewards = torch.randn(batch, length, generator=generator)
    values = torch.randn(batch, length, generator=generator)
    advantages, returns = advantages_and_returns(
        rewards.masked_fill(~mask, math.nan), values.masked_fill(~mask, math.nan), mask, gamma, lam
    )
    assert not advantages[~mask].any()
    assert not returns[~mask].any()
    for b in range(batch):
        steps = mask[b]
        expected = naive(rewards[b][steps].tolist(), values[b][steps].tolist(), gamma, lam)
        assert advantages[b][steps].tolist() == pytest.approx(expected[0], abs=1e-5)
        assert returns[b][steps].tolist() == pytest.approx(expected[1], abs=1e-5)


def test_an_environments_tokens_cost_no_discount() -> None:
    mask = row(1, 1, 0, 0, 0, 1).bool()
    holes, _ = advantages_and_returns(
        row(0, 0, 9, 9, 9, 1), row(0.5, 0.4, 9, 9, 9, 0.3), mask, gamma=0.9, lam=0.8
    )
    assert holes[0][mask[0]].tolist() == pytest.approx([0.12928, 0.374, 0.7])


def test_lambda_1_is_the_return_less_the_value_and_lambda_0_one_step_ahead() -> None:
    values, mask = row(0.5, 0.4, 0.3), row(1, 1, 1).bool()
    rewards = token_rewards(torch.tensor([1.0]), torch.zeros(1, 3), mask, beta=0.0)
    whole, returns = advantages_and_returns(rewards, values, mask, gamma=1.0, lam=1.0)
    assert whole[0].tolist() == pytest.approx([0.5, 0.6, 0.7])
    assert returns[0].tolist() == pytest.approx([1.0, 1.0, 1.0])
    step, _ = advantages_and_returns(rewards, values, mask, gamma=1.0, lam=0.0)
    assert step[0].tolist() == pytest.approx([-0.1, -0.1, 0.7])


def test_the_score_is_on_the_last_step_and_the_kl_on_each() -> None:
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]]).bool()
    kl = torch.tensor([[0.1, -0.2, 0.3, 9], [0.5, 9, 0.1, 9], [9, 9, 9, math.nan]])
    rewards = token_rewards(torch.tensor([1.0, 0.5, math.nan]), kl, mask, beta=0.1)
    assert rewards[0].tolist() == pytest.approx([-0.01, 0.02, 0.97, 0])
    assert rewards[1].tolist() == pytest.approx([-0.05, 0, 0.49, 0])
    assert rewards[2].tolist() == [0, 0, 0, 0]


def test_step_rewards_are_on_the_last_tokens_of_their_turns() -> None:
    """Three turns end at tokens 3, 7 and 12; advantages are summed by hand from the definition."""
    mask = row(1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 1, 1, 1, 0).bool()
    steps = on_turn_ends([[0.25, -0.5, 0.125]], mask)
    assert {t: steps[0, t].item() for t in steps[0].nonzero().flatten().tolist()} == {
        3: 0.25, 7: -0.5, 12: 0.125,
    }  # fmt: skip
    rewards = token_rewards(torch.tensor([0.875]), torch.zeros(1, 14), mask, 0.0, steps)
    assert rewards.sum().item() == pytest.approx(0.875, abs=1e-6)
    assert rewards[0, 12].item() == pytest.approx(0.125 + 1.0, abs=1e-6)  # the verifier's 1.0, too
    values = torch.linspace(0.1, 0.9, 14)[None]
    gamma, lam = 0.95, 0.9
    advantages, _ = advantages_and_returns(rewards, values, mask, gamma, lam)
    turns = [t for t in range(14) if mask[0, t]]
    given = {3: 0.25, 7: -0.5, 12: 1.125}
    for start, t in enumerate(turns):
        expected = 0.0
        for ahead, u in enumerate(turns[start:]):
            following = turns[turns.index(u) + 1] if u != turns[-1] else None
            after = values[0, following].item() if following is not None else 0.0
            delta = given.get(u, 0.0) + gamma * after - values[0, u].item()
            expected += (gamma * lam) ** ahead * delta
        assert advantages[0, t].item() == pytest.approx(expected, abs=1e-6)


def test_returns_from_each_turn_are_compared_within_the_group() -> None:
    mask = torch.tensor([[1, 1, 0, 1, 0], [1, 0, 1, 1, 0], [1, 1, 1, 0, 0], [0, 1, 0, 1, 0]]).bool()
    turns = turn_numbers(mask)
    assert turns.tolist() == [[0, 0, 0, 1, 1], [0, 0, 1, 1, 1], [0] * 5, [-1, 0, 0, 1, 1]]
    scores = torch.tensor([1.5, 0.25, 1.0, math.nan])
    returns = returns_from_turns(scores, [[0.5, 0.0], [0.25, 0.0], [0.0], [0.0, 0.0]], turns)
    assert torch.allclose(
        returns,
        torch.tensor([[1.5, 1.0], [0.25, 0.0], [1.0, math.nan], [math.nan, math.nan]]),
        equal_nan=True,
    )
    plain = advantages_of_turns(returns, 4, "none")
    mean = 2.75 / 3
    expected = [[1.5 - mean, 0.5], [0.25 - mean, -0.5], [1 - mean, 0], [0, 0]]
    assert torch.allclose(plain, torch.tensor(expected))
    scaled = advantages_of_turns(returns, 4, "group")
    assert scaled[:, 1].tolist() == pytest.approx(
        [0.5 / (0.5**0.5 + 1e-4), -0.5 / (0.5**0.5 + 1e-4), 0, 0]
    )
    # One turn and no step rewards: TRL's own advantages.
    alone = advantages_of_turns(torch.tensor([[1.0], [0.0]]), 2, "group")
    assert alone.flatten().tolist() == pytest.approx(
        [0.5 / (0.5**0.5 + 1e-4), -0.5 / (0.5**0.5 + 1e-4)]
    )


def test_a_masked_rollout_has_no_step_rewards() -> None:
    mask = torch.tensor([[0, 0, 0], [1, 0, 1]]).bool()
    assert on_turn_ends([[0.5, 0.5], []], mask).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_whitening_sees_the_mask_alone() -> None:
    x, mask = row(1, 2, math.nan, 3, math.inf), row(1, 1, 0, 1, 0).bool()
    white = whiten(x, mask, alone)
    assert white[0].tolist() == pytest.approx([-math.sqrt(1.5), 0, 0, math.sqrt(1.5), 0])
    mean, variance = moments(x, mask, alone)
    assert (mean.item(), variance.item()) == pytest.approx((2, 2 / 3))


def test_whitening_is_over_all_processes() -> None:
    """Three sums a call, of which another process holds the half: 4 tokens of 5, say."""
    others = iter([torch.tensor(4), torch.tensor(20.0), torch.tensor(4 * 1.5**2)])
    white = whiten(row(1, 3), row(1, 1).bool(), lambda x: x + next(others))
    mean = (1 + 3 + 20) / 6
    variance = ((1 - mean) ** 2 + (3 - mean) ** 2 + 4 * 1.5**2) / 6
    expected = [(x - mean) / math.sqrt(variance) for x in (1, 3)]
    assert white[0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("numbers", [(0.7, 0.7, 0.7), (0.7,)])
def test_what_has_no_spread_is_whitened_to_zero(numbers: tuple[float, ...]) -> None:
    x = row(*numbers)
    assert whiten(x, torch.ones_like(x).bool(), alone).abs().max() < 1e-6
    assert not whiten(x, torch.zeros_like(x).bool(), alone).any()


def test_value_clipping_worked_by_hand() -> None:
    values = row(0.5, 0.5, 0.15).requires_grad_()
    old, returns = row(0.1, 0.1, 0.1), row(1.0, 0.0, 1.0)
    losses, clipped = value_losses(values, old, returns, 0.2)
    # At most 0.3 is allowed: ½·0.7² is worse than ½·0.5², ½·0.3² isn't; and 0.15 is near enough.
    assert losses[0].tolist() == pytest.approx([0.245, 0.125, 0.36125])
    assert clipped[0].tolist() == [True, False, False]
    losses.sum().backward()
    assert values.grad[0].tolist() == pytest.approx([0, 0.5, -0.85])
    free, none = value_losses(values, old, returns, None)
    assert free[0].tolist() == pytest.approx([0.125, 0.125, 0.36125])
    assert not none.any()
