"""One environment, 64 episodes at once: Gymnasium, the evaluator, token by token, and TRL give equal verdicts."""

from __future__ import annotations

import asyncio
import copy
import json
import re
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.adapters.token_episode import Generated, play
from rlvr.core.task import content_text
from rlvr.policies.base import Request
from rlvr.policies.template import Template

torch = pytest.importorskip("torch")
trl = pytest.importorskip("trl")

from transformers import LlamaConfig, LlamaForCausalLM  # noqa: E402

from tests.policies.families import tokenizer_of  # noqa: E402

EPISODES = 64


def say(shown: str) -> str:
    """A model that asks for the price and multiplies; of three orders it gets one wrong, and one it never answers."""
    order = re.search(r"An order: (\d+) × (\w+)", shown)
    assert order is not None
    count, item = int(order[1]), order[2]
    price = re.findall(r"<tool_response>\n(\d+)\n</tool_response>", shown)
    if not price or count % 3 == 2:
        return f'<tool_call>\n{{"name": "price", "arguments": {{"item": "{item}"}}}}\n</tool_call>'
    return f"\\boxed{{{count * int(price[-1]) + (count % 3 == 1)}}}"


class Asks:
    """The same as a policy."""

    name = "asks"

    def respond(self, requests: Sequence[Request]) -> list[str]:
        return [say("\n".join(map(content_text, request.prompt))) for request in requests]


class AsksInTokens(trl.GRPOTrainer):  # type: ignore[misc]
    """The same as the model of a trainer."""

    def _generate_single_turn(self, prompts: list[list[int]], *rest: Any, **options: Any) -> Any:
        shown = [self._tokenizer.decode(ids) for ids in prompts]
        return [self._tokenizer.encode(f"{say(text)}<|im_end|>") for text in shown], None


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    tokenizer = copy.deepcopy(tokenizer_of("qwen3"))  # one for all tests
    tokenizer.add_special_tokens({"pad_token": "<|endoftext|>"})
    return tokenizer


@pytest.fixture(scope="module")
def env() -> rlvr.Environment:
    return rlvr.make("shop", level=1, max_turns=4, size=EPISODES)


@pytest.fixture(scope="module")
def expected(env: rlvr.Environment) -> list[dict[str, Any]]:
    """The verdicts by Gymnasium, one episode after the other."""
    verdicts = []
    for task in env.tasks:
        shown, info = env.reset(options={"task": task})
        over = False
        while not over:
            shown = "\n".join(content_text(message) for message in info["messages"])
            *_, terminated, truncated, info = env.step(say(shown))
            over = terminated or truncated
        verdicts.append(info["verdict"].to_json())
    return verdicts


def test_the_script_earns_and_fails(expected: list[dict[str, Any]]) -> None:
    statuses = {verdict["status"] for verdict in expected}
    assert statuses == {"correct", "incorrect", "unparsable"}


def test_the_evaluator(
    env: rlvr.Environment, expected: list[dict[str, Any]], tmp_path: Path
) -> None:
    rlvr.evaluate(env, Asks(), run=tmp_path / "run")
    lines = (tmp_path / "run" / "rollouts.jsonl").read_text().splitlines()
    verdicts = {row["task"]: row["verdict"] for row in map(json.loads, lines)}
    for task, verdict in zip(env.tasks, expected, strict=True):
        verdicts[task.id].pop("detail")
        assert verdicts[task.id] == verdict


def test_token_by_token(
    env: rlvr.Environment, expected: list[dict[str, Any]], tokenizer: Any
) -> None:
    """As verl's agent loop and OpenRLHF's executor play."""
    template = Template(tokenizer)

    async def generate(tokens: list[int], left: int) -> Generated:
        await asyncio.sleep(0)
        return Generated(tokenizer.encode(f"{say(tokenizer.decode(tokens))}<|im_end|>"))

    async def all_at_once() -> list[Any]:
        playing = [
            play(env, task, template, template.prompt(task.prompt), 4000, generate, 60.0)
            for task in env.tasks
        ]
        return [episode.verdict.to_json() for episode in await asyncio.gather(*playing)]

    assert asyncio.run(all_at_once()) == expected


def test_trl(
    env: rlvr.Environment, expected: list[dict[str, Any]], tokenizer: Any, tmp_path: Path
) -> None:
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=8192, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    settings = trl.GRPOConfig(
        output_dir=str(tmp_path), use_cpu=True, bf16=False, num_generations=2, max_completion_length=4000,
        per_device_train_batch_size=4, report_to=[],
    )  # fmt: skip
    rollout = rlvr.trl.rollout(env)
    rows = rlvr.trl.dataset(env)
    trainer = AsksInTokens(
        model=LlamaForCausalLM(config), args=settings, train_dataset=rows,
        reward_funcs=rlvr.trl.reward(env), rollout_func=rollout, processing_class=tokenizer,
    )  # fmt: skip
    episodes = rollout(rows["prompt"], trainer)["rlvr_episode"]
    verdicts = [
        one.verdict.result() if isinstance(one.verdict, Future) else one.verdict for one in episodes
    ]
    assert [verdict.to_json() for verdict in verdicts] == expected
