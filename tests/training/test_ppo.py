"""PPO's trainer: what it computes against numbers from elsewhere, and what it keeps its hands off."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import datasets
import torch
from transformers import (
    AutoModelForCausalLM,
    LlamaForSequenceClassification,
    TrainerCallback,
)

from rlvr.core.errors import DataError, OptionError
from rlvr.training.ppo import PPOConfig, PPOTrainer
from rlvr.training.ppo.trainer import VALUE_FILE
from rlvr.training.small_model import make_model, make_tokenizer

TOKENIZER = make_tokenizer()
PROMPTS = [f"<user>{a}+{b}=<bot>" for a, b in [(1, 2), (30, 4), (5, 6), (77, 8)]] + [
    f"<user>{a}+11=<bot>" for a in range(4)
]
Reward = Callable[..., list[float | None]]


def digits(completions: Sequence[str], **_: Any) -> list[float | None]:
    """A reward that differs from row to row: the share of digits."""
    return [sum(c.isdigit() for c in text) / 8 for text in completions]


def none(completions: Sequence[str], **_: Any) -> list[float | None]:
    return [None] * len(completions)


def rollout(prompts: list[str], trainer: Any) -> dict[str, Any]:
    """Each prompt's own completion, always the same, with an environment's answer inside."""
    completions, masks = [], []
    for prompt in prompts:
        dice = torch.Generator().manual_seed(sum(map(ord, prompt)))
        length = int(torch.randint(4, 9, (1,), generator=dice))
        completions.append(torch.randint(5, 20, (length,), generator=dice).tolist())
        masks.append([1, 1, 0, *[1] * (length - 3)])
    ids = [TOKENIZER(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    return {
        "prompt_ids": ids,
        "completion_ids": completions,
        "logprobs": [[0.0] * len(c) for c in completions],
        "env_mask": masks,
    }


def trainer(
    path: Path,
    reward: Reward = digits,
    prompts: list[str] = PROMPTS,
    model: Any = None,
    peft_config: Any = None,
    rollout_func: Any = None,
    callbacks: Any = None,
    **options: Any,
) -> PPOTrainer:
    settings: dict[str, Any] = {
        "output_dir": str(path),
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "max_steps": 1,
        "per_device_train_batch_size": len(prompts),
        "max_completion_length": 8,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "constant",
        "value_learning_rate": 1e-2,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": [],
        "disable_tqdm": True,
    }
    return PPOTrainer(
        model=model or make_model(TOKENIZER, seed=0),
        reward_funcs=reward,
        args=PPOConfig(**settings | options),
        train_dataset=datasets.Dataset.from_dict({"prompt": prompts}),
        eval_dataset=datasets.Dataset.from_dict({"prompt": prompts}),
        processing_class=TOKENIZER,
        peft_config=peft_config,
        rollout_func=rollout_func,
        callbacks=callbacks,
    )


def saved(path: Path, seed: int = 0) -> Any:
    """A model that was loaded from disk, where a reference can be loaded from again."""
    make_model(TOKENIZER, seed).save_pretrained(path)
    return AutoModelForCausalLM.from_pretrained(path)


def batch_of(ppo: PPOTrainer) -> dict[str, Any]:
    ppo.model.train()
    return ppo._generate_and_score_completions([{"prompt": p} for p in ppo.train_dataset["prompt"]])


def weights(ppo: PPOTrainer) -> tuple[torch.Tensor, torch.Tensor]:
    """All of the policy's and all of the value model's, as two vectors."""
    return tuple(
        torch.cat([p.detach().flatten() for p in module.parameters()])
        for module in (ppo.model, ppo.value_model)
    )


def logps_of(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    """(B, T) by transformers alone."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    length = batch["completion_ids"].shape[1]
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=attention).logits[:, -length - 1 : -1]
    chosen = batch["completion_ids"][:, :, None]
    return logits.log_softmax(-1).gather(-1, chosen).squeeze(-1)


class Snapshots(TrainerCallback):
    """The weights after each step."""

    def __init__(self) -> None:
        self.after: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.trainer: PPOTrainer

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.after.append(weights(self.trainer))


def steps(path: Path, reward: Reward, **options: Any) -> tuple[PPOTrainer, list[Any]]:
    """A run, and the weights of policy and value before it and after each step."""
    snapshots = Snapshots()
    ppo = trainer(path, reward, callbacks=[snapshots], **options)
    snapshots.trainer = ppo
    before = weights(ppo)
    ppo.train()
    return ppo, [before, *snapshots.after]


# What it computes


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


def test_value_warm_up_leaves_the_policy_as_it_is(tmp_path: Path) -> None:
    options = {"max_steps": 4, "value_warmup_steps": 2, "weight_decay": 0.1}
    _, after = steps(tmp_path, digits, value_trunk_gradient=True, **options)
    policies, values = zip(*after, strict=True)
    assert torch.equal(policies[0], policies[1])
    assert torch.equal(policies[1], policies[2])
    assert not torch.equal(policies[2], policies[3])
    for before, later in itertools.pairwise(values):
        assert not torch.equal(before, later)


@pytest.mark.parametrize("trunk", [False, True])
def test_the_values_gradient_reaches_the_policys_trunk_only_if_it_is_to(
    tmp_path: Path, trunk: bool
) -> None:
    ppo = trainer(tmp_path, rollout_func=rollout, value_trunk_gradient=trunk)
    ppo.value_model.linear.weight.data.normal_(0, 0.1)
    batch = batch_of(ppo)
    batch["advantages"] = torch.zeros_like(batch["values"])
    ppo.current_gradient_accumulation_steps = 1
    ppo._compute_loss(ppo.model, batch).backward()
    assert ppo.value_model.linear.weight.grad.any()
    moved = [p.grad is not None and bool(p.grad.any()) for p in ppo.model.parameters()]
    assert any(moved) == trunk


def test_the_value_learns_the_return(tmp_path: Path) -> None:
    def same(completions: Sequence[str], **_: Any) -> list[float | None]:
        return [0.7] * len(completions)

    options = {"value_model": "policy", "value_learning_rate": 3e-3, "gradient_checkpointing": True}
    ppo = trainer(tmp_path, same, max_steps=40, value_warmup_steps=40, **options)
    ppo.train()
    logged = [entry for entry in ppo.state.log_history if "ppo/value_loss" in entry]
    assert logged[0]["ppo/values_mean"] == 0
    assert logged[-1]["ppo/values_mean"] == pytest.approx(0.7, abs=0.1)
    assert logged[-1]["ppo/value_loss"] < logged[0]["ppo/value_loss"] / 10


def reward_model(path: Path, vocabulary: int | None = None) -> LlamaForSequenceClassification:
    config = make_model(TOKENIZER, seed=5).config
    config.num_labels = 1
    config.vocab_size = vocabulary or config.vocab_size
    torch.manual_seed(3)
    model = LlamaForSequenceClassification(config)
    model.save_pretrained(path)
    return model.eval()


def test_a_value_model_starts_as_the_reward_model_it_comes_from(tmp_path: Path) -> None:
    judge = reward_model(tmp_path / "reward")
    ppo = trainer(tmp_path, rollout_func=rollout, value_model=str(tmp_path / "reward"))
    batch = batch_of(ppo)
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    with torch.no_grad():  # its score of prompt and completion but the last token is the last value
        for b, length in enumerate(batch["completion_mask"].sum(1).tolist()):
            prompt = int(batch["prompt_mask"][b].sum())
            start = batch["prompt_ids"].shape[1] - prompt
            until = batch["prompt_ids"].shape[1] + length - 1
            score = judge(input_ids=ids[b : b + 1, start:until]).logits.item()
            assert batch["values"][b, length - 1].item() == pytest.approx(score, abs=1e-4)
    before = weights(ppo)[1]
    ppo.train()
    assert not torch.equal(before, weights(ppo)[1])


def test_checkpoints_that_are_no_reward_model(tmp_path: Path) -> None:
    make_model(TOKENIZER, 0).save_pretrained(tmp_path / "language-model")
    with pytest.raises(OptionError, match=r"is no reward model: it lacks .* 'score'"):
        trainer(tmp_path, value_model=str(tmp_path / "language-model"))
    with pytest.raises(OptionError, match="neither 'head' nor 'policy'"):
        trainer(tmp_path, value_model=str(tmp_path / "nowhere"))
    reward_model(tmp_path / "small", vocabulary=10)
    with pytest.raises(OptionError, match=r"knows 10 tokens and the policy 20: .* same tokenizer"):
        trainer(tmp_path, value_model=str(tmp_path / "small"))


@pytest.mark.parametrize("value_model", ["head", "policy"])
def test_the_policy_is_saved_as_an_ordinary_model(tmp_path: Path, value_model: str) -> None:
    ppo = trainer(tmp_path, value_model=value_model)
    ppo.train()
    ppo.save_model(str(tmp_path / "model"))
    model, loading = AutoModelForCausalLM.from_pretrained(
        tmp_path / "model", output_loading_info=True
    )
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert torch.equal(torch.cat([p.flatten() for p in model.parameters()]), weights(ppo)[0])
    assert not (tmp_path / "model" / VALUE_FILE).exists()


@pytest.mark.parametrize("value_model", ["head", "policy"])
def test_adapters(tmp_path: Path, value_model: str) -> None:
    peft = pytest.importorskip("peft")
    base = saved(tmp_path / "base")
    lora = peft.LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj", "v_proj"])
    options = {"peft_config": lora, "value_model": value_model, "value_trunk_gradient": True}
    ppo, after = steps(tmp_path, digits, model=base, beta=0.1, max_steps=2, **options)
    assert not torch.equal(after[0][1], after[2][1])
    for name, parameter in ppo.model.named_parameters():
        assert parameter.requires_grad == ("lora" in name)
    ppo.save_model(str(tmp_path / "adapter"))
    fresh = AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    loaded = peft.PeftModel.from_pretrained(fresh, tmp_path / "adapter")
    batch = batch_of(ppo)
    ours, theirs = logps_of(ppo.model, batch), logps_of(loaded, batch)
    torch.testing.assert_close(ours, theirs)
    with loaded.disable_adapter():
        assert not torch.allclose(ours, logps_of(loaded, batch))


# Epochs, mini-batches, checkpoints


def test_accumulated_micro_batches_are_one_batch(tmp_path: Path) -> None:
    _, whole = steps(tmp_path, digits, rollout_func=rollout)
    options = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    # Rows of unequal length: only a sum divided by the whole batch's tokens comes out the same.
    _, parts = steps(tmp_path, digits, rollout_func=rollout, **options)
    for one, other in zip(whole[1], parts[1], strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=0)


def test_epochs_and_mini_batches_reuse_the_rollouts(tmp_path: Path) -> None:
    asked = []

    def counted(completions: Sequence[str], **_: Any) -> list[float | None]:
        asked.append(len(completions))
        return digits(completions)

    options = {"per_device_train_batch_size": 4, "steps_per_generation": 2, "num_iterations": 3}
    ppo = trainer(tmp_path, counted, max_steps=12, **options)
    ppo.train()
    assert asked == [8, 8]
    kl = [entry["ppo/approx_kl"] for entry in ppo.state.log_history if "ppo/approx_kl" in entry]
    assert len(kl) == 12
    assert kl[0] == pytest.approx(0, abs=1e-6)
    assert kl[5] > kl[0]


@pytest.mark.parametrize("completions", [1, 2])
def test_groups_are_not_needed(tmp_path: Path, completions: int) -> None:
    ppo = trainer(tmp_path, num_generations=completions)
    assert ppo.args.num_generations == completions
    ppo.train()
    logged = next(entry for entry in ppo.state.log_history if "reward" in entry)
    assert ("frac_reward_zero_std" in logged) == (completions > 1)
    assert {"ppo/explained_variance", "ppo/values_mean", "ppo/advantages_std"} <= set(logged)
    assert logged["clip_ratio/region_mean"] == 0
    shown = list(ppo._logs["advantages"])
    assert len(shown) == len(ppo._logs["completion"]) == 8
    assert len(set(shown)) > 1
    assert "eval_reward" in ppo.evaluate()


@pytest.mark.parametrize(
    "options",
    [
        {"value_trunk_gradient": True},
        {"value_model": "policy", "value_warmup_steps": 3},
        {"num_iterations": 2, "max_steps": 8, "save_steps": 4},
    ],
    ids=["head", "value model", "epochs"],
)
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path: Path, options: dict[str, Any]) -> None:
    settings = {"max_steps": 4, "save_steps": 2, "save_strategy": "steps", "seed": 7} | options
    # All in one epoch: TRL's sampler begins with its first order again where a run is resumed.
    settings |= {"prompts": PROMPTS * 4, "per_device_train_batch_size": 8}
    straight, _ = steps(tmp_path / "one", digits, **settings)
    half = settings["save_steps"]
    checkpoint = tmp_path / "one" / f"checkpoint-{half}"
    assert (checkpoint / VALUE_FILE).is_file()
    resumed = trainer(tmp_path / "two", **settings)
    resumed.train(resume_from_checkpoint=str(checkpoint))
    for one, other in zip(weights(straight), weights(resumed), strict=True):
        assert torch.equal(one, other)
    for name in ("reward", "ppo/value_loss", "ppo/explained_variance", "ppo/values_mean"):
        curves = [
            [entry[name] for entry in run.state.log_history if name in entry]
            for run in (straight, resumed)
        ]
        assert curves[0] == curves[1]


def test_checkpoints_that_are_not_this_runs(tmp_path: Path) -> None:
    settings = {"max_steps": 1, "save_steps": 1, "save_strategy": "steps"}
    trainer(tmp_path, **settings).train()
    checkpoint = tmp_path / "checkpoint-1"
    other = trainer(tmp_path / "other", value_model="policy", **settings)
    with pytest.raises(DataError, match=r"isn't this run's value model \('policy'\)"):
        other.train(resume_from_checkpoint=str(checkpoint))
    (checkpoint / VALUE_FILE).write_bytes(b"torn")
    with pytest.raises(DataError, match=r"isn't this run's value model \('head'\)"):
        trainer(tmp_path / "torn", **settings).train(resume_from_checkpoint=str(checkpoint))
    (checkpoint / VALUE_FILE).unlink()
    with pytest.raises(DataError, match="save_only_model=False"):
        trainer(tmp_path / "gone", **settings).train(resume_from_checkpoint=str(checkpoint))


# What is asked of it


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kl_in": "rewards"}, "kl_in is 'reward' or 'loss', not 'rewards'"),
        ({"lam": 1.5}, "lam is between 0 and 1, not 1.5"),
        ({"gamma": -0.1}, "gamma is between 0 and 1, not -0.1"),
        ({"gamma": math.nan}, "gamma is between 0 and 1, not nan"),
        ({"vf_coef": 0.0}, "vf_coef is above 0, not 0.0"),
        ({"cliprange_value": 0.0}, "cliprange_value is above 0"),
        ({"value_learning_rate": -1.0}, "value_learning_rate is above 0"),
        ({"value_warmup_steps": -1}, "value_warmup_steps is at least 0"),
        ({"loss_type": "grpo"}, "loss_type is 'dapo' in PPO"),
        ({"importance_sampling_level": "sequence"}, "importance_sampling_level is 'token'"),
        ({"per_device_train_batch_size": 1}, "per_device_train_batch_size is at least 2"),
        (
            {"num_iterations": 3, "save_strategy": "steps", "save_steps": 500},
            "save_steps is a multiple of 3",
        ),
    ],
)
def test_options_that_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    settings = {"output_dir": str(tmp_path), "use_cpu": True, "bf16": False, "save_strategy": "no"}
    with pytest.raises(OptionError, match=message):
        PPOConfig(**settings | options)


def test_arguments_of_another_trainer_are_refused(tmp_path: Path) -> None:
    from trl import GRPOConfig

    args = GRPOConfig(str(tmp_path), use_cpu=True, bf16=False)
    with pytest.raises(OptionError, match="args=PPOConfig"):
        PPOTrainer(make_model(TOKENIZER, 0), digits, args)
    with pytest.raises(OptionError, match="args=PPOConfig"):
        PPOTrainer(make_model(TOKENIZER, 0), digits)
