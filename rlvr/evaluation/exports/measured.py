"""What of a run is one figure: the rollouts of one environment and part, at one step, with their report.

Logs of other tools hold one evaluation each, so a suite becomes several of them; of a training run's
steps the last one counts, as in the viewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from rlvr.runs.records import Record, read_records
from rlvr.runs.report import Report
from rlvr.runs.statistics import Floats
from rlvr.runs.tally import Tally

PartKey: TypeAlias = tuple[str, str | None, int | None]  # environment, part, step


@dataclass(frozen=True)
class Measured:
    """One evaluation.

    Attributes:
        name: of the environment, and of the part where there is one; no two of a run share it.
        env, part, step: whose.
        k: the most samples that a task has.
        tally: its rollouts, counted.
        report: what came of them; equal to what `rlvr eval` reported.
    """

    name: str
    env: str
    part: str | None
    step: int | None
    k: int
    tally: Tally
    report: Report

    @property
    def key(self) -> PartKey:
        """What its records are found under."""
        return self.env, self.part, self.step

    def of_tasks(self, column: str) -> tuple[Floats, Floats]:
        """Of each of T tasks the sum of `reward` or `correct` over its scored rollouts, and their number."""
        columns, tasks = self.tally.columns(), len(self.tally.tasks)
        scored = np.isfinite(columns["reward"])
        task, value = columns["task"][scored], columns[column][scored].astype(float)
        counts = np.bincount(task, minlength=tasks)
        return np.asarray(np.bincount(task, value, tasks), float), np.asarray(counts, float)


def measure(run: Path, step: int | None, end: int) -> dict[PartKey, Measured]:
    """The evaluations in `run`: of each environment and part the last step, or `step`.

    `end` is as in `read_records`. Raises `DataError` where there are none.
    """
    tallies: dict[PartKey, Tally] = {}
    for record in read_records(run, step, end):
        key = key_of(record)
        tallies.setdefault(key, Tally(*record.part)).add(record.rollout)
    last: dict[tuple[str, str | None], PartKey] = {}
    for key in tallies:
        before = last.get(key[:2])
        if before is None or (before[2] is None or (key[2] is not None and key[2] > before[2])):
            last[key[:2]] = key
    found: dict[PartKey, Measured] = {}
    names: set[str] = set()
    for key in last.values():
        env, part, at = key
        plain = name = env if part is None else f"{env}_{part}"
        number = 2
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.add(name)
        tally = tallies[key]
        most = int(np.bincount(tally.columns()["task"]).max())
        found[key] = Measured(name, env, part, at, most, tally, Report.of(tally))
    return found


def key_of(record: Record) -> PartKey:
    """Which evaluation a record belongs to."""
    return (*record.part, record.step)
