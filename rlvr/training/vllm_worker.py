"""New weights for a vLLM server that runs on a CPU. The server imports this, and rlvr nothing of it:

    vllm serve MODEL --worker-extension-cls rlvr.training.vllm_worker.CpuSync …

vLLM packs the weights of linear layers for the CPU when it loads them and computes with the packed
copy. Weights that come later go into the originals, so that the copy would stay stale: all of them
where vLLM doesn't pack again, and the output layer's even where it does if it shares its weights with the embedding.
Importing this module keeps weights unpacked, in this process alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


def keep_unpacked() -> None:
    """From now on, linear layers that vLLM loads for the CPU compute with their own weights."""
    from torch.nn.functional import linear
    from vllm.model_executor.layers import utils

    def dispatch(layer: Any, remove_weight: bool = False) -> None:
        layer.cpu_linear = linear

    utils.dispatch_cpu_unquantized_gemm = dispatch


class CpuSync:
    """What the server's worker can do beside its own: called through `POST /collective_rpc`."""

    model_runner: Any

    def load_rlvr_weights(self, path: str) -> int:
        """Load the tensors of a safetensors file under their own names; how many there were."""
        from safetensors.torch import load_file

        weights = load_file(Path(path))
        self.model_runner.model.load_weights(weights.items())
        return len(weights)


keep_unpacked()
