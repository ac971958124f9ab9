"""Toolboxes: configurations of tools, alone and several in one environment."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

import rlvr
from rlvr.authoring import describe
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.envs.toolboxes.base import Toolbox
from rlvr.envs.tools import ToolEnv, tools_of

LOG: list[str] = []


class ClockSession(rlvr.Episode):
    def __init__(self, zone: str) -> None:
        self._zone = zone

    async def open(self) -> None:
        LOG.append(f"open {self._zone}")

    async def now(self, hours: int = 0) -> str:
        """Return the time.

        Args:
            hours: to be added.
        """
        return f"{self._zone} {12 + hours}"

    def outcome(self) -> str:
        return self._zone

    def close(self) -> None:
        LOG.append(f"close {self._zone}")
        if self._zone == "broken":
            raise RuntimeError("no such zone")


@dataclass(frozen=True)
class Clock(Toolbox):
    zone: str = "UTC"
    name: str = "clock"

    session: ClassVar[type[Any]] = ClockSession

    def start(self, task: Task, shared: dict[str, Any]) -> ClockSession:
        shared[self.name] = self.zone
        return ClockSession(self.zone)

    def notes(self) -> Mapping[str, str]:
        return {"now": f"The zone is {self.zone}."}


class Adder:
    def add(self, a: int, b: int) -> int:
        """Return a sum.

        Args:
            a: the first.
            b: the second.
        """
        return a + b


class Plain(Toolbox):
    session = Adder


class Guest(rlvr.Episode):
    def open(self) -> None:
        LOG.append("open guest")

    def zone(self) -> str:
        """Return the zone of the clock."""
        return str(self.shared.get("clock"))

    def reply(self, message: Any) -> str | None:
        return "more?" if message.content == "hello" else None

    def outcome(self) -> Any:
        return {"guest": True}

    def close(self) -> None:
        LOG.append("close guest")


@rlvr.verifier(mode="whole")
def same(task: rlvr.Task, answer: str) -> bool:
    return answer == task.reference


TASK = Task("What?", "done", "t")


def call(name: str, **arguments: Any) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def played(env: ToolEnv, *messages: str) -> tuple[list[str], Any]:
    """Play an episode; return the replies and what the verifier sees."""
    LOG.clear()
    episode = env.episode(TASK)
    episode.begin_open().result()
    replies = []
    for message in messages:
        replies += [reply["content"] for reply in episode.begin_respond(message).result()]
    ended = episode.begin_end().result()
    return replies, ended


def test_a_toolbox_alone() -> None:
    env = ToolEnv([TASK], same, Clock("CET"))
    replies, ended = played(env, call("now", hours=2), "done")
    assert replies == ["<tool_response>\nCET 14\n</tool_response>"]
    assert ended.outcome == "CET"
    assert LOG == ["open CET", "close CET"]


def test_notes_are_read_by_the_model_in_both_forms() -> None:
    box = Clock("CET")
    assert "Return the time.\n\nThe zone is CET.\n\nArgs:" in describe(box)
    native = ToolEnv([TASK], same, box, calls="native")
    assert native.tool_schemas is not None
    about = native.tool_schemas[0]["function"]
    assert about["description"] == "Return the time.\n\nThe zone is CET."
    assert about["parameters"]["properties"]["hours"]["description"] == "to be added."
    assert "CET" not in describe(Clock("UTC"))


def test_several_are_offered_together_and_closed_in_the_reverse_order() -> None:
    env = ToolEnv([TASK], same, [Clock(), Plain(), Guest])
    assert list(env.tools) == ["now", "add", "zone"]
    replies, ended = played(env, call("add", a=1, b=2) + call("zone"), "hello", "done")
    assert replies == [
        "<tool_response>\n3\n</tool_response>\n<tool_response>\nUTC\n</tool_response>",
        "more?",
    ]
    assert ended.outcome == {"guest": True}
    assert LOG == ["open UTC", "open guest", "close guest", "close UTC"]


def test_outcomes_of_several_stand_under_their_names() -> None:
    _, ended = played(ToolEnv([TASK], same, [Clock(), Plain()]), "done")
    assert ended.outcome == {"clock": "UTC"}
    _, ended = played(ToolEnv([TASK], same, Plain()), "done")
    assert ended.outcome is None


def test_all_are_closed_though_one_fails_to_close() -> None:
    _, ended = played(ToolEnv([TASK], same, [Guest, Clock("broken")]), "done")
    assert isinstance(ended, rlvr.Unscored)
    assert LOG == ["open guest", "open broken", "close broken", "close guest"]


def test_an_environment_with_toolboxes_can_be_pickled() -> None:
    env = pickle.loads(pickle.dumps(ToolEnv([TASK], rlvr.Math(), [Clock("CET"), Guest])))
    replies, _ = played(env, call("now"), "done")
    assert replies == ["<tool_response>\nCET 12\n</tool_response>"]


@pytest.mark.parametrize(
    ("boxes", "why"),
    [
        ([Clock("UTC"), Clock("CET")], "Two toolboxes have a tool 'now'"),
        ([], "no toolbox"),
        ([Guest, Adder], "One class of yours"),
        (Clock, "is configured: give Clock"),
        ("python", "A toolbox is a class"),
    ],
)
def test_what_cannot_be_put_together_says_why(boxes: Any, why: str) -> None:
    with pytest.raises(OptionError, match=why.replace("(", r"\(")):
        tools_of(boxes)
