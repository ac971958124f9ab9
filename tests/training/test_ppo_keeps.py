"""PPO's trainer: what it keeps its hands off, what it saves and takes up again, what it refuses."""

from __future__ import annotations

import itertools
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
    LlamaForSequenceClassification,
)

from rlvr.core.errors import DataError, OptionError
from rlvr.training.ppo import PPOConfig, PPOTrainer
from rlvr.training.ppo.trainer import VALUE_FILE
from rlvr.training.quickstart.model import make_model
from tests.training.ppo_case import (
    PROMPTS,
    TOKENIZER,
    batch_of,
    digits,
    logps_of,
    rollout,
    saved,
    steps,
    trainer,
    weights,
)


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
    with pytest.raises(OptionError, match=r"has 10 tokens and the policy 20: .* same tokenizer"):
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
