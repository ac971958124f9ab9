"""The memory that a batch of a transformers model may take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any


def free_bytes(device: Any) -> float:
    """Return the free memory of a device in bytes."""
    import torch

    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(torch.cuda.mem_get_info(device)[0] + cached)
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return math.inf  # not Linux: only `batch_size` bounds a batch
    return next(
        (1024.0 * int(s.split()[1]) for s in lines if s.startswith("MemAvailable")), math.inf
    )


def bytes_per_token(model: Any) -> float:
    """Estimate the memory per token of a sequence while a batch is generated, in bytes."""
    config = model.config.get_text_config()

    def number(name: str) -> int:
        size = getattr(config, name, None) or 0  # a model with a state for a cache has no heads
        return max(size) if isinstance(size, list | tuple) else int(size)

    heads = number("num_attention_heads")
    head_size = number("head_dim") or number("hidden_size") // max(1, heads)
    cached = 2 * number("num_hidden_layers") * (number("num_key_value_heads") or heads)
    inner = number("intermediate_size") or 4 * number("hidden_size")
    # Twice the keys and values: as it grows the cache is copied. And a layer's activations.
    return float((2 * cached * head_size + 4 * max(1, inner)) * model.dtype.itemsize)
