"""The verdict of a verifier: `Scored`, with a reward, or `Unscored`, with a cause and no reward.

The two are separate types on purpose. A crashed worker or a broken gold answer read as reward 0
trains the model away from a right answer, so `Unscored` has no number to read: there is no
`reward` attribute and `float()` raises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, TypeAlias

from rlvr.core.errors import NoRewardError, RewardError, nearest


class Status(StrEnum):
    """The judgement of a scored response, set by the verifier that scored it::

        verdict = rlvr.score([task], [response], verifier)[0]
        verdict.scored and verdict.status is rlvr.Status.CORRECT

    An author may also give a status by its name: `rlvr.Scored(1.0, "correct")`.
    """

    CORRECT = "correct"
    """The response earns full reward."""
    INCORRECT = "incorrect"
    """An answer was found, and it is wrong."""
    PARTIAL = "partial"
    """The reward lies between the two."""
    UNPARSABLE = "unparsable"
    """No answer was found in the response."""
    LIMIT = "limit"
    """The model's program or expression ran out of time, memory or output."""


class Cause(StrEnum):
    """The reason why a response could not be scored, which is never the model's text::

        verdict = rlvr.score([rlvr.Task("?", "")], ["\\\\boxed{1}"], rlvr.Math())[0]
        not verdict.scored and verdict.cause is rlvr.Cause.GOLD

    An author may also give a cause by its name: `rlvr.Unscored("gold", "…")`.
    """

    SANDBOX = "sandbox"
    """The jail failed, not the program in it."""
    GOLD = "gold"
    """The reference itself can't be read or fails its own check."""
    JUDGE = "judge"
    """A judge model didn't answer, or answered nonsense."""
    PARTNER = "partner"
    """A user, an opponent or a sub-agent in the episode didn't answer, or broke its instructions."""
    TIMEOUT = "timeout"
    """The scorer's own deadline passed before the response was judged."""
    INPUT = "input"
    """The line or row handed in is malformed."""
    INTERNAL = "internal"
    """The verifier raised, or its worker died and the response isn't the reason."""


StatusName: TypeAlias = Literal["correct", "incorrect", "partial", "unparsable", "limit"]
CauseName: TypeAlias = Literal[
    "sandbox", "gold", "judge", "partner", "timeout", "input", "internal"
]


@dataclass(frozen=True, slots=True)
class Scored:
    """The verdict on a response that was judged.

        verdict = rlvr.Scored(0.5, "partial", feedback="One of two tests passed.")
        if verdict.scored:
            print(verdict.reward)

    Attributes:
        reward: a finite number, in [0, 1] unless the verifier declares another range.
        status: a `Status` or its name.
        components: the parts of the reward by name, unweighted and finite.
        feedback: one or two sentences for a person: the answer that was found, or why it was refused.
        detail: plain data for a closer look (the extracted answer, the deciding stage).

    Raises `RewardError` if the reward or a component isn't a finite number, or if there is no such status.
    """

    reward: float
    status: Status
    components: dict[str, float] = field(default_factory=dict)
    feedback: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    scored: ClassVar[Literal[True]] = True

    if TYPE_CHECKING:  # a status may be given by its name, and is read as a `Status`

        def __init__(
            self,
            reward: float,
            status: Status | StatusName,
            components: dict[str, float] = ...,
            feedback: str = ...,
            detail: dict[str, Any] = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        # Verifiers hand over bools, NumPy's and torch's numbers, and the names of statuses; a verdict
        # is plain JSON data, and statuses are compared by identity.
        set_ = object.__setattr__
        if type(self.status) is not Status:
            set_(self, "status", as_status(self.status))
        if type(self.reward) is not float or not math.isfinite(self.reward):
            set_(self, "reward", _number("reward", self.reward))
        if not all(type(v) is float and math.isfinite(v) for v in self.components.values()):
            parts = {name: _number(f"component {name!r}", v) for name, v in self.components.items()}
            set_(self, "components", parts)

    def __float__(self) -> float:
        return float(self.reward)

    # The dataclass's own way of pickling costs ten times as much, and workers pickle every verdict.
    def __reduce__(self) -> tuple[Any, ...]:
        state = (self.reward, str(self.status), self.components, self.feedback, self.detail)
        return _restored, state

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as `rlvr score` writes it (without `detail`)."""
        return {
            "scored": True,
            "reward": self.reward,
            "status": str(self.status),
            "components": self.components,
            "feedback": self.feedback,
        }


@dataclass(frozen=True, slots=True)
class Unscored:
    """The absence of a verdict, for a cause that isn't the model's doing.

        verdict = rlvr.Unscored("gold", "The reference can't be read: '\\\\frac{1}{'.")
        float(verdict)  # raises NoRewardError: there is no reward to read

    Every adapter maps it to what its trainer has for a row without a reward.

    Attributes:
        cause: a `Cause` or its name.
        message: what happened, in whose input, and what to do.
        detail: plain data for a closer look.

    Raises `RewardError` if there is no such cause.
    """

    cause: Cause
    message: str
    detail: dict[str, Any] = field(default_factory=dict)
    scored: ClassVar[Literal[False]] = False

    if TYPE_CHECKING:

        def __init__(
            self, cause: Cause | CauseName, message: str, detail: dict[str, Any] = ...
        ) -> None: ...

    def __post_init__(self) -> None:
        if type(self.cause) is not Cause:
            object.__setattr__(self, "cause", as_cause(self.cause))

    def __float__(self) -> NoReturn:
        raise NoRewardError(
            f"An unscored verdict has no reward ({self.cause}: {self.message}). Check "
            f"`verdict.scored` first and leave such rows out of the average."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as `rlvr score` writes it (without `detail`)."""
        return {"scored": False, "cause": str(self.cause), "message": self.message}


Verdict: TypeAlias = Scored | Unscored
"""The return type of every verifier: `verdict.scored` tells which of the two it is."""


_STATUSES = {str(status): status for status in Status}


def _restored(
    reward: float,
    status: str,
    components: dict[str, float],
    feedback: str,
    detail: dict[str, Any],
) -> Scored:
    verdict = object.__new__(Scored)
    set_ = object.__setattr__
    set_(verdict, "reward", reward)
    set_(verdict, "status", _STATUSES[status])
    set_(verdict, "components", components)
    set_(verdict, "feedback", feedback)
    set_(verdict, "detail", detail)
    return verdict


def as_status(value: Any) -> Status:
    """Return the status of that name. Raises `RewardError` if there's none."""
    try:
        return Status(value)
    except ValueError:
        raise RewardError(
            f"There's no status {value!r:.100}. {nearest(str(value), map(str, Status))}"
        ) from None


def as_cause(value: Any) -> Cause:
    """Return the cause of that name. Raises `RewardError` if there's none."""
    try:
        return Cause(value)
    except ValueError:
        raise RewardError(
            f"There's no cause {value!r:.100}. {nearest(str(value), map(str, Cause))}"
        ) from None


def _number(noun: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise RewardError(
            f"A {noun} must be a finite number, not {value!r:.100}; where there is none, "
            f"return rlvr.Unscored(cause, message)."
        )
    return number


def correct(name: str, feedback: str = "", **detail: Any) -> Scored:
    """Return full reward under the component `name`."""
    return Scored(1.0, Status.CORRECT, {name: 1.0}, feedback, detail)


def refused(name: str, status: Status, feedback: str, **detail: Any) -> Scored:
    """Return no reward under the component `name`; the status is incorrect, unparsable or limit."""
    return Scored(0.0, status, {name: 0.0}, feedback, detail)


def status_of(reward: float) -> Status:
    """Return the status that a bare reward in [0, 1] implies."""
    if reward >= 1.0:
        return Status.CORRECT
    return Status.PARTIAL if reward > 0.0 else Status.INCORRECT
