"""Runs compared on the tasks that they share: the paired difference, its interval and its test.

The unit is the task, and its figure is the mean reward over its scored samples in each run. That mean
is unbiased for any number of samples, so runs with different `k` compare fairly; a rule such as "solved
by most samples" is not, and is used nowhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from rlvr.core.errors import DataError, OptionError
from rlvr.envs.slices import By
from rlvr.runs.rendering import FEW
from rlvr.runs.saved import SavedRun
from rlvr.runs.statistics import Floats, PairedDifference, holm, paired
from rlvr.runs.tally import PartKey, Tallies, Tally

Range = tuple[int, int]


@dataclass(frozen=True)
class Compared:
    """One environment, or one slice of it, in the baseline and in another run.

    Attributes:
        env, part: the environment and its part.
        slice: the name of the slice; None for all tasks.
        paired: the comparison over the tasks that both runs have a scored rollout of.
        means: each run's mean over those tasks of the tasks' mean rewards.
        samples: the fewest and the most scored samples of those tasks, per run.
        left_out: tasks of the baseline and of the other run that are not compared.
        changed: tasks whose id both runs have, with another reference; they are not compared.
        reworded: compared tasks whose prompts differ.
        p_holm: the p value corrected for the number of runs that are compared; NaN if there is one.
        tasks: the compared tasks' ids, and their mean rewards in each run.
    """

    env: str
    part: str | None
    slice: str | None
    paired: PairedDifference
    means: tuple[float, float]
    samples: tuple[Range, Range]
    left_out: tuple[int, int]
    changed: int
    reworded: int
    p_holm: float = math.nan
    tasks: tuple[list[str], Floats, Floats] = field(
        default=([], np.empty(0), np.empty(0)), repr=False, compare=False
    )

    @property
    def method(self) -> str:
        """A sentence that says what was compared, and how."""
        first, second = map(_range, self.samples)
        counts = first if first == second else f"{first} in the baseline and {second} in the run"
        return (
            f"each task's mean reward ({counts}), paired by task: bootstrap interval, "
            f"sign-flip test, ties left out"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "env": self.env,
            "part": self.part,
            "slice": self.slice,
            **self.paired.to_json(),
            "p_holm": self.p_holm if math.isfinite(self.p_holm) else None,
            "means": [mean if math.isfinite(mean) else None for mean in self.means],
            "samples": [list(counts) for counts in self.samples],
            "left_out": list(self.left_out),
            "changed": self.changed,
            "reworded": self.reworded,
            "method": self.method,
        }


@dataclass(frozen=True)
class RunComparison:
    """A run against the baseline.

    Attributes:
        run: the run.
        parts: the environments and parts that both runs have, each for all tasks and then per slice.
    """

    run: SavedRun
    parts: list[Compared]


def compare_runs(
    baseline: str | Path, *runs: str | Path, by: By | None = None
) -> list[RunComparison]:
    """Compare runs with a baseline on each environment and part that both have.

    Args:
        by: a key or function of tasks; then slices are compared too. A task's slice is the baseline's.

    Raises `DataError` if there is no run, or a run has no task in common with the baseline.
    """
    if not runs:
        raise OptionError("Name a baseline and at least one other run.")
    first = SavedRun.open(baseline)
    before = first.tallies(by)
    comparisons = []
    for path in runs:
        run = SavedRun.open(path)
        comparisons.append(RunComparison(run, compare_tallies(first, before, run, run.tallies(by))))
    return corrected(comparisons)


def compare_tallies(
    first: SavedRun, before: Tallies, run: SavedRun, after: Tallies
) -> list[Compared]:
    """Compare two runs that were read. Raises `DataError` as `compare_runs` does."""
    common = [key for key in before.parts if key in after.parts]
    if not common:
        raise DataError(
            f"The runs have no environment in common: {_names(before)} in {str(first.path)!r}, "
            f"{_names(after)} in {str(run.path)!r}."
        )
    slices = before.slices if before.is_sliced else {}
    compared = []
    for key in common:
        whole = _compared(before.parts[key], after.parts[key])
        if whole.paired.tasks:
            compared.append(whole)
        for name, tally in slices.get(key, {}).items():
            part = _compared(tally, after.parts[key], name)
            if part.paired.tasks:
                # The other run's tasks outside of the slice are not missing from it.
                compared.append(replace(part, left_out=(part.left_out[0], 0)))
    if not compared:
        raise DataError(_nothing_in_common(common, first, before, run, after))
    return compared


def _compared(before: Tally, after: Tally, slice: str | None = None) -> Compared:
    was, now = before.contents(), after.contents()
    shared = [id for id in before.ids() if id in now]
    # Runs of two levels or data files may use the same ids for other tasks.
    same = [id for id in shared if was[id][0] == now[id][0]]
    if 2 * len(same) < len(shared):
        # A few references of other tasks are equal by chance: then the prompts must be equal as well.
        same = [id for id in same if was[id] == now[id]]
    reward_A, scored_A = _means(before, same)
    reward_B, scored_B = _means(after, same)
    both = (scored_A > 0) & (scored_B > 0)
    ids = [id for id, there in zip(same, both, strict=True) if there]
    first_T, second_T = reward_A[both], reward_B[both]
    count = len(ids)
    return Compared(
        before.env,
        before.part,
        slice,
        paired(first_T, second_T),
        (float(first_T.mean()), float(second_T.mean())) if count else (math.nan, math.nan),
        (_extent(scored_A[both]), _extent(scored_B[both])),
        (len(before.tasks) - count, len(after.tasks) - count),
        len(shared) - len(same),
        sum(was[id][1] != now[id][1] for id in ids),
        tasks=(ids, first_T, second_T),
    )


def _means(tally: Tally, ids: list[str]) -> tuple[Floats, Floats]:
    """Return the mean reward (NaN without a scored sample) and the scored samples of each task."""
    sums = tally.per_task()
    number = {id: i for i, id in enumerate(tally.ids())}
    places = np.array([number[id] for id in ids], int)
    with np.errstate(invalid="ignore"):
        means_T = sums["reward"] / sums["scored"]
    return means_T[places], np.asarray(sums["scored"], float)[places]


def _extent(counts_T: Floats) -> Range:
    return (int(counts_T.min()), int(counts_T.max())) if len(counts_T) else (0, 0)


def _range(counts: Range) -> str:
    low, high = counts
    many = f"{low}" if low == high else f"{low} to {high}"
    return f"{many} sample{'' if many == '1' else 's'}"


def corrected(comparisons: Sequence[RunComparison]) -> list[RunComparison]:
    """Correct the p values (Holm) over the runs, and over the slices of an environment."""
    families: dict[tuple[str, str | None, bool], list[tuple[int, int]]] = {}
    for i, comparison in enumerate(comparisons):
        for j, part in enumerate(comparison.parts):
            key = (part.env, part.part, part.slice is not None)
            families.setdefault(key, []).append((i, j))
    parts = [list(comparison.parts) for comparison in comparisons]
    for places in families.values():
        if len(places) < 2:
            continue
        for (i, j), p in zip(places, holm([parts[i][j].paired.p for i, j in places]), strict=True):
            parts[i][j] = replace(parts[i][j], p_holm=p)
    return [RunComparison(c.run, part) for c, part in zip(comparisons, parts, strict=True)]


def _nothing_in_common(
    keys: list[PartKey], first: SavedRun, before: Tallies, run: SavedRun, after: Tallies
) -> str:
    env, part = keys[0]
    a, b = before.parts[keys[0]], after.parts[keys[0]]
    name = f"{env} ({part})" if part else env
    shared = [id for id in a.ids() if id in b.tasks]
    if not shared:
        why = f"the tasks differ ({_some(a)} against {_some(b)})"
    elif all(a.contents()[id][0] != b.contents()[id][0] for id in shared):
        why = f"tasks of one id ({shared[0]}) have different references"
    else:
        why = "no task was scored in both"
    return (
        f"The runs have nothing to compare on {name}: {why}.\n"
        f"  {first.path}: {first.describe()}\n  {run.path}: {run.describe()}"
    )


def _some(tally: Tally) -> str:
    ids = list(tally.tasks)
    return ids[0] if len(ids) == 1 else f"{ids[0]} … {ids[-1]}"


def _names(tallies: Tallies) -> str:
    return ", ".join(f"{env} ({part})" if part else env for env, part in tallies.parts) or "none"


def is_few(compared: Compared) -> bool:
    """Return True if there are too few tasks for an interval to mean much."""
    return compared.paired.tasks < FEW
