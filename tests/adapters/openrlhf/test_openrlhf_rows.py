"""Rows through OpenRLHF's own code: data set, executor, experience, advantages, loss.

Only vLLM's engine is a stand-in. What it says is chosen so that some rows have no verdict.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import rlvr

pytestmark = pytest.mark.openrlhf
ROOT = Path(__file__).parents[3]
SUMS = ["2", "3", "14", "2"]  # of 1+1=: right, wrong, unscored, right


def sampling(max_tokens: int | None = None) -> Any:
    return SimpleNamespace(max_tokens=max_tokens, logprobs=1)


class Engine:
    """Answers as vLLM does. `says` is given the text so far and how often the engine was asked."""

    def __init__(self, tokenizer: Any, says: Callable[[str, int], str]) -> None:
        self._tokenizer, self._says, self._asked = tokenizer, says, 0
        self.budgets: list[int] = []

    async def generate(self, tokens: list[int], params: Any, multi_modal_data: Any = None) -> Any:
        nth, self._asked = self._asked, self._asked + 1
        text = self._says(self._tokenizer.decode(tokens), nth)
        self.budgets.append(params.max_tokens)
        await asyncio.sleep(0.001 * (nth % 3))
        ids = [*self._tokenizer(text)["input_ids"], self._tokenizer.eos_token_id]
        cut, ids = len(ids) > params.max_tokens, ids[: params.max_tokens]
        logprobs = [{token: SimpleNamespace(logprob=-0.5)} for token in ids]
        made = SimpleNamespace(
            token_ids=ids, text=text, finish_reason="length" if cut else "stop", logprobs=logprobs
        )
        return SimpleNamespace(outputs=[made])


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, tokenizer: Any) -> Any:
    """Our file as OpenRLHF's data set: eight sums, eight guessing games."""
    import datasets
    from openrlhf.datasets.prompts_dataset import PromptDataset

    path = tmp_path_factory.mktemp("data") / "train.jsonl"
    rlvr.openrlhf.write_jsonl([rlvr.make("test_sums"), rlvr.make("test_guess")], path)
    read = datasets.load_dataset("json", data_files=str(path), cache_dir=str(path.parent))["train"]
    keys = SimpleNamespace(input_key="input", label_key="label", apply_chat_template=True)
    args = SimpleNamespace(data=keys)
    return PromptDataset(read, tokenizer, SimpleNamespace(args=args, is_rank_0=lambda: False))


def generated(
    tokenizer: Any,
    row: Any,
    says: Callable[[str, int], str],
    samples: int = 4,
    most: int = 40,
    executor: Any = None,
    max_tokens: int | None = None,
) -> tuple[list[dict[str, Any]], Engine]:
    """All samples of a row, as OpenRLHF's rollout actor makes them."""
    from openrlhf.trainer.ray.vllm_engine import RolloutRayActor, _load_agent_executor

    if executor is None:
        executor = _load_agent_executor(str(ROOT / "recipes/openrlhf/agent.py"))
    engine = Engine(tokenizer, says)
    actor = SimpleNamespace(executor=executor, generate=engine.generate)
    run = RolloutRayActor.__ray_metadata__.modified_class.generate_responses
    _, prompt, label, images = row
    made = run(actor, prompt, label, sampling(max_tokens), most, tokenizer, samples, images)
    return asyncio.run(made), engine


def experiences(responses: list[dict[str, Any]], estimator: str, samples: int) -> list[Any]:
    """The rows with OpenRLHF's advantages. Values, KL and log-probabilities stand in for models."""
    import torch
    from openrlhf.trainer.ppo_utils.experience_maker import RemoteExperienceMaker
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

    args = SimpleNamespace(
        algo=SimpleNamespace(
            advantage=SimpleNamespace(estimator=estimator, gamma=1.0, lambd=1.0, no_std_norm=False)
        ),
        rollout=SimpleNamespace(
            n_samples_per_prompt=samples, micro_batch_size=2, max_new_tokens=None
        ),
        reward=SimpleNamespace(clip_range=(-10, 10)),
        train=SimpleNamespace(dynamic_batch_enable=False),
    )
    process = SamplesGenerator._process_response_into_experience
    one_each = [process(None, response, max_len=64) for response in responses]
    maker = RemoteExperienceMaker.__new__(RemoteExperienceMaker)
    maker.strategy, maker.args = SimpleNamespace(args=args), args
    maker.advantage_estimator = estimator
    maker.tokenizer, maker.kl_ctl = SimpleNamespace(pad_token_id=0), SimpleNamespace(value=0.0)
    batches = maker.split_rollout_samples(one_each)
    for batch in batches:
        shape = batch.action_mask.shape
        batch.values, batch.kl = torch.full(shape, 0.25), torch.zeros(shape)
    return maker.compute_advantages_and_returns(batches)


def masked(batches: list[Any]) -> list[list[float]]:
    """Each row's advantages on its own tokens."""
    return [
        advantages[mask.bool()].tolist()
        for batch in batches
        for advantages, mask in zip(batch.advantages, batch.action_mask, strict=True)
    ]


def says(text: str, nth: int) -> str:
    return SUMS[nth % 4]


def test_a_row_is_what_openrlhf_expects(tokenizer: Any, rows: Any) -> None:
    responses, engine = generated(tokenizer, rows[1], says, max_tokens=9)
    right = responses[0]
    assert right["prompt"] == "<user>1+1=<bot>"
    assert tokenizer.decode(right["observation_tokens"]) == "<user>1+1=<bot>2<eos>"
    assert right["action_ranges"] == [(6, 8)]
    assert right["rollout_log_probs"] == [0.0] * 6 + [-0.5] * 2
    assert (right["reward"], right["scores"], right["truncated"]) == (1.0, 1.0, False)
    assert right["extra_logs"]["rlvr/component/picky"] == 1.0
    assert engine.budgets == [9] * 4
    logs = [response["extra_logs"] for response in responses]
    assert all(list(one) == list(logs[0]) for one in logs)
    assert all(math.isfinite(value) for one in logs for value in one.values())
    assert [one["rlvr/scored"] for one in logs] == [1.0, 1.0, 0.0, 1.0]
    assert logs[2]["rlvr/cause/judge"] == 1.0


def test_a_conversation_keeps_the_models_tokens_and_masks_the_environments(
    tokenizer: Any, rows: Any
) -> None:
    def plays(text: str, nth: int) -> str:
        return "3" if text.count("<bot>") > 1 else "1"

    ((response,), engine) = generated(tokenizer, rows[10], plays, samples=1)
    text = "<user>2+1=<bot>1<eos><user>+1<bot>3<eos>"
    assert tokenizer.decode(response["observation_tokens"]) == text
    assert response["action_ranges"] == [(6, 8), (12, 14)]
    assert response["reward"] == 1.0
    assert engine.budgets == [34, 28]
    (batch,) = experiences([response], "gae", 1)
    assert batch.action_mask.tolist() == [[0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1]]


@pytest.mark.parametrize("most", [7, 8, 9, 12, 13, 14, 19])
def test_no_row_is_longer_than_max_len(tokenizer: Any, rows: Any, most: int) -> None:
    responses, _ = generated(tokenizer, rows[10], lambda *_: "1", most=most)
    assert all(len(one["observation_tokens"]) <= most for one in responses)
    assert all(one["extra_logs"]["rlvr/scored"] for one in responses)


def test_a_prompt_that_leaves_no_room_is_unscored(tokenizer: Any, rows: Any) -> None:
    executor = rlvr.openrlhf.agent_executor()()
    generated(tokenizer, rows[1], says, executor=executor)
    responses, engine = generated(tokenizer, rows[1], says, most=6, executor=executor)
    assert engine.budgets == []
    assert all(one["extra_logs"]["rlvr/cause/input"] == 1.0 for one in responses)
    assert all(row == [] for row in masked(experiences(responses, "group_norm", 4)))


@pytest.mark.parametrize("estimator", ["group_norm", "rloo", "dr_grpo", "reinforce_baseline"])
def test_in_a_group_a_row_without_a_verdict_moves_nobody(
    tokenizer: Any, rows: Any, estimator: str
) -> None:
    responses, _ = generated(tokenizer, rows[1], says)
    assert [one["reward"] for one in responses] == pytest.approx([1.0, 0.0, 2 / 3, 1.0])
    whole = masked(experiences(responses, estimator, 4))
    scored = [one for one in responses if one["extra_logs"]["rlvr/scored"]]
    alone = masked(experiences(scored, estimator, 3))
    assert whole.pop(2) == []  # no token of it is in the loss
    # The mean is the scored rows' own. What's divided by changes, by what docs/openrlhf.md says.
    factor = {"group_norm": math.sqrt(3 / 2), "rloo": (4 / 3) / (3 / 2)}.get(estimator, 1.0)
    for row, other in zip(whole, alone, strict=True):
        assert row == pytest.approx([factor * value for value in other], rel=1e-5)


def test_with_a_critic_the_other_rows_are_as_if_it_had_never_been(
    tokenizer: Any, rows: Any
) -> None:
    responses, _ = generated(tokenizer, rows[1], says)
    whole = masked(experiences(responses, "gae", 1))
    scored = [one for one in responses if one["extra_logs"]["rlvr/scored"]]
    alone = masked(experiences(scored, "gae", 1))
    assert whole.pop(2) == []
    assert whole == [pytest.approx(row) for row in alone]


@pytest.mark.parametrize("token_level", [True, False])
def test_it_has_no_loss_and_no_gradient(tokenizer: Any, rows: Any, token_level: bool) -> None:
    import torch
    from openrlhf.models.loss import PolicyLoss, ValueLoss

    responses, _ = generated(tokenizer, rows[1], says)
    losses = {}
    for name, some in {"whole": responses, "alone": responses[:2] + responses[3:]}.items():
        rewards = [one["reward"] for one in some]
        batches = experiences(some, "gae", 1)
        total: Any = 0.0
        tokens = sum(batch.action_mask.sum() for batch in batches)
        count = sum((batch.action_mask.sum(-1) > 0).sum() for batch in batches)
        assert len(rewards) == sum(len(batch.action_mask) for batch in batches)
        for batch in batches:
            shape = batch.action_mask.shape
            new = torch.full(shape, -0.4, requires_grad=True)
            options = {"batch_num_tokens": tokens, "global_batch_size": count}
            actor = PolicyLoss(token_level_loss=token_level)
            policy = actor(
                new, torch.full(shape, -0.5), batch.advantages, batch.action_mask, **options
            )
            critic = ValueLoss()(
                torch.full(shape, 0.5), batch.values, batch.returns, batch.action_mask, **options
            )
            policy[0].backward()
            assert new.grad is not None
            assert new.grad.isfinite().all()
            for grad, mask in zip(new.grad, batch.action_mask, strict=True):
                assert bool(grad.any()) == bool(mask.any())
            total = total + policy[0].detach() + critic
        losses[name] = float(total)
    assert losses["whole"] == pytest.approx(losses["alone"], rel=1e-5)


def test_where_nothing_can_be_scored_nothing_is_learned(tokenizer: Any, rows: Any) -> None:
    responses, _ = generated(tokenizer, rows[1], lambda *_: "14")
    for estimator in ("group_norm", "rloo"):
        assert masked(experiences(responses, estimator, 4)) == [[]] * 4


def test_another_files_rows_end_training_at_once(tokenizer: Any) -> None:
    with pytest.raises(rlvr.RlvrError, match="rlvr data openrlhf"):
        generated(tokenizer, ("gsm8k", "<user>1+1=<bot>", "72", None), says)
    with pytest.raises(rlvr.RlvrError, match=r"add --data\.apply_chat_template"):
        generated(tokenizer, ("gsm8k", [{"role": "user", "content": "1"}], "72", None), says)


def test_one_spoilt_row_among_ours_is_unscored(tokenizer: Any, rows: Any) -> None:
    executor = rlvr.openrlhf.agent_executor()()
    generated(tokenizer, rows[1], says, executor=executor)
    spoilt = (*rows[1][:2], rows[1][2][:-9], None)
    responses, _ = generated(tokenizer, spoilt, says, executor=executor)
    assert all(one["extra_logs"]["rlvr/cause/input"] == 1.0 for one in responses)
    assert "rlvr/component/picky" in responses[0]["extra_logs"]
    assert masked(experiences(responses, "group_norm", 4)) == [[]] * 4
