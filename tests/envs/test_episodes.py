"""Episodes: which task, what a step returns, when it is over."""

from __future__ import annotations

import math

import gymnasium
import pytest

import rlvr
from rlvr import Cause, MultiTurn, Scored, SingleTurn, Task, TaskSet, Unscored
from rlvr.core.errors import DataError, OptionError, ResetNeededError, ResponseError, RlvrError

TASKS = TaskSet([Task(f"{i}+{i}?", str(2 * i), f"double-{i}") for i in range(5)], "doubles")


@pytest.fixture
def env() -> SingleTurn:
    return SingleTurn(TASKS, rlvr.Math())


@pytest.mark.parametrize("task", [3, -2, "double-3", TASKS[3]])
def test_a_task_is_chosen_by_index_or_id_or_as_it_is(env: SingleTurn, task: object) -> None:
    prompt, info = env.reset(options={"task": task})
    assert prompt == "3+3?"
    assert info["task_id"] == "double-3"
    assert env.step("\\boxed{6}")[1] == 1.0


def test_a_task_from_elsewhere_will_do(env: SingleTurn) -> None:
    prompt, info = env.reset(options={"task": Task("6*7?", "42", "else")})
    assert (prompt, info["task_id"]) == ("6*7?", "else")
    assert env.step("\\boxed{42}")[1] == 1.0


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"task": 5}, OptionError, "'doubles' has 5 tasks, counted from 0: there's none at 5"),
        ({"task": -6}, OptionError, "none at -6"),
        ({"task": 1.5}, OptionError, "an index, an id or a Task, not 1.5"),
        ({"task": ["double-1"]}, OptionError, "an index, an id or a Task"),
        ({"task": "double-9"}, DataError, "no task with the id 'double-9'"),
        ({"tsak": 1}, OptionError, "'task' alone, not \\['tsak'\\]"),
    ],
)
def test_a_choice_that_is_none_is_refused(
    env: SingleTurn, options: dict, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        env.reset(options=options)


def test_the_options_are_left_as_they_were(env: SingleTurn) -> None:
    options = {"task": 1}
    env.reset(options=options)
    assert options == {"task": 1}


def test_every_task_is_drawn_sooner_or_later(env: SingleTurn) -> None:
    env.reset(seed=0)
    assert {env.reset()[1]["task_id"] for _ in range(200)} == {task.id for task in TASKS}


@pytest.mark.parametrize("error", [ResetNeededError, RlvrError, gymnasium.error.ResetNeeded])
def test_a_step_before_reset_says_what_to_call(env: SingleTurn, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"Call env\.reset\(\) before"):
        env.step("\\boxed{4}")


def test_a_step_after_the_end_says_what_to_call(env: SingleTurn) -> None:
    env.reset(seed=0)
    env.step("4")
    with pytest.raises(ResetNeededError, match=r"the episode is over"):
        env.step("4")


def test_an_action_that_is_no_text_is_refused_and_costs_no_turn(env: SingleTurn) -> None:
    env.reset(options={"task": 1})
    with pytest.raises(ResponseError, match="response as a str, not int"):
        env.step(2)  # type: ignore[arg-type]
    assert env.step("\\boxed{2}")[1] == 1.0


def test_what_a_caller_does_to_the_info_stays_with_the_caller(env: SingleTurn) -> None:
    _, info = env.reset(options={"task": 1})
    info["messages"][0]["content"] = "another question"
    info["messages"].append({"role": "assistant", "content": "\\boxed{2}"})
    _, _, _, _, info = env.step("\\boxed{3}")
    assert [m["content"] for m in info["messages"]] == ["1+1?", "\\boxed{3}"]
    assert TASKS[1].text == "1+1?"


def test_no_verdict_is_no_reward_and_a_truncated_episode() -> None:
    @rlvr.verifier
    def broken(task: Task, answer: str) -> bool:
        raise RuntimeError("the grader fell over")

    env = SingleTurn(TASKS, broken)
    env.reset(options={"task": 1})
    observation, reward, terminated, truncated, info = env.step("\\boxed{2}")
    assert math.isnan(reward)
    assert (observation, terminated, truncated) == ("", False, True)
    verdict = info["verdict"]
    assert isinstance(verdict, Unscored)
    assert verdict.cause is Cause.INTERNAL
    assert "the grader fell over" in verdict.message


def test_a_broken_reference_is_no_reward_either() -> None:
    env = SingleTurn(TaskSet([Task("2+2?", {"value": "4"})]), rlvr.Math())
    env.reset()
    _, reward, _, truncated, info = env.step("\\boxed{4}")
    assert math.isnan(reward)
    assert truncated
    assert info["verdict"].cause is Cause.GOLD


class Guess(MultiTurn):
    """The guessing game of the class's docstring."""

    def reply(self, task: Task, messages: list[dict[str, str]]) -> str | None:
        guess = messages[-1]["content"].strip()
        if guess == task.reference:
            return None
        if not guess.isdecimal():
            return "a number, please"
        return "higher" if int(guess[:9]) < int(task.reference) else "lower"


@pytest.fixture
def game() -> Guess:
    tasks = TaskSet([Task("Guess my number.", str(n), str(n)) for n in range(1, 101)], "guess")
    return Guess(tasks, rlvr.Math("whole"), max_turns=7)


def test_a_conversation_is_won(game: Guess) -> None:
    prompt, _ = game.reset(options={"task": "37"})
    assert prompt == "Guess my number."
    low, high, guesses, terminated = 1, 100, [], False
    while not terminated:
        guess = (low + high) // 2
        guesses.append(guess)
        answer, reward, terminated, truncated, info = game.step(str(guess))
        if not terminated:
            assert (reward, truncated, "verdict" in info) == (0.0, False, False)
        low, high = (guess + 1, high) if answer == "higher" else (low, guess - 1)
    assert (guess, reward, terminated, truncated) == (37, 1.0, True, False)
    assert answer == ""
    assert isinstance(info["verdict"], Scored)
    assert len(info["messages"]) == 2 * len(guesses)
    assert [m["role"] for m in info["messages"]] == ["user", "assistant"] * len(guesses)


def test_a_conversation_out_of_turns_is_cut_and_judged_as_it_stands(game: Guess) -> None:
    game.reset(options={"task": "37"})
    for _ in range(6):
        assert game.step("no idea")[:4] == ("a number, please", 0.0, False, False)
    observation, reward, terminated, truncated, info = game.step("36")
    assert (observation, reward, terminated, truncated) == ("", 0.0, False, True)
    assert info["verdict"].status == "incorrect"
    with pytest.raises(ResetNeededError):
        game.step("37")


def test_the_last_turn_may_still_be_right(game: Guess) -> None:
    game.reset(options={"task": "37"})
    for _ in range(6):
        game.step("1")
    assert game.step("37")[1:4] == (1.0, True, False)


def test_an_environment_without_a_reply_says_what_it_needs() -> None:
    env = MultiTurn(TASKS, rlvr.Math())
    env.reset()
    with pytest.raises(NotImplementedError, match=r"MultiTurn needs a reply\(task, messages\)"):
        env.step("4")


def test_no_turns_are_refused() -> None:
    with pytest.raises(OptionError, match="max_turns must be at least 1, not 0"):
        Guess(TASKS, rlvr.Math(), max_turns=0)


def test_rendering_is_the_conversation_so_far(game: Guess) -> None:
    assert game.render() is None
    shown = Guess(game.tasks, game.verifier, render_mode="ansi")
    shown.reset(options={"task": "37"})
    shown.step("50")
    assert shown.render() == "[user]\nGuess my number.\n\n[assistant]\n50\n\n[user]\nlower"
    with pytest.raises(OptionError, match="render_mode is None or 'ansi'"):
        Guess(game.tasks, game.verifier, render_mode="human")


class Faulty(rlvr.MultiTurn):
    def reply(self, task, messages):
        if messages[-1]["content"] == "gone":
            raise rlvr.CannotScore(rlvr.Cause.SANDBOX, "the jail is gone")
        if messages[-1]["content"] == "exit":
            raise SystemExit(0)
        return {}["nothing"]


@pytest.mark.parametrize(
    ("said", "cause"), [("hello", "internal"), ("gone", "sandbox"), ("exit", "internal")]
)
def test_a_reply_that_raises_is_nobodys_wrong_answer(said, cause):
    env = Faulty(rlvr.TaskSet([rlvr.Task("guess", "7")]), rlvr.Math())
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(said)
    assert math.isnan(reward)
    assert (terminated, truncated, info["verdict"].cause) == (False, True, cause)
    with pytest.raises(rlvr.RlvrError, match="reset"):
        env.step("again")
    report = rlvr.evaluate(env, Says(said))
    assert report.unscored == {cause: 1}


class Says:
    name = "says"

    def __init__(self, text):
        self.text = text

    def respond(self, requests):
        return [self.text for _ in requests]
