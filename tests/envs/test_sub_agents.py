"""Sub-agents: their budgets, their tools, their records, and what they can't reach."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.tool_calls import written_call
from rlvr.policies import Generation, Request
from rlvr.policies.scripted import scripted
from rlvr.runs.run import read_rollouts


class Both:
    """Plays the agent, which delegates as a task's metadata say, and its sub-agents."""

    name = "both"

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        return [Generation(self._text(r), prompt_tokens=5, completion_tokens=3) for r in requests]

    def _text(self, request: Request) -> str:
        turn = sum(message["role"] == "assistant" for message in request.prompt)
        assignment = request.task.metadata.get("assignment")
        if assignment is None:
            calls = request.task.metadata["calls"]
            return calls[turn] if turn < len(calls) else "\\boxed{1}"
        if assignment == "deeper":
            return written_call("delegate", tasks=["say 7"]) if turn == 0 else "done"
        if assignment == "look":
            return written_call("look", at="x") if turn == 0 else str(request.prompt[-1]["content"])
        return "on and on" + written_call("look", at="x") if assignment == "loop" else assignment


class Desk(rlvr.Episode):
    """A tool that fails on demand."""

    def look(self, at: str) -> str:
        """Return what stands there.

        Args:
            at: a place.
        """
        if self.task.metadata.get("breaks"):
            raise rlvr.CannotScore("sandbox", "the desk is gone")
        return f"{at} of {self.task.id}"


def played(tmp_path: Path, *calls: str, **options: Any) -> dict[str, Any]:
    metadata = {"calls": list(calls), **options.pop("metadata", {})}
    task = rlvr.Task("Go.", "1", "t", metadata)
    toolbox = rlvr.tools.SubAgents(toolboxes=(Desk,), **options)
    env = rlvr.ToolEnv([task], rlvr.Math(), toolbox, max_turns=6, name="boss")
    rlvr.evaluate(env, Both(), run=tmp_path / "run")
    (row,) = read_rollouts(tmp_path / "run")
    return row


def results(row: dict[str, Any]) -> list[str]:
    return [m["content"] for m in row["messages"] if "<tool_response>" in str(m["content"])]


def test_each_has_a_conversation_of_its_own_that_is_recorded_with_its_tokens(
    tmp_path: Path,
) -> None:
    row = played(tmp_path, written_call("delegate", tasks=["look", "say 5"]))
    assert '"say 5"]' in results(row)[0]
    assert "x of t/agent-1" in results(row)[0]
    first, second = row["children"]
    assert [message["content"] for message in second["messages"]][1:] == ["say 5", "say 5"]
    assert "Go." not in json.dumps([first, second])
    assert (first["tokens"], second["tokens"]) == (
        {"sent": 10, "completion": 6}, {"sent": 5, "completion": 3},
    )  # fmt: skip


def test_budgets_are_kept(tmp_path: Path) -> None:
    row = played(
        tmp_path,
        written_call("delegate", tasks=["loop"], turns=2),
        written_call("delegate", tasks=["a", "b"]),
        written_call("delegate", tasks=["a"], turns=99),
        written_call("delegate", tasks=[]),
        most=2,
    )
    answers = results(row)
    assert "it ran out of messages" in answers[0]
    assert "there may be 2 sub-agents in all, and 1 are left" in answers[1]
    assert "turns is from 1 to 8" in answers[2]
    assert "at least one task" in answers[3]
    assert len(row["children"]) == 1
    assert row["verdict"]["reward"] == 1.0


@pytest.mark.parametrize(
    "text", ["\ud800", "\x00", "x" * 100_000, "</tool_response>", "<tool_call>"]
)
def test_no_task_of_a_sub_agent_is_a_fault(tmp_path: Path, text: str) -> None:
    row = played(tmp_path, written_call("delegate", tasks=[text] * 3), text)
    assert row["verdict"]["scored"]


def test_a_fault_of_a_sub_agents_tool_is_nobodys_wrong_answer(tmp_path: Path) -> None:
    row = played(tmp_path, written_call("delegate", tasks=["look", "x"]), metadata={"breaks": True})
    verdict = row["verdict"]
    assert (verdict["scored"], verdict["cause"]) == (False, "sandbox")
    assert "the desk is gone" in verdict["message"]


def test_sub_agents_may_start_others_if_they_have_the_tool(tmp_path: Path) -> None:
    task = rlvr.Task("Go.", "1", "t", {"calls": [written_call("delegate", tasks=["deeper"])]})
    inner = rlvr.tools.SubAgents()
    env = rlvr.ToolEnv([task], rlvr.Math(), rlvr.tools.SubAgents(toolboxes=(inner,)))
    report = rlvr.evaluate(env, Both(), run=tmp_path / "run", price=(0, 1e6))
    (row,) = read_rollouts(tmp_path / "run")
    (child,) = row["children"]
    (grandchild,) = child["children"]
    assert grandchild["messages"][-1]["content"] == "say 7"
    # Two messages of the agent, two of the sub-agent, one of its own.
    assert report.cost == pytest.approx(3 * 5)


@pytest.mark.parametrize("level", [1, 4])
def test_the_oracle_of_ledgers_earns_all_and_its_sub_agents_read(level: int) -> None:
    env = rlvr.make("ledgers", level=level)
    assert rlvr.evaluate(env, scripted("oracle", env), limit=30).mean.value == 1.0
    assert rlvr.evaluate(env, scripted("echo", env), limit=30).mean.value == 0.0


def test_what_sub_agents_report_is_right() -> None:
    env = rlvr.make("ledgers", level=3)

    class Adds:
        """Adds up what the clerks say."""

        name = "adds"

        def respond(self, requests: Sequence[Request]) -> list[str]:
            return [self._text(r) for r in requests]

        def _text(self, request: Request) -> str:
            if len(request.prompt) == 1:
                turns = env.demonstrate(request.task)
                assert turns is not None
                return str(turns[0])
            sums = json.loads(str(request.prompt[-1]["content"]).split("\n")[1])
            return f"\\boxed{{{sum(map(int, sums))}}}"

    assert rlvr.evaluate(env, Adds(), limit=30).mean.value == 1.0
