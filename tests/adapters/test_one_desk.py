"""64 episodes at once by the evaluator, TRL and the players of tokens: Gymnasium's verdicts, also if a partner fails.

The tests of verl and OpenRLHF play the same with the real packages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from desk import EPISODES, FAILING, TEMPLATE, brief, expected, says

import rlvr
from rlvr.adapters.token_episode import Generated, play
from rlvr.core.task import content_text
from rlvr.policies.base import Request
from rlvr.policies.template import Template
from rlvr.runs.reading import read_records
from tests.policies.families import tokenizer_of

BOTH = pytest.mark.parametrize("fails", [False, True])


class Says:
    """The script as a policy."""

    name = "says"

    def respond(self, requests: Sequence[Request]) -> list[str]:
        return [says("\n".join(map(content_text, request.prompt))) for request in requests]


def made(fails: bool) -> tuple[rlvr.Environment, list[Any]]:
    env = rlvr.make("test_desk", fails=fails)
    return env, [brief(verdict) for verdict in expected(env)]


def test_the_script_earns_and_fails_and_a_partner_costs_its_rows_alone() -> None:
    _, whole = made(False)
    _, partly = made(True)
    assert {status for status, _ in whole} == {"correct", "partial", "unparsable"}
    assert len(FAILING) == pytest.approx(0.3 * EPISODES, abs=1)
    for number, (one, other) in enumerate(zip(whole, partly, strict=True)):
        assert other == (("internal", None) if number in FAILING else one)


@BOTH
def test_the_evaluator(fails: bool, tmp_path: Path) -> None:
    env, verdicts = made(fails)
    rlvr.evaluate(env, Says(), run=tmp_path / "run")
    found = {
        record.rollout.task.id: record.rollout.verdict for record in read_records(tmp_path / "run")
    }
    assert [brief(found[task.id]) for task in env.tasks] == verdicts  # type: ignore[arg-type]


@BOTH
def test_token_by_token(fails: bool) -> None:
    env, verdicts = made(fails)
    tokenizer = tokenizer_of(TEMPLATE)
    template = Template(tokenizer)

    async def generate(tokens: list[int], left: int) -> Generated:
        await asyncio.sleep(0)
        return Generated(tokenizer.encode(f"{says(tokenizer.decode(tokens))}<|im_end|>"))

    async def all_at_once() -> list[Any]:
        playing = [
            play(env, task, template, template.prompt(task.prompt), 4000, generate, 60.0)
            for task in env.tasks
        ]
        return [brief(episode.verdict) for episode in await asyncio.gather(*playing)]

    assert asyncio.run(all_at_once()) == verdicts


@BOTH
def test_trl(fails: bool, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    trl = pytest.importorskip("trl")
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tokenizer_of(TEMPLATE)

    class SaysInTokens(trl.GRPOTrainer):  # type: ignore[misc, name-defined]
        """The script as the model of a trainer."""

        def _generate_single_turn(self, prompts: list[list[int]], *_: Any, **__: Any) -> Any:
            texts = [says(tokenizer.decode(ids)) for ids in prompts]
            return [tokenizer.encode(f"{text}<|im_end|>") for text in texts], None

    env, verdicts = made(fails)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=8192, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    settings = trl.GRPOConfig(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, num_generations=2, max_completion_length=4000,
        per_device_train_batch_size=4, report_to=[],
    )  # fmt: skip
    rollout, rows = rlvr.trl.rollout(env), rlvr.trl.dataset(env)
    trainer = SaysInTokens(
        model=LlamaForCausalLM(config), args=settings, train_dataset=rows,
        reward_funcs=rlvr.trl.reward(env), rollout_func=rollout, processing_class=tokenizer,
    )  # fmt: skip
    columns = rollout(rows["prompt"], trainer)
    found = [
        brief(each.verdict.result() if isinstance(each.verdict, Future) else each.verdict)
        for each in columns["rlvr_episode"]
    ]
    assert found == verdicts
    judge = rlvr.trl.reward(env)
    rewards = asyncio.run(
        judge(
            prompts=rows["prompt"],
            completions=[None] * EPISODES,
            rlvr_episode=columns["rlvr_episode"],
            **{name: rows[name] for name in rows.column_names if name != "prompt"},
        )
    )
    assert rewards == [reward for _, reward in verdicts]
