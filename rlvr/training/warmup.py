"""The supervised warm-up before the reinforcement: worked additions, many of them wrong.

The traces carry a systematic mistake on purpose. Most never carry, so the model comes out with the
wrong way as its habit and the right one in its repertoire: what a verifiable reward can mend.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import torch

from rlvr.core.task import Task
from rlvr.training.small_model import BOX

FORGETFUL = 0.65  # share of traces that never carry
SLIP = 0.02  # chance that a column's sum is off by one


def worked_addition(a: int, b: int, rng: random.Random) -> str:
    """a + b by columns, least significant digit first; wrong as often as the constants say."""
    forgetful = rng.random() < FORGETFUL
    columns, digits, carry = [], [], 0
    for x, y in zip(reversed(str(a)), reversed(str(b)), strict=True):
        total = int(x) + int(y) + carry
        if rng.random() < SLIP:
            total = max(0, min(19, total + rng.choice([-1, 1])))
        columns.append(f"{x}+{y}+{carry}={total};")
        digits.append(str(total % 10))
        carry = 0 if forgetful else total // 10
    result = ("1" if carry else "") + "".join(reversed(digits))
    return "".join(columns) + BOX + result + "}"


def warm_up(
    model: Any,
    tokenizer: Any,
    tasks: Sequence[Task],
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    progress: Callable[[int, float], None],
    dtype: torch.dtype = torch.float32,
) -> None:
    """Train `model` on worked additions of `tasks`, a batch a step, each task once.

    `progress` is called with the step and its loss, in nats a token. With `dtype` of bfloat16 the
    forward pass is computed in that; the weights stay as they are.
    """
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    model.train()
    for step in range(steps):
        batch = tasks[step * batch_size : (step + 1) * batch_size]
        inputs, labels = (
            one.to(model.device)
            for one in _encode([_example(task, tokenizer, rng) for task in batch], tokenizer)
        )
        # Padding is on the right here, where causal attention never looks. Autocast ends with each
        # forward pass: until it does, it computes with the copies it made of the weights at first.
        with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
            logits = model(input_ids=inputs).logits
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        progress(step + 1, loss.item())


def _rate(step: int, steps: int) -> float:
    """The share of the learning rate: up over 50 steps, then a cosine down to a twentieth."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return min(1.0, (step + 1) / 50) * (0.05 + 0.95 * cosine)


def _example(task: Task, tokenizer: Any, rng: random.Random) -> tuple[list[int], int]:
    """The tokens of prompt and trace, and how many of them are the prompt."""
    prompt = f"<user>{task.text}<bot>"
    a, b = (int(number) for number in task.metadata["expression"].split(" + "))
    ids = tokenizer(prompt + worked_addition(a, b, rng) + "<eos>", add_special_tokens=False)
    return ids["input_ids"], len(tokenizer(prompt, add_special_tokens=False)["input_ids"])


def _encode(
    examples: Sequence[tuple[list[int], int]], tokenizer: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and labels, both (batch, length); prompts and padding are not learned."""
    longest = max(len(ids) for ids, _ in examples)
    inputs = torch.zeros(len(examples), longest, dtype=torch.long)
    labels = torch.full((len(examples), longest), -100)
    for row, (ids, prompt) in enumerate(examples):
        inputs[row, : len(ids)] = torch.tensor(ids)
        labels[row, prompt : len(ids)] = torch.tensor(ids[prompt:])
    return inputs, labels
