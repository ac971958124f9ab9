"""The device of training, and its precision."""

from __future__ import annotations

import pytest

import rlvr
from rlvr.training.config import TrainConfig

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from rlvr.training.device import on_gpu  # noqa: E402
from rlvr.training.quickstart.model import (  # noqa: E402
    make_model,
    make_tokenizer,
    warm_up,
)


def test_a_gpu_is_used_where_nothing_rules_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, ruled_out = (
        TrainConfig("m", "arithmetic"),
        TrainConfig("m", "arithmetic", trl={"use_cpu": True}),
    )
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.delenv("ACCELERATE_USE_CPU", raising=False)
    assert on_gpu(plain)
    assert not on_gpu(ruled_out)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "False")  # as `accelerate launch` writes it
    assert on_gpu(plain)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "True")
    assert not on_gpu(plain)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("ACCELERATE_USE_CPU")
    assert not on_gpu(plain)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_warm_up_learns_in_either_precision(dtype: torch.dtype) -> None:
    """With stale copies of the weights, as an autocast around all steps keeps them, no loss falls."""
    tokenizer = make_tokenizer()
    tasks = list(
        rlvr.make(
            "arithmetic", digits=3, terms=2, operators="+", prompt="{compact}=", size=96
        ).tasks
    )
    losses: list[float] = []
    warm_up(
        make_model(tokenizer, 0), tokenizer, tasks, steps=24, batch_size=4, learning_rate=1e-2, seed=0,
        progress=lambda step, loss: losses.append(loss), dtype=dtype,
    )  # fmt: skip
    assert len(losses) == 24
    assert sum(losses[-5:]) < 0.75 * sum(losses[:5])
