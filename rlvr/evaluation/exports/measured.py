"""The evaluations in a run: the rollouts of one environment and part, at one step, with their report.

Logs of other tools hold one evaluation each, so a suite becomes several of them; of a training run's
steps the last one counts, as in the viewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from rlvr.core.errors import DataError
from rlvr.runs.reading import Record, read_records
from rlvr.runs.report import Report
from rlvr.runs.statistics import Floats
from rlvr.runs.tally import Tallies, Tally

PartKey: TypeAlias = tuple[str, str | None, int | None]  # environment, part, step


@dataclass(frozen=True)
class MeasuredPart:
    """One evaluation.

    Attributes:
        name: the name of the environment, and of the part if there is one; unique within a run.
        env, part, step: the environment, its part and the training step.
        k: the most samples that a task has.
        tally: the columns of its rollouts.
        report: its figures, equal to those that `rlvr eval` reported.
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
        """The key of its records."""
        return self.env, self.part, self.step

    def of_tasks(self, column: str) -> tuple[Floats, Floats]:
        """Return each task's sum of `reward` or `correct` over its scored rollouts, and their number."""
        sums = self.tally.per_task()
        return sums[column].astype(float), sums["scored"].astype(float)


def measure(run: Path, step: int | None, end: int) -> dict[PartKey, MeasuredPart]:
    """Return the evaluations in `run`: the last step of each environment and part, or `step`.

    `end` is as in `read_records`. Raises `DataError` if there are none.
    """
    tallies = Tallies().of(records_of(run, step, end))
    measured: dict[PartKey, MeasuredPart] = {}
    names: set[str] = set()
    for (env, part), tally in tallies.parts.items():
        plain = name = env if part is None else f"{env}_{part}"
        number = 2
        while name in names:
            name, number = f"{plain}_{number}", number + 1
        names.add(name)
        at = tallies.steps[env, part]
        most = int(tally.per_task()["samples"].max())
        measured[env, part, at] = MeasuredPart(name, env, part, at, most, tally, Report.of(tally))
    return measured


def records_of(run: Path, step: int | None = None, end: int | None = None) -> Iterator[Record]:
    """Yield the rollouts of `run` as exports need them. Raises `DataError` if there are none."""
    empty = True
    for record in read_records(run, step, end, plain=True):
        empty = False
        yield record
    if empty and next(read_records(run, end=end, plain=True), None) is None:
        raise DataError(f"The run in {str(run)!r} has no rollouts yet: there's nothing to export.")
    if empty:
        raise DataError(f"The run in {str(run)!r} has no rollouts of step {step}.")


def key_of(record: Record) -> PartKey:
    """Return the key of the evaluation that a record belongs to."""
    return (*record.part, record.step)
