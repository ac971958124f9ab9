"""The calls of the last turn, which the model makes but whose results it doesn't read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.adapters.token_episode import Generated, play
from rlvr.evaluation.rescore import rescore
from rlvr.policies.base import Generation, Request
from rlvr.policies.template import Template
from rlvr.runs.reading import read_records
from tests.policies.families import tokenizer_of

TASK = rlvr.Task("Look twice.", "5", "look")
TEXT = '<tool_call>\n{"name": "look", "arguments": {"at": "x"}}\n</tool_call>'
NATIVE: dict[str, Any] = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"function": {"name": "look", "arguments": '{"at": "x"}'}}],
}


class Looks(rlvr.Episode):
    def __init__(self, task: rlvr.Task) -> None:
        self._looks = 0

    def look(self, at: str) -> Any:
        """Look.

        Args:
            at: what.
        """
        self._looks += 1
        return f"seen {self._looks}"


class OverAtTheSecond(Looks):
    def look(self, at: str) -> Any:
        """Look.

        Args:
            at: what.
        """
        return rlvr.Reply(super().look(at), over=self._looks == 2)


class Calls:
    """Calls the tool in every message."""

    name = "calls"

    def __init__(self, native: bool) -> None:
        self._native = native

    def respond(self, requests: Sequence[Request]) -> list[str | Generation]:
        calls = tuple(NATIVE["tool_calls"]) if self._native else ()
        return [Generation("" if calls else TEXT, tool_calls=calls) for _ in requests]


def env_of(toolbox: type[Any], calls: Any, **options: Any) -> rlvr.ToolEnv:
    return rlvr.ToolEnv(
        [TASK], rlvr.UsedTool("look", least=2), toolbox, calls=calls, name="look", **options
    )


@pytest.mark.parametrize("calls", ["text", "native"])
@pytest.mark.parametrize(("toolbox", "most"), [(Looks, 2), (OverAtTheSecond, 9)])
def test_verifiers_see_the_results_of_the_last_turn_now_and_later(
    toolbox: type[Any], most: int, calls: Any, tmp_path: Path
) -> None:
    env = env_of(toolbox, calls, max_turns=most)
    report = rlvr.evaluate(env, Calls(calls == "native"), run=tmp_path / "run")
    assert report.correct.value == 1.0
    (record,) = read_records(tmp_path / "run")
    assert [call["result"] for call in record.rollout.transcript.tool_calls] == ["seen 1", "seen 2"]
    # A stricter verifier judges them again.
    strict = env_of(toolbox, calls, max_turns=most)
    strict.verifier = rlvr.UsedTool("look", least=3)
    (judged,) = rescore(strict, [record.rollout])
    assert judged.verdict.scored
    assert judged.verdict.reward == 0.0


def test_they_are_no_tokens_of_the_episode() -> None:
    tokenizer = tokenizer_of("qwen3")
    template = Template(tokenizer)
    env = env_of(Looks, "text", max_turns=2)

    async def generate(tokens: list[int], left: int) -> Generated:
        return Generated(tokenizer.encode(f"{TEXT}<|im_end|>"))

    prompt = template.prompt(TASK.prompt)
    episode = asyncio.run(play(env, TASK, template, prompt, 4000, generate, 60.0))
    shown = tokenizer.decode(episode.response)
    assert ("seen 1" in shown, "seen 2" in shown) == (True, False)
    assert "seen 2" in json.dumps(episode.messages)
    assert episode.mask[-1] == 1
    assert isinstance(episode.verdict, rlvr.Scored)
    assert episode.verdict.reward == 1.0


@pytest.mark.parametrize("stop", ["length", "turns"])
def test_a_cut_keeps_results_and_takes_back_what_was_said(stop: Any) -> None:
    class Talks(rlvr.Episode):
        def reply(self, message: Any) -> str:
            return "Go on."

    talk = rlvr.MultiTurn([TASK], rlvr.Math(), Talks, max_turns=9)
    for env, message, role in [
        (env_of(Looks, "native"), NATIVE, "tool"),
        (env_of(Looks, "text"), TEXT, "user"),
        (talk, "5", "assistant"),
        (talk, TEXT, "assistant"),  # called, and not answered
    ]:
        episode = env.episode(TASK)
        episode.begin_open().result()
        episode.begin_respond(message).result()  # type: ignore[arg-type]
        episode.cut(stop)
        assert episode.messages[-1]["role"] == role
        ended = episode.begin_end().result()
        assert isinstance(ended, rlvr.Transcript)
        assert len(ended.tool_calls) == (role != "assistant")
