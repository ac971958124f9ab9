"""Two runs on the same tasks: the paired difference, and which tasks flipped."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from rlvr.evaluation.viewer.figures import Columns, clustered
from rlvr.runs.statistics import mcnemar

Pair = tuple[str, str, str]  # env, part, task


def compare(first: Columns, second: Columns) -> dict[str, Any]:
    """How the second run differs from the first, over the tasks that both have scored.

    A task is right where more than half of its scored samples are. The difference is the mean over
    tasks of the difference of their mean rewards; `p` is McNemar's exact test on the flips.
    """
    a, b = _tasks(first), _tasks(second)
    common = [key for key in a if key in b]
    both = [key for key in common if a[key][1] and b[key][1]]
    rewards = np.array([_mean(b[key][0]) - _mean(a[key][0]) for key in both])
    correct = np.array([_mean(b[key][2]) - _mean(a[key][2]) for key in both])
    own = np.arange(len(both))
    rows: list[dict[str, Any]] = [
        {
            "env": key[0],
            "part": key[1],
            "task": key[2],
            "flip": (_right(a[key]), _right(b[key])),
            "a": _mean(a[key][0]),
            "b": _mean(b[key][0]),
        }
        for key in both
    ]
    lost = sum(row["flip"] == (True, False) for row in rows)
    won = sum(row["flip"] == (False, True) for row in rows)
    return {
        "tasks": len(both),
        "unscored": len(common) - len(both),
        "only_a": len(a) - len(common),
        "only_b": len(b) - len(common),
        "reward": clustered(rewards, own),
        "correct": clustered(correct, own),
        "lost": lost,
        "won": won,
        "p": mcnemar(lost, won),
        "changed": [
            row for row in rows if row["flip"][0] != row["flip"][1] or row["a"] != row["b"]
        ],
    }


_Task = tuple[list[float], int, list[float]]  # rewards, how many are scored, which are correct


def _tasks(columns: Columns) -> dict[Pair, _Task]:
    names = list(columns.keys)
    found: dict[Pair, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for row in columns.rows().tolist():
        env, part, _, task = names[columns.group_R[row]]
        rewards, correct = found[env, part, task]
        if not math.isnan(columns.reward_R[row]):
            rewards.append(columns.reward_R[row])
            correct.append(columns.correct_R[row])
    return {key: (rewards, len(rewards), correct) for key, (rewards, correct) in found.items()}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _right(task: _Task) -> bool:
    return _mean(task[2]) > 0.5
