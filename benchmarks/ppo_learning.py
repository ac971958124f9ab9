"""PPO on the quickstart's task: held-out accuracy of a small model, three seeds and a control.

    python benchmarks/ppo_learning.py [--seeds 0 1 2] [--steps 200] [--value-model head]

The bar: from under 0.2 to over 0.9 within 200 optimizer steps on every seed, on one thread of a CPU;
and a coin for a reward lifts nothing. The accuracy is greedy, on 256 problems of the test split that
neither the warm-up nor PPO has seen.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rlvr.adapters import trl as rlvr_trl
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.transformers import TransformersPolicy
from rlvr.training.quickstart.additions import (
    MAX_NEW_TOKENS,
    WARMUP_BATCH,
    WARMUP_STEPS,
    additions,
    quiet,
    unseen,
    warmed_up,
)

STEPS, BATCH = 200, 128
OPTIONS: dict[str, Any] = {
    "learning_rate": 3e-4,
    "value_learning_rate": 1e-3,
    "lam": 0.95,
    "adam_beta2": 0.99,
    "lr_scheduler_type": "linear",
    "warmup_steps": 5,
}


class Learned(NamedTuple):
    """Held-out greedy accuracy by step, 0 before PPO; the metrics; seconds of warm-up and of PPO."""

    accuracy: dict[int, float]
    metrics: list[dict[str, float]]
    warmup_s: float
    ppo_s: float


def learn(
    seed: int, steps: int, *, measure_every: int = 20, coin: bool = False, **options: Any
) -> Learned:
    """Warms a small model up and trains it with PPO against the verifier, or against a coin."""
    with quiet(), tempfile.TemporaryDirectory() as folder:
        from transformers import PrinterCallback, TrainerCallback

        from rlvr.training.ppo import PPOConfig, PPOTrainer

        began = time.perf_counter()
        first = list(additions("train", WARMUP_STEPS * WARMUP_BATCH).tasks)
        model, tokenizer = warmed_up(first, seed, lambda step, loss: None)
        test = additions("test", 256)
        policy = TransformersPolicy(model, tokenizer, max_new_tokens=MAX_NEW_TOKENS, batch_size=256)
        train = unseen(first, seed, steps * BATCH)
        accuracy = {0: evaluate(test, policy).correct.value}
        warm = time.perf_counter()

        class Watch(TrainerCallback):  # type: ignore[misc]
            def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                if state.global_step % measure_every == 0 or state.global_step == steps:
                    accuracy[state.global_step] = evaluate(test, policy).correct.value

        trainer = PPOTrainer(
            model=model,
            args=PPOConfig(
                output_dir=folder,
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                max_steps=steps,
                per_device_train_batch_size=BATCH,
                max_completion_length=MAX_NEW_TOKENS,
                logging_steps=1,
                save_strategy="no",
                report_to=[],
                seed=seed,
                disable_tqdm=True,
                **OPTIONS | options,
            ),
            train_dataset=rlvr_trl.dataset(train),
            reward_funcs=tossed(seed) if coin else rlvr_trl.reward(train),
            processing_class=tokenizer,
            callbacks=[Watch()],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        metrics = [entry for entry in trainer.state.log_history if "reward" in entry]
        return Learned(accuracy, metrics, warm - began, time.perf_counter() - warm)


def tossed(seed: int) -> Callable[..., list[float]]:
    """Return a random reward, without looking at the answer."""
    dice = random.Random(seed)

    def coin(completions: Sequence[Any], **_: Any) -> list[float]:
        return [float(dice.random() < 0.5) for _ in completions]

    return coin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--value-model", default="head")
    arguments = parser.parse_args()
    options = {"value_model": arguments.value_model}
    for seed in arguments.seeds:
        show(f"seed {seed}", learn(seed, arguments.steps, **options))
    show("a coin", learn(0, arguments.steps, coin=True, **options))


def show(name: str, learned: Learned) -> None:
    curve = "  ".join(f"{step}: {value:.3f}" for step, value in learned.accuracy.items())
    over = next((step for step, value in learned.accuracy.items() if value > 0.9), None)
    print(f"{name:8s} {curve}")
    print(
        f"         over 0.9 at step {over}; warm-up {learned.warmup_s:.0f} s, PPO "
        f"{learned.ppo_s:.0f} s with measuring, explained variance "
        f"{learned.metrics[-1].get('ppo/explained_variance', float('nan')):.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
