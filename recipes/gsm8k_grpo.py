r"""GSM8K by GRPO: a small instruct model learns to solve grade-school word problems.

    python recipes/gsm8k_grpo.py                                   # one GPU
    accelerate launch --num_processes 8 recipes/gsm8k_grpo.py      # several
    python recipes/gsm8k_grpo.py --smoke                           # on the CPU, in seconds, without a network

Trains on GSM8K's 7,473 training problems (`openai/gsm8k` on the Hub; Cobbe et al., arXiv:2110.14168)
and measures 512 of its 1,319 test problems every 20 steps. The reward is 1 if the number in the last
\boxed{} is right, otherwise 0. Group size and clipping are those of DeepSeekMath's GRPO (arXiv:2402.03300)
in TRL; batch, learning rate and lengths are our own.

Hardware (an estimate, not a measurement): the default model of 1.5 billion parameters with its
optimizer takes about 28 GB, and vLLM a third of the GPU: one GPU with 80 GB. On 24 GB:
`--lora 32 --vllm none`. It needs `pip install 'rlvr[train,vllm]'`; without vLLM: `--vllm none`, slower.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import rlvr
from rlvr.training.config import Source


def config(model: str, data: str | None = None, **changes: Any) -> rlvr.TrainConfig:
    """Return the run's configuration, with `changes` to its fields. `data` is a local file instead of the Hub."""
    settings: dict[str, Any] = {
        "trainer": "grpo",
        "steps": 300,
        "batch": 256,  # 32 problems, 8 answers each
        "group": 8,
        "micro_batch": 8,
        "max_tokens": 768,
        "learning_rate": 1e-6,
        "warmup_steps": 10,
        "measure_every": 20,
    }
    return rlvr.TrainConfig(
        model,
        environments=Source("gsm8k", split="train", data=data),
        held_out=Source("gsm8k", split="test", data=data, limit=512),
        **settings | changes,
    )


def main() -> None:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="Qwen/Qwen2.5-1.5B-Instruct")
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

        smoke(config, answers, {"data": PROBLEMS})
        return
    run_config = config(a.model, steps=a.steps, vllm=a.vllm, base_url=a.base_url, lora=a.lora)
    outcome = rlvr.train(run_config, a.run, resume=a.resume)
    print(f"{outcome.step} steps: rlvr view {outcome.run}")


PROBLEMS = [
    {"question": f"A crate holds {a} pears. How many pears do {b} crates hold?",
     "answer": f"{b} crates of {a} pears hold {a * b}.\n#### {a * b}"}
    for a, b in ((6, 3), (12, 5), (7, 8), (25, 4))
]  # fmt: skip
"""Data of the smoke run."""


def answers(task: rlvr.Task) -> Sequence[str]:
    """Return the answers that the smoke run's model has memorised: a right one and a wrong one."""
    return [
        f"So it's \\boxed{{{task.reference}}}.",
        f"So it's \\boxed{{{int(task.reference) + 1}}}.",
    ]


if __name__ == "__main__":
    main()
