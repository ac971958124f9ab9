"""The difficulty of tasks for a policy, from saved runs, and curricula by it.

A task that is always or never solved gives a group no difference in reward, and so no gradient.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from rlvr.core.errors import DataError, OptionError
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.core.verdict import Status

Kind: TypeAlias = Literal["easy-to-hard", "target"]
_Z = 1.959963984540054  # of 95%


@dataclass(frozen=True, slots=True)
class Difficulty:
    """The samples of one task.

    Attributes:
        id: the task's id.
        samples: the number of scored responses.
        solved: the number of correct ones.
        unscored: the number of responses without a verdict, which don't count.
    """

    id: str
    samples: int
    solved: int
    unscored: int = 0

    @property
    def pass_rate(self) -> float:
        """The share of correct responses among the scored; NaN if none is scored."""
        return self.solved / self.samples if self.samples else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval of the pass rate; (0, 1) if nothing is scored.

        Wilson 1927; it holds its level at rates of 0 and 1 and with few samples, where the normal
        interval has no width (Brown, Cai and DasGupta 2001).
        """
        n, z2 = self.samples, _Z * _Z
        if not n:
            return 0.0, 1.0
        p = self.pass_rate
        middle = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        # At 0 and 1 the interval ends there exactly; rounding would miss it.
        return (
            0.0 if self.solved == 0 else max(0.0, middle - half),
            1.0 if self.solved == n else min(1.0, middle + half),
        )

    def bucket(self, buckets: int) -> int | None:
        """Return the index of the pass rate's part of [0, 1], from 0, the hardest; None if it is unknown."""
        if not self.samples:
            return None
        return min(buckets - 1, self.solved * buckets // self.samples)

    def to_json(self, buckets: int) -> dict[str, Any]:
        """Return the line of `rlvr data difficulty`."""
        return {
            "id": self.id,
            "pass_rate": round(self.pass_rate, 6) if self.samples else None,
            "samples": self.samples,
            "solved": self.solved,
            "unscored": self.unscored,
            "interval": [round(end, 6) for end in self.interval],
            "bucket": self.bucket(buckets),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Difficulty:
        """Return the difficulty that `to_json` wrote. Raises `DataError` if a field is missing."""
        try:
            return cls(str(row["id"]), row["samples"], row["solved"], row.get("unscored", 0))
        except KeyError as error:
            raise DataError(
                f"A difficulty needs id, samples and solved: {error} is missing."
            ) from None


def difficulties(rollouts: Iterable[Mapping[str, Any]], env: str) -> list[Difficulty]:
    """Return the difficulty of each task with rollouts, in the order of the rollouts.

    Args:
        rollouts: lines of runs' `rollouts.jsonl` (`rlvr.runs.run.read_rollouts`).
        env: the environment's name; rollouts of others are ignored.

    Raises `DataError` if there are no rollouts of the environment.
    """
    by_task: dict[str, list[int]] = {}
    other_envs: set[str] = set()
    for row in rollouts:
        if row["env"] != env:
            other_envs.add(str(row["env"]))
            continue
        counts = by_task.setdefault(str(row["task"]), [0, 0, 0])
        if row["verdict"]["scored"]:
            counts[0] += 1
            counts[1] += row["verdict"]["status"] == Status.CORRECT
        else:
            counts[2] += 1
    if not by_task:
        available = (
            f"They have {', '.join(sorted(other_envs))}."
            if other_envs
            else "They have no rollouts."
        )
        raise DataError(f"The runs have no rollout of {env!r}. {available}")
    return [Difficulty(id, *counts) for id, counts in by_task.items()]


def kept(measured: Iterable[Difficulty], low: float, high: float) -> Iterator[Difficulty]:
    """Return the tasks with a known pass rate in [low, high].

    Raises `OptionError` if that is no interval of [0, 1].
    """
    if not 0 <= low <= high <= 1:
        raise OptionError(f"Pass rates to keep are an interval of [0, 1], not {low}-{high}.")
    return (task for task in measured if task.samples and low <= task.pass_rate <= high)


def tasks_of(tasks: TaskSet, measured: Iterable[Difficulty]) -> Iterator[Task]:
    """Yield the tasks. Raises `DataError` for a task that isn't in the set, as in a run of another split."""
    for difficulty in measured:
        try:
            yield tasks.find(difficulty.id)
        except DataError as error:
            raise DataError(
                f"{error} Is the run of another split? Name that with --split."
            ) from None


class Curriculum:
    """An order of tasks by their pass rates.

    `easy-to-hard` begins with the highest pass rates. `target` begins with those nearest to one rate:
    at 0.5 a binary reward varies most within a group, which gives the largest gradient. The seed
    shuffles ties. `noise` is added to each pass rate, so that an uncertain estimate doesn't decide
    alone. Tasks without samples have the pass rate `unknown`.

    Args:
        pass_rates: the pass rate of each task, by its index; None or NaN if it is unknown.
        kind: the kind of order.
        target: the first pass rate of the kind `target`.
        noise: the standard deviation of the noise, in pass rate.
        unknown: the pass rate of a task without samples.

    Raises `OptionError` for an invalid argument.
    """

    def __init__(
        self,
        pass_rates: Sequence[float | None],
        kind: Kind = "easy-to-hard",
        target: float = 0.5,
        noise: float = 0.0,
        unknown: float = 0.5,
    ) -> None:
        if kind not in get_args(Kind):
            raise OptionError(f"kind is one of {', '.join(get_args(Kind))}, not {kind!r}.")
        for name, value in (("target", target), ("unknown", unknown)):
            if not 0 <= value <= 1:
                raise OptionError(f"{name} is a pass rate in [0, 1], not {value}.")
        if not noise >= 0:
            raise OptionError(f"noise is at least 0, not {noise}.")
        if not len(pass_rates):
            raise OptionError("A curriculum needs at least one task.")
        rates_T = np.array([math.nan if rate is None else rate for rate in pass_rates], float)
        rates_T[np.isnan(rates_T)] = unknown
        if ((rates_T < 0) | (rates_T > 1)).any():
            raise OptionError("Pass rates are in [0, 1].")
        self._rates_T = rates_T
        self.kind = kind
        self.target = target
        self.noise = noise

    @classmethod
    def of(
        cls,
        tasks: TaskSet,
        measured: Iterable[Difficulty],
        kind: Kind = "easy-to-hard",
        target: float = 0.5,
        noise: float = 0.0,
        unknown: float = 0.5,
    ) -> Curriculum:
        """Return the curriculum of a task set. Raises `DataError` if none of its tasks has a difficulty."""
        rates = {difficulty.id: difficulty.pass_rate for difficulty in measured}
        by_index = [rates.get(task.id) for task in tasks]
        if all(rate is None for rate in by_index):
            raise DataError(
                f"None of the {len(rates)} difficulties is of a task of {tasks.name!r}: they are of "
                f"another split or environment."
            )
        return cls(by_index, kind, target, noise, unknown)

    def order(self, count: int, seed: int) -> list[int]:
        """Return the indices of tasks for `count` rows of training.

        If `count` is above the number of tasks T, `easy-to-hard` repeats each task count / T times in a row, so
        that the hardest still come last; `target` begins again. If it is below, `easy-to-hard` leaves tasks out
        evenly, and `target` leaves out the farthest.

        Returns:
            `count` indices; the same for the same arguments.
        """
        if count < 0:
            raise OptionError(f"count is at least 0, not {count}.")
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))
        size = len(self._rates_T)
        rates_T = self._rates_T + self.noise * rng.standard_normal(size)
        keys_T = -rates_T if self.kind == "easy-to-hard" else abs(rates_T - self.target)
        shuffled_T = rng.permutation(size)
        ranked_T = shuffled_T[np.argsort(keys_T[shuffled_T], kind="stable")]
        rows = np.arange(count)
        places = rows % size if self.kind == "target" else rows * size // max(1, count)
        indices: list[int] = ranked_T[places].tolist()
        return indices


def read_difficulties(path: str | Path) -> list[Difficulty]:
    """Return the difficulties that `rlvr data difficulty -o` wrote. Raises `DataError` if they can't be read."""
    difficulties = []
    try:
        with Path(path).open("rb") as lines:
            for line in lines:
                if line.strip():
                    difficulties.append(Difficulty.from_json(json.loads(line)))
    except (OSError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{str(path)!r} can't be read as difficulties: {error}.") from error
    return difficulties
