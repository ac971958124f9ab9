"""Our reward function under OpenRLHF's own executor, and the filter that takes its NaN out."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
from test_openrlhf_rows import ROOT, generated, rows, says  # noqa: F401  (a fixture among them)

pytestmark = pytest.mark.openrlhf


@pytest.fixture
def single() -> Any:
    from openrlhf.utils.agent import SingleTurnAgentExecutor

    return SingleTurnAgentExecutor(str(ROOT / "recipes/openrlhf/reward.py"))


def test_openrlhf_takes_every_verdict(tokenizer: Any, rows: Any, single: Any) -> None:  # noqa: F811
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

    responses, _ = generated(tokenizer, rows[1], says, executor=single)
    process = SamplesGenerator._process_response_into_experience
    found = [process(None, response, max_len=64) for response in responses]
    rewards = [one.rewards.tolist() for one in found]
    assert rewards[:2] + rewards[3:] == [[1.0], [0.0], [1.0]]
    assert math.isnan(rewards[2][0])
    assert all(set(one.info) == set(found[0].info) for one in found)
    assert found[0].info["rlvr/scored"].tolist() == [1.0]


def test_the_filter_drops_the_group_and_draws_another(
    tokenizer: Any,
    rows: Any,  # noqa: F811
    single: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from openrlhf.trainer.ppo_utils import samples_generator

    groups = [
        generated(tokenizer, rows[1], says, executor=single)[0],  # one of them without a verdict
        generated(tokenizer, rows[1], lambda *_: "2", executor=single)[0],
        generated(tokenizer, rows[1], lambda *_: "3", executor=single)[0],
    ]
    waiting = iter(groups)
    args = SimpleNamespace(
        algo=SimpleNamespace(dynamic_filtering_range=(-1e9, 1e9)), rollout=SimpleNamespace()
    )
    maker = samples_generator.SamplesGenerator(
        SimpleNamespace(args=args), None, None, tokenizer, []
    )
    monkeypatch.setattr(
        maker,
        "_dispatch_prompts_to_vllm",
        lambda prompts, *_, **__: [next(waiting) for _ in prompts],
    )
    ready = SimpleNamespace(wait=lambda refs, **_: (refs[:1], refs[1:]), get=lambda ref: ref)
    monkeypatch.setattr(samples_generator, "ray", ready)
    prompts = iter([(["d"], ["p"], ["l"], [None])] * 5)
    found, drawn, _ = maker._generate_vllm(prompts, 2, dynamic_filtering=True, max_len=64)
    assert drawn == 3
    assert [one.rewards.item() for one in found] == [1.0] * 4 + [0.0] * 4
