"""A training run's files: each step's rollouts and metrics, and the complete checkpoints."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from rlvr.core.files import dumped, read_lines, replacing, write_json
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run, read_rollouts
from rlvr.runs.tally import Tally

TRAIN, HELD_OUT = "train", "held-out"
"""The `part` of a run's rollouts: those of training, and those of held-out measurements."""

_WHOLE = "rlvr-checkpoint.json"  # a checkpoint's last file; a killed process leaves one without


class Recorder(TrainerCallback):  # type: ignore[misc]
    """Receives a batch's rollouts from the reward function and writes them with their step.

    Args:
        run: The run, in the first process, which writes the rollouts of all; None in the others.
        tell: Called with each step's number and metrics.
    """

    def __init__(self, run: Run | None, tell: Callable[[int, dict[str, Any]], object]) -> None:
        self._run = run
        self._tell = tell
        self._new: list[Rollout] = []
        self._step: list[Rollout] = []

    def record(self, rollouts: list[Rollout]) -> None:
        """Take a batch's rollouts: the argument `record` of `rlvr.trl.reward`."""
        for rollout in rollouts:
            rollout.part = TRAIN
        self._new += rollouts

    def since(self) -> list[Rollout]:
        """Return all processes' rollouts since the last log, so that the guards decide the same in each."""
        return self._step

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Write the rollouts of all processes."""
        rollouts = self._new
        if args.world_size > 1:
            from accelerate.utils import gather_object

            rollouts = gather_object(rollouts)
            samples: Counter[tuple[str, str]] = Counter()
            for rollout in rollouts:  # each process has counted only its part of a group
                rollout.sample = samples[rollout.env, rollout.task.id]
                samples[rollout.env, rollout.task.id] += 1
        self._new = []
        self._step += rollouts
        if self._run is not None:
            for rollout in rollouts:
                self._run.rollout(rollout.to_json(step=state.global_step))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        """Write the metrics, with those of the guards, which come before."""
        self._step = []
        if self._run is None or not logs or "loss" not in logs:
            return  # the log of the run's end
        # A mean is None in a step without a single reward.
        numbers = {n: v for n, v in logs.items() if v is None or isinstance(v, int | float)}
        self._run.metrics(step=state.global_step, **numbers)
        self._tell(state.global_step, numbers)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Mark the checkpoint as complete."""
        folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
        if state.is_world_process_zero and folder.is_dir():
            write_json(folder / _WHOLE, {"step": state.global_step}, indent=None)


class WholeBatches(TrainerCallback):  # type: ignore[misc]
    """Delays a stop until the batch is used up, since a checkpoint doesn't hold TRL's buffer. It is the last callback.

    Args:
        updates: Optimizer steps per generated batch.
    """

    def __init__(self, updates: int) -> None:
        self._updates = updates
        self._stops = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Delay a stop at the end of a step."""
        self._delay(state, control)

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        """Delay a stop at a log, which follows the step's end."""
        self._delay(state, control)

    def _delay(self, state: TrainerState, control: TrainerControl) -> None:
        is_last = state.global_step >= state.max_steps
        self._stops = self._stops or (control.should_training_stop and not is_last)
        if self._stops and not is_last:
            control.should_training_stop = control.should_save = (
                state.global_step % self._updates == 0
            )


def last_checkpoint(folder: Path) -> tuple[Path, int] | None:
    """Return the newest complete checkpoint in `folder` and its step. Incomplete ones are removed."""
    complete: list[tuple[int, Path]] = []
    for path in folder.glob("checkpoint-*"):
        if (path / _WHOLE).is_file():
            complete.append((int(path.name.removeprefix("checkpoint-")), path))
        else:
            shutil.rmtree(path)
    if not complete:
        return None
    step, path = max(complete)
    return path, step


def rewind(path: Path, step: int, at_end: bool = False) -> None:
    """Drop the lines of an opened run after `step`, from which training resumes and writes them again.

    Args:
        path: The run's folder.
        step: The checkpoint's step; -1 without a checkpoint, to begin anew.
        at_end: True if no step remains. Then only the last measurement is repeated.
    """

    def is_kept(row: dict[str, Any]) -> bool:
        at = row.get("step", 0)
        measured = row.get("part") == HELD_OUT or "held_out_accuracy" in row
        return at < step or (at == step and not (at_end and measured))

    for name in ("rollouts.jsonl", "metrics.jsonl"):
        if (path / name).exists():
            _rewrite(path / name, is_kept)


def measured(path: Path, step: int) -> list[Report]:
    """Return the reports of the measurement at a step, by environment."""
    tallies: dict[str, Tally] = {}
    for row in read_rollouts(path):
        if row.get("part") == HELD_OUT and row.get("step") == step:
            tally = tallies.setdefault(row["env"], Tally(row["env"], HELD_OUT))
            tally.add(Rollout.from_json(row))
    return [Report.of(tally) for tally in tallies.values()]


def _rewrite(file: Path, is_kept: Callable[[dict[str, Any]], bool]) -> None:
    with replacing(file) as out:
        for line in read_lines(file):
            if isinstance(line.row, dict) and is_kept(line.row):
                out.write(dumped(line.row).encode() + b"\n")
