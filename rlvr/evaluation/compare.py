"""Two runs on the same tasks: the paired difference, its interval, and who solved what alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlvr.core.errors import DataError
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import about, read_rollouts
from rlvr.runs.statistics import Comparison, paired
from rlvr.runs.tally import Tally

Key = tuple[str, str | None]


@dataclass(frozen=True)
class Compared:
    """One environment of both runs.

    Attributes:
        env, part: which.
        comparison: over the tasks that both runs have a scored rollout of.
        means: each run's mean reward over those tasks.
        left_out: tasks of the first and of the second run that aren't among them.
    """

    env: str
    part: str | None
    comparison: Comparison
    means: tuple[float, float]
    left_out: tuple[int, int]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "env": self.env,
            "part": self.part,
            **self.comparison.to_json(),
            "means": [mean if math.isfinite(mean) else None for mean in self.means],
            "left_out": list(self.left_out),
        }


def compare_runs(first: str | Path, second: str | Path) -> list[Compared]:
    """The second run against the first, on each environment and part that both have.

    The unit is the task: its reward is the mean over its scored samples, and it counts as solved where more
    than half of them are correct. Raises `DataError` where there's no run, or they have no
    environment in common.
    """
    before, after = _tallies(first), _tallies(second)
    common = [key for key in before if key in after]
    if not common:
        raise DataError(
            f"The runs have no environment in common: {_names(before)} in {str(first)!r}, "
            f"{_names(after)} in {str(second)!r}."
        )
    return [_compared(before[key], after[key]) for key in common]


def _tallies(path: str | Path) -> dict[Key, Tally]:
    about(path)
    found: dict[Key, Tally] = {}
    last: dict[Key, int] = {}
    for row in read_rollouts(path):
        key = (row["env"], row.get("part"))
        step = row.get("step", 0)
        if step > last.setdefault(key, step):  # of a training run, the last measurement counts
            found.pop(key, None)
            last[key] = step
        if step == last[key]:
            found.setdefault(key, Tally(*key)).add(Rollout.from_json(row))
    return found


def _compared(before: Tally, after: Tally) -> Compared:
    tasks = [task for task in before.tasks if task in after.tasks]
    reward_a, solved_a = _by_task(before, tasks)
    reward_b, solved_b = _by_task(after, tasks)
    both = np.isfinite(reward_a) & np.isfinite(reward_b)
    n = int(both.sum())
    comparison = paired(reward_a[both], reward_b[both], solved_a[both], solved_b[both])
    means = tuple(float(one[both].mean()) if n else float("nan") for one in (reward_a, reward_b))
    left_out = (len(before.tasks) - n, len(after.tasks) - n)
    return Compared(before.env, before.part, comparison, (means[0], means[1]), left_out)


def _by_task(tally: Tally, tasks: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Of each task: the mean reward of its scored samples (NaN: none), and whether most are correct."""
    columns = tally.columns()
    scored = np.isfinite(columns["reward"])
    number, count = columns["task"][scored], len(tally.tasks)
    samples_T = np.bincount(number, minlength=count).astype(float)
    with np.errstate(invalid="ignore"):
        reward_T = np.bincount(number, columns["reward"][scored], minlength=count) / samples_T
        solved_T = (
            np.bincount(number, columns["correct"][scored], minlength=count) / samples_T > 0.5
        )
    chosen = np.array([tally.tasks[task] for task in tasks], int)
    return reward_T[chosen], solved_T[chosen]


def _names(tallies: dict[Key, Tally]) -> str:
    return ", ".join(f"{env} ({part})" if part else env for env, part in tallies) or "none"
