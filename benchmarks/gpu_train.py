"""A model from nothing on one GPU in ten minutes: warm-up, then GRPO on long additions.

    python benchmarks/gpu_train.py [--vllm colocate]     # one GPU: 168 million parameters
    python benchmarks/gpu_train.py --tiny                # the same on a CPU: 84 thousand, a minute

The task is `arithmetic` with two terms of twelve digits (of three, with --tiny), in characters. The
warm-up teaches the way by columns on worked additions most of which forget to carry, so that the
model has the wrong way as its habit and the right one in its repertoire; GRPO against the verifier,
through `rlvr.train`, has to turn that round. Prints tokens a second, the shares of generation,
scoring and update in a step (how they're timed: benchmarks/trainer_clock.py), and the lift in
held-out greedy accuracy. Bars: ten minutes in all, and scoring under 1% of the step.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer_clock import Clock, timed

sys.path.insert(0, str(Path(__file__).parents[1]))  # for recipes

import rlvr
from rlvr.training.config import Source
from rlvr.training.train import TrainOutcome


@dataclass(frozen=True)
class Size:
    """What is trained, and how long.

    Attributes:
        digits: of each term.
        width, layers: of the model.
        warmup_steps, warmup_rate: supervised, 64 examples each.
        steps, rate: of GRPO, `batch` completions each.
    """

    digits: int
    width: int
    layers: int
    warmup_steps: int
    warmup_rate: float
    steps: int
    rate: float
    batch: int

    @property
    def max_tokens(self) -> int:
        """A worked addition's characters, and a few: 8 a column, and the boxed result."""
        return 9 * self.digits + 13


GPU = Size(12, 1024, 16, 1000, 3e-4, 60, 1e-5, 256)
TINY = Size(3, 64, 2, 900, 3e-3, 40, 3e-4, 128)

_WARMUP_BATCH = 64


def additions(size: Size, split: str, count: int) -> rlvr.Environment:
    """`count` problems of a split."""
    options: dict[str, Any] = {"digits": size.digits, "terms": 2, "operators": "+"}
    return rlvr.make("arithmetic", split=split, prompt="{compact}=", size=count, **options)


def warmed_up(size: Size, folder: Path, seed: int) -> tuple[int, set[str]]:
    """Write the warmed-up model to `folder`; return its number of parameters and its problems."""
    import torch

    from recipes._text_model import make_text_model
    from rlvr.training.quickstart.model import make_tokenizer, warm_up

    tokenizer = make_tokenizer()
    model = make_text_model(tokenizer, seed, width=size.width, layers=size.layers, positions=512)
    on_gpu = torch.cuda.is_available()
    first = list(additions(size, "train", _WARMUP_BATCH * size.warmup_steps).tasks)
    warm_up(
        model.to("cuda") if on_gpu else model,
        tokenizer,
        first,
        steps=size.warmup_steps,
        batch_size=_WARMUP_BATCH,
        learning_rate=size.warmup_rate,
        seed=seed,
        progress=lambda step, loss: (
            print(f"warm-up {step}  loss {loss:.3f}") if step % 100 == 0 else None
        ),
        dtype=torch.bfloat16 if on_gpu else torch.float32,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model.num_parameters(), {task.text for task in first}


def learn(
    size: Size, folder: Path, seen: set[str], seed: int, vllm: Any
) -> tuple[TrainOutcome, Clock]:
    """GRPO on problems that the warm-up hadn't, measured on 256 of the test split."""
    wanted = size.steps * size.batch // 8
    drawn = _WARMUP_BATCH * size.warmup_steps  # some of them twice, so more than were seen
    later = additions(size, "train", drawn + 2 * wanted + 1000).tasks[drawn:]
    env = additions(size, "train", 1)
    fresh = itertools.islice((task for task in later if task.text not in seen), wanted)
    env.tasks = rlvr.TaskSet(list(fresh), "arithmetic")
    config = rlvr.TrainConfig(
        str(folder / "model"),
        Source(env=env),
        steps=size.steps,
        batch=size.batch,
        group=8,
        max_tokens=size.max_tokens,
        learning_rate=size.rate,
        held_out=Source(env=additions(size, "test", 256)),
        measure_every=size.steps,
        save_every=10 * size.steps,
        seed=seed,
        vllm=vllm,
        trl={"adam_beta2": 0.99, "gradient_checkpointing": False},
    )
    with timed() as clock:
        outcome = rlvr.train(config, folder / "run")
    return outcome, clock


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="on a CPU, in a minute")
    parser.add_argument("--vllm", choices=["none", "colocate"], default="none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="of GRPO")
    parser.add_argument("--warmup-steps", type=int)
    parser.add_argument("--keep", type=Path, help="a new folder for the model and the run")
    a = parser.parse_args()
    import torch

    if not a.tiny and not torch.cuda.is_available():
        parser.error("there's no GPU here: --tiny runs the same on a CPU")
    if a.tiny:
        torch.set_num_threads(1)
    torch.set_float32_matmul_precision("high")
    chosen = TINY if a.tiny else GPU
    given = {k: v for k in ("steps", "warmup_steps") if (v := getattr(a, k)) is not None}
    size = Size(**vars(chosen) | given)
    began = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() if a.keep is None else contextlib.nullcontext(a.keep) as name
    ):
        parameters, seen = warmed_up(size, Path(name, "model"), a.seed)
        warm = time.perf_counter()
        outcome, clock = learn(size, Path(name), seen, a.seed, a.vllm)
        done = time.perf_counter()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU, one thread"
    before, after = outcome.before[0].correct, outcome.after[0].correct
    seconds, shares = clock.seconds, clock.shares()
    lines = [
        ("model", f"{parameters / 1e6:.2f} million parameters on {device}"),
        ("warm-up", f"{size.warmup_steps} steps in {warm - began:.0f} s"),
        ("GRPO", f"{clock.steps} steps of {size.batch} completions in {done - warm:.0f} s"),
        ("a step", f"{seconds['step'] / clock.steps:.3f} s"),
        ("tokens a second, generating", f"{clock.tokens / seconds['generation']:.0f}"),
        ("tokens a second, whole step", f"{clock.tokens / seconds['step']:.0f}"),
        *((f"share of {part}", f"{share:.2%}") for part, share in shares.items()),
        ("held-out accuracy", f"{before.value:.3f} → {after.value:.3f} (± {after.half:.3f})"),
        ("all", f"{done - began:.0f} s"),
    ]
    for name, text in lines:
        print(f"{name:<30} {text}")


if __name__ == "__main__":
    main()
