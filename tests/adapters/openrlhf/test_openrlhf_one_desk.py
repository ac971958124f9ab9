"""64 episodes at once by OpenRLHF's rollout actor and executor: Gymnasium's verdicts, also if a partner fails."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from desk import EPISODES, TEMPLATE, brief, expected, says
from test_openrlhf_rows import ROOT, Engine, sampling

import rlvr
from tests.policies.families import tokenizer_of

pytestmark = pytest.mark.openrlhf


@pytest.mark.parametrize("fails", [False, True])
def test_openrlhf(fails: bool, tmp_path: Path) -> None:
    import datasets
    from openrlhf.datasets.prompts_dataset import PromptDataset
    from openrlhf.trainer.ray.vllm_engine import RolloutRayActor, _load_agent_executor

    env = rlvr.make("test_desk", fails=fails)
    tokenizer = tokenizer_of(TEMPLATE)
    path = tmp_path / "train.jsonl"
    rlvr.openrlhf.write_jsonl([env], path)
    read = datasets.load_dataset("json", data_files=str(path), cache_dir=str(tmp_path))["train"]
    keys = SimpleNamespace(input_key="input", label_key="label", apply_chat_template=True)
    strategy = SimpleNamespace(args=SimpleNamespace(data=keys), is_rank_0=lambda: False)
    rows = PromptDataset(read, tokenizer, strategy)
    executor = _load_agent_executor(str(ROOT / "recipes/openrlhf/agent.py"))
    engine = Engine(tokenizer, lambda text, _: says(text))
    actor = SimpleNamespace(executor=executor, generate=engine.generate)
    run = RolloutRayActor.__ray_metadata__.modified_class.generate_responses

    async def all_at_once() -> list[list[dict[str, Any]]]:
        return await asyncio.gather(
            *(
                run(actor, prompt, label, sampling(), 4000, tokenizer, 1, images)
                for _, prompt, label, images in (rows[i] for i in range(EPISODES))
            )
        )

    samples = [sample for (sample,) in asyncio.run(all_at_once())]
    verdicts = [brief(verdict) for verdict in expected(env)]
    for sample, (status, reward) in zip(samples, verdicts, strict=True):
        logs = sample["extra_logs"]
        assert logs["rlvr/scored"] == (reward is not None)
        assert logs[f"rlvr/{'cause' if reward is None else 'status'}/{status}"] == 1.0
        # A row without a verdict has no token in the loss.
        assert bool(sample["action_ranges"]) == (reward is not None)
        if reward is not None:
            assert sample["reward"] == reward
