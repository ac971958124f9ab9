"""Where training runs."""

from __future__ import annotations

import os

from rlvr.training.config import TrainConfig


def on_gpu(config: TrainConfig) -> bool:
    """Whether on a GPU: there's one, and neither `accelerate launch --cpu` nor TRL's `use_cpu` rules it out."""
    import torch

    ruled_out = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes", "y", "on")
    return torch.cuda.is_available() and not ruled_out and not config.trl.get("use_cpu")
