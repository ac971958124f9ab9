r"""Tülu 3's RLVR: PPO on GSM8K, MATH and verifiable instructions together (arXiv:2411.15124, section 6).

    python recipes/tulu3_rlvr.py --run runs/tulu3                           # one GPU
    accelerate launch --num_processes 8 recipes/tulu3_rlvr.py               # several
    python recipes/tulu3_rlvr.py --smoke                                    # on the CPU, without a network

The instructions need nltk's sentence model, also in a smoke run: `rlvr data nltk` fetches it once.

The authors' settings, from their published command for the 8B model (allenai/open-instruct, docs/tulu3.md)
and the table of PPO settings, which the 405B model's card on the Hub repeats:

| learning rate 3e-7, linear, no warm-up | γ 1.0, λ 0.95 | clip ε 0.2, 4 epochs, 1 mini-batch |
| batch 224 (7 GPUs of 32) | β 0.05, KL in the reward | c1 0.1, gradient norm at most 1.0 |
| response 2,048 tokens, temperature 1.0 | reward 10 for right, otherwise 0 | value model from a reward model |

The mixture has the published sizes: 7,473 of GSM8K, 7,500 of MATH, twice as many instructions. Answers are
extracted flexibly, as by the authors: boxed, after "the answer is", or the last number.

These settings differ: the prompts (zero-shot; theirs have 8 worked examples before GSM8K's problems and 3
before MATH's); the instructions (composed by `if_rlvr`, one per prompt; theirs are the Tülu 2 mixture's
prompts with IFEval's constraints), behind the guard that pays nothing for filler; no penalty of -10 for a response without an end (its verifier judges it);
100,000 episodes by default (their 8B command allows ten million); the value's learning rate and the clipping
of values at 0.2; and the model. Theirs are allenai/Llama-3.1-Tulu-3-8B-DPO and, for the value,
allenai/Llama-3.1-Tulu-3-8B-RM, which rlvr's PPO can't shard over GPUs: recipes/verl/ppo.yaml does. The default
here is the same authors' later 1B model with a copy of it as the value model; `--value-model` names a reward
model with its tokenizer.

Hardware (an estimate): policy and value model of 1.5 billion parameters, each with its optimizer,
and the reference: about 60 GB, so a GPU with 80 GB with `--vllm none` or a vLLM server on another;
`--vllm colocate` on more. Data from the Hub: openai/gsm8k, DigitalLearningGmbH/MATH-lighteval;
held out: google/IFEval and the test sets.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import rlvr
from rlvr.training.config import Source

UPDATES = 4  # epochs of one mini-batch each, so optimizer steps per batch
EPISODES = 100_000
BATCH = 224


def config(
    model: str,
    value_model: str = "policy",
    gsm8k: str | None = None,
    math: str | None = None,
    ifeval: str | None = None,
    **changes: Any,
) -> rlvr.TrainConfig:
    """Return the run's configuration, with `changes`. `gsm8k`, `math` and `ifeval` are local files instead of the Hub."""
    settings: dict[str, Any] = {
        "trainer": "ppo",
        "steps": EPISODES // BATCH * UPDATES,
        "batch": BATCH,
        "group": 1,
        "micro_batch": 2,
        "max_tokens": 2048,
        "temperature": 1.0,
        "learning_rate": 3e-7,
        "warmup_steps": 0,
        "beta": 0.05,
        "measure_every": 25 * UPDATES,
        "save_every": 25 * UPDATES,
    }
    flexible = {"mode": "flexible"}
    return rlvr.TrainConfig(
        model,
        environments=[
            Source("gsm8k", 7473, data=gsm8k, options=flexible),
            Source("math", 7500, data=math, options=flexible),
            Source("if_rlvr", 14973, options={"level": 1, "guard": "strict"}),
        ],
        held_out=[
            Source("gsm8k", split="test", data=gsm8k, options=flexible, limit=256),
            Source("math", split="test", data=math, options=flexible, limit=256),
            Source("ifeval", split="test", data=ifeval, limit=256),
        ],
        trl={
            "value_model": value_model,
            "value_learning_rate": 3e-7,
            "vf_coef": 0.1,
            "cliprange_value": 0.2,
            "gamma": 1.0,
            "lam": 0.95,
            "epsilon": 0.2,
            "num_iterations": UPDATES,
            "kl_in": "reward",
            "reward_weights": [10.0],
            "max_grad_norm": 1.0,
            "lr_scheduler_type": "linear",
        },
        **settings | changes,
    )


def main() -> None:
    """Run the recipe from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="allenai/OLMo-2-0425-1B-DPO")
    parser.add_argument(
        "--value-model", default="policy", help="a reward model (default: a copy of the policy)"
    )
    parser.add_argument("--run", help="the run's folder (default: runs/train-TIME)")
    parser.add_argument("--steps", type=int, default=EPISODES // BATCH * UPDATES)
    parser.add_argument("--vllm", choices=["none", "colocate", "server"], default="none")
    parser.add_argument("--base-url", help="address of the vLLM server")
    parser.add_argument("--resume", action="store_true", help="resume the run in --run")
    parser.add_argument("--smoke", action="store_true", help="a small run on the CPU")
    a = parser.parse_args()
    if a.smoke:
        from _smoke import smoke

        files = {"gsm8k": GSM8K, "math": MATH, "ifeval": IFEVAL}
        smoke(config, answers, files, steps=2 * UPDATES, save_every=UPDATES, batch=24)
        return
    run_config = config(a.model, a.value_model, steps=a.steps, vllm=a.vllm, base_url=a.base_url)
    outcome = rlvr.train(run_config, a.run, resume=a.resume)
    print(f"{outcome.step} steps: rlvr view {outcome.run}")


GSM8K: list[dict[str, Any]] = [
    {"question": f"Each of {a} boats carries {b} people. How many people is that?",
     "answer": f"{a} times {b} is {a * b}.\n#### {a * b}"}
    for a, b in ((4, 6), (9, 3), (11, 7))
]  # fmt: skip
MATH: list[dict[str, Any]] = [
    {"problem": "What is $2^5$?", "answer": "32"},
    {"problem": "Solve $3x = 1$ for $x$.", "answer": "\\frac{1}{3}"},
]
IFEVAL: list[dict[str, Any]] = [
    {"key": 1, "prompt": "Name two rivers, without a comma.",
     "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]},
]  # fmt: skip
"""Data of the smoke run."""


def answers(task: rlvr.Task) -> Sequence[str]:
    """Return the answers that the smoke run's model has memorised: right and wrong results, and some sentences."""
    if isinstance(task.reference, str):
        return [f"The answer is \\boxed{{{task.reference}}}.", "The answer is \\boxed{7}."]
    return ["The tide comes in at night and goes out in the morning.", "WE SING. WE SING, TOO."]


if __name__ == "__main__":
    main()
