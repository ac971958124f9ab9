r"""Learning on a real model: GRPO on SmolLM2-135M-Instruct, and what it gains on held-out tasks.

    PYTHON=.venv/bin/python tools/real-model MODEL
    python benchmarks/real_model.py MODEL/float32            # a CPU: sums, 2 seeds, up to half an hour each
    python benchmarks/real_model.py MODEL/bfloat16 --gpu     # a GPU: gsm8k, minutes

On a CPU the task is one that the model half knows: "Complete the equation, and write nothing else: 35 + 39 =". It often
has the sum of two such numbers, and seldom writes nothing else. Half of the reward is for each. Prints the held-out reward before and after,
greedy, with 95% intervals; the lift of the same tasks with its interval, which has to leave out 0 for each
seed; tokens a second, and the shares of generation, scoring and update in a step (how they're timed:
benchmarks/trainer_clock.py).
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from trainer_clock import timed

import rlvr
from rlvr.runs.run import read_rollouts
from rlvr.runs.statistics import Estimate, bootstrap
from rlvr.training.config import Source
from rlvr.training.recorder import HELD_OUT

PROMPT = "Complete the equation, and write nothing else: {expression} ="


@rlvr.verifier(mode="whole")
def equation_alone(task: rlvr.Task, answer: str) -> bool:
    """Pay for an equation and nothing else."""
    return re.fullmatch(r"\s*\d+ \+ \d+ = \d+\.?\s*", answer) is not None


@rlvr.verifier(mode="whole")
def right_sum(task: rlvr.Task, answer: str) -> bool:
    """Pay where the last number is the sum."""
    return re.findall(r"\d+", answer)[-1:] == [task.reference]


def sums(split: str, size: int) -> rlvr.Environment:
    """Return problems of a split, judged by their sum and their form."""
    options: dict[str, Any] = {"digits": 2, "terms": 2, "operators": "+", "prompt": PROMPT}
    env = rlvr.make("arithmetic", split=split, size=size, **options)
    return rlvr.SingleTurn(env.tasks, 0.5 * right_sum + 0.5 * equation_alone)


def config(model: str, seed: int, a: argparse.Namespace) -> rlvr.TrainConfig:
    """Return what is trained: on a GPU `gsm8k`, otherwise sums."""
    shared: dict[str, Any] = {
        "steps": a.steps,
        "batch": a.batch,
        "group": 8,
        "warmup_steps": 2,
        "learning_rate": a.rate,
        "measure_every": a.steps,
        "save_every": 10 * a.steps,
        "seed": seed,
    }
    if a.gpu:
        held_out = Source("gsm8k", split="test", limit=a.held_out)
        return rlvr.TrainConfig(
            model, Source("gsm8k", split="train"), held_out=held_out, max_tokens=320, vllm=a.vllm, **shared
        )  # fmt: skip
    held_out = Source(env=sums("test", a.held_out))
    train = Source(env=sums("train", a.steps * a.batch // 8))
    return rlvr.TrainConfig(
        model, train, held_out=held_out, max_tokens=16, temperature=0.7, **shared
    )


def rewards(run: Path) -> dict[int, dict[str, float]]:
    """Return the reward of each held-out task, by step."""
    found: dict[int, dict[str, float]] = {}
    for row in read_rollouts(run):
        if row.get("part") == HELD_OUT:
            found.setdefault(row["step"], {})[row["task"]] = row["verdict"]["reward"]
    return found


def lift(before: dict[str, float], after: dict[str, float]) -> Estimate:
    """Return the mean difference over the same tasks."""
    import numpy as np

    difference_T = np.array([after[task] - before[task] for task in before])
    return bootstrap(difference_T)[0]


def shown(rewards: dict[str, float]) -> str:
    import numpy as np

    mean = bootstrap(np.array(list(rewards.values())))[0]
    return f"{mean.value:.3f} [{mean.low:.3f}, {mean.high:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", help="a folder that tools/real-model made")
    parser.add_argument("--gpu", action="store_true", help="gsm8k in place of sums")
    parser.add_argument("--vllm", choices=["none", "colocate"], default="none")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--held-out", type=int)
    parser.add_argument("--keep", type=Path, help="a new folder for the runs")
    a = parser.parse_args()
    steps, batch, rate, held_out = (60, 256, 5e-6, 512) if a.gpu else (15, 16, 3e-5, 128)
    a.steps, a.batch = a.steps or steps, a.batch or batch
    a.rate, a.held_out = a.rate or rate, a.held_out or held_out
    gained = []
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(a.seeds):
            began = time.monotonic()
            with timed() as clock:
                outcome = rlvr.train(
                    config(a.model, seed, a), (a.keep or Path(temporary)) / str(seed)
                )
            by_step = rewards(outcome.run)
            before, after = by_step[min(by_step)], by_step[max(by_step)]
            gain = lift(before, after)
            gained.append(gain.low > 0)
            shares = ", ".join(f"{part} {share:.1%}" for part, share in clock.shares().items())
            print(
                f"seed {seed}: held-out reward {shown(before)} -> {shown(after)}, "
                f"lift {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}] on {len(before)} tasks; "
                f"{a.steps} steps of {a.batch} in {time.monotonic() - began:.0f} s; "
                f"{clock.tokens / clock.seconds['generation']:.0f} tokens/s; {shares}",
                flush=True,
            )
    print(f"the interval leaves out 0 for {sum(gained)} of {a.seeds} seeds")


if __name__ == "__main__":
    main()
