"""Where training runs."""

from __future__ import annotations

from rlvr.training.config import TrainConfig


def on_gpu(config: TrainConfig) -> bool:
    """Whether on a GPU: there's one, and neither `accelerate launch --cpu` nor TRL's `use_cpu` rules it out."""
    import torch
    from accelerate.utils import parse_flag_from_env

    ruled_out = parse_flag_from_env("ACCELERATE_USE_CPU")
    return torch.cuda.is_available() and not ruled_out and not config.trl.get("use_cpu")
