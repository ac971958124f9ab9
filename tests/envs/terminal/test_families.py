"""The generated families: their solutions earn full reward, an untouched workspace and a lazy attempt nothing."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import rlvr
from rlvr.core.errors import OptionError
from rlvr.core.tool_calls import MOST_CHARACTERS, calls_of
from rlvr.core.verdict import Scored, Status
from rlvr.envs.terminal.families import FAMILIES
from rlvr.envs.terminal.verifier import calling
from tests.envs.terminal.conftest import Play

CASES = list(product(FAMILIES, (1, 2, 3)))


@pytest.mark.sweep(gate=6)
@pytest.mark.parametrize(("family", "level"), CASES)
def test_a_solution_earns_full_reward_and_doing_nothing_none(
    family: str, level: int, play: Play
) -> None:
    env = rlvr.make("terminal", family=family, level=level, split="test")
    for task in (env.tasks[0], env.tasks[1]):
        right = play(env, task, task.reference["solution"])
        assert isinstance(right, Scored)
        assert right.status is Status.CORRECT, right.feedback
        for commands in ((), task.metadata["naive"]):
            wrong = play(env, task, commands)
            assert isinstance(wrong, Scored)
            assert wrong.reward == 0.0, (commands, wrong)


@pytest.mark.parametrize(("family", "level"), CASES)
def test_a_task_is_plain_data_that_calls_can_solve(family: str, level: int) -> None:
    env = rlvr.make("terminal", family=family, level=level)
    task = env.tasks[3]
    assert env.tasks[3] == task
    assert rlvr.Task.from_json(task.to_json()) == task
    message = env.verifier.demonstrate(task)
    assert message is not None
    calls = calls_of({"role": "assistant", "content": message})
    assert [call.error for call in calls] == [""] * len(calls)
    assert len(calls) <= 16
    assert max(len(call.arguments) for call in calls) <= MOST_CHARACTERS


@pytest.mark.parametrize("family", FAMILIES)
def test_the_prompt_tells_neither_the_answer_nor_the_solution(family: str) -> None:
    env = rlvr.make("terminal", family=family, level=3)
    for task in env.tasks[:5]:
        for check in task.reference["checks"]:
            expected = check.get("equals")
            if isinstance(expected, str):
                assert expected.strip() not in task.text
        # Nothing that begins the episode is the reference's either, except what there is to find.
        assert str(task.reference["checks"]) not in str(task.metadata)


def test_splits_share_no_prompt() -> None:
    prompts = [
        {task.text for task in rlvr.make("terminal", split=split, level=1).tasks[:40]}
        for split in ("train", "dev", "test")
    ]
    assert all(len(each) == 40 for each in prompts)
    assert len(prompts[0] | prompts[1] | prompts[2]) == 120


def test_a_mixture_has_all_of_its_families() -> None:
    env = rlvr.make("terminal", family="find_file, fix_script")
    assert {task.metadata["family"] for task in env.tasks[:20]} == {"find_file", "fix_script"}
    every = {task.metadata["family"] for task in rlvr.make("terminal").tasks[:120]}
    assert every == set(FAMILIES)


@pytest.mark.parametrize(
    "options", [{"family": "fix_scripts"}, {"family": 3}, {"level": 4}, {"level": "x"}]
)
def test_options_that_there_are_not_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        rlvr.make("terminal", **options)


def test_a_bug_of_a_program_always_shows_in_the_hidden_inputs() -> None:
    for family in ("fix_script", "fix_package"):
        for seed in range(20):
            draft = FAMILIES[family](np.random.default_rng(seed), 1 + seed % 3)
            (check,) = draft.checks
            outputs = [run["stdout"] for run in check["runs"]]
            assert len(set(outputs)) > 1


def test_many_commands_are_joined_into_the_calls_that_a_message_may_have() -> None:
    message = calling([f"echo {i}" for i in range(100)])
    assert message.count("<tool_call>") == 16
    assert all(f"echo {i}" in message for i in range(100))
