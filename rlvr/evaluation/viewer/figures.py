"""The figures a viewer shows of a run, from a few numbers kept for each rollout.

They're the simple ones: intervals are 95% by the normal approximation, clustered by task (samples
of one task aren't independent). Unscored rollouts are in no mean; their count stands beside.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlvr.evaluation.viewer.read import Rollout

Key = tuple[str, str, int | None, str]  # env, part, step, task: what samples are samples of
Figure = dict[str, float | None]  # value, low, high
Floats = NDArray[np.float64]


@dataclass
class Columns:
    """What the figures need of each rollout (R of them), as arrays: a few bytes a rollout."""

    keys: dict[Key, int] = field(default_factory=dict)
    group_R: array[int] = field(default_factory=lambda: array("q"))
    reward_R: array[float] = field(default_factory=lambda: array("d"))  # NaN: unscored
    correct_R: array[int] = field(default_factory=lambda: array("b"))
    unparsable_R: array[int] = field(default_factory=lambda: array("b"))
    truncated_R: array[int] = field(default_factory=lambda: array("b"))  # -1: the run doesn't say
    tokens_R: array[float] = field(default_factory=lambda: array("d"))  # NaN: the run doesn't say
    characters_R: array[float] = field(default_factory=lambda: array("d"))
    causes: Counter[str] = field(default_factory=Counter)

    def add(self, rollout: Rollout) -> None:
        """Append one rollout."""
        key = (rollout.env, rollout.part, rollout.step, rollout.task)
        self.group_R.append(self.keys.setdefault(key, len(self.keys)))
        self.reward_R.append(math.nan if rollout.reward is None else rollout.reward)
        self.correct_R.append(rollout.status == "correct")
        self.unparsable_R.append(rollout.status == "unparsable")
        self.truncated_R.append(rollout.stop == "length" if rollout.stop else -1)
        self.tokens_R.append(math.nan if rollout.tokens is None else rollout.tokens)
        self.characters_R.append(rollout.characters)
        if rollout.reward is None:
            self.causes[rollout.cause] += 1

    def last_step(self) -> int | None:
        """The last training step that was measured; None where rollouts have none."""
        return max((step for _, _, step, _ in self.keys if step is not None), default=None)

    def rows(self, env: str | None = None, part: str | None = None) -> NDArray[np.intp]:
        """Which rollouts count: those of the last step, of `env` and `part` where given."""
        last = self.last_step()
        chosen = [
            step == last and env in (None, of_env) and part in (None, of_part)
            for of_env, of_part, step, _ in self.keys
        ]
        return np.flatnonzero(np.array(chosen, dtype=bool)[np.asarray(self.group_R)])

    def unit(self) -> str:
        """What lengths are counted in: tokens only where every rollout has them."""
        return "characters" if np.isnan(np.asarray(self.tokens_R)).any() else "tokens"


def slices(columns: Columns) -> list[dict[str, Any]]:
    """The figures of the whole run, then of each environment and part where there are several."""
    named = sorted({(env, part) for env, part, _, _ in columns.keys})
    whole = [{"env": "", "part": "", **figures(columns, columns.rows())}]
    if len(named) < 2:
        return whole
    # One figure over tasks of different kinds would hide which is which: they're also apart.
    return whole + [
        {"env": env, "part": part, **figures(columns, columns.rows(env, part))}
        for env, part in named
    ]


def figures(columns: Columns, rows: NDArray[np.intp]) -> dict[str, Any]:
    """Counts, mean reward, shares and pass@k of the rollouts `rows`."""
    group = np.asarray(columns.group_R)[rows]
    reward = np.asarray(columns.reward_R)[rows]
    scored = ~np.isnan(reward)
    correct = np.asarray(columns.correct_R)[rows].astype(float)
    truncated = np.asarray(columns.truncated_R)[rows]
    unparsable = np.asarray(columns.unparsable_R)[rows].astype(float)
    known = truncated >= 0
    return {
        "rollouts": len(rows),
        "tasks": len(np.unique(group)),
        "scored": int(scored.sum()),
        "unscored": int((~scored).sum()),
        "reward": clustered(reward[scored], group[scored]),
        "correct": clustered(correct[scored], group[scored], share=True),
        "unparsable": clustered(unparsable[scored], group[scored], share=True),
        "truncated": clustered(truncated[known].astype(float), group[known], share=True),
        "pass_at": pass_at(group[scored], correct[scored]),
    }


def clustered(value_R: Floats, group_R: NDArray[np.int64], share: bool = False) -> Figure:
    """The mean with its interval; None where there is none (nothing, or a single task)."""
    if len(value_R) == 0:
        return {"value": None, "low": None, "high": None}
    mean = float(value_R.mean())
    groups, index_R = np.unique(group_R, return_inverse=True)
    if len(groups) < 2:
        return {"value": mean, "low": None, "high": None}
    off_G = np.bincount(index_R, weights=value_R - mean)
    variance = float((off_G**2).sum()) * len(groups) / (len(groups) - 1) / len(value_R) ** 2
    low, high = mean - 1.96 * math.sqrt(variance), mean + 1.96 * math.sqrt(variance)
    return {
        "value": mean,
        "low": max(low, 0) if share else low,
        "high": min(high, 1) if share else high,
    }


def pass_at(group_R: NDArray[np.int64], correct_R: Floats) -> list[dict[str, Any]]:
    """pass@k without bias, 1 - C(n-c, k) / C(n, k), over the tasks with k scored samples or more.

    Source: Chen et al. 2021, Evaluating Large Language Models Trained on Code, equation 1.
    """
    if len(group_R) == 0:
        return []
    _, index_R = np.unique(group_R, return_inverse=True)
    samples_G = np.bincount(index_R)
    right_G = np.bincount(index_R, weights=correct_R).astype(int)
    kinds = Counter(zip(samples_G.tolist(), right_G.tolist(), strict=True))
    curve = []
    for k in _ks(int(samples_G.max())):
        values, counts = [], []
        for (n, c), count in kinds.items():
            if n >= k:
                values.append(1 - math.comb(n - c, k) / math.comb(n, k))
                counts.append(count)
        value_G = np.repeat(values, counts)
        curve.append(
            {
                "k": k,
                "tasks": len(value_G),
                **clustered(value_G, np.arange(len(value_G)), share=True),
            }
        )
    return curve


def _ks(most: int) -> list[int]:
    if most <= 16:
        return list(range(1, most + 1))
    return sorted({2**i for i in range(most.bit_length())} | {most})
