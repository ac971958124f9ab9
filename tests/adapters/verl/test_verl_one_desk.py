"""64 episodes at once by verl's agent loop worker: Gymnasium's verdicts, also if a partner fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import EPISODES, TEMPLATE, brief, expected, says
from test_verl_v1 import V1

import rlvr
from tests.policies.families import tokenizer_of

pytestmark = pytest.mark.verl
ROOMY = (
    "data.max_prompt_length=1000",
    "data.max_response_length=4000",
    "actor_rollout_ref.rollout.n=1",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model with the script's template, and of the data."""
    from rlvr.training.quickstart.model import make_model

    folder = tmp_path_factory.mktemp("desk")
    tokenizer = tokenizer_of(TEMPLATE)
    tokenizer.save_pretrained(folder)
    make_model(tokenizer, 0).save_pretrained(folder)
    for fails in (False, True):
        (folder / str(fails)).mkdir()
        rlvr.verl.write_parquet(
            [rlvr.make("test_desk", fails=fails)], folder / str(fails) / "train.parquet"
        )
    return folder


@pytest.fixture(scope="module")
def config(configured: Callable[..., Any], queue: None, folder: Path) -> Any:
    return configured("grpo", *ROOMY, f"actor_rollout_ref.model.path={folder}")


@pytest.mark.parametrize("fails", [False, True])
def test_verl(fails: bool, config: Any, folder: Path) -> None:
    import transfer_queue as tq

    env = rlvr.make("test_desk", fails=fails)
    v1 = V1(config, tokenizer_of(TEMPLATE), folder / str(fails))
    try:
        uids = v1.generate(lambda text, _: says(text), list(range(EPISODES)))
        stored = tq.kv_list()["train"]
        verdicts = [brief(verdict) for verdict in expected(env)]
        scored = {uid: reward for uid, (_, reward) in zip(uids, verdicts, strict=True)}
        there = [f"{uid}_0_0" for uid, reward in scored.items() if reward is not None]
        assert sorted(stored) == sorted([*uids, *there])
        fields = ["rm_scores"]
        found = tq.kv_batch_get(keys=there, partition_id="train", select_fields=fields)
        rewards = [float(scores.sum()) for scores in found["rm_scores"]]
        assert rewards == pytest.approx([scored[key[:-4]] for key in there])
        batch, metrics = v1.sample(EPISODES, n=1)
        assert len(batch.keys) == len(there)
        assert metrics["rlvr/unscored"] == pytest.approx(1 - len(there) / EPISODES)
        for status in ("correct", "partial", "unparsable"):
            share = sum(each == status for each, _ in verdicts) / len(there)
            assert metrics[f"rlvr/status/{status}"] == pytest.approx(share)
    finally:
        v1.clear()
