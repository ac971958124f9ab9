"""Guard rails: what goes wrong in training with verifiable rewards, seen while it happens.

    guards = Guards(GuardConfig(truncation=False), run="runs/mine")
    for alarm in guards.check(step, rollouts, metrics):
        print(alarm)

All are on by default. Each reads the step's own rollouts and what the trainer logged, and none of
them changes anything; one stops the run (`unscored`). Docs: docs/guards.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from rlvr.core.errors import OptionError
from rlvr.runs.rollouts import Rollout, number
from rlvr.training.guards.base import Alarm, Guard, Step
from rlvr.training.guards.degenerate import DegenerateGuard
from rlvr.training.guards.entropy import EntropyGuard
from rlvr.training.guards.reward_length import RewardLengthGuard
from rlvr.training.guards.truncation import TruncationGuard
from rlvr.training.guards.unscored import UnscoredGuard
from rlvr.training.guards.zero_variance import ZeroVarianceGuard

__all__ = ["Alarm", "GuardConfig", "Guards"]


@dataclass(frozen=True)
class GuardConfig:
    """Which guards look, each under its own name, and the two numbers that are a matter of taste.

    Attributes:
        reward_length: reward goes with length, within groups.
        entropy: the policy's entropy has collapsed.
        zero_variance: groups have no difference in reward.
        unscored: too many rollouts have no reward; stops the run.
        degenerate: responses are empty or filler.
        truncation: responses are cut at the length limit.
        unscored_limit: the share of unscored rollouts that stops the run.
        repeat_every: steps until a warning that still stands is given again.

    Raises `OptionError` where a number can't be one.
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
        """Of the guards, as `without` takes them."""
        return [field.name for field in fields(cls) if field.default is True]


# Steps in a row without reason for an alarm until a guard counts as quiet again: one that goes to
# and fro about its limit says so once.
_QUIET = 5


class Guards:
    """The guards of one run; call `check` at each step.

    Args:
        config: which ones.
        run: the run's folder, for the commands that alarms name.
        history: lines of the run's metrics from before it was resumed, so that a guard that
            compares with the start has the start.
    """

    def __init__(
        self,
        config: GuardConfig | None = None,
        run: str = "RUN",
        history: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        self.config = config or GuardConfig()
        self.run = run
        self._guards = _made(self.config)
        self._last: dict[str, int] = {}  # the step of a guard's last alarm that still stands
        self._quiet: dict[str, int] = {}
        for row in history:
            for guard in self._guards:
                guard.remember(_numbers(row))

    @property
    def figures(self) -> dict[str, float]:
        """What the guards saw at the last step, as metrics: `guards/degenerate` and the like."""
        return {name: value for guard in self._guards for name, value in guard.figures.items()}

    def check(
        self, step: int, rollouts: Sequence[Rollout], metrics: Mapping[str, Any]
    ) -> list[Alarm]:
        """What is newly wrong at this step.

        An alarm is given once; again after five steps without reason for it, or after
        `repeat_every` steps for as long as it stands. One that stops is given each time.

        Args:
            step: its number, rising.
            rollouts: this step's own, judged.
            metrics: what the trainer logged; what isn't a finite number is ignored.
        """
        judged = [rollout for rollout in rollouts if rollout.verdict is not None]
        seen = Step(step, judged, _numbers(metrics), self.run)
        found = [(guard.name, guard.look(seen)) for guard in self._guards]
        return [alarm for name, alarm in found if self._is_news(name, alarm, step) and alarm]

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


def _made(config: GuardConfig) -> list[Guard]:
    guards: list[Guard] = [
        UnscoredGuard(config.unscored_limit),
        DegenerateGuard(),
        RewardLengthGuard(),
        EntropyGuard(),
        ZeroVarianceGuard(),
        TruncationGuard(),
    ]
    return [guard for guard in guards if getattr(config, guard.name)]


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, given in row.items() if (value := number(given)) is not None}
