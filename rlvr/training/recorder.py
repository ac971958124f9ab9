"""What a training run writes: each step's rollouts and metrics, and which checkpoints are whole."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from rlvr.core.files import dumped, read_lines, replacing, write_json
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run, read_rollouts
from rlvr.runs.tally import Tally

TRAIN, HELD_OUT = "train", "held-out"
"""The `part` of a run's rollouts: what was trained on, and what was measured along the way."""

_WHOLE = "rlvr-checkpoint.json"  # the last file of a checkpoint: without it, a kill came between


class Recorder(TrainerCallback):  # type: ignore[misc]
    """Takes a batch's rollouts from the reward function and writes them with the step they were for.

    Args:
        run: None in all processes but the first; the first one writes what all of them recorded.
        tell: called with each step's number and metrics.
    """

    def __init__(self, run: Run | None, tell: Callable[[int, dict[str, Any]], object]) -> None:
        self._run = run
        self._tell = tell
        self._new: list[Rollout] = []
        self._step: list[Rollout] = []

    def record(self, rollouts: list[Rollout]) -> None:
        """For `rlvr.trl.reward(record=…)`."""
        for rollout in rollouts:
            rollout.part = TRAIN
        self._new += rollouts

    def since(self) -> list[Rollout]:
        """All processes' rollouts since the last log, for the guards: all come to the same there."""
        return self._step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write the rollouts of all processes."""
        rollouts = self._new
        if args.world_size > 1:
            from accelerate.utils import gather_object

            rollouts = gather_object(rollouts)
            samples: Counter[tuple[str, str]] = Counter()
            for rollout in rollouts:  # each process has counted its own part of a group
                rollout.sample = samples[rollout.env, rollout.task.id]
                samples[rollout.env, rollout.task.id] += 1
        self._new = []
        self._step += rollouts
        if self._run is not None:
            for rollout in rollouts:
                self._run.rollout(rollout.to_json(step=state.global_step))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write the metrics. Comes after the guards, whose figures are among them."""
        self._step = []
        if self._run is None or not logs or "loss" not in logs:
            return  # the log of the run's end
        # None where there's nothing to take a mean of: a step without a single reward.
        kept = {n: v for n, v in logs.items() if v is None or isinstance(v, int | float)}
        self._run.metrics(step=state.global_step, **kept)
        self._tell(state.global_step, kept)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Seal the checkpoint: all of it is there."""
        folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
        if state.is_world_process_zero and folder.is_dir():
            write_json(folder / _WHOLE, {"step": state.global_step}, indent=None)


class WholeBatches(TrainerCallback):  # type: ignore[misc]
    """Puts a stop off until the batch is used up: TRL's buffer isn't in a checkpoint. Comes last.

    Args:
        updates: optimizer steps on a generated batch.
    """

    def __init__(self, updates: int) -> None:
        self._updates = updates
        self._stops = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """For what stops at the end of a step."""
        self._put_off(state, control)

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """For what stops at a log, which comes right behind the step's end."""
        self._put_off(state, control)

    def _put_off(self, state: Any, control: Any) -> None:
        at_its_end = state.global_step >= state.max_steps
        self._stops = self._stops or (control.should_training_stop and not at_its_end)
        if self._stops and not at_its_end:
            control.should_training_stop = control.should_save = (
                state.global_step % self._updates == 0
            )


def last_checkpoint(folder: Path) -> tuple[Path, int] | None:
    """The newest whole checkpoint in `folder` and its step; those that a kill tore are removed."""
    found: list[tuple[int, Path]] = []
    for path in folder.glob("checkpoint-*"):
        if (path / _WHOLE).is_file():
            found.append((int(path.name.removeprefix("checkpoint-")), path))
        else:
            shutil.rmtree(path)
    if not found:
        return None
    step, path = max(found)
    return path, step


def rewind(path: Path, step: int, whole: bool = False) -> None:
    """Drop what an opened run wrote behind `step`: training goes on from there and writes it again.

    Args:
        step: of the checkpoint; -1 where there's none, and all is begun anew.
        whole: no step is left to take. Then the last measurement is all that's done again.
    """

    def kept(row: dict[str, Any]) -> bool:
        at = row.get("step", 0)
        measured = row.get("part") == HELD_OUT or "held_out_accuracy" in row
        return at < step or (at == step and not (whole and measured))

    for name in ("rollouts.jsonl", "metrics.jsonl"):
        if (path / name).exists():
            _rewrite(path / name, kept)


def measured(path: Path, step: int) -> list[Report]:
    """What was measured at a step, by environment."""
    tallies: dict[str, Tally] = {}
    for row in read_rollouts(path):
        if row.get("part") == HELD_OUT and row.get("step") == step:
            tally = tallies.setdefault(row["env"], Tally(row["env"], HELD_OUT))
            tally.add(Rollout.from_json(row))
    return [Report.of(tally) for tally in tallies.values()]


def _rewrite(file: Path, kept: Callable[[dict[str, Any]], bool]) -> None:
    with replacing(file) as out:
        for line in read_lines(file):
            if isinstance(line.row, dict) and kept(line.row):
                out.write(dumped(line.row).encode() + b"\n")
