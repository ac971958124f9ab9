"""What a training run writes: each step's rollouts and metrics, and which checkpoints are whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from rlvr.evaluation.rollouts import Rollout
from rlvr.evaluation.run import Run, read_rollouts

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
        """This process's own rollouts since the last log, for the guards."""
        return self._step

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write the rollouts of all processes."""
        self._step += self._new
        rollouts = self._new
        if args.world_size > 1:
            from accelerate.utils import gather_object

            rollouts = gather_object(rollouts)
        self._new = []
        if self._run is not None:
            for rollout in rollouts:
                self._run.rollout(rollout.to_json(step=state.global_step))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write the metrics. Comes after the guards, whose figures are among them."""
        self._step = []
        if self._run is None or not logs or "reward" not in logs:
            return
        # None where there's nothing to take a mean of: a step without a single reward.
        kept = {n: v for n, v in logs.items() if v is None or isinstance(v, int | float)}
        self._run.metrics(step=state.global_step, **kept)
        self._tell(state.global_step, kept)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Seal the checkpoint: all of it is there."""
        folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
        if state.is_world_process_zero and folder.is_dir():
            (folder / _WHOLE).write_text(json.dumps({"step": state.global_step}) + "\n")


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


def rewind(path: Path, step: int) -> None:
    """Drop what an opened run wrote behind `step`: training goes on from there and writes it again."""
    _rewrite(path / "rollouts.jsonl", read_rollouts(path), step)
    metrics = path / "metrics.jsonl"
    if metrics.exists():
        lines = metrics.read_text(encoding="utf-8").splitlines()
        _rewrite(metrics, map(json.loads, lines), step)


def _rewrite(file: Path, rows: Any, step: int) -> None:
    if not file.exists():
        return
    new = file.with_name(file.name + ".new")
    with new.open("w", encoding="utf-8") as out:
        for row in rows:
            if row.get("step", 0) <= step:
                out.write(json.dumps(row) + "\n")
    new.replace(file)
