"""The libraries, devices and processes that training runs on."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from rlvr.core.errors import MissingExtraError
from rlvr.training.config import TrainConfig


@contextlib.contextmanager
def training_stack(purpose: str, ignored: type[Warning]) -> Iterator[None]:
    """Import the training stack, and silence its progress bars, its logs and one category of warnings.

    Raises `MissingExtraError` if the extra `train` isn't installed; `purpose` is the subject of its message.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        import datasets
        import transformers
        import trl  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs the extra 'train' ({error}): pip install 'rlvr[train]'."
        ) from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ignored)
        yield


def on_gpu(config: TrainConfig) -> bool:
    """Return True if there is a GPU and neither `accelerate launch --cpu` nor TRL's `use_cpu` rules it out."""
    import torch
    from accelerate.utils import parse_flag_from_env

    ruled_out = parse_flag_from_env("ACCELERATE_USE_CPU")
    return torch.cuda.is_available() and not ruled_out and not config.trl.get("use_cpu")


def fewer_processes(started: int) -> str | None:
    """Return a warning if `accelerate launch` was asked for more processes than it started.

    On CPUs `accelerate launch --num_processes 2` starts one, and says nothing. Only its command line has the number that
    was asked for.
    """
    try:
        line = Path(f"/proc/{os.getppid()}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return None  # this isn't Linux
    words = line.replace("\0", " ")
    requested = re.search(r"--num[_-]processes[= ](\d+)", words)
    if "accelerate" not in words or requested is None or int(requested.group(1)) <= started:
        return None
    return (
        f"accelerate launch was asked for {requested.group(1)} processes and started {started}: on CPUs it "
        f"starts one. `torchrun --nproc_per_node {requested.group(1)} -m -- rlvr train …` starts all of them."
    )
