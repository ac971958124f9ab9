"""Competitive programming by GRPO: a model learns to write programs that pass every test.

    python recipes/code_grpo.py                                    # one GPU
    accelerate launch --num_processes 8 recipes/code_grpo.py       # several
    python recipes/code_grpo.py --smoke                            # on the CPU, without a network

Trains on the PrimeIntellect part of `agentica-org/DeepCoder-Preview-Dataset` from the Hub (problems
whose programs read standard input; rows of other kinds are left out with a warning) and measures
on its Codeforces problems. The reward is 1 if every test passes, otherwise 0. All settings are our own.

Programs run in the strongest sandbox that works on the machine, Docker or bubblewrap (`rlvr sandbox check`
names it), never without one. TRL asks for a batch's rewards once all of it is generated, so the GPU waits
for the last program: `rlvr/scoring_wait_s` in the metrics has the seconds, and more cores help.

Hardware (an estimate): one GPU with 80 GB for the default model of 1.5 billion parameters with
vLLM, and 16 cores or more. It needs `pip install 'rlvr[train,vllm]'` and bubblewrap, or Docker.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import rlvr
from rlvr.training.config import Source

DATASET = {"dataset": "agentica-org/DeepCoder-Preview-Dataset", "config": "primeintellect"}


def config(
    model: str, data: str | None = None, held_out: str | None = None, **changes: Any
) -> rlvr.TrainConfig:
    """Return the run's configuration, with `changes`. `data` and `held_out` are local files instead of the Hub."""
    settings: dict[str, Any] = {
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
        **settings | changes,
    )


def main() -> None:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="Qwen/Qwen2.5-Coder-1.5B-Instruct")
    parser.add_argument("--run", help="the run's folder (default: runs/train-TIME)")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--vllm", choices=["none", "colocate", "server"], default="colocate")
    parser.add_argument("--base-url", help="address of the vLLM server")
    parser.add_argument("--lora", type=int, help="rank of adapters (default: train all weights)")
    parser.add_argument("--resume", action="store_true", help="resume the run in --run")
    parser.add_argument("--smoke", action="store_true", help="a small run on the CPU")
    a = parser.parse_args()
    if a.smoke:
        from _smoke import smoke

        smoke(config, answers, {"data": PROBLEMS, "held_out": PROBLEMS})
        return
    run_config = config(a.model, steps=a.steps, vllm=a.vllm, base_url=a.base_url, lora=a.lora)
    outcome = rlvr.train(run_config, a.run, resume=a.resume)
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
"""Data of the smoke run."""


def answers(task: rlvr.Task) -> Sequence[str]:
    """Return the answers that the smoke run's model has memorised: a right program, and one that echoes its input."""
    return [
        f"```python\n{task.reference['solution']}\n```",
        "```python\nprint(input())\n```",
    ]


if __name__ == "__main__":
    main()
