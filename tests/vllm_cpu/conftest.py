"""A real vLLM, on the CPU: a small model that can add a little, and a server of it.

These tests run in a virtual environment of their own (`make test-vllm`).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest

import rlvr
from rlvr.policies.base import Generation, Request
from rlvr.policies.openai import OpenAIPolicy
from rlvr.policies.transformers import TransformersPolicy

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
# One thread: the cores are shared with the server, and waiting threads spin.
os.environ.setdefault("OMP_NUM_THREADS", "1")

HERE = Path(__file__).parent
NAME, CONTEXT = "adder", 128


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vllm)


@dataclass
class Server:
    url: str
    process: subprocess.Popen[bytes]

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"


@pytest.fixture
def vllm_trains() -> Iterator[None]:
    """Let `rlvr.train` use vLLM on this CPU."""
    from tests.vllm_cpu.weights import vllm_on_cpu

    with vllm_on_cpu():
        yield


@pytest.fixture(scope="session")
def warmed(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    """A folder with the quickstart's model after its warm-up; in the gate, after part of it."""
    import torch

    from rlvr.training.quickstart.model import make_model, make_tokenizer, warm_up

    torch.set_num_threads(1)
    steps = 900 if pytestconfig.getoption("--all") else 250
    env = rlvr.make(
        "arithmetic", digits=3, terms=2, operators="+", prompt="{compact}=", size=64 * steps
    )
    tokenizer = make_tokenizer()
    model = make_model(tokenizer, 0)
    warm_up(
        model, tokenizer, list(env.tasks), steps=steps, batch_size=64, learning_rate=3e-3, seed=0,
        progress=lambda step, loss: None,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def serve(model: Path, log: Path, *flags: str, port: int = 0) -> Server:
    """Start a server of `model` that takes weights."""
    from tests.vllm_cpu.weights import server_command

    port = port or free_port()
    command, environment = server_command(
        str(model), port, "--served-model-name", NAME, "--max-model-len", str(CONTEXT), *flags
    )
    command[0] = str(Path(sys.executable).with_name("vllm"))
    path = f"{Path(__file__).parents[2]}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=os.environ | environment | {"PYTHONPATH": path}, stdout=out, stderr=out
        )
    server = Server(f"http://127.0.0.1:{port}", process)
    deadline = (
        time.monotonic() + 1800
    )  # of a machine with much else to do: importing vLLM takes minutes there
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{server.url}/health", timeout=5).is_success:
                return server
        except httpx.HTTPError:
            time.sleep(0.5)
    stop(server)
    pytest.fail(f"vllm serve didn't come up: {log.read_text(errors='replace')[-3000:]}")


def stop(server: Server) -> None:
    server.process.terminate()
    try:
        server.process.wait(120)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def server(one_server: Server, warmed: Path) -> Server:
    """With the warmed-up weights, whatever a test before has trained."""
    from safetensors import safe_open

    from tests.vllm_cpu.weights import load_weights

    path = warmed / "model.safetensors"
    with safe_open(path, "pt") as file:
        load_weights(one_server.url, path, len(list(file.keys())))
    return one_server


@pytest.fixture(scope="session")
def one_server(warmed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = serve(warmed, tmp_path_factory.mktemp("log") / "vllm.log")
    yield one
    stop(one)


def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def ask(policy: OpenAIPolicy, prompt: str, n: int = 1, seed: int = 5) -> list[Generation]:
    async def go() -> list[Generation]:
        await policy.start()
        try:
            return list(await policy.generate(Request.of(rlvr.Task(prompt, "0"), seed), n))
        finally:
            await policy.aclose()

    return asyncio.run(go())


def logprobs_by_torch(model: Path, prompt: str, ids: tuple[int, ...]) -> np.ndarray:
    import torch

    policy = TransformersPolicy(str(model))
    before = policy.tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, return_dict=True
    )["input_ids"]
    with torch.no_grad():
        logits = policy.model(torch.tensor([[*before, *ids]])).logits[0, len(before) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0].numpy()
