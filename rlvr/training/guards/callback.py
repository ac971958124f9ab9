"""A callback for trainers of transformers or TRL that warns by the guards, and stops the run cleanly."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rlvr.runs.rollouts import Rollout
from rlvr.training.guards import Alarm, Guards


class GuardCallback(TrainerCallback):  # type: ignore[misc]
    """Checks each training step's log by the run's guards.

    Before a guard stops the run a checkpoint is saved, whatever the saving strategy is. Several processes stop together.
    The guards' figures are added to the log as `guards/…`, for later callbacks.

    Args:
        guards: The run's guards.
        rollouts: Called once per log; returns the judged rollouts since the last call.
        tell: Called with each alarm, in the main process (default: print a line on standard error).

    Attributes:
        stopped: The alarm that stopped the run, or None.
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

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        """Check the step, unless the log is of an evaluation or of the run's end."""
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


def _anywhere(local: bool, processes: int) -> bool:
    """Return True if `local` is True in any process: if one stopped alone, the others would wait for it forever."""
    if processes == 1:
        return local
    from accelerate.utils import gather_object

    return any(gather_object([local]))


def _print(alarm: Alarm) -> None:
    kind = "stopping the run" if alarm.stops else "warning"
    print(f"rlvr: {kind}: {alarm}", file=sys.stderr)
