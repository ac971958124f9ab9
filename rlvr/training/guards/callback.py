"""The guards in a trainer of transformers or TRL: a callback that warns, and stops the run cleanly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from transformers import TrainerCallback

from rlvr.runs.rollouts import Rollout
from rlvr.training.guards import Alarm, Guards


class GuardCallback(TrainerCallback):  # type: ignore[misc]
    """Looks at each training step's log.

    A guard that stops has a checkpoint saved first, whatever the saving strategy is. With several
    processes all stop together. What the guards saw is added to the log as `guards/…`, for
    callbacks that come after this one.

    Args:
        guards: of this run.
        rollouts: called once a log; the judged rollouts since the last call.
        tell: called with each alarm, in the main process; by default a line on standard error.

    Attributes:
        stopped: the alarm that stopped the run, or None.
    """

    def __init__(
        self,
        guards: Guards,
        rollouts: Callable[[], Sequence[Rollout]],
        tell: Callable[[Alarm], object] | None = None,
    ) -> None:
        self.guards = guards
        self.rollouts = rollouts
        self.tell = tell or _print
        self.stopped: Alarm | None = None

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Check, unless it's the log of an evaluation or of the run's end."""
        if not logs or "reward" not in logs:
            return
        alarms = self.guards.check(state.global_step, self.rollouts(), logs)
        logs.update(self.guards.figures)
        if state.is_world_process_zero:
            for alarm in alarms:
                self.tell(alarm)
        self.stopped = next((alarm for alarm in alarms if alarm.stops), self.stopped)
        if _anywhere(self.stopped is not None, args.world_size):
            control.should_save = control.should_training_stop = True


def _anywhere(here: bool, processes: int) -> bool:
    """Whether it's so in any process: one that stops alone leaves the others waiting for it."""
    if processes == 1:
        return here
    from accelerate.utils import gather_object

    return any(gather_object([here]))


def _print(alarm: Alarm) -> None:
    what = "stopping the run" if alarm.stops else "warning"
    print(f"rlvr: {what}: {alarm}", file=sys.stderr)
