"""TRL's asynchronous trainer: its rollout worker, a process of its own, generates with vLLM and rewards with rlvr."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import rlvr
from tests.vllm_cpu.conftest import NAME, Server
from tests.vllm_cpu.test_vllm_grpo import OPTIONS


@pytest.mark.sweep
def test_the_rollout_worker_rewards_in_its_own_process(server: Server, warmed: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from trl.experimental.async_grpo.async_rollout_worker import AsyncRolloutWorker

    from accelerate import PartialState
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(warmed)
    # The worker knows the templates of published models, and asks others how they end a message.
    content = {"close_pattern": "<eos>", "content": "text"}
    tokenizer.response_template = {
        "defaults": {"role": "assistant"},
        "start_anchor": "<bot>",
        "fields": {"content": content},
    }
    env = rlvr.make("arithmetic", **OPTIONS)
    PartialState()  # its log asks for the process that the trainer would make
    worker = AsyncRolloutWorker(
        model_name=NAME,
        dataset=rlvr.trl.dataset(env, limit=8),
        reward_funcs=[rlvr.trl.reward(env)],
        processing_class=tokenizer,
        eos_token_ids=[tokenizer.eos_token_id],
        vllm_server_url=server.url,
        num_generations=4,
        max_inflight_tasks=8,
        max_tokens=40,
    )
    worker.start()
    try:
        samples = [worker.rollout_buffer.get(timeout=120) for _ in range(8)]
    finally:
        worker.stop()
    for sample in samples:
        assert sample.metrics["reward"] == sample.metrics["rewards/arithmetic"]
        assert sample.metrics["reward"] in (0.0, 1.0)  # no row is unscored
