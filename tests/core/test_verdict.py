from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle

import numpy as np
import pytest

from rlvr import CannotScore, Cause, Scored, Status, Unscored
from rlvr.core.errors import NoRewardError, RewardError, RlvrError
from rlvr.core.verdict import correct, refused, status_of

SCORED = Scored(0.5, Status.PARTIAL, {"tests": 0.5}, "1 of 2 passed", {"passed": [True, False]})
UNSCORED = Unscored(Cause.GOLD, "the reference can't be read", {"reference": "?"})


def test_a_scored_verdict_is_worth_its_reward() -> None:
    assert float(SCORED) == 0.5
    assert SCORED.scored
    assert not UNSCORED.scored


def test_an_unscored_verdict_has_no_reward_to_read() -> None:
    assert not hasattr(UNSCORED, "reward")
    assert not hasattr(UNSCORED, "status")
    with pytest.raises(NoRewardError, match=r"gold: the reference can't be read.*verdict\.scored"):
        float(UNSCORED)
    with pytest.raises(TypeError):
        int(UNSCORED)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        UNSCORED + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        sum([SCORED, UNSCORED])  # type: ignore[list-item]
    with pytest.raises(TypeError):
        np.mean([SCORED, UNSCORED])  # type: ignore[list-item]
    with pytest.raises(RlvrError):
        math.fsum([UNSCORED])


def test_an_unscored_verdict_takes_no_reward() -> None:
    with pytest.raises((AttributeError, TypeError)):
        object.__setattr__(UNSCORED, "reward", 0.0)


@pytest.mark.parametrize("verdict", [SCORED, UNSCORED])
def test_verdicts_survive_pickle_and_copy(verdict: Scored | Unscored) -> None:
    assert pickle.loads(pickle.dumps(verdict)) == verdict
    assert copy.deepcopy(verdict) == verdict


@pytest.mark.parametrize("verdict", [SCORED, UNSCORED])
def test_verdicts_are_frozen(verdict: Scored | Unscored) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.detail = {}  # type: ignore[misc]


@pytest.mark.parametrize("reward", [math.nan, math.inf, -math.inf, None, "much", [1.0], 10**400])
def test_a_reward_is_a_finite_number(reward: float) -> None:
    with pytest.raises(RewardError, match=r"reward must be a finite number.*rlvr\.Unscored"):
        Scored(reward, Status.CORRECT)
    with pytest.raises(RewardError, match="component 'tests' must be a finite number"):
        Scored(1.0, Status.CORRECT, {"form": 1.0, "tests": reward})


@pytest.mark.parametrize("reward", [True, 1, np.float32(1), np.int64(1), np.bool_(True)])
def test_any_number_becomes_a_float_so_that_the_verdict_is_plain_json(reward: float) -> None:
    verdict = Scored(reward, Status.CORRECT, {"part": reward})
    line = json.dumps(verdict.to_json())
    assert line == json.dumps(Scored(1.0, Status.CORRECT, {"part": 1.0}).to_json())
    assert type(verdict.reward) is float


def test_verdicts_as_json() -> None:
    assert json.loads(json.dumps(SCORED.to_json())) == {
        "scored": True,
        "reward": 0.5,
        "status": "partial",
        "components": {"tests": 0.5},
        "feedback": "1 of 2 passed",
    }
    assert json.loads(json.dumps(UNSCORED.to_json())) == {
        "scored": False,
        "cause": "gold",
        "message": "the reference can't be read",
    }


def test_the_two_short_forms() -> None:
    assert correct("math", stage="text") == Scored(
        1.0, Status.CORRECT, {"math": 1.0}, "", {"stage": "text"}
    )
    assert refused("math", Status.LIMIT, "too long") == Scored(
        0.0, Status.LIMIT, {"math": 0.0}, "too long"
    )


@pytest.mark.parametrize(
    ("reward", "status"),
    [(1.0, "correct"), (2.0, "correct"), (0.3, "partial"), (0.0, "incorrect"), (-1.0, "incorrect")],
)
def test_the_status_of_a_bare_reward(reward: float, status: str) -> None:
    assert status_of(reward) == status


def test_a_status_or_cause_may_be_given_by_its_name() -> None:
    assert Scored(1.0, "correct").status is Status.CORRECT
    assert Unscored("gold", "no answer").cause is Cause.GOLD
    assert CannotScore("gold", "no answer").cause is Cause.GOLD


def test_a_status_or_cause_that_does_not_exist_is_refused() -> None:
    with pytest.raises(RewardError, match=r"no status 'corect'\. Did you mean 'correct'"):
        Scored(1.0, "corect")  # type: ignore[arg-type]
    with pytest.raises(RewardError, match="no cause 'banana'"):
        Unscored("banana", "")  # type: ignore[arg-type]
    with pytest.raises(RewardError, match="no cause 'banana'"):
        CannotScore("banana", "")  # type: ignore[arg-type]
