"""The quickstart's task: three-digit additions in disjoint parts, and the warmed-up model to train on them.

The trainers' tests and benchmarks train on it, too.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rlvr.core.environment import Environment
from rlvr.core.registry import make
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.training.device import training_stack

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

MAX_NEW_TOKENS = 40
WARMUP_BATCH = 64
# After 600 steps one seed of three can't copy the middle digit yet, which a reward teaches slowly.
WARMUP_STEPS = 900


def additions(split: str, size: int) -> Environment:
    """Return `size` problems of a split, such as `102+175=`."""
    return make(
        "arithmetic", split=split, digits=3, terms=2, operators="+", prompt="{compact}=", size=size
    )


def unseen(first: list[Task], seed: int, count: int) -> Environment:
    """Return `count` problems of the train split that are not among `first`, the problems of the warm-up."""
    warmup_texts = {task.text for task in first}
    # The warm-up uses up to 6% of the 648,000 problems, so that twice the count leaves more than enough.
    start = len(first) + seed * 2 * count
    candidates = additions("train", start + 2 * count).tasks[start:]
    fresh = (task for task in candidates if task.text not in warmup_texts)
    env = additions("train", 1)
    env.tasks = TaskSet(list(itertools.islice(fresh, count)), "arithmetic")
    return env


def warmed_up(
    first: list[Task], seed: int, progress: Callable[[int, float], None]
) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Return the model and its tokenizer after one supervised step per `WARMUP_BATCH` problems of `first`.

    `progress` is called with each step's number and its loss.
    """
    from rlvr.training.quickstart.model import make_model, make_tokenizer, warm_up

    tokenizer = make_tokenizer()
    model = make_model(tokenizer, seed)
    warm_up(
        model,
        tokenizer,
        first,
        steps=len(first) // WARMUP_BATCH,
        batch_size=WARMUP_BATCH,
        learning_rate=3e-3,
        seed=seed,
        progress=progress,
    )
    return model, tokenizer


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries off the network, and silence their progress bars and warnings."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    with training_stack("The quickstart", Warning):
        import torch

        # So small a model gains nothing from a second thread. Waiting threads spin, which makes a step a hundred
        # times longer if another process wants the processor.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
