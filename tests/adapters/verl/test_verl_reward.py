"""Our reward function and manager under verl's own reward loop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rlvr
from rlvr.adapters.row import rows

pytestmark = pytest.mark.verl

CUSTOM = (
    "reward.custom_reward_function.path=pkg://rlvr.adapters.verl",
    "reward.custom_reward_function.name=compute_score",
    "+reward.custom_reward_function.reward_kwargs={deadline_s: 30.0}",
)
OURS = (
    "reward.reward_manager.source=importlib",
    "reward.reward_manager.name=RewardManager",
    "reward.reward_manager.module.path=pkg://rlvr.adapters.verl",
)


def row(tokenizer: Any, response: str) -> Any:
    """A generated row of `1+1=`, as an agent loop's worker hands it over."""
    import torch
    from tensordict import TensorDict
    from verl import DataProto

    text = [text for _, _, text in rows(rlvr.make("test_sums"))][1]
    prompt = torch.tensor([tokenizer("<user>1+1=<bot>")["input_ids"]])
    said = torch.tensor([[*tokenizer(response)["input_ids"], tokenizer.eos_token_id]])
    ids = torch.cat([prompt, said], dim=1)
    batch = {"prompts": prompt, "responses": said, "input_ids": ids}
    batch["attention_mask"] = torch.ones_like(ids)
    fields = {
        "data_source": "test_sums",
        "reward_model": {"style": "rule", "ground_truth": text},
        "extra_info": {"index": 1},
    }
    boxed = {name: np.array([value], dtype=object) for name, value in fields.items()}
    return DataProto(batch=TensorDict(batch, batch_size=1), non_tensor_batch=boxed)


@pytest.fixture(scope="module")
def manager(configured: Callable[..., Any], tokenizer: Any) -> Callable[..., Any]:
    from verl.trainer.ppo.reward import load_reward_manager

    return lambda *more: load_reward_manager(configured("grpo", *CUSTOM, *more), tokenizer)


def test_verls_reward_manager_takes_every_verdict(
    manager: Callable[..., Any], tokenizer: Any
) -> None:
    naive = manager()
    assert type(naive).__name__ == "NaiveRewardManager"
    run = asyncio.get_event_loop_policy().get_event_loop().run_until_complete
    found = [run(naive.run_single(row(tokenizer, said))) for said in ("2", "3", "", "14")]
    assert [one["reward_score"] for one in found[:3]] == [1.0, 0.0, 0.0]
    assert math.isnan(found[3]["reward_score"])
    infos = [one["reward_extra_info"] for one in found]
    # What verl does with them: the keys of the first row, for every row.
    table = {key: np.array([info[key] for info in infos]) for key in infos[0]}
    assert all(values.dtype == np.float64 for values in table.values())
    assert table["scored"].tolist() == [1.0, 1.0, 1.0, 0.0]
    assert all(list(info) == list(infos[0]) for info in infos)


def test_our_manager_leaves_out_what_has_no_verdict(
    manager: Callable[..., Any], tokenizer: Any
) -> None:
    ours = manager(*OURS)
    run = asyncio.get_event_loop_policy().get_event_loop().run_until_complete
    assert run(ours.run_single(row(tokenizer, "2")))["reward_score"] == 1.0
    with pytest.raises(rlvr.verl.UnscoredRow, match="unscored \\(judge\\)"):
        run(ours.run_single(row(tokenizer, "14")))


def test_our_manager_refuses_verls_old_trainer(manager: Callable[..., Any]) -> None:
    with pytest.raises(rlvr.RlvrError, match=r"trainer\.use_v1=true"):
        manager(*OURS, "trainer.use_v1=false")


def test_validation_means_stand_with_rows_of_several_environments() -> None:
    """verl averages by data source; a number that isn't there must not spoil one that is."""
    from verl.trainer.ppo.metric_utils import process_validation_metrics

    from rlvr import Scored, Status
    from rlvr.adapters.metrics import verdict_metrics

    one = verdict_metrics(Scored(1.0, Status.CORRECT, {"math": 1.0}), ("math", "sql"), {"math"})
    two = verdict_metrics(Scored(0.0, Status.INCORRECT, {"sql": 0.0}), ("math", "sql"), {"sql"})
    infos = {key: [one[key], two[key]] for key in one}
    # The third row was unscored and never came; were there an `acc`, verl would count it as wrong.
    expected = {("gsm8k", "a"): 1, ("gsm8k", "c"): 1, ("spider", "b"): 1}
    found = process_validation_metrics(
        ["gsm8k", "spider"], ["a", "b"], infos, expected_acc_counts=expected
    )
    assert found["gsm8k"]["score"]["mean@1"] == 1.0
    assert found["gsm8k"]["component/math"]["mean@1"] == 1.0
    assert found["spider"]["component/sql"]["mean@1"] == 0.0
    assert "acc" not in found["gsm8k"]
