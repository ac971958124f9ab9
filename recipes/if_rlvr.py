"""IF-RLVR by GRPO: a model learns to follow several verifiable instructions at once.

    python recipes/if_rlvr.py                                      # one GPU
    accelerate launch --num_processes 8 recipes/if_rlvr.py         # several
    python recipes/if_rlvr.py --smoke                              # on the CPU, without a network

Trains on `allenai/IF_multi_constraints_upto5` from the Hub: prompts with up to five instructions of
54 kinds (Pyatkin et al., arXiv:2507.02833, who train with GRPO, too). The reward is the share of the
instructions that are followed, as theirs. It measures on IFEval (arXiv:2311.07911) and on IFBench, whose 58
instructions aren't among those trained on. Batch, learning rate and lengths are our own, and so is
the guard: filler that satisfies the letter of the instructions (repetition, an echo of the prompt)
earns 0.

Hardware (an estimate): one GPU with 80 GB for the default model of 1.5 billion parameters with vLLM;
on 24 GB `--lora 32 --vllm none`. It needs `pip install 'rlvr[train,vllm,ifeval]'`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import rlvr
from rlvr.training.config import Source

DATASET = "allenai/IF_multi_constraints_upto5"


def config(
    model: str, data: str | None = None, held_out: str | None = None, **changes: Any
) -> rlvr.TrainConfig:
    """Configure the run. `data`, `held_out`: local files instead of the Hub; `given`: fields of `TrainConfig`."""
    settings: dict[str, Any] = {
        "trainer": "grpo",
        "steps": 500,
        "batch": 256,  # 32 prompts, 8 responses each
        "group": 8,
        "micro_batch": 8,
        "max_tokens": 1024,
        "learning_rate": 1e-6,
        "warmup_steps": 10,
        "measure_every": 50,
    }
    options = {"dataset": DATASET, "reward": "fraction", "guard": "strict"}
    return rlvr.TrainConfig(
        model,
        environments=Source("if_rlvr", data=data, options=options),
        held_out=[
            Source("ifeval", split="test", data=held_out),
            Source("ifbench", split="test", data=held_out),
        ],
        **settings | changes,
    )


def main() -> None:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="Qwen/Qwen2.5-1.5B-Instruct")
    parser.add_argument("--run", help="the run's folder (default: runs/train-TIME)")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--vllm", choices=["none", "colocate", "server"], default="colocate")
    parser.add_argument("--base-url", help="address of the vLLM server")
    parser.add_argument("--lora", type=int, help="rank of adapters (default: train all weights)")
    parser.add_argument("--resume", action="store_true", help="resume the run in --run")
    parser.add_argument("--smoke", action="store_true", help="a small run on the CPU")
    a = parser.parse_args()
    if a.smoke:
        from _smoke import smoke

        smoke(config, answers, {"data": PROMPTS, "held_out": HELD_OUT})
        return
    run_config = config(a.model, steps=a.steps, vllm=a.vllm, base_url=a.base_url, lora=a.lora)
    outcome = rlvr.train(run_config, a.run, resume=a.resume)
    print(f"{outcome.step} steps: rlvr view {outcome.run}")


PROMPTS = [
    {"messages": [{"role": "user", "content": f"Say what a {thing} is for. {asked}"}],
     "ground_truth": str([{"instruction_id": ids, "kwargs": [None] * len(ids)}])}
    for thing, asked, ids in (
        ("kettle", "Use no commas.", ["punctuation:no_comma"]),
        ("ladder", "Write in small letters alone.", ["change_case:english_lowercase"]),
        ("lantern", "Use no commas, and small letters alone.",
         ["punctuation:no_comma", "change_case:english_lowercase"]),
    )
]  # fmt: skip
HELD_OUT = [
    {"key": 1, "prompt": "Say what an oar is for. Use no commas.",
     "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
]  # fmt: skip
"""Data of the smoke run."""


def answers(task: rlvr.Task) -> Sequence[str]:
    """Return the answers that the smoke run's model has memorised: one follows all instructions, and one doesn't."""
    return [
        "you take it when something is out of reach and the evening is long.",
        "You take it, of course, when the evening is long, and so is the way.",
    ]


if __name__ == "__main__":
    main()
