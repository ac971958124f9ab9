"""Verifiers of transcripts are judged alike by `rlvr score`, a run judged again, fixtures, and the episode itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.cli.lines import verdict_lines
from rlvr.core.environment import judged_alone
from rlvr.core.errors import DataError
from rlvr.core.fixtures import read_fixtures
from rlvr.evaluation.preflight import NotReadyError, check_verifier
from rlvr.evaluation.rescore import rescore
from rlvr.runs.rollouts import Rollout
from rlvr.testing.fixtures import judge_fixtures

TASK = rlvr.Task("Pay order 7.", {"paid": [7]}, "pay")
VERIFIER = 0.5 * rlvr.Outcome() + 0.5 * rlvr.UsedTool("pay", arguments={"order": 7})


class Till(rlvr.Episode):
    def __init__(self, task: rlvr.Task) -> None:
        super().__init__(task)
        self._paid: list[int] = []

    def pay(self, order: int) -> Any:
        """Pay an order.

        Args:
            order: its number.
        """
        if order < 0:
            raise rlvr.CannotScore("judge", "the bank is away")
        self._paid.append(order)
        return rlvr.Reply("paid", reward=0.25)

    def outcome(self) -> Any:
        return {"paid": self._paid}


def till(fixtures: Any = None) -> rlvr.Environment:
    return rlvr.ToolEnv([TASK], VERIFIER, Till, calls="native", fixtures=fixtures)


def pay(order: int) -> dict[str, Any]:
    function = {"name": "pay", "arguments": json.dumps({"order": order})}
    call = {"id": "c", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def play(*messages: Any) -> Rollout:
    async def played() -> Rollout:
        async with till().episode(TASK) as episode:
            for message in messages:
                if not episode.over:
                    await episode.respond(message)
            ended = await episode.end()
            verdict = await episode.verdict()
        rollout = Rollout("till", None, TASK, 0, episode.messages, verdict, episode.stop)
        if isinstance(ended, rlvr.Transcript):
            rollout.outcome, rollout.step_rewards = ended.outcome, list(ended.step_rewards)
        return rollout

    return asyncio.run(played())


def lines(*rows: Any) -> list[dict[str, Any]]:
    return list(verdict_lines([json.dumps(row).encode() for row in rows], VERIFIER))


def test_a_line_of_a_run_has_the_episodes_verdict() -> None:
    rollouts = [play(pay(7), "done"), play(pay(8), "done"), play("done")]
    assert [float(r.verdict) for r in rollouts if r.verdict is not None] == [1.25, 0.25, 0]
    rows = [rollout.to_json() for rollout in rollouts]
    again = lines(*rows)
    assert [row["reward"] for row in again] == [1.25, 0.25, 0]
    assert again[0]["components"] == {"outcome": 1.0, "used_pay": 1.0, "step_reward": 0.25}
    # A response alone has no outcome, and the line says so.
    assert not lines({"reference": 1, "response": "done"})[0]["scored"]


def test_the_prompt_of_a_line_ends_where_it_says() -> None:
    shown = [
        {"role": "user", "content": "Pay 1."},
        pay(7),
        {"role": "tool", "tool_call_id": "c", "content": "paid"},
    ]
    asked = [*shown, {"role": "user", "content": "Pay 7."}]
    row = {
        "reference": {"paid": []},
        "messages": [*asked, {"role": "assistant", "content": "done"}],
        "outcome": {"paid": []},
    }
    example_counts, by_prompt, by_number = lines(
        row, row | {"prompt": asked}, row | {"prompt_messages": 4}
    )
    assert example_counts["reward"] == 1
    assert by_prompt["reward"] == by_number["reward"] == 0.5


ASKED = {"role": "user", "content": "?"}
SAID = {"role": "assistant", "content": "done"}
MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "both": ({"response": "x", "messages": [ASKED, SAID]}, 'both "response" and "messages"'),
    "text": ({"messages": "x"}, '"messages" is not a list but str'),
    "empty": ({"messages": []}, "no message of the role assistant|begins with the prompt"),
    "numbers": ({"messages": [1]}, 'message 1 of "messages"'),
    "no content": ({"messages": [ASKED, {"role": "assistant"}]}, 'message 2 of "messages"'),
    "content of 5": ({"messages": [ASKED, {"role": "assistant", "content": 5}]}, "message 2"),
    "another role": ({"messages": [{"role": "judge", "content": "1"}, SAID]}, "the role 'judge'"),
    "calls": ({"messages": [ASKED, SAID | {"tool_calls": 5}]}, '"tool_calls" that are no list'),
    "no prompt": ({"messages": [SAID]}, "begins with the prompt"),
    "no response": ({"messages": [ASKED]}, "no message of the role assistant"),
    "an end": ({"messages": [ASKED, SAID], "prompt_messages": 2}, "no message of the role"),
    "past the end": ({"messages": [ASKED, SAID], "prompt_messages": 9}, '"prompt_messages"'),
    "true": ({"messages": [ASKED, SAID], "prompt_messages": True}, '"prompt_messages"'),
    "another prompt": ({"messages": [ASKED, SAID], "prompt": "!"}, "does not begin with"),
    "no prompt either": ({"messages": [ASKED, SAID], "prompt": 5}, "A prompt is a string"),
    "rewards": ({"messages": [ASKED, SAID], "step_rewards": 5}, '"step_rewards" is not a list'),
    "reward of text": ({"messages": [ASKED, SAID], "step_rewards": ["1"]}, '"step_rewards"'),
    "reward of true": ({"messages": [ASKED, SAID], "step_rewards": [True]}, '"step_rewards"'),
    "two rewards": ({"messages": [ASKED, SAID], "step_rewards": [1, 1]}, "2 numbers for 1 messages"),
    "deep outcome": ({"messages": [ASKED, SAID], "outcome": json.loads("[" * 200 + "]" * 200)}, "too deeply"),
    "deep part": (
        {"messages": [ASKED, SAID | {"content": [{"type": "x", "x": json.loads("[" * 200 + "]" * 200)}]}]},
        "too deeply",
    ),
}  # fmt: skip


def test_each_malformed_line_is_named_and_the_rest_is_scored() -> None:
    good = {"reference": {}, "messages": [ASKED, SAID], "outcome": {}}
    for name, (row, says) in MALFORMED.items():
        first, bad, last = lines(good, {"id": name, "reference": {}} | row, good)
        assert (first["reward"], last["reward"]) == (0.5, 0.5)
        assert (bad["id"], bad["scored"], bad["cause"]) == (name, False, "input")
        assert bad["message"].startswith("line 2: ")
        assert any(part in bad["message"] for part in says.split("|")), (name, bad["message"])
    assert not lines({"messages": [ASKED, SAID]})[0]["scored"]  # there's no reference


def test_the_command_takes_episodes(rlvr_cli: Any, tmp_path: Path) -> None:
    file = tmp_path / "episodes.jsonl"
    boxed = {"role": "assistant", "content": "\\boxed{42}"}
    file.write_text(
        json.dumps({"id": 1, "reference": "42", "messages": [ASKED, SAID, ASKED, boxed]}) + "\n"
    )
    done = rlvr_cli("score", "math", file)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reward"] == 1


def test_a_run_is_judged_again_by_the_whole_episode() -> None:
    saved = [
        Rollout.from_json(json.loads(json.dumps(r.to_json())))
        for r in (play(pay(7), "done"), play("done"))
    ]
    assert [row.change for row in rescore(till(), saved)] == [None, None]
    stricter = till()
    stricter.verifier = rlvr.Outcome({"paid": []})
    assert [float(row.verdict) for row in rescore(stricter, saved)] == [0.25, 1]


def test_an_evaluation_begins_though_a_bare_response_has_no_outcome() -> None:
    """The checks before it play an episode."""
    check_verifier(till(), 1)
    assert float(judged_alone(till(), TASK, "done")) == 0
    broken = till()
    broken.verifier = rlvr.Outcome(path="paid")
    broken.episode_class = None  # type: ignore[attr-defined]
    broken.toolbox = type("Silent", (Till,), {"outcome": lambda self: None})  # type: ignore[attr-defined]
    with pytest.raises(NotReadyError, match="gave no outcome"):
        check_verifier(broken, 1)


def test_a_fault_of_the_environment_stays_one_when_judged_again() -> None:
    fault = play(pay(-1), "done")
    assert fault.verdict is not None
    assert not fault.verdict.scored
    assert fault.stop == "error"
    (again,) = rescore(till(), [Rollout.from_json(json.loads(json.dumps(fault.to_json())))])
    assert not again.verdict.scored
    assert again.verdict.message == "the bank is away"


def test_fixtures_have_turns_or_messages_with_an_outcome(tmp_path: Path) -> None:
    said = {"role": "assistant", "content": "done"}
    answered = [pay(7), {"role": "tool", "tool_call_id": "c", "content": "paid"}, said]
    rows: list[dict[str, Any]] = [
        {"kind": "right", "response": [pay(7), "done"]},
        {"kind": "wrong", "response": [pay(8), "done"]},
        {"kind": "malformed", "response": "done"},
        {"kind": "right", "messages": answered, "outcome": {"paid": [7]}},
        {"kind": "borderline", "reward": 0.5, "messages": answered, "outcome": {"paid": []}},
        {"kind": "wrong", "reward": 0, "messages": [said], "outcome": {}},
    ]
    path = tmp_path / "fixtures.jsonl"
    path.write_text("".join(json.dumps({"task": "pay"} | row) + "\n" for row in rows))
    env = till(path)
    verdicts = judge_fixtures(env)
    for fixture, verdict in zip(env.fixtures, verdicts, strict=True):
        assert fixture.holds(verdict), (fixture, verdict)
    assert float(verdicts[0]) == 1.25  # it was played, and the step was rewarded
    assert env.fixtures[0].texts[0].startswith('{"id"')
    assert len(env.fixtures[3].turns) == 2


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"response": "x", "messages": [SAID]}, "not both"),
        ({"messages": []}, "none of the role assistant"),
        ({"messages": [{"role": "user", "content": "x"}]}, "none of the role assistant"),
        ({"messages": [5]}, "A message has a role"),
        ({"response": "x", "outcome": 5}, "needs \"messages\""),
        ({"response": [{"content": 5}]}, "A fixture's response"),
    ],
)  # fmt: skip
def test_a_fixture_that_is_none_is_named(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    path = tmp_path / "fixtures.jsonl"
    path.write_text(json.dumps({"kind": "right", "task": "pay"} | row))
    with pytest.raises(DataError) as error:
        read_fixtures(path)
    assert "line 1" in str(error.value)
    assert any(part in str(error.value) for part in says.split("|")), error.value
