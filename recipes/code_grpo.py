"""Competitive programming by GRPO: a model learns to write programs that pass every test.

    python recipes/code_grpo.py                                    # one GPU
    accelerate launch --num_processes 8 recipes/code_grpo.py       # several
    python recipes/code_grpo.py --smoke                            # the CPU, no network

Trains on the PrimeIntellect part of `agentica-org/DeepCoder-Preview-Dataset` from the Hub (problems
whose programs read standard input; rows of other kinds are left out with a warning) and measures
on its Codeforces problems. The reward is 1 where every test passes, else 0. All figures are ours.

Programs run in the strongest sandbox that works here, Docker or bubblewrap (`rlvr sandbox check`
says which), never without one. TRL asks for a batch's rewards when all of it is generated, so the GPU
waits for the last program: `rlvr/scoring_wait_s` in the metrics says how long, and more cores help.

Hardware (an estimate): one GPU with 80 GB for the default model of 1.5 billion parameters with
vLLM beside it, and 16 cores or more. Needs `pip install 'rlvr[train,vllm]'` and bubblewrap, or Docker.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import rlvr
from rlvr.training.config import Source

DATASET = {"dataset": "agentica-org/DeepCoder-Preview-Dataset", "config": "primeintellect"}


def config(
    model: str, data: str | None = None, held_out: str | None = None, **given: Any
) -> rlvr.TrainConfig:
    """The run. `data`, `held_out`: local files instead of the Hub; `given`: of `TrainConfig`."""
    own: dict[str, Any] = {
        "trainer": "grpo",
        "steps": 300,
        "batch": 128,  # 16 problems, 8 programs each
        "group": 8,
        "micro_batch": 4,
        "max_tokens": 2048,
        "learning_rate": 1e-6,
        "warmup_steps": 10,
        "measure_every": 50,
    }
    return rlvr.TrainConfig(
        model,
        environments=Source("code", split="train", data=data, options=DATASET),
        held_out=Source("code", split="test", data=held_out, limit=128),
        **own | given,
    )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="Qwen/Qwen2.5-Coder-1.5B-Instruct")
    parser.add_argument("--run", help="the run's folder; by default runs/train-<time>")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--vllm", choices=["none", "colocate", "server"], default="colocate")
    parser.add_argument("--base-url", help="of the vLLM server")
    parser.add_argument("--lora", type=int, help="rank of adapters; by default all weights")
    parser.add_argument("--resume", action="store_true", help="go on with --run")
    parser.add_argument("--smoke", action="store_true", help="the same, small, on the CPU")
    a = parser.parse_args()
    if a.smoke:
        from _smoke import smoke

        smoke(config, answers, {"data": PROBLEMS, "held_out": PROBLEMS})
        return
    made = config(a.model, steps=a.steps, vllm=a.vllm, base_url=a.base_url, lora=a.lora)
    outcome = rlvr.train(made, a.run, resume=a.resume)
    print(f"{outcome.step} steps: rlvr view {outcome.run}")


PROGRAMS = {
    "Read two whole numbers and print the larger one.": (
        "print(max(map(int, input().split())))", [("3 8\n", "8\n"), ("-1 -4\n", "-1\n")],
    ),
    "Read a word and print it backwards.": (
        "print(input()[::-1])", [("abc\n", "cba\n"), ("level\n", "level\n")],
    ),
}  # fmt: skip
PROBLEMS = [
    {
        "problem": problem,
        "tests": [{"stdin": i, "stdout": o} for i, o in tests],
        "solution": program,
    }
    for problem, (program, tests) in PROGRAMS.items()
]
"""For the smoke."""


def answers(task: rlvr.Task) -> Sequence[str]:
    """What the smoke's model knows: a right program, and one that prints what it read."""
    return [
        f"```python\n{task.reference['solution']}\n```",
        "```python\nprint(input())\n```",
    ]


if __name__ == "__main__":
    main()
