"""What a verifier returns: `Scored`, with a reward, or `Unscored`, with a cause and no reward.

The two are separate types on purpose. A crashed worker or a broken gold answer read as reward 0
trains the model away from a right answer, so `Unscored` has no number to read: there is no
`reward` attribute and `float()` raises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, NoReturn, TypeAlias

from rlvr.core.errors import NoRewardError, RewardError


class Status(StrEnum):
    """How a scored response was judged. Set by the verifier that scored it."""

    CORRECT = "correct"  # full reward
    INCORRECT = "incorrect"  # an answer was found, and it's wrong
    PARTIAL = "partial"  # something between
    UNPARSABLE = "unparsable"  # no answer was found in the response
    LIMIT = "limit"  # the model's program or expression ran out of time, memory or output


class Cause(StrEnum):
    """Why a response could not be scored. Never the model's doing."""

    SANDBOX = "sandbox"  # the jail failed, not the program in it
    GOLD = "gold"  # the reference itself can't be read or fails its own check
    JUDGE = "judge"  # a judge model didn't answer, or answered nonsense
    TIMEOUT = "timeout"  # our deadline passed before the response was judged
    INPUT = "input"  # the line or row handed in is malformed
    INTERNAL = "internal"  # the verifier raised, or its worker died for no reason of the response


@dataclass(frozen=True, slots=True)
class Scored:
    """A response was judged.

    Attributes:
        reward: finite; in [0, 1] unless the verifier declares another range.
        status: how it was judged.
        components: the reward's parts by name, unweighted; finite too.
        feedback: one or two sentences for a person: what was found, or why it was refused.
        detail: plain data for whoever looks closer (the extracted answer, the deciding stage).

    Raises `RewardError` where the reward or a component isn't a finite number.
    """

    reward: float
    status: Status
    components: dict[str, float] = field(default_factory=dict)
    feedback: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    scored: ClassVar[bool] = True

    def __post_init__(self) -> None:
        # Verifiers hand over bools, NumPy's and torch's numbers; a verdict is plain JSON data.
        set_ = object.__setattr__
        if type(self.reward) is not float or not math.isfinite(self.reward):
            set_(self, "reward", _number("reward", self.reward))
        if not all(type(v) is float and math.isfinite(v) for v in self.components.values()):
            parts = {name: _number(f"component {name!r}", v) for name, v in self.components.items()}
            set_(self, "components", parts)

    def __float__(self) -> float:
        return float(self.reward)

    def to_json(self) -> dict[str, Any]:
        """The verdict as `rlvr score` writes it (without `detail`)."""
        return {
            "scored": True,
            "reward": self.reward,
            "status": str(self.status),
            "components": self.components,
            "feedback": self.feedback,
        }


@dataclass(frozen=True, slots=True)
class Unscored:
    """No verdict was reached, for a cause that isn't the model's doing.

    There is no reward here and none can be read off it. Every adapter maps it to what its trainer
    has for a row without a reward.
    """

    cause: Cause
    message: str
    detail: dict[str, Any] = field(default_factory=dict)
    scored: ClassVar[bool] = False

    def __float__(self) -> NoReturn:
        raise NoRewardError(
            f"An unscored verdict has no reward ({self.cause}: {self.message}). Check "
            f"`verdict.scored` first and leave such rows out of the average."
        )

    def to_json(self) -> dict[str, Any]:
        """The verdict as `rlvr score` writes it (without `detail`)."""
        return {"scored": False, "cause": str(self.cause), "message": self.message}


Verdict: TypeAlias = Scored | Unscored


def _number(what: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise RewardError(
            f"A {what} must be a finite number, not {value!r:.100}; where there is none, "
            f"return rlvr.Unscored(cause, message)."
        )
    return number


def correct(name: str, feedback: str = "", **detail: Any) -> Scored:
    """Full reward under the component `name`."""
    return Scored(1.0, Status.CORRECT, {name: 1.0}, feedback, detail)


def refused(name: str, status: Status, feedback: str, **detail: Any) -> Scored:
    """No reward under the component `name`: incorrect, unparsable or limit."""
    return Scored(0.0, status, {name: 0.0}, feedback, detail)


def status_of(reward: float) -> Status:
    """The status that a bare reward in [0, 1] stands for."""
    if reward >= 1.0:
        return Status.CORRECT
    return Status.PARTIAL if reward > 0.0 else Status.INCORRECT
