"""The parts of guards: a step of training, an alarm, and tests of shares."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlvr.core.verdict import Scored
from rlvr.runs.rollouts import Rollout


@dataclass(frozen=True)
class Alarm:
    """A problem that a guard reports.

    Attributes:
        name: The guard's name, as in `GuardConfig` and `--without-guard`.
        message: The problem, with its figures.
        look: A command that shows it, and a hint to fix it.
        stops: True if the run ends here, after a checkpoint.
    """

    name: str
    message: str
    look: str
    stops: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.message}. {self.look}"


@dataclass(frozen=True)
class Step:
    """The rollouts and metrics of one training step.

    Attributes:
        number: The step's number, from 1.
        rollouts: The step's rollouts; those of one task are a group.
        metrics: The trainer's metrics that are finite numbers.
        run: The run's folder, for the commands in alarms.
    """

    number: int
    rollouts: Sequence[Rollout]
    metrics: Mapping[str, float]
    run: str = "RUN"

    @cached_property
    def groups(self) -> list[list[Rollout]]:
        """The scored rollouts of each task that has two or more of them."""
        by_task: dict[tuple[str, str], list[Rollout]] = {}
        for rollout in self.rollouts:
            if isinstance(rollout.verdict, Scored):
                by_task.setdefault((rollout.env, rollout.task.id), []).append(rollout)
        return [group for group in by_task.values() if len(group) > 1]

    def view(self, filter_name: str) -> str:
        """Return the command that shows this run's rollouts under one of the page's filters."""
        return f"rlvr view {self.run} --filter {filter_name}"


class GuardRail:
    """A check of every training step, with a memory of earlier ones.

    Attributes:
        name: Its name in `GuardConfig`.
        figures: Its metrics of the last step: `guards/<name>` and the like.
    """

    name: str

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}

    def look(self, step: Step) -> Alarm | None:
        """Return the alarm, at each step that has a reason for one."""
        raise NotImplementedError

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Take in the metrics of an earlier step, if the run is resumed. By default nothing is kept."""


class Window:
    """The last `steps` values."""

    def __init__(self, steps: int) -> None:
        self._values: deque[float] = deque(maxlen=steps)

    def add(self, value: float) -> None:
        """Add a step's value."""
        self._values.append(value)

    @property
    def full(self) -> bool:
        """True if it holds as many values as it can."""
        return len(self._values) == self._values.maxlen

    @property
    def mean(self) -> float:
        """The mean of its values; NaN if it has none."""
        return sum(self._values) / len(self._values) if self._values else math.nan


class Sighting(NamedTuple):
    """A share that is certainly too high: its mean, and the number of steps in the mean."""

    mean: float
    steps: int


class GroupShares:
    """Shares of each step's groups (of their rollouts, or 0 and 1), and a test of whether they are certainly high.

    If a step has two groups, a window of five steps has ten, and their share sometimes exceeds any limit by chance.
    Therefore a high share counts once it is four standard errors above the usual one. If the last five steps are too few
    to decide, the last ten, twenty or forty decide.
    """

    WINDOWS = (5, 10, 20, 40)
    _GROUPS = 30
    _ERRORS = 4.0

    def __init__(self) -> None:
        self._steps: deque[NDArray[np.float64]] = deque(maxlen=self.WINDOWS[-1])

    def add(self, shares: Sequence[float]) -> None:
        """Add the shares of a step's groups."""
        self._steps.append(np.asarray(shares, dtype=float))

    def high(self, limit: float, usual: float, error: float = 0.0) -> Sighting | None:
        """Return the mean if it is at least `limit` and certainly more than `usual`.

        Args:
            limit: The limit, for the last five steps and for the window.
            usual: A share that is no reason for a warning.
            error: Standard error of `usual`.
        """
        if len(self._steps) < self.WINDOWS[0]:
            return None
        for steps in sorted({min(steps, len(self._steps)) for steps in self.WINDOWS}):
            shares = np.concatenate([*self._steps][-steps:])
            if not len(shares) or shares.mean() < limit:
                return None
            # The spread is about `usual`, not about the mean: shares that are all equal have none about their mean.
            spread = math.sqrt(float(((shares - usual) ** 2).mean()) / len(shares))
            enough = shares.mean() - usual >= self._ERRORS * math.hypot(spread, error)
            if len(shares) >= self._GROUPS and enough:
                return Sighting(float(shares.mean()), steps)
        return None


def shares_of(rollouts: Sequence[Rollout], holds: Callable[[Rollout], bool]) -> list[float]:
    """Return the share of each task's rollouts for which a condition holds."""
    by_task: dict[tuple[str, str], list[bool]] = {}
    for rollout in rollouts:
        by_task.setdefault((rollout.env, rollout.task.id), []).append(holds(rollout))
    return [sum(flags) / len(flags) for flags in by_task.values()]


def responses(rollout: Rollout) -> list[str]:
    """Return the model's responses, turn by turn."""
    return [
        str(message.get("content") or "")
        for message in rollout.messages
        if message.get("role") == "assistant"
    ]
