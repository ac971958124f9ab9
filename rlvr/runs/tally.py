"""The table of a run's figures: a few numbers per rollout, and no text.

`Tally` holds the columns of one environment and part while an evaluation runs or a run is read;
`Tallies` holds those of a whole run, and those of its slices. Reports, comparisons, exports and the
viewer compute their figures from these columns and from nothing else.
"""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from rlvr.core.episode import all_children
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Verdict
from rlvr.envs.slices import ABSENT, By, labeller
from rlvr.runs.reading import Record, read_records
from rlvr.runs.rollouts import Rollout, text_of
from rlvr.runs.statistics import linearized

PartKey: TypeAlias = tuple[str, str | None]
"""An environment and its part of a suite or of a training run."""


class Tally:
    """The rollouts of one environment and part, as columns.

    Attributes:
        env, part: the environment and its part.
        tasks: the number of each task that has a rollout, by its id.
        statuses: the number of scored rollouts with each status.
        causes: the number of unscored rollouts with each cause.
        examples: a task id and a message for each cause.
        components: for each component, the sum and the number of rollouts that have it.
    """

    def __init__(self, env: str, part: str | None = None) -> None:
        self.env = env
        self.part = part
        self.tasks: dict[str, int] = {}
        self.statuses: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.examples: dict[str, tuple[str, str]] = {}
        self.stops: Counter[str] = Counter()
        self.components: dict[str, list[float]] = {}
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.sent_tokens = 0
        self.partner_sent_tokens = 0
        self.partner_completion_tokens = 0
        self.with_tokens = 0
        self.generate_s = 0.0
        self.verify_s = 0.0
        self._reference = array("q")  # per task, a digest
        self._prompt = array("q")
        self._task = array("i")  # per rollout, from here on
        self._reward = array("d")  # NaN if unscored
        self._correct = array("b")
        self._truncated = array("b")  # -1 if the run does not say
        self._answer = array("q")  # a digest; 0 if there is none
        self._tokens = array("d")  # NaN if the run does not say
        self._characters = array("q")

    def __len__(self) -> int:
        return len(self._task)

    def add(self, rollout: Rollout) -> None:
        """Add a rollout that has a verdict."""
        verdict = rollout.verdict
        assert verdict is not None
        task = rollout.task
        number = self.tasks.setdefault(task.id, len(self.tasks))
        if number == len(self._reference):
            self._reference.append(_digest(text_of(task.reference)))
            self._prompt.append(_digest(json.dumps(task.prompt)))
        self._task.append(number)
        self.stops[rollout.stop] += 1
        if isinstance(verdict, Scored):
            self.statuses[str(verdict.status)] += 1
            self._reward.append(verdict.reward)
            for name, value in verdict.components.items():
                total = self.components.setdefault(name, [0.0, 0])
                total[0] += value
                total[1] += 1
        else:
            cause = str(verdict.cause)
            self.causes[cause] += 1
            self.examples.setdefault(cause, (task.id, verdict.message))
            self._reward.append(math.nan)
        self._correct.append(isinstance(verdict, Scored) and verdict.status is Status.CORRECT)
        self._truncated.append(rollout.truncated if rollout.stop else -1)
        self._answer.append(_vote(verdict, rollout.response or ""))
        self._characters.append(rollout.characters)
        if rollout.completion_tokens is None:
            self._tokens.append(math.nan)
        else:
            self._tokens.append(rollout.completion_tokens)
            self.with_tokens += 1
            self.completion_tokens += rollout.completion_tokens
            self.prompt_tokens += rollout.prompt_tokens or 0
            self.sent_tokens += rollout.sent_tokens
        for child in all_children(rollout.children):
            self.partner_completion_tokens += child.completion_tokens
            self.partner_sent_tokens += child.sent_tokens
        self.generate_s += rollout.generate_s
        self.verify_s += rollout.verify_s

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return arrays with an item per rollout.

        `task` is a number counted by id, not in the order of arrival, so that equal rollouts have equal
        intervals.
        """
        place = np.empty(len(self.tasks), np.int64)
        place[[self.tasks[id] for id in sorted(self.tasks)]] = np.arange(len(self.tasks))
        return {
            "task": place[np.array(self._task, np.int64)],
            "reward": np.array(self._reward, float),
            "correct": np.array(self._correct, bool),
            "truncated": np.array(self._truncated, np.int8),
            "answer": np.array(self._answer, np.int64),
            "tokens": np.array(self._tokens, float),
            "characters": np.array(self._characters, float),
        }

    def lengths(self) -> tuple[str, NDArray[Any]]:
        """Return the unit and the length of each rollout's responses: tokens if all rollouts have them."""
        columns = self.columns()
        unit = "characters" if np.isnan(columns["tokens"]).any() else "tokens"
        return unit, columns[unit]

    def ids(self) -> list[str]:
        """Return the tasks' ids in the order of their numbers in `columns`."""
        return sorted(self.tasks)

    def contents(self) -> dict[str, tuple[int, int]]:
        """Return digests of each task's reference and prompt, by its id."""
        return {id: (self._reference[n], self._prompt[n]) for id, n in self.tasks.items()}

    def per_task(self) -> dict[str, NDArray[Any]]:
        """Return arrays with an item per task: `samples`, `scored`, and sums of `reward` and `correct`."""
        columns, tasks = self.columns(), len(self.tasks)
        task, reward = columns["task"], columns["reward"]
        scored = np.isfinite(reward)
        return {
            "samples": np.bincount(task, minlength=tasks).astype(float),
            "scored": np.bincount(task, scored, minlength=tasks),
            "reward": np.bincount(task, np.where(scored, reward, 0.0), minlength=tasks),
            "correct": np.bincount(task, columns["correct"], minlength=tasks),
        }

    def running(self) -> tuple[float, float]:
        """Return the mean reward of the scored rollouts and half its 95% interval, quickly."""
        sums = self.per_task()
        tried = sums["scored"] > 0
        (mean,) = linearized(sums["reward"][tried, None], sums["scored"][tried, None])
        return mean.value, mean.half


class Tallies:
    """The tallies of a run: one per environment and part, and one per slice of each.

    For a training run only the last measured step of each part counts.

    Attributes:
        parts: the tallies, in the order in which their first rollouts come.
        steps: the step that each of them is of; None outside of training.
        labels: for each of them, the slice of each task.

    Args:
        by: the key or function to slice by; None for no slices.
    """

    def __init__(self, by: By | None = None) -> None:
        self.parts: dict[PartKey, Tally] = {}
        self.steps: dict[PartKey, int | None] = {}
        self.labels: dict[PartKey, dict[str, str]] = {}
        self._by = by
        self._label = None if by is None else labeller(by)
        self._slices: dict[PartKey, dict[str, Tally]] = {}
        self._keys: set[str] = set()

    @classmethod
    def read(cls, path: str | Path, by: By | None = None, env: str = "") -> Tallies:
        """Read the run at `path`. Raises `DataError` if a line of it is not a rollout."""
        return cls(by).of(read_records(path, env=env))

    def of(self, records: Iterable[Record]) -> Tallies:
        """Add records, and return itself."""
        for record in records:
            self.add(record.rollout, record.step)
        return self

    def begin(self, env: str, part: str | None, step: int | None = None) -> None:
        """Begin a part without rollouts, or begin it again at a later step."""
        key = (env, part)
        self.parts[key] = Tally(env, part)
        self.steps[key] = step
        self.labels[key] = {}
        self._slices[key] = {}

    def add(self, rollout: Rollout, step: int | None = None) -> None:
        """Add a rollout, unless a later step of its part was added."""
        key = (rollout.env, rollout.part)
        if key not in self.parts or _is_later(step, self.steps[key]):
            self.begin(*key, step)
        if step != self.steps[key]:
            return
        self.parts[key].add(rollout)
        if self._label is not None:
            task = rollout.task
            label = self.labels[key].get(task.id)
            if label is None:
                self._keys.update(task.metadata)
                label = self.labels[key][task.id] = self._label(task)
            slices = self._slices[key]
            if label not in slices:
                slices[label] = Tally(*key)
            slices[label].add(rollout)

    @property
    def is_sliced(self) -> bool:
        """True if the rollouts are sliced."""
        return self._label is not None

    @property
    def slices(self) -> dict[PartKey, dict[str, Tally]]:
        """The tallies of the slices of each part. Raises `OptionError` if no task has the key."""
        labels = {label for slices in self._slices.values() for label in slices}
        if labels == {ABSENT}:
            raise _no_such_key(self._by, self._keys)
        return {key: dict(sorted(s.items(), key=_natural)) for key, s in self._slices.items()}


def check_by(by: By, tasks: Iterable[Task]) -> None:
    """Raise `OptionError` if no task has the key to slice by."""
    label = labeller(by)
    keys: set[str] = set()
    for task in tasks:
        if label(task) != ABSENT:
            return
        keys.update(task.metadata)
    raise _no_such_key(by, keys)


def _no_such_key(by: By | None, keys: set[str]) -> OptionError:
    names = ", ".join(f"metadata.{key}" for key in sorted(keys)) or "none"
    return OptionError(f"No task has {by!r} to slice by. The tasks' keys are: {names}.")


def _natural(item: tuple[str, Any]) -> tuple[bool, float, str]:
    """Order slices: numbers by value, then texts, then the tasks without the key."""
    name = item[0]
    try:
        return name == ABSENT, float(name), name
    except ValueError:
        return name == ABSENT, math.inf, name


def _is_later(step: int | None, than: int | None) -> bool:
    return step is not None and (than is None or step > than)


def _vote(verdict: Verdict, response: str) -> int:
    """Return a digest of a response's vote, the extracted answer or the response itself; 0 for none."""
    if isinstance(verdict, Scored) and verdict.status is Status.UNPARSABLE:
        return 0
    text = str(verdict.detail.get("answer", response)).strip()
    return (_digest(text) or 1) if text else 0


def _digest(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
