"""Learning from step rewards: a look-up in four steps that a reward at the end alone doesn't teach.

    python benchmarks/step_rewards.py [--seeds 0 1 2] [--steps 100] [--trainer grpo|ppo]

A model that has learned the form of an answer, but no answer, is shown four symbols one after the other and says a digit
to each. With a reward for each right digit it learns the table; with one reward for four right digits, of which a guess
has one in ten thousand, it doesn't. Printed: the share of 100 held-out episodes in which greedy answers are right
throughout. The bar: under 0.2 without step rewards and over 0.8 with them, on each seed.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from typing import Any

import rlvr
from rlvr.policies.transformers import TransformersPolicy
from rlvr.training.quickstart.additions import quiet
from rlvr.training.quickstart.model import make_model, make_tokenizer

TABLE = dict(zip("0123456789", "7305918264", strict=True))
STEPS, EPISODES = 4, 128


class LookUp(rlvr.Episode):
    """Shows symbols, and counts the right answers."""

    pays = True

    def __init__(self, task: rlvr.Task) -> None:
        self.left: list[str] = list(task.metadata["symbols"])
        self.right = 0

    def reply(self, message: Any) -> rlvr.Reply:
        """Show the next symbol."""
        right = message.content[:1] == TABLE[self.left.pop(0)]
        self.right += right
        reward = 0.25 * right if self.pays else 0.0
        return rlvr.Reply(self.left[0] if self.left else "", reward, over=not self.left)

    def outcome(self) -> int:
        """Return the number of right answers."""
        return self.right


class LookUpWithoutSteps(LookUp):
    """The same without step rewards."""

    pays = False


@rlvr.verifier(sees="transcript", inline=True)
def throughout(task: rlvr.Task, transcript: rlvr.Transcript) -> bool:
    """Tell whether all answers are right."""
    return transcript.outcome == STEPS


def env_of(episode: type[LookUp], split: str) -> rlvr.Environment:
    """Return the environment; its splits are different tasks."""
    rng = random.Random(split)
    symbols = [[rng.choice("0123456789") for _ in range(STEPS)] for _ in range(400)]
    tasks = [
        rlvr.Task(four[0], "", f"{split}-{i}", {"symbols": four}) for i, four in enumerate(symbols)
    ]
    return rlvr.MultiTurn(tasks, throughout, episode, max_turns=STEPS, name="look-up")


def taught_the_form(seed: int) -> tuple[Any, Any]:
    """Return a model that answers any symbol with a digit and the end, and its tokenizer."""
    import torch

    rng = random.Random(seed)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(60):
        texts = []
        for _ in range(32):
            turns = []
            for _ in range(STEPS):
                turns.append({"role": "user", "content": rng.choice("0123456789")})
                turns.append({"role": "assistant", "content": rng.choice("0123456789")})
            texts.append(tokenizer.apply_chat_template(turns, tokenize=False))
        batch = tokenizer(texts, return_tensors="pt", add_special_tokens=False)
        loss = model(**batch, labels=batch["input_ids"]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model, tokenizer


def learned(trainer_name: str, episode: type[LookUp], seed: int, steps: int) -> float:
    """Train, and return the share of held-out episodes that are right throughout."""
    with quiet(), tempfile.TemporaryDirectory() as folder:
        import trl
        from transformers.trainer_callback import PrinterCallback

        from rlvr.training.ppo import PPOConfig, PPOTrainer
        from rlvr.training.turns import ReturnsFromTurns

        model, tokenizer = taught_the_form(seed)
        env = env_of(episode, f"train-{seed}")
        options: dict[str, Any] = {
            "output_dir": folder, "use_cpu": True, "bf16": False, "max_steps": steps, "seed": seed,
            "per_device_train_batch_size": EPISODES, "max_completion_length": 40,
            "learning_rate": 1e-3, "lr_scheduler_type": "constant_with_warmup", "warmup_steps": 2, "report_to": [], "save_strategy": "no",
            "logging_steps": steps, "disable_tqdm": True,
        }  # fmt: skip
        if trainer_name == "ppo":
            kind: Any = PPOTrainer
            arguments: Any = PPOConfig(**options, gamma=1.0, lam=0.95, value_learning_rate=1e-3)
        else:
            kind = type("TurnGRPOTrainer", (ReturnsFromTurns, trl.GRPOTrainer), {})
            arguments = trl.GRPOConfig(**options, num_generations=16)
        trainer = kind(
            model=model, args=arguments, train_dataset=rlvr.trl.dataset(env),
            reward_funcs=rlvr.trl.reward(env), rollout_func=rlvr.trl.rollout(env),
            processing_class=tokenizer,
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        held_out = env_of(LookUpWithoutSteps, "held-out")
        policy = TransformersPolicy(model, tokenizer, max_new_tokens=4, batch_size=100)
        return float(rlvr.evaluate(held_out, policy, limit=100).correct.value)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--trainer", choices=("grpo", "ppo"), default="grpo")
    options = parser.parse_args()
    met = True
    for seed in options.seeds:
        began = time.perf_counter()
        without = learned(options.trainer, LookUpWithoutSteps, seed, options.steps)
        steps = learned(options.trainer, LookUp, seed, options.steps)
        met = met and without < 0.2 and steps > 0.8
        took = time.perf_counter() - began
        print(
            f"seed {seed}: {without:.2f} without step rewards, {steps:.2f} with them ({took:.0f} s)"
        )
    raise SystemExit(not met)


if __name__ == "__main__":
    main()
