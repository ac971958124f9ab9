"""What guards are made of: a step of training, an alarm, and how shares are judged."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rlvr.core.verdict import Scored
from rlvr.runs.rollouts import Rollout


@dataclass(frozen=True)
class Alarm:
    """A guard found something wrong.

    Attributes:
        name: of the guard, as `GuardConfig` and `--without-guard` have it.
        message: what was found, with its figures.
        look: what to look at: a command, and what to do about it.
        stops: whether the run ends here, after a checkpoint.
    """

    name: str
    message: str
    look: str
    stops: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.message}. {self.look}"


@dataclass(frozen=True)
class Step:
    """What one step of training leaves behind.

    Attributes:
        number: of the step, from 1.
        rollouts: the step's own; those of one task are a group.
        metrics: what the trainer logged, under its names. What isn't a finite number isn't here.
        run: the run's folder, for the commands in alarms.
    """

    number: int
    rollouts: Sequence[Rollout]
    metrics: Mapping[str, float]
    run: str = "RUN"

    @cached_property
    def groups(self) -> list[list[Rollout]]:
        """The scored rollouts of each task that has two or more of them."""
        found: dict[tuple[str, str], list[Rollout]] = {}
        for rollout in self.rollouts:
            if isinstance(rollout.verdict, Scored):
                found.setdefault((rollout.env, rollout.task.id), []).append(rollout)
        return [group for group in found.values() if len(group) > 1]

    def view(self, shown: str) -> str:
        """The command that shows this run's rollouts under one of the page's filters."""
        return f"rlvr view {self.run} --filter {shown}"


class Guard(Protocol):
    """Looks at every step and remembers what it needs of those before.

    Attributes:
        name: as `GuardConfig` has it.
        figures: what the guard saw at the last step, by metric: `guards/<name>` and the like.
    """

    name: str
    figures: dict[str, float]

    def look(self, step: Step) -> Alarm | None:
        """The alarm, at each step that there's reason for one."""
        ...

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Take in an earlier step's metrics, of a run that is resumed."""
        ...


class Window:
    """The last `steps` values."""

    def __init__(self, steps: int) -> None:
        self._values: deque[float] = deque(maxlen=steps)

    def add(self, value: float) -> None:
        """Take in a step's value."""
        self._values.append(value)

    @property
    def full(self) -> bool:
        """Whether there were as many steps as it holds."""
        return len(self._values) == self._values.maxlen

    @property
    def mean(self) -> float:
        """Of the values that are there; NaN where none is."""
        return sum(self._values) / len(self._values) if self._values else math.nan


class Sighting(NamedTuple):
    """A share that is surely too high: its mean, and the steps that it is the mean of."""

    mean: float
    steps: int


class GroupShares:
    """Shares of each step's groups (of their rollouts, or 0 and 1), and whether they are surely high.

    A window of five steps has ten groups if a step has two, and a share of those is above any limit now and then by
    chance. So a high share counts once it is four standard errors above what is usual; if the last five steps are
    too few to say so, the last ten, twenty or forty may.
    """

    WINDOWS = (5, 10, 20, 40)
    _GROUPS = 30
    _ERRORS = 4.0

    def __init__(self) -> None:
        self._steps: deque[NDArray[np.float64]] = deque(maxlen=self.WINDOWS[-1])

    def add(self, shares: Sequence[float]) -> None:
        """Take in a step's groups."""
        self._steps.append(np.asarray(shares, dtype=float))

    def high(self, limit: float, usual: float, error: float = 0.0) -> Sighting | None:
        """Return what is seen if the mean is `limit` or more, now and surely more than `usual`.

        Args:
            limit: for the last five steps, and for the window.
            usual: a share that is no reason for a warning.
            error: standard error of `usual`.
        """
        if len(self._steps) < self.WINDOWS[0]:
            return None
        for steps in sorted({min(steps, len(self._steps)) for steps in self.WINDOWS}):
            shares = np.concatenate([*self._steps][-steps:])
            if not len(shares) or shares.mean() < limit:
                return None
            # About `usual`, not about the mean: all alike have no spread of their own.
            own = math.sqrt(float(((shares - usual) ** 2).mean()) / len(shares))
            enough = shares.mean() - usual >= self._ERRORS * math.hypot(own, error)
            if len(shares) >= self._GROUPS and enough:
                return Sighting(float(shares.mean()), steps)
        return None


def shares_of(rollouts: Sequence[Rollout], holds: Callable[[Rollout], bool]) -> list[float]:
    """Return the share of each task's rollouts of which something holds."""
    found: dict[tuple[str, str], list[bool]] = {}
    for rollout in rollouts:
        found.setdefault((rollout.env, rollout.task.id), []).append(holds(rollout))
    return [sum(some) / len(some) for some in found.values()]


def responses(rollout: Rollout) -> list[str]:
    """What the model wrote, turn by turn."""
    return [
        str(message.get("content") or "")
        for message in rollout.messages
        if message.get("role") == "assistant"
    ]
