"""A small PPO trainer for tests, on rollouts that are always the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import datasets
import torch
from transformers import (
    AutoModelForCausalLM,
    TrainerCallback,
)

from rlvr.training.ppo import PPOConfig, PPOTrainer
from rlvr.training.quickstart.model import make_model, make_tokenizer

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
