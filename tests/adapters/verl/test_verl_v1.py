"""Rows through verl's own V1 machinery: agent loop worker, TransferQueue, replay buffer, advantages.

Only the model's server is a stand-in. Its responses are chosen so that some rows have no verdict.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.verl

SMALL = (
    "data.max_prompt_length=12",
    "data.max_response_length=24",
    "actor_rollout_ref.rollout.n=4",
)


class Server:
    """Answers as verl's client does. `says` is given the text so far, and how often it was that text."""

    def __init__(self, tokenizer: Any, says: Callable[[str, int], str]) -> None:
        self._tokenizer, self._says, self._asked = tokenizer, says, Counter[str]()
        self.budgets: list[int] = []

    async def generate(
        self, request_id: str, *, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any
    ) -> Any:
        from verl.workers.rollout.replica import TokenOutput

        text = self._tokenizer.decode(prompt_ids)
        nth, self._asked[text] = self._asked[text], self._asked[text] + 1
        self.budgets.append(sampling_params.get("max_tokens", 24))
        await asyncio.sleep(0.001 * (nth % 3))
        ids = [*self._tokenizer(self._says(text, nth))["input_ids"], self._tokenizer.eos_token_id]
        steps = {"global_steps": 1, "min_global_steps": 1, "max_global_steps": 1}
        return TokenOutput(
            token_ids=ids[: self.budgets[-1]],
            log_probs=[-0.5] * len(ids[: self.budgets[-1]]),
            extra_fields=steps,
        )


class V1:
    """verl's worker and queue, as its trainer wires them up."""

    def __init__(self, config: Any, tokenizer: Any, data: Path) -> None:
        from verl.utils.dataset.rl_dataset import RLHFDataset

        self.config, self.tokenizer = config, tokenizer
        self._rows = RLHFDataset(str(data / "train.parquet"), tokenizer, config.data)
        self.loop = asyncio.get_event_loop_policy().get_event_loop()

    def generate(
        self,
        says: Callable[[str, int], str],
        rows: list[int],
        agent: str = "rlvr",
        handles: Any = None,
    ) -> list[str]:
        """Generate these rows of the data, four times each, and return their uids."""
        import transfer_queue as tq
        from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopWorkerTQ
        from verl.utils import tensordict_utils
        from verl.utils.dataset.rl_dataset import collate_fn

        self.server = Server(self.tokenizer, says)
        make = AgentLoopWorkerTQ.__ray_metadata__.modified_class
        worker = make(self.config, self.server, None, handles)
        batch = collate_fn([self._rows[i] for i in rows])
        uids = [str(uuid.uuid4()) for _ in rows]
        batch["uid"] = np.array(uids, dtype=object)
        batch["agent_name"] = np.array([agent] * len(rows), dtype=object)
        given = tensordict_utils.get_tensordict(batch)
        tensordict_utils.assign_non_tensor_data(given, "global_steps", 1)
        tags = [{"is_prompt": True, "status": "pending", "global_steps": 1} for _ in rows]
        tq.kv_batch_put(keys=uids, partition_id="train", tags=tags)

        async def all_rows() -> None:
            await worker.generate_sequences(given)
            await asyncio.gather(*worker.background_tasks)

        self.loop.run_until_complete(all_rows())
        return uids

    def sample(self, groups: int, least: int = 1, n: int = 4) -> tuple[Any, dict[str, float]]:
        """Return the batch that the trainer's step gets from the replay buffer."""
        from rlvr.adapters.verl.replay_buffer import ReplayBuffer

        buffer = ReplayBuffer(
            trainer_mode="sync",
            trainer_config={},
            max_off_policy_threshold=8,
            max_off_policy_strategy="drop",
            sampler_kwargs={"n": n, "least": least},
            refill_fn=None,
        )
        batch, metrics = buffer.sample(1, "train", groups)
        return batch, metrics

    def advantages(self, batch: Any, estimator: str) -> tuple[dict[str, Any], Any]:
        """Return each row's advantages by its key, from verl's functions, and the batch's tensors."""
        import torch
        import transfer_queue as tq
        from verl import DataProto
        from verl.trainer.ppo.v1.utils import compute_advantage_for_multi_trajectories

        fields = ["uid", "response_mask", "rm_scores"]
        found = tq.kv_batch_get(keys=batch.keys, partition_id="train", select_fields=fields)
        data = DataProto(batch=found.to_padded_tensor())
        data.non_tensor_batch["uid"] = np.array(data.batch.pop("uid").tolist(), dtype=object)
        data.batch["token_level_rewards"] = data.batch["rm_scores"]
        mask = data.batch["response_mask"]
        data.batch["values"] = torch.full(mask.shape, 0.25)
        data = compute_advantage_for_multi_trajectories(
            data, batch.keys, estimator, config=self.config.algorithm
        )
        rows = dict(zip(batch.keys, data.batch["advantages"] * mask, strict=True))
        return rows, data.batch

    def clear(self) -> None:
        import transfer_queue as tq

        for partition, items in (tq.kv_list() or {}).items():
            if items:
                tq.kv_clear(partition_id=partition, keys=list(items))


@pytest.fixture(scope="module")
def v1(configured: Callable[..., Any], queue: None, tokenizer: Any, data: Path) -> V1:
    return V1(configured("grpo", *SMALL), tokenizer, data)


@pytest.fixture(autouse=True)
def emptied(v1: V1) -> Iterator[None]:
    yield
    v1.clear()


SUMS = ["2", "3", "14", "2"]  # of 1+1=: right, wrong, unscored, right


def says(text: str, nth: int) -> str:
    return SUMS[nth % 4]


def test_a_row_without_a_verdict_is_no_row(v1: V1) -> None:
    import transfer_queue as tq

    (uid,) = v1.generate(says, [1])
    stored = tq.kv_list()["train"]
    # And so no asynchronous trainer throws the group out.
    assert stored[uid]["status"] == "finished"
    assert sorted(stored) == [uid, f"{uid}_0_0", f"{uid}_1_0", f"{uid}_3_0"]
    batch, metrics = v1.sample(1)
    assert len(batch.keys) == 3
    assert metrics["rlvr/unscored"] == 0.25
    assert metrics["rlvr/picky"] == metrics["rlvr/status/correct"] == pytest.approx(2 / 3)
    assert metrics["rlvr/short"] == 1.0


@pytest.mark.parametrize("estimator", ["grpo", "gae"])
def test_the_other_rows_are_as_if_it_had_never_been(v1: V1, estimator: str) -> None:
    """Against a batch whose fourth row was never asked for, and with verl's padding beside it."""
    import torch
    from verl.trainer.ppo.padding_utils import upsample_batch_to_divisible_size

    v1.generate(says, [1])
    batch, _ = v1.sample(1)
    found, tensors = v1.advantages(batch, estimator)
    by_reward = {0: [], 1: []}
    for key, reward in zip(batch.keys, tensors["rm_scores"].sum(-1).tolist(), strict=True):
        by_reward[int(reward)].append(found[key][0].item())
    if estimator == "grpo":
        rewards = torch.tensor([1.0, 0.0, 1.0])
        right, wrong, _ = ((rewards - rewards.mean()) / (rewards.std() + 1e-6)).tolist()
        assert by_reward == {0: [pytest.approx(wrong)], 1: [pytest.approx(right)] * 2}
    else:
        assert by_reward[0][0] < 0 < by_reward[1][0]
    padded = upsample_batch_to_divisible_size(batch, 8, v1.tokenizer.eos_token_id)
    assert len(padded.keys) == 8
    again, tensors = v1.advantages(padded, estimator)
    for key, row in found.items():
        assert again[key][: len(row)].tolist() == pytest.approx(row.tolist())
    for key in set(again) - set(found):
        assert not again[key].any()
    assert tensors["advantages"].isfinite().all()


def test_a_zero_in_its_place_would_have_moved_them() -> None:
    """With a score of 0 the right answers' advantage changes, by verl's own function."""
    import torch
    from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

    def right(rewards: list[float]) -> float:
        tokens = torch.tensor(rewards, dtype=torch.float32)[:, None]
        group = np.array(["a"] * len(rewards), dtype=object)
        return compute_grpo_outcome_advantage(tokens, torch.ones_like(tokens), group)[0][0].item()

    assert right([1, 0, 1, 0]) - right([1, 0, 1]) > 0.25


def test_a_conversation_keeps_the_models_tokens_and_masks_the_environments(v1: V1) -> None:
    import transfer_queue as tq

    def plays(text: str, nth: int) -> str:
        return "3" if text.count("<bot>") > 1 else ["1", "3", "0", "4"][nth % 4]

    v1.generate(plays, [10])  # 2+1= of the guessing game; 0 breaks its sandbox, 4 its judge
    batch, metrics = v1.sample(1)
    assert metrics["rlvr/unscored"] == 0.5
    fields = ["responses", "response_mask", "rm_scores", "rollout_log_probs", "num_turns"]
    found = tq.kv_batch_get(keys=batch.keys, partition_id="train", select_fields=fields)
    rows = sorted(
        zip(*(list(found[name]) for name in fields), strict=True), key=lambda r: len(r[0])
    )
    short, long = rows
    assert v1.tokenizer.decode(short[0]) == "3<eos>"
    assert v1.tokenizer.decode(long[0]) == "1<eos><user>+1<bot>3<eos>"
    assert long[1].tolist() == [1, 1, 0, 0, 0, 0, 1, 1]
    assert long[2].tolist() == [0, 0, 0, 0, 0, 0, 0, 1]
    assert long[3].tolist() == [-0.5, -0.5, 0, 0, 0, 0, -0.5, -0.5]
    assert max(v1.server.budgets) == 24
    assert min(v1.server.budgets) == 18


def test_no_row_is_longer_than_response_length(v1: V1) -> None:
    import transfer_queue as tq

    v1.generate(lambda text, nth: "1" * (5 + 9 * nth), [10])
    batch, _ = v1.sample(1)
    found = tq.kv_batch_get(keys=batch.keys, partition_id="train", select_fields=["responses"])
    assert len(batch.keys) == 4
    assert max(len(ids) for ids in found["responses"]) <= 24


def test_groups_too_small_to_compare_are_left_out(v1: V1) -> None:
    one, two = v1.generate(lambda text, nth: ["2", "14"][nth > 0 and "1+1" in text], [1, 2])
    batch, metrics = v1.sample(2, least=2)
    assert {key.split("_")[0] for key in batch.keys} == {two}
    assert metrics["rlvr/unscored"] == pytest.approx(3 / 8)
    assert metrics["rlvr/too_small"] == pytest.approx(1 / 8)
    assert one != two


def test_where_nothing_can_be_scored_training_stops_and_says_so(v1: V1) -> None:
    v1.generate(lambda text, nth: "14", [1])
    with pytest.raises(RuntimeError, match="no materializable trajectories"):
        v1.sample(1)
    v1.clear()
    v1.generate(lambda text, nth: ["2", "14"][nth > 0], [1])
    with pytest.raises(RuntimeError, match="No group of this step has 2 rows with a verdict: 75%"):
        v1.sample(1, least=2)


def test_another_agent_loop_with_our_reward_manager_drops_the_row_too(
    v1: V1, configured: Callable[..., Any]
) -> None:
    import transfer_queue as tq
    from test_verl_reward import CUSTOM, OURS
    from verl.trainer.ppo.reward import load_reward_manager

    manager = load_reward_manager(configured("grpo", *SMALL, *CUSTOM, *OURS), v1.tokenizer)
    handle = SimpleNamespace(compute_score=SimpleNamespace(remote=manager.run_single))
    (uid,) = v1.generate(says, [1], agent="single_turn_agent", handles=[handle])
    assert tq.kv_list()["train"][uid]["status"] == "failure"
    batch, metrics = v1.sample(1)
    assert len(batch.keys) == 3
    assert metrics["rlvr/unscored"] == 0.25
