"""Partners in episodes: what they are asked, what is recorded, and what a missing answer means."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import OptionError
from rlvr.partners import Partner
from rlvr.policies import Generation, Request
from rlvr.runs.run import read_rollouts


class Upper:
    """Answers in capital letters, and remembers how many requests came at a time."""

    name = "upper"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        self.batches.append(len(requests))
        return [
            Generation(str(r.prompt[-1]["content"]).upper(), prompt_tokens=7, completion_tokens=3)
            for r in requests
        ]


class Silent:
    """Has no response."""

    name = "silent"
    concurrency = 4

    def __init__(self, overflow: bool = False) -> None:
        self.overflow = overflow

    async def generate(self, request: Request, n: int = 1) -> list[Generation]:
        return [Generation("", "error", error="no such host", overflow=self.overflow)] * n


class Chat(rlvr.Episode):
    """Repeats what a partner says about the model's message, once."""

    def __init__(self, task: rlvr.Task, partner: Partner) -> None:
        super().__init__(task)
        self.partner = partner

    async def open(self) -> None:
        await self.partner.open()
        self.talk = self.partner.talk(self, [{"role": "system", "content": "Shout."}])

    async def reply(self, message: Any) -> str | None:
        if len(self.conversation) > 2:
            return None
        generation = await self.talk.ask(message.content)
        return "it is too long" if generation.overflow else generation.text


@rlvr.verifier(mode="whole")
def last(task: rlvr.Task, answer: str) -> bool:
    return answer == "done"


class ChatEnv(rlvr.MultiTurn):
    """Episodes with a partner."""

    def __init__(self, policy: Any) -> None:
        tasks = [rlvr.Task("Say something.", None, id=str(n)) for n in range(8)]
        super().__init__(tasks, last, Chat, max_turns=4, name="chat")
        self.partner = Partner(policy, "guest")

    def begin(self, task: rlvr.Task) -> Any:
        return Chat(task, self.partner)


class Says:
    """Says hello, then done; as a partner of itself it answers in one word."""

    name = "says"

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        return [
            Generation(
                "me"
                if r.prompt[0]["role"] == "system"
                else "hello"
                if len(r.prompt) < 2
                else "done",
                prompt_tokens=10,
                completion_tokens=2,
            )
            for r in requests
        ]


class SaysLater(Says):
    """Answers one request at a time, later."""

    concurrency = 3
    respond = None  # type: ignore[assignment]

    async def generate(self, request: Request, n: int = 1) -> list[Generation]:
        await asyncio.sleep(0)
        return Says.respond(self, [request]) * n


def test_a_partners_conversation_is_written_with_its_rollout_and_counted(tmp_path: Path) -> None:
    upper = Upper()
    report = rlvr.evaluate(ChatEnv(upper), Says(), run=tmp_path / "run", price=(1e6, 1e6))
    assert report.mean.value == 1.0
    rows = list(read_rollouts(tmp_path / "run"))
    assert len(rows) == 8
    (child,) = rows[0]["children"]
    assert (child["role"], child["policy"]) == ("guest", "upper")
    assert [m["content"] for m in child["messages"]] == ["Shout.", "hello", "HELLO"]
    assert [m["content"] for m in rows[0]["messages"]][1:3] == ["hello", "HELLO"]
    tokens = report.tokens
    assert (tokens["partners_sent"], tokens["partners_completion"]) == (8 * 7, 8 * 3)
    assert report.cost == pytest.approx(8 * (20 + 4 + 7 + 3))
    assert sum(upper.batches) == 8


@pytest.mark.parametrize("policy", [Says(), SaysLater()])
def test_an_evaluation_lets_its_policy_play_the_partner_too(policy: Any, tmp_path: Path) -> None:
    rlvr.evaluate(ChatEnv("self"), policy, run=tmp_path / "run")
    rows = list(read_rollouts(tmp_path / "run"))
    assert [row["verdict"]["scored"] for row in rows] == [True] * 8
    assert {row["children"][0]["messages"][-1]["content"] for row in rows} == {"me"}


def test_a_partner_without_an_answer_leaves_the_episode_unscored() -> None:
    report = rlvr.evaluate(ChatEnv(Silent()), Says())
    assert report.unscored == {"partner": 8}
    assert "the guest gave no response: no such host" in report.examples["partner"][1]


def test_a_conversation_that_is_too_long_for_a_partner_is_no_fault() -> None:
    assert rlvr.evaluate(ChatEnv(Silent(overflow=True)), Says()).mean.value == 1.0


def test_a_driver_that_cannot_be_asked_says_so() -> None:
    env = ChatEnv("self")
    env.reset(options={"task": 0})
    *_, info = env.step("hello")
    assert "can't ask it for more" in info["verdict"].message


def test_a_partner_that_raises_fails_its_episodes_alone() -> None:
    class Breaks(Upper):
        def respond(self, requests: Sequence[Request]) -> list[Generation]:
            if any(r.task.id == "3" for r in requests):
                raise ValueError("no")
            return super().respond(requests)

        batch_size = 1

    report = rlvr.evaluate(ChatEnv(Breaks()), Says())
    assert (sum(report.unscored.values()), report.scored) == (1, 7)


def test_partners_are_pickled_and_refused() -> None:
    again = pickle.loads(pickle.dumps(Partner({"model": "m", "base_url": "http://h/v1"}, "user")))
    assert (again.name, again.role) == ("m", "user")
    for wrong in ("me", 3, {"url": "x"}):
        with pytest.raises(OptionError):
            Partner(wrong, "user")  # type: ignore[arg-type]


def test_a_child_survives_its_json() -> None:
    inner = rlvr.core.episode.Child("b", "p", [{"role": "user", "content": "x"}], 1, 2, 0.5)
    child = rlvr.core.episode.Child("a", "p", [], 3, 4, None, [inner])
    assert rlvr.core.episode.Child.from_json(json.loads(json.dumps(child.to_json()))) == child


def test_a_tool_may_have_a_name_that_an_episode_has() -> None:
    class Desk(rlvr.Episode):
        def policy(self, topic: str) -> str:
            """Return the rule on a topic.

            Args:
                topic: its name.
            """
            return f"no {topic}"

        def lend(self, book: str) -> str:
            """Lend a book.

            Args:
                book: its title.
            """
            return f"here is {book}"

        def children(self) -> int:
            """Return the number of children."""
            return 2

    env = rlvr.ToolEnv([rlvr.Task("?", "1")], rlvr.Math(), Desk)
    assert list(env.tools) == ["policy", "lend", "children"]
    env.reset(options={"task": 0})
    call = '<tool_call>\n{"name": "policy", "arguments": {"topic": "returns"}}\n</tool_call>'
    assert "no returns" in env.step(call)[0]
