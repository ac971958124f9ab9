"""TRL's vLLM modes without CUDA: the path of the weights from the trainer into vLLM.

TRL sends a server its weights by NCCL, and relies on vLLM to take weights while it runs. A CPU has no NCCL, and vLLM's CPU
layers compute with packed copies. Here a server loads a file instead, and weights stay unpacked
(`tests.vllm_cpu.worker`). Everything else is TRL's and vLLM's own. TRL's `sampling/sampling_logp_difference` shows that
the weights arrived: vLLM's and the trainer's log-probabilities of the same tokens differ only by rounding. Written against
TRL 1.16 and vLLM 0.31.
"""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx

from rlvr.core.errors import RlvrError
from rlvr.core.http import BadAnswer, described, fetch_now

EXTENSION = "tests.vllm_cpu.worker.CpuSync"
_ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_SERVER_DEV_MODE": "1",  # opens /collective_rpc
}
_CALL_S = 600.0  # seconds after which a server won't answer any more


class WeightSyncError(RlvrError, RuntimeError):
    """The server didn't take the new weights, and would generate by an older model."""


def server_command(model: str, port: int = 8000, *flags: str) -> tuple[list[str], dict[str, str]]:
    """Return the arguments and the environment of a server that takes weights on a CPU."""
    command = [
        "vllm", "serve", model, "--port", str(port), "--dtype", "float32", "--enforce-eager",
        "--logprobs-mode", "processed_logprobs", "--max-logprobs", "-1",
        "--worker-extension-cls", EXTENSION, *flags,
    ]  # fmt: skip
    return command, dict(_ENVIRONMENT)


def load_weights(url: str, path: Path, count: int) -> None:
    """Make the server at `url` load a safetensors file of `count` tensors. Raises `WeightSyncError`."""
    body = {"method": "load_rlvr_weights", "args": [str(path)]}
    text, results = "", None
    try:
        answer = fetch_now("POST", f"{url}/collective_rpc", body, timeout_s=_CALL_S)
        text = answer.text[:200]
        if answer.status == 200:
            results = answer.json().get("results")
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, BadAnswer, ValueError) as error:
        text = described(error)
    if results != [str(count)]:  # a worker's answer, as text
        command, environment = server_command("MODEL")
        line = [*(f"{name}={value}" for name, value in environment.items()), *command]
        raise WeightSyncError(
            f"The vLLM server at {url} didn't take the weights ({text}). On a CPU it is started "
            f"like this: {' '.join(line)}"
        )


@contextlib.contextmanager
def vllm_on_cpu() -> Iterator[None]:
    """Patch TRL so that a trainer with `use_vllm=True` works on a CPU, colocated or with a server."""
    import vllm
    from trl.generation import vllm_generation

    from tests.vllm_cpu import worker

    worker.keep_unpacked()
    client, engine = vllm_generation.VLLMClient, vllm_generation.LLM
    for name, value in (_ENVIRONMENT | {"VLLM_ENABLE_V1_MULTIPROCESSING": "0"}).items():
        os.environ.setdefault(name, value)
    vllm_generation.VLLMClient = _client_by_file(client)
    # bfloat16 is slow or dies on processors that announce it and don't have it.
    vllm_generation.LLM = functools.partial(vllm.LLM, dtype="float32", enforce_eager=True)
    vllm_generation.rlvr_on_cpu = True  # for `rlvr.train`, which refuses vLLM on a CPU otherwise
    try:
        yield
    finally:
        vllm_generation.VLLMClient, vllm_generation.LLM = client, engine
        del vllm_generation.rlvr_on_cpu


def _client_by_file(base: Any) -> type:
    """Return TRL's client with weights that are sent as a file, which trainer and server share."""

    class Client(base):  # type: ignore[misc]
        def init_communicator(self, device: Any = 0) -> None:
            # Loading an empty file proves that the server can.
            self._load({})

        def update_named_params(
            self, metadata: Any, named_params: Iterable[tuple[str, Any]]
        ) -> None:
            self._load({name: weight.detach().cpu() for name, weight in named_params})

        def close_communicator(self) -> None:
            """Do nothing: there is no communicator."""

        def _load(self, weights: dict[str, Any]) -> None:
            from safetensors.torch import save_file

            with tempfile.TemporaryDirectory(prefix="rlvr-weights-") as folder:
                path = Path(folder, "weights.safetensors")
                save_file({name: weight.contiguous() for name, weight in weights.items()}, path)
                load_weights(self.base_url, path, len(weights))

    return Client
