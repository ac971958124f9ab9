"""A function as a verifier: what it may return, where it finds the answer, where it runs."""

from __future__ import annotations

import functools
import pickle
from typing import Any

import numpy as np
import pytest

import rlvr
from rlvr.core.errors import NoRewardError, OptionError
from rlvr.verifiers.function import FunctionVerifier

TASK = rlvr.Task("prompt", "abc")


@rlvr.verifier
def same(task: rlvr.Task, answer: str) -> bool:
    """Whether it is the reference."""
    return bool(answer == task.reference)


def returning(value: Any, **options: Any) -> FunctionVerifier:
    made: FunctionVerifier = rlvr.verifier(lambda task, answer: value, name="given", **options)
    return made


def judged(verifier: rlvr.Verifier, response: str = r"\boxed{abc}") -> rlvr.Verdict:
    return rlvr.score([TASK], [response], verifier)[0]


def test_the_function_gets_the_answer_alone() -> None:
    right = judged(same, r"<think>\boxed{x}</think> It is \boxed{abc}.")
    assert right == rlvr.Scored(1.0, rlvr.Status.CORRECT, {"same": 1.0}, "", {"answer": "abc"})
    wrong = judged(same, r"\boxed{abd}")
    assert isinstance(wrong, rlvr.Scored)
    assert (wrong.reward, wrong.status) == (0.0, rlvr.Status.INCORRECT)
    assert "abd" in wrong.feedback


def test_its_name_and_words_stay() -> None:
    assert (same.name, same.__doc__) == ("same", "Whether it is the reference.")


def test_without_an_answer_the_function_isnt_asked() -> None:
    for verifier in (returning(1 / 2), returning("nonsense", inline=True)):
        verdict = judged(verifier, "no box")
        assert isinstance(verdict, rlvr.Scored)
        assert verdict.status is rlvr.Status.UNPARSABLE
        assert verifier.verify(TASK, "no box") == verdict


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize(
    ("value", "reward", "status"),
    [
        (True, 1.0, "correct"),
        (False, 0.0, "incorrect"),
        (1, 1.0, "correct"),
        (0.25, 0.25, "partial"),
        (np.True_, 1.0, "correct"),
        (np.float32(0.5), 0.5, "partial"),
    ],
)
def test_bools_and_floats_are_rewards(value: Any, reward: float, status: str, inline: bool) -> None:
    verdict = judged(returning(value, inline=inline))
    assert isinstance(verdict, rlvr.Scored)
    assert (verdict.reward, verdict.status) == (reward, status)
    assert verdict.components == {"given": reward}


@pytest.mark.parametrize("inline", [False, True])
@pytest.mark.parametrize(
    "value", ["1", b"1", None, [1.0], 1.5, -0.1, float("nan"), float("inf"), 10**400, object]
)
def test_anything_else_is_a_fault_of_the_verifier(value: Any, inline: bool) -> None:
    verdict = judged(returning(value, inline=inline))
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.INTERNAL
    assert "given returned" in verdict.message


@pytest.mark.parametrize(
    "verdict",
    [rlvr.Scored(7.0, rlvr.Status.PARTIAL), rlvr.Unscored(rlvr.Cause.SANDBOX, "no jail")],
)
def test_a_verdict_is_taken_as_it_is(verdict: rlvr.Verdict) -> None:
    assert judged(returning(verdict)) == verdict


@pytest.mark.parametrize("inline", [False, True])
def test_what_it_raises_is_unscored(inline: bool) -> None:
    @rlvr.verifier(inline=inline)
    def broken(task: rlvr.Task, answer: str) -> bool:
        raise KeyError(answer)

    verdict = judged(broken)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.INTERNAL
    assert "KeyError" in verdict.message

    @rlvr.verifier(inline=inline)
    def faultless(task: rlvr.Task, answer: str) -> bool:
        raise rlvr.CannotScore(rlvr.Cause.GOLD, "unreadable")

    assert judged(faultless) == rlvr.Unscored(rlvr.Cause.GOLD, "unreadable")


def test_inline_runs_here_and_the_rest_in_a_worker() -> None:
    asked: list[str] = []

    def judge(task: rlvr.Task, answer: str) -> bool:
        asked.append(answer)
        return True

    assert float(judged(rlvr.verifier(judge))) == 1.0
    assert asked == []
    assert float(judged(rlvr.verifier(judge, inline=True))) == 1.0
    assert asked == ["abc"]


async def _later(task: rlvr.Task, answer: str) -> bool:
    return bool(answer == task.reference)


class _Later:
    async def __call__(self, task: rlvr.Task, answer: str) -> bool:
        return await _later(task, answer)


@pytest.mark.parametrize("judge", [_later, _Later(), functools.partial(_later)])
def test_an_async_function_runs_on_the_loop(judge: Any) -> None:
    verifier = rlvr.verifier(judge, name="later", inline=True)
    assert verifier.is_async
    assert float(judged(verifier)) == 1.0
    assert float(judged(verifier, r"\boxed{abd}")) == 0.0


def test_configure_changes_a_copy() -> None:
    for verifier in (same, rlvr.verifier(_later)):
        flexible = verifier.configure(mode="flexible")
        assert (verifier.mode, flexible.mode) == ("boxed", "flexible")
        assert float(judged(flexible, "The answer is abc")) == 1.0
        assert float(judged(verifier, "The answer is abc")) == 0.0


def test_options_are_checked() -> None:
    with pytest.raises(OptionError, match="mode is one of"):
        rlvr.verifier(_later, mode="loose")
    with pytest.raises(OptionError, match="mode is one of"):
        same.configure(mode="loose")
    with pytest.raises(OptionError, match="no option 'strict'"):
        same.configure(strict=True)


def test_what_has_no_name_must_be_given_one() -> None:
    with pytest.raises(OptionError, match="name="):
        rlvr.verifier(functools.partial(_later))


def test_its_time_limit_is_kept() -> None:
    @rlvr.verifier(limit_s=0.2)
    def slow(task: rlvr.Task, answer: str) -> bool:
        import time

        time.sleep(60)
        return True

    verdict = judged(slow)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.TIMEOUT


def test_an_unscored_verdict_has_no_number() -> None:
    verdict = rlvr.Unscored(rlvr.Cause.JUDGE, "no answer")
    assert not hasattr(verdict, "reward")
    assert not verdict.scored
    with pytest.raises(NoRewardError, match="no answer"):
        float(verdict)
    with pytest.raises(TypeError):
        sum([verdict, 1.0])  # type: ignore[list-item]


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), -float("inf")])
def test_a_scored_verdict_has_a_finite_one(reward: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        rlvr.Scored(reward, rlvr.Status.CORRECT)


@pytest.mark.parametrize(
    "verdict",
    [
        rlvr.Scored(0.5, rlvr.Status.PARTIAL, {"a": 0.5}, "half", {"answer": "\ud800"}),
        rlvr.Unscored(rlvr.Cause.GOLD, "unreadable", {"line": 3}),
    ],
)
def test_verdicts_pickle_whole(verdict: rlvr.Verdict) -> None:
    back = pickle.loads(pickle.dumps(verdict))
    assert back == verdict
    assert back.scored is verdict.scored
    if isinstance(verdict, rlvr.Scored):
        assert back.status is verdict.status


@pytest.mark.parametrize(
    "judge", [lambda task: True, lambda task, answer, extra: True, lambda: True]
)
def test_a_wrong_signature_is_refused_by_the_decorator(judge: Any) -> None:
    with pytest.raises(OptionError, match="takes a task and an answer"):
        rlvr.verifier(name="v")(judge)
