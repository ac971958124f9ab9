r"""`TransformersPolicy` against a bare loop around `generate`, on the same prompts, in one run.

    PYTHON=.venv/bin/python tools/real-model MODEL
    RLVR_DATA=… python benchmarks/generation_speed.py MODEL/float32

The bare loop takes the prompts of IFEval in their order, in batches of the same size, padded on the left by the tokenizer.
Both are timed by turns. A token counts if it belongs to a response: those that fill a batch's columns up don't.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

import rlvr
from rlvr.core.task import Task
from rlvr.policies.base import Request
from rlvr.policies.transformers import TransformersPolicy


def by_bare_generate(policy: TransformersPolicy, tasks: Sequence[Task]) -> list[list[int]]:
    """Return the new token ids per task, up to the end token."""
    model, tokenizer = policy.model, policy.tokenizer
    tokenizer.padding_side = "left"
    found: list[list[int]] = []
    for at in range(0, len(tasks), policy.batch_size):
        texts: list[Any] = [
            tokenizer.apply_chat_template(
                [dict(m) for m in task.prompt], tokenize=False, add_generation_prompt=True
            )
            for task in tasks[at : at + policy.batch_size]
        ]
        batch = tokenizer(texts, padding=True, return_tensors="pt", add_special_tokens=False)
        batch = batch.to(model.device)
        with torch.no_grad():
            output = model.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=policy.max_new_tokens,
                do_sample=False,
            )
        for row in output[:, batch["input_ids"].shape[1] :].tolist():
            end = row.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in row else len(row)
            found.append(row[: end + 1])
    return found


def by_policy(policy: TransformersPolicy, tasks: Sequence[Task]) -> list[list[int]]:
    """Return the new token ids per task."""
    return [list(r.token_ids or ()) for r in policy.respond([Request.of(task) for task in tasks])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="A folder.")
    parser.add_argument("--prompts", type=int, default=64, help="How many (default 64).")
    parser.add_argument("--batch-size", type=int, default=16, help="Prompts at once (default 16).")
    parser.add_argument("--max-tokens", type=int, default=64, help="Per response (default 64).")
    parser.add_argument("--rounds", type=int, default=3, help="Timings of each (default 3).")
    options = parser.parse_args()
    policy = TransformersPolicy(
        options.model, max_new_tokens=options.max_tokens, batch_size=options.batch_size
    )
    every = rlvr.make("ifeval").tasks
    tasks = [every[i] for i in range(min(options.prompts, len(every)))]
    ways: dict[str, Callable[..., list[list[int]]]] = {
        "generate": by_bare_generate,
        "policy": by_policy,
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    answers = {}
    for _ in range(options.rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            answers[name] = way(policy, tasks)
            seconds = time.perf_counter() - began
            rates[name].append(sum(map(len, answers[name])) / seconds)
            print(f"{name:>9}: {rates[name][-1]:7.1f} tokens per second", flush=True)
    same = sum(a == b for a, b in zip(*answers.values(), strict=True))
    ratios = [own / bare for own, bare in zip(rates["policy"], rates["generate"], strict=True)]
    print(f"same answers: {same} of {len(tasks)}")
    print(
        f"policy / generate: {statistics.median(ratios):.2f} (of {min(ratios):.2f}–{max(ratios):.2f})"
    )


if __name__ == "__main__":
    main()
