"""GRPO with vLLM on the CPU: vLLM generates, the verifier scores, GRPO steps, and the weights go back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.training.vllm_cpu import WeightSyncError, vllm_on_cpu
from tests.vllm_cpu.conftest import Server, serve, stop


def train(model: Path, out: Path, steps: int, **options: Any) -> list[dict[str, float]]:
    """GRPO's log, a line a step."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer

    torch.set_num_threads(1)
    env = rlvr.make("arithmetic", digits=3, terms=2, operators="+", prompt="{compact}=", size=2000)
    args = GRPOConfig(
        output_dir=str(out), use_cpu=True, bf16=False, gradient_checkpointing=False, max_steps=steps,
        per_device_train_batch_size=64, num_generations=8, max_completion_length=40, learning_rate=3e-4,
        lr_scheduler_type="constant", logging_steps=1, save_strategy="no", report_to=[], disable_tqdm=True,
        use_vllm=True, vllm_gpu_memory_utilization=0.1, vllm_max_model_length=128, **options,
    )  # fmt: skip
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    with vllm_on_cpu():
        trainer = GRPOTrainer(
            model=loaded, args=args, train_dataset=rlvr.trl.dataset(env), reward_funcs=rlvr.trl.reward(env),
            processing_class=AutoTokenizer.from_pretrained(model),
        )  # fmt: skip
    assert loaded.config.tie_word_embeddings
    start = loaded.model.embed_tokens.weight.detach().clone()
    trainer.train()
    assert (loaded.model.embed_tokens.weight - start).abs().max() > 1e-3
    return [line for line in trainer.state.log_history if "reward" in line]


def check_in_step(log: list[dict[str, float]]) -> None:
    assert len(log) >= 6
    for line in log:
        assert line["sampling/sampling_logp_difference/max"] < 1e-4
        assert line["sampling/importance_sampling_ratio/mean"] == pytest.approx(1.0, abs=1e-3)


def test_colocated(warmed: Path, tmp_path: Path) -> None:
    check_in_step(train(warmed, tmp_path, 6, vllm_mode="colocate"))


def test_with_a_server(server: Server, warmed: Path, tmp_path: Path) -> None:
    check_in_step(train(warmed, tmp_path, 6, vllm_mode="server", vllm_server_base_url=server.url))


def test_a_server_that_can_t_take_weights_is_told_at_once(warmed: Path, tmp_path: Path) -> None:
    plain = serve(warmed, tmp_path / "log", "--worker-extension-cls", "")
    try:
        with pytest.raises(WeightSyncError, match="--worker-extension-cls"):
            train(warmed, tmp_path, 1, vllm_mode="server", vllm_server_base_url=plain.url)
    finally:
        stop(plain)
