"""Guard rails: they report the problems of training with verifiable rewards while they happen.

    guards = Guards(GuardConfig(truncation=False), run="runs/mine")
    for alarm in guards.check(step, rollouts, metrics):
        print(alarm)

All are on by default. Each reads the step's rollouts and the trainer's metrics, and changes nothing; one of them stops
the run (`unscored`). Docs: docs/guards.md.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from rlvr.core.errors import OptionError
from rlvr.runs.rollouts import Rollout
from rlvr.training.guards.base import Alarm, GuardRail, Step
from rlvr.training.guards.responses import DegenerateGuard, EntropyGuard, TruncationGuard
from rlvr.training.guards.rewards import RewardLengthGuard, ZeroVarianceGuard
from rlvr.training.guards.unscored import UnscoredGuard

__all__ = ["Alarm", "GuardConfig", "Guards"]


@dataclass(frozen=True)
class GuardConfig:
    """The guards that are on, and two limits.

    Attributes:
        reward_length: Warn if reward correlates with length, within groups.
        entropy: Warn if the policy's entropy has collapsed.
        zero_variance: Warn if groups have no difference in reward.
        unscored: Stop the run if too many rollouts have no reward.
        degenerate: Warn if responses are empty or filler.
        truncation: Warn if responses are cut at the length limit.
        unscored_limit: Share of unscored rollouts that stops the run.
        repeat_every: Steps until a warning that still holds is repeated.

    Raises `OptionError` if a number is out of range.
    """

    reward_length: bool = True
    entropy: bool = True
    zero_variance: bool = True
    unscored: bool = True
    degenerate: bool = True
    truncation: bool = True
    unscored_limit: float = 0.3
    repeat_every: int = 50

    def __post_init__(self) -> None:
        if not 0 <= self.unscored_limit <= 1:
            raise OptionError(
                f"unscored_limit is a share between 0 and 1, not {self.unscored_limit}; "
                f"unscored=False switches the guard off."
            )
        if self.repeat_every < 1:
            raise OptionError(f"repeat_every is at least 1 step, not {self.repeat_every}.")

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of the guards."""
        return [field.name for field in fields(cls) if field.default is True]


# Consecutive steps without a reason for an alarm until an alarm is reported again: a figure that moves around its limit
# is reported once.
_QUIET = 5


class Guards:
    """The guards of one run; call `check` at each step.

    Args:
        config: The guards that are on.
        run: The run's folder, for the commands in alarms.
        history: Lines of the run's metrics from before it was resumed, for guards that compare with the start.
    """

    def __init__(
        self,
        config: GuardConfig | None = None,
        run: str = "RUN",
        history: Iterable[Mapping[str, object]] = (),
    ) -> None:
        self.config = config or GuardConfig()
        self.run = run
        self._guards = _guards_of(self.config)
        self._last: dict[str, int] = {}  # the step of a guard's last alarm that still holds
        self._quiet: dict[str, int] = {}
        for row in history:
            for guard in self._guards:
                guard.remember(_numbers(row))

    @property
    def figures(self) -> dict[str, float]:
        """The guards' figures of the last step, as metrics: `guards/degenerate` and the like."""
        return {name: value for guard in self._guards for name, value in guard.figures.items()}

    def check(
        self, step: int, rollouts: Sequence[Rollout], metrics: Mapping[str, object]
    ) -> list[Alarm]:
        """Return the new alarms of this step.

        An alarm is given once. It is given again after five steps without a reason for it, or after `repeat_every` steps
        while it holds. An alarm that stops the run is given each time.

        Args:
            step: The step's number, rising.
            rollouts: The step's judged rollouts.
            metrics: The trainer's metrics; values that aren't finite numbers are ignored.
        """
        judged = [rollout for rollout in rollouts if rollout.verdict is not None]
        record = Step(step, judged, _numbers(metrics), self.run)
        alarms = [(guard.name, guard.look(record)) for guard in self._guards]
        return [alarm for name, alarm in alarms if self._is_news(name, alarm, step) and alarm]

    def _is_news(self, name: str, alarm: Alarm | None, step: int) -> bool:
        if alarm is None:
            self._quiet[name] = self._quiet.get(name, 0) + 1
            if self._quiet[name] >= _QUIET:
                self._last.pop(name, None)
            return False
        self._quiet[name] = 0
        if not alarm.stops and step - self._last.get(name, -math.inf) < self.config.repeat_every:
            return False
        self._last[name] = step
        return True


def _guards_of(config: GuardConfig) -> list[GuardRail]:
    guards: list[GuardRail] = [
        UnscoredGuard(config.unscored_limit),
        DegenerateGuard(),
        RewardLengthGuard(),
        EntropyGuard(),
        ZeroVarianceGuard(),
        TruncationGuard(),
    ]
    return [guard for guard in guards if getattr(config, guard.name)]


def _numbers(row: Mapping[str, object]) -> dict[str, float]:
    """Return the values that are finite numbers, except bools."""
    return {
        name: float(value)
        for name, value in row.items()
        if isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) <= sys.float_info.max
    }
