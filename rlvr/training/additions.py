"""The task a small model learns on a CPU: three-digit additions, in disjoint parts, and its warm-up.

What the quickstart trains with GRPO, and what the trainers' own tests and benchmarks train.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.registry import make
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet

MAX_NEW_TOKENS = 40
WARMUP_BATCH = 64
# With 600, one seed of three hasn't learned to copy the middle digit, which no reward mends quickly.
WARMUP_STEPS = 900


def additions(split: str, size: int) -> Environment:
    """`size` problems of a split, such as `102+175=`."""
    return make(
        "arithmetic", split=split, digits=3, terms=2, operators="+", prompt="{compact}=", size=size
    )


def unseen(first: list[Task], seed: int, count: int) -> Environment:
    """`count` problems of the train split behind the warm-up's `first`, none of which it had."""
    seen = {task.text for task in first}
    # Of 648,000 problems the warm-up had up to 6%: half as many again are more than enough.
    start = len(first) + seed * 2 * count
    drawn = additions("train", start + 2 * count).tasks[start:]
    fresh = (task for task in drawn if task.text not in seen)
    env = additions("train", 1)
    env.tasks = TaskSet(list(itertools.islice(fresh, count)), "arithmetic")
    return env


def warmed_up(
    first: list[Task], seed: int, progress: Callable[[int, float], None]
) -> tuple[Any, Any]:
    """The small model and its tokenizer after a supervised step for each `WARMUP_BATCH` of `first`.

    It mostly forgets to carry: see `warmup.py`. `progress` is called with each step and its loss.
    """
    from rlvr.training.small_model import make_model, make_tokenizer
    from rlvr.training.warmup import warm_up

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
    """No network, and none of the libraries' own progress bars: there's one of ours."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import datasets
        import torch
        import transformers
        import trl  # noqa: F401
    except ImportError as error:
        from rlvr.core.errors import MissingExtraError

        raise MissingExtraError(
            f"The quickstart needs the extra 'train' ({error}): pip install 'rlvr[train]'."
        ) from error
    # So small a model gains nothing from a second thread, and threads that wait for one another
    # by spinning make each step a hundred times longer where something else wants the processor.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            torch.set_num_threads(threads)
