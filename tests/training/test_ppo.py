"""PPO's trainer: what it computes, against numbers from elsewhere."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import torch
from transformers import (
    AutoModelForCausalLM,
)

from rlvr.training.ppo import PPOTrainer
from tests.training.ppo_case import (
    PROMPTS,
    TOKENIZER,
    batch_of,
    digits,
    logps_of,
    none,
    rollout,
    saved,
    steps,
    trainer,
)


@pytest.mark.parametrize("lam", [0.0, 0.9, 1.0])
def test_a_batchs_advantages_are_those_of_its_rewards_and_values(
    tmp_path: Path, lam: float
) -> None:
    ppo = trainer(tmp_path, rollout_func=rollout, lam=lam, gamma=0.99, whiten_advantages=False)
    ppo.value_model.linear.weight.data.normal_(0, 0.1)
    batch = batch_of(ppo)
    mask = batch["tool_mask"].bool()
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    hidden = ppo.model.model(input_ids=ids, attention_mask=attention).last_hidden_state
    values = ppo.value_model(hidden)[:, -batch["completion_ids"].shape[1] - 1 : -1]
    torch.testing.assert_close(batch["values"][mask], values[mask])
    rollouts = rollout(PROMPTS, ppo)
    texts = TOKENIZER.batch_decode(rollouts["completion_ids"], skip_special_tokens=True)
    for b, score in enumerate(digits(texts)):
        own = [t for t, is_own in enumerate(rollouts["env_mask"][b]) if is_own]
        assert mask[b].nonzero().flatten().tolist() == own
        v = [values[b, t].item() for t in own] + [0.0]
        deltas = [0.99 * v[i + 1] - v[i] for i in range(len(own))]
        deltas[-1] += score
        for i, t in enumerate(own):
            expected = sum((0.99 * lam) ** (k - i) * deltas[k] for k in range(i, len(own)))
            assert batch["advantages"][b, t].item() == pytest.approx(expected, abs=1e-5)
            assert batch["returns"][b, t].item() == pytest.approx(expected + v[i], abs=1e-5)


def test_the_loss_is_the_papers(tmp_path: Path) -> None:
    """Clipped surrogate and clipped squared error, token by token in Python."""
    ppo = trainer(tmp_path, rollout_func=rollout, vf_coef=0.3, cliprange_value=0.1, epsilon=0.2)
    batch = batch_of(ppo)
    dice = torch.Generator().manual_seed(0)
    shape = batch["completion_ids"].shape
    logps = logps_of(ppo.model, batch)
    old = batch["old_per_token_logps"] = logps + torch.randn(shape, generator=dice) * 0.4
    advantages = batch["advantages"] = torch.randn(shape, generator=dice)
    old_values = batch["values"] = torch.randn(shape, generator=dice) * 0.3  # the head's are all 0
    returns = batch["returns"] = torch.randn(shape, generator=dice)
    ppo.current_gradient_accumulation_steps = 1
    loss = ppo._compute_loss(ppo.model, batch).item()
    policy = value = clipped_values = 0.0
    where = batch["tool_mask"].nonzero().tolist()
    for b, t in where:
        ratio = math.exp(logps[b, t] - old[b, t])
        a = advantages[b, t].item()
        policy += -min(ratio * a, min(max(ratio, 0.8), 1.2) * a)
        v, r = old_values[b, t].item(), returns[b, t].item()
        near = v + min(max(0 - v, -0.1), 0.1)
        value += max((0 - r) ** 2, (near - r) ** 2) / 2
        clipped_values += (near - r) ** 2 > r**2
    tokens = len(where)
    assert loss == pytest.approx(policy / tokens + 0.3 * value / tokens, rel=1e-4)
    metrics = ppo._metrics["train"]
    assert metrics["ppo/value_loss"][-1] == pytest.approx(value / tokens, rel=1e-4)
    assert metrics["ppo/value_clip_ratio"][-1] == pytest.approx(clipped_values / tokens, abs=1e-5)
    shift = [logps[b, t].item() - old[b, t].item() for b, t in where]
    approx_kl = sum(math.exp(x) - 1 - x for x in shift) / tokens
    assert metrics["ppo/approx_kl"][-1] == pytest.approx(approx_kl, rel=1e-4)


def test_kl_in_the_reward(tmp_path: Path) -> None:
    """With γ = λ = 1 and V = 0 an advantage is the score less all KL from there on."""
    options = {"beta": 0.1, "lam": 1.0, "whiten_advantages": False, "rollout_func": rollout}
    ppo = trainer(tmp_path, model=saved(tmp_path / "reference"), **options)
    with torch.no_grad():
        for parameter in ppo.model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    batch = batch_of(ppo)
    reference = AutoModelForCausalLM.from_pretrained(tmp_path / "reference")
    kl = logps_of(ppo.model, batch) - logps_of(reference, batch)
    mask = batch["tool_mask"].bool()
    assert kl[mask].abs().mean() > 0.01
    texts = TOKENIZER.batch_decode(
        rollout(PROMPTS, ppo)["completion_ids"], skip_special_tokens=True
    )
    for b, score in enumerate(digits(texts)):
        own = mask[b].nonzero().flatten().tolist()
        for i, t in enumerate(own):
            expected = score - 0.1 * sum(kl[b, k].item() for k in own[i:])
            assert batch["advantages"][b, t].item() == pytest.approx(expected, abs=1e-5)
    metrics = ppo._metrics["train"]
    assert metrics["ppo/kl_k1"][-1] == pytest.approx(kl[mask].mean().item(), abs=1e-5)
    assert metrics["kl"][-1] == pytest.approx(((-kl).exp() - 1 + kl)[mask].mean().item(), abs=1e-5)
    # and so not in the loss: it doesn't change with beta, which is as it was
    ppo.current_gradient_accumulation_steps = 1
    loss = ppo._compute_loss(ppo.model, batch).item()
    assert ppo.beta == 0.1
    ppo.beta = 10.0
    assert ppo._compute_loss(ppo.model, batch).item() == loss


def test_kl_in_the_loss(tmp_path: Path) -> None:
    options = {"lam": 1.0, "whiten_advantages": False, "rollout_func": rollout, "kl_in": "loss"}
    ppo = trainer(tmp_path, model=saved(tmp_path / "reference"), beta=0.1, **options)
    with torch.no_grad():
        for parameter in ppo.model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    batch = batch_of(ppo)
    texts = TOKENIZER.batch_decode(
        rollout(PROMPTS, ppo)["completion_ids"], skip_special_tokens=True
    )
    mask = batch["tool_mask"].bool()
    for b, score in enumerate(digits(texts)):  # the advantages know nothing of it
        assert batch["advantages"][b][mask[b]].tolist() == pytest.approx(
            [score] * int(mask[b].sum())
        )
    reference = AutoModelForCausalLM.from_pretrained(tmp_path / "reference")
    kl = logps_of(ppo.model, batch) - logps_of(reference, batch)
    k3 = ((-kl).exp() - 1 + kl)[mask].mean().item()
    ppo.current_gradient_accumulation_steps = 1
    losses = []
    for beta in (0.1, 0.3):
        ppo.beta = beta
        losses.append(ppo._compute_loss(ppo.model, batch).item())
    assert losses[1] - losses[0] == pytest.approx(0.2 * k3, rel=1e-3)
    assert ppo._metrics["train"]["kl"][-1] == pytest.approx(k3, rel=1e-4)


def test_whitened_over_the_steps_alone(tmp_path: Path) -> None:
    batch = batch_of(trainer(tmp_path, rollout_func=rollout))
    mask = batch["tool_mask"].bool()
    assert batch["advantages"][mask].mean().item() == pytest.approx(0, abs=1e-5)
    assert batch["advantages"][mask].std(unbiased=False).item() == pytest.approx(1, abs=1e-3)
    assert not batch["advantages"][~mask].any()


def test_rewards_are_weighted_and_a_row_without_any_is_out(tmp_path: Path) -> None:
    def some(completions: Sequence[str], **_: Any) -> list[float | None]:
        return [None, None, *[1.0] * (len(completions) - 2)]

    def others(completions: Sequence[str], **_: Any) -> list[float | None]:
        return [None, 1.0, *[1.0] * (len(completions) - 2)]

    options = {"reward_weights": [2.0, 0.5], "lam": 1.0, "whiten_advantages": False}
    ppo = trainer(tmp_path, [some, others], rollout_func=rollout, **options)  # type: ignore[arg-type]
    advantages = batch_of(ppo)["advantages"]
    assert [a[0].item() for a in advantages] == [0, 0.5, *[2.5] * 6]
    assert ppo._metrics["train"]["ppo/unscored"] == [1 / 8]


# Unscored rows


def gradients(ppo: PPOTrainer) -> list[torch.Tensor]:
    batch = batch_of(ppo)
    ppo.current_gradient_accumulation_steps = 1
    ppo._compute_loss(ppo.model, batch).backward()
    return [p.grad for m in (ppo.model, ppo.value_model) for p in m.parameters()]


@pytest.mark.parametrize("missing", [None, math.nan, math.inf])
@pytest.mark.parametrize("value_model", ["head", "policy"])
def test_gradients_are_those_of_the_batch_without_the_unscored(
    tmp_path: Path, missing: float | None, value_model: str
) -> None:
    out = {1, 4, 7}

    def holes(prompts: Sequence[str], completions: Sequence[str], **_: Any) -> list[float | None]:
        found = digits(completions)
        return [
            missing if PROMPTS.index(p) in out else f for p, f in zip(prompts, found, strict=True)
        ]

    kept = [prompt for i, prompt in enumerate(PROMPTS) if i not in out]
    options = {"rollout_func": rollout, "value_model": value_model, "value_trunk_gradient": True}
    beta = {"model": saved(tmp_path / "a"), "beta": 0.1}
    with_holes = gradients(trainer(tmp_path, holes, **options, **beta))
    without = gradients(trainer(tmp_path, digits, kept, **options, **copy.deepcopy(beta)))
    assert sum(g.abs().sum() for g in without) > 0
    for one, other in zip(with_holes, without, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("value_model", ["head", "policy"])
def test_a_step_without_a_scored_row_changes_nothing(tmp_path: Path, value_model: str) -> None:
    def broken_at_the_second(completions: Any, trainer_state: Any, **_: Any) -> list[float | None]:
        return (none if trainer_state.global_step == 1 else digits)(completions)

    options = {"max_steps": 3, "weight_decay": 0.1, "value_model": value_model}
    ppo, after = steps(tmp_path, broken_at_the_second, **options)
    for first, second, third, fourth in zip(*after, strict=True):
        assert not torch.equal(first, second)
        assert torch.equal(second, third)  # though Adam has momentum, and weights decay
        assert not torch.equal(third, fourth)
        assert fourth.isfinite().all()
    logged = [entry for entry in ppo.state.log_history if "ppo/unscored" in entry]
    assert [entry["ppo/unscored"] for entry in logged] == [0, 1, 0]
    assert logged[1]["loss"] == 0
    for entry in logged:
        assert all(math.isfinite(v) for v in entry.values() if v is not None)


def test_truncated_completions_are_out_where_they_are_to_be_masked(tmp_path: Path) -> None:
    batch = batch_of(trainer(tmp_path, rollout_func=rollout, mask_truncated_completions=True))
    assert not batch["tool_mask"].any()  # none of them ends with the end token
    assert not batch["advantages"].any()
    assert batch["num_items_in_batch"] == 0


# The value model beside the policy
