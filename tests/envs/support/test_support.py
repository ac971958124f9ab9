"""The support desk: what is right earns, nothing else does, and a user's errors are nobody's wrong answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

import rlvr
from rlvr.core.tool_calls import written_call
from rlvr.partners import ControlUser, user_errors
from rlvr.policies import Generation, Request
from rlvr.policies.scripted import scripted


class Careless(ControlUser):
    """The control user, who makes one error in a tenth of the tasks, of three kinds in turn."""

    name = "careless"

    @staticmethod
    def errs(task: rlvr.Task) -> str | None:
        number = int(task.id.removeprefix("train-"))
        return (
            ("known-values", "says-all", "in-character")[number // 10 % 3]
            if number % 10 == 7
            else None
        )

    def line(self, request: Request) -> str:
        right = super().line(request)
        error = self.errs(request.task)
        if error == "known-values":
            return f"{right} And what about W00000?"
        if error == "says-all":
            return right if "passcode" in right else "Thank you. [END]"
        return "" if error == "in-character" else right


class Agent:
    """Plays by a function of the task and the number of the turn; by default as the oracle does."""

    name = "agent"

    def __init__(self, env: Any, change: Any) -> None:
        self.env, self.change = env, change

    def respond(self, requests: Sequence[Request]) -> list[str]:
        return [self._say(request) for request in requests]

    def _say(self, request: Request) -> str:
        turns = list(self.env.demonstrate(request.task))
        turns = self.change(turns)
        said = sum(message["role"] == "assistant" for message in request.prompt)
        return str(turns[min(said, len(turns) - 1)])


@pytest.mark.parametrize("level", [1, 3, 5])
def test_the_oracle_earns_all_and_a_naive_policy_nothing(level: int) -> None:
    env = rlvr.make("support", level=level)
    assert rlvr.evaluate(env, scripted("oracle", env), limit=40).mean.value == 1.0
    assert rlvr.evaluate(env, scripted("echo", env), limit=20).mean.value == 0.0


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("nothing is done", lambda turns: ["It is all done.", written_call("finish")]),
        ("without a passcode", lambda turns: [turns[0], *turns[2:]]),
        ("before it is asked", lambda turns: [turns[2], turns[0], turns[1], *turns[3:]]),
        ("ends too early", lambda turns: [*turns[:-1], written_call("finish")]),
        (
            "does more than was asked",
            lambda turns: [
                *turns[:2],
                written_call("exchange", order=_order(turns), item="rug"),
                *turns[2:],
            ],
        ),
        (
            "refuses by every rule",
            lambda turns: [
                *turns[:2],
                "\n".join(written_call("refuse", order=_order(turns), rule=n) for n in range(1, 7)),
                *turns[2:],
            ],
        ),
    ],
)
def test_what_is_not_right_earns_nothing(name: str, change: Any) -> None:
    env = rlvr.make("support", level=3)
    report = rlvr.evaluate(env, Agent(env, change), limit=30)
    assert (report.mean.value, report.scored) == (0.0, 30), name


def _order(turns: list[str]) -> str:
    return json.loads(turns[2].split("\n")[1])["arguments"]["order"]  # type: ignore[no-any-return]


HOSTILE = (
    "\ud800",
    "\x00" * 50,
    "x" * 100_000,
    "</tool_response>",
    "[END]",
    "<tool_call>",
    "{" * 500,
)


@pytest.mark.parametrize("calls", ["text", "native"])
def test_no_response_is_a_fault_or_a_reward(calls: Any) -> None:
    env = rlvr.make("support", level=3, calls=calls)

    class Hostile:
        """Calls every tool with what it shouldn't take, and says it between the calls."""

        name = "hostile"

        def respond(self, requests: Sequence[Request]) -> list[Generation]:
            return [self._say(request) for request in requests]

        def _say(self, request: Request) -> Generation:
            turn = sum(message["role"] == "assistant" for message in request.prompt)
            text = HOSTILE[int(request.task.id.removeprefix("train-")) % len(HOSTILE)]
            name, arguments = (
                ("find_customer", {"email": text}),
                ("verify", {"customer": text, "passcode": text}),
                ("refund", {"order": text, "to": text}),
                ("refuse", {"order": text, "rule": 10**30}),
                ("exchange", {"order": [], "item": {}}),
            )[turn % 5]
            function = {"name": name, "arguments": json.dumps(arguments)}
            call = {"id": "a", "type": "function", "function": function}
            return Generation(text, tool_calls=(call,) if turn % 2 else ())

    report = rlvr.evaluate(env, Hostile(), limit=21)
    assert (report.scored, report.mean.value) == (21, 0.0)


def test_users_that_break_their_instructions_and_no_others_are_unscored() -> None:
    env = rlvr.make("support", level=3, user=Careless())
    evaluation = rlvr.evaluate(env, scripted("oracle", env), limit=500)
    erring = [task for i in range(500) if (task := env.tasks[i]) and Careless.errs(task)]
    assert 30 < len(erring) < 70
    assert evaluation.unscored == {"partner": len(erring)}
    assert (evaluation.scored, evaluation.mean.value) == (500 - len(erring), 1.0)


def test_each_rule_is_named_and_counted(tmp_path: Any) -> None:
    env = rlvr.make("support", level=3, user=Careless())
    rlvr.evaluate(env, scripted("oracle", env), limit=300, run=tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run/rollouts.jsonl").read_text().splitlines()]
    erring = [row for row in rows if not row["verdict"]["scored"]]
    expected = [Careless.errs(rlvr.Task("", None, row["task"])) for row in erring]
    counted = user_errors([row["verdict"]["message"] for row in erring])
    assert counted == {rule: expected.count(rule) for rule in counted}
    assert sum(counted.values()) == len(erring) > 0
    assert all(row["children"][0]["role"] == "user" for row in rows)


def test_a_run_that_was_ended_goes_on_and_repeats_nothing(tmp_path: Any) -> None:
    env = rlvr.make("support", level=2)
    rlvr.evaluate(env, scripted("oracle", env), limit=12, run=tmp_path / "run")
    file = tmp_path / "run/rollouts.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:7]) + lines[7][:50])
    report = rlvr.evaluate(
        env, scripted("oracle", env), limit=12, run=tmp_path / "run", resume=True
    )
    again = file.read_text().splitlines(keepends=True)
    assert again[:7] == lines[:7]
    assert sorted(map(_task_and_children, again)) == sorted(map(_task_and_children, lines))
    assert (report.rollouts, report.mean.value) == (12, 1.0)


def _task_and_children(line: str) -> tuple[str, str]:
    row = json.loads(line)
    return row["task"], json.dumps(row["children"])


def test_a_case_is_the_same_each_time_and_its_prompt_keeps_secrets() -> None:
    tasks = [rlvr.make("support", level=4).tasks[5] for _ in range(2)]
    assert tasks[0] == tasks[1]
    secrets = [
        tasks[0].metadata["user"]["facts"]["passcode"],
        *tasks[0].metadata["user"]["goal"][1:],
    ]
    assert not any(secret in tasks[0].text for secret in secrets)


def test_it_is_played_with_native_calls_and_by_gymnasium() -> None:
    env = rlvr.make("support", level=1, calls="native")
    assert {schema["function"]["name"] for schema in env.tool_schemas or ()} >= {"refund", "finish"}
    task = env.tasks[0]
    env.reset(options={"task": task})
    reward = 0.0
    for turn in env.demonstrate(task) or ():
        _, reward, over, *_ = env.step(str(turn))
    assert (reward, over) == (1.0, True)
