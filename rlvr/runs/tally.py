"""What is kept of each rollout while an evaluation runs: some fifty bytes, and no text."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlvr.core.verdict import Scored, Status, Verdict
from rlvr.runs.rollouts import Rollout


class Tally:
    """The rollouts of one environment and part, as columns.

    Attributes:
        env, part: which.
        tasks: the number of each task that has a rollout, by its id.
        statuses: how many of each status among the scored.
        causes: how many of each cause among the unscored.
        components: of each, the sum and how many rollouts have it.
    """

    def __init__(self, env: str, part: str | None = None) -> None:
        self.env = env
        self.part = part
        self.tasks: dict[str, int] = {}
        self.statuses: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.stops: Counter[str] = Counter()
        self.components: dict[str, list[float]] = {}
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.sent_tokens = 0
        self.with_tokens = 0
        self.generate_s = 0.0
        self.verify_s = 0.0
        self._task = array("i")
        self._reward = array("d")  # NaN where unscored
        self._correct = array("b")
        self._answer = array("q")  # a digest; 0 where there's none

    def __len__(self) -> int:
        return len(self._task)

    def add(self, rollout: Rollout) -> None:
        """Count a rollout that has a verdict."""
        verdict = rollout.verdict
        assert verdict is not None
        self._task.append(self.tasks.setdefault(rollout.task.id, len(self.tasks)))
        self.stops[rollout.stop] += 1
        if isinstance(verdict, Scored):
            self.statuses[str(verdict.status)] += 1
            self._reward.append(verdict.reward)
            for name, value in verdict.components.items():
                total = self.components.setdefault(name, [0.0, 0])
                total[0] += value
                total[1] += 1
        else:
            self.causes[str(verdict.cause)] += 1
            self._reward.append(math.nan)
        self._correct.append(isinstance(verdict, Scored) and verdict.status is Status.CORRECT)
        self._answer.append(_answer(verdict, rollout.messages[-1]["content"]))
        if rollout.completion_tokens is not None:
            self.with_tokens += 1
            self.completion_tokens += rollout.completion_tokens
            self.prompt_tokens += rollout.prompt_tokens or 0
            self.sent_tokens += rollout.sent_tokens
        self.generate_s += rollout.generate_s
        self.verify_s += rollout.verify_s

    def columns(self) -> dict[str, NDArray[Any]]:
        """Of each rollout: `task` (its number), `reward`, `correct` and `answer`."""
        return {
            "task": np.array(self._task, np.int64),
            "reward": np.array(self._reward, float),
            "correct": np.array(self._correct, bool),
            "answer": np.array(self._answer, np.int64),
        }

    def running(self) -> tuple[float, float]:
        """The mean reward of the scored and half its 95% interval, quickly: by the clustered normal one."""
        columns = self.columns()
        scored = np.isfinite(columns["reward"])
        task, reward = columns["task"][scored], columns["reward"][scored]
        if not len(reward):
            return math.nan, math.nan
        mean = float(reward.mean())
        off = np.bincount(task, reward - mean)
        tasks = len(np.unique(task))
        if tasks < 2:
            return mean, math.nan
        error = math.sqrt(float(off @ off) * tasks / (tasks - 1)) / len(reward)
        return mean, 1.96 * error


def _answer(verdict: Verdict, response: str) -> int:
    """What a response votes for: the answer extraction found, else the response itself; 0 for none."""
    if isinstance(verdict, Scored) and verdict.status is Status.UNPARSABLE:
        return 0
    said = verdict.detail.get("answer", response)
    text = str(said).strip()
    if not text:
        return 0
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True) or 1
