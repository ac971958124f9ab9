"""New weights for a vLLM server that runs on a CPU:

    vllm serve MODEL --worker-extension-cls tests.vllm_cpu.worker.CpuSync …

vLLM packs the weights of linear layers for the CPU when it loads them, and computes with the packed copy. Later weights go
into the originals, so that the copy becomes stale: all of it if vLLM doesn't pack again, and the output layer's even if it
does, when that layer shares its weights with the embedding. Importing this module keeps weights unpacked in this process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def keep_unpacked() -> None:
    """Make linear layers that vLLM loads for the CPU compute with their own weights."""
    from torch.nn.functional import linear
    from vllm.model_executor.layers import utils

    def dispatch(layer: Any, remove_weight: bool = False) -> None:
        layer.cpu_linear = linear

    utils.dispatch_cpu_unquantized_gemm = dispatch


class CpuSync:
    """An extension of the server's worker, called through `POST /collective_rpc`."""

    model_runner: Any

    def load_rlvr_weights(self, path: str) -> int:
        """Load the tensors of a safetensors file by their names, and return their number."""
        from safetensors.torch import load_file

        weights = load_file(Path(path))
        self.model_runner.model.load_weights(weights.items())
        return len(weights)


keep_unpacked()
