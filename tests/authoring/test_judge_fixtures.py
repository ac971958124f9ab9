"""`judge_fixtures`: one turn together, several played; what can't be judged says why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import DataError
from rlvr.core.verdict import Cause, Scored, Status, Unscored
from rlvr.testing.fixtures import judge_fixtures

TASKS = [rlvr.Task("2+2?", "4", "four"), rlvr.Task("3+3?", "6", "six")]
SUM = rlvr.SingleTurn(TASKS, rlvr.Math())


class Guess(rlvr.MultiTurn):
    def reply(self, task: rlvr.Task, messages: list[Any]) -> str | None:
        if messages[-1]["content"] == "raise":
            raise RuntimeError("out of order")
        return None if messages[-1]["content"] == task.reference else "no"


@rlvr.verifier(mode="whole", inline=True)
def guessed(task: rlvr.Task, answer: str) -> bool:
    return answer == task.reference


GUESS = Guess(TASKS, guessed, max_turns=3)


def judged(env: rlvr.Environment, response: str | tuple[str, ...], task: Any = "four") -> Any:
    (verdict,) = judge_fixtures(env, [rlvr.Fixture("right", response, task)])
    return verdict


def test_one_turn_by_id_and_with_a_task_of_its_own() -> None:
    own = rlvr.Task("5+5?", "10")
    fixtures = [
        rlvr.Fixture("right", "\\boxed{6}", "six"),
        rlvr.Fixture("wrong", "\\boxed{6}", "four"),
        rlvr.Fixture("right", "\\boxed{10}", own),
        rlvr.Fixture("malformed", "10", own),
    ]
    verdicts = judge_fixtures(SUM, fixtures)
    assert [float(v) for v in verdicts] == [1.0, 0.0, 1.0, 0.0]
    assert all(f.holds(v) for f, v in zip(fixtures, verdicts, strict=True))


def test_several_turns_are_played() -> None:
    assert judged(GUESS, ("5", "4")).reward == 1.0
    assert judged(GUESS, ("5", "6", "7")).reward == 0.0


def test_an_episode_that_goes_on_is_judged_by_its_last_response() -> None:
    verdict = judged(GUESS, ("5", "6"))
    assert verdict.status is Status.INCORRECT


def test_an_episode_in_progress_is_left_as_it_is() -> None:
    env = Guess(TASKS, guessed, max_turns=3)
    env.reset(seed=0, options={"task": "six"})
    env.step("5")
    state = env.np_random.bit_generator.state
    assert judged(env, "4").reward == 1.0
    assert env.np_random.bit_generator.state == state
    _, reward, terminated, _, info = env.step("6")
    assert (reward, terminated, len(info["messages"])) == (1.0, True, 4)


@pytest.mark.parametrize(
    ("env", "response", "task", "cause", "says"),
    [
        (SUM, "\\boxed{4}", "five", Cause.INPUT, "no task with the id 'five'"),
        (SUM, ("a", "b"), "four", Cause.INPUT, "over after response 1 of 2"),
        (GUESS, ("4", "4"), "four", Cause.INPUT, "over after response 1 of 2"),
        (GUESS, "4", "five", Cause.INPUT, "Give the fixture another id, or a task of its own"),
        (GUESS, "raise", "four", Cause.INTERNAL, "out of order"),
        (rlvr.MultiTurn(TASKS, guessed), "4", "four", Cause.INTERNAL, "needs a reply"),
    ],
)
def test_what_cannot_be_judged_says_why(
    env: rlvr.Environment, response: Any, task: str, cause: Cause, says: str
) -> None:
    verdict = judged(env, response, task)
    assert isinstance(verdict, Unscored)
    assert verdict.cause is cause
    assert says in verdict.message


def test_an_environment_that_judges_by_itself_is_asked() -> None:
    class Long(rlvr.SingleTurn):
        def judge(self, task: rlvr.Task, messages: list[Any]) -> Scored:
            return Scored(1.0, Status.CORRECT, {"messages": len(messages)})

    assert judged(Long(TASKS, rlvr.Math()), "?").components == {"messages": 2.0}


def test_a_judge_that_raises_is_nobodys_wrong_answer() -> None:
    class Broken(rlvr.SingleTurn):
        def judge(self, task: rlvr.Task, messages: list[Any]) -> Scored:
            raise KeyError("price")

    assert judged(Broken(TASKS, rlvr.Math()), "?").cause is Cause.INTERNAL


def test_tasks_that_cannot_be_loaded_leave_those_of_fixtures() -> None:
    def load() -> list[rlvr.Task]:
        raise DataError("There's no file 'own.jsonl'.")

    env = rlvr.SingleTurn(rlvr.TaskSet(load), rlvr.Math())
    fixtures = [rlvr.Fixture("right", "\\boxed{4}", task) for task in ("four", TASKS[0])]
    missing, found = judge_fixtures(env, fixtures)
    assert isinstance(missing, Unscored)
    assert "no file 'own.jsonl'" in missing.message
    assert found == rlvr.score([TASKS[0]], ["\\boxed{4}"], rlvr.Math())[0]


def test_without_fixtures_there_are_no_verdicts() -> None:
    assert judge_fixtures(SUM) == []


def test_the_documentations_example() -> None:
    page = (Path(__file__).parents[2] / "docs/authors.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    (code,) = [block for block in blocks if "judge_fixtures" in block]
    names: dict[str, Any] = {}
    exec(compile(code, "authors.md", "exec"), names)
    assert len(judge_fixtures(names["env"])) == 4
