"""What the viewer's charts are drawn from: binned, so that it stays small however long the run."""

from __future__ import annotations

from typing import Any

import numpy as np

from rlvr.evaluation.viewer.figures import Columns, clustered
from rlvr.evaluation.viewer.read import RunFiles, number, text_of

_BARS = 20
_DISTINCT = 12  # rewards of so few values get a bar each
_LENGTHS = 10
_FEWEST = 5  # rollouts a bin of lengths
_POINTS = 600  # of a curve: more than a chart has pixels for


def rewards(columns: Columns) -> list[dict[str, Any]]:
    """How often each reward was earned: {"low", "high", "count"}; low = high for a single value."""
    reward = np.asarray(columns.reward_R)[columns.rows()]
    reward = reward[~np.isnan(reward)]
    if len(reward) == 0:
        return []
    values, counts = np.unique(reward, return_counts=True)
    if len(values) <= _DISTINCT:
        return [
            {"low": float(v), "high": float(v), "count": int(c)}
            for v, c in zip(values, counts, strict=True)
        ]
    # The usual range whole, so that two runs' bars stand at the same places.
    reach = (min(0.0, float(values[0])), max(1.0, float(values[-1])))
    bars, edges = np.histogram(reward, bins=_BARS, range=reach)
    return [
        {"low": float(edges[i]), "high": float(edges[i + 1]), "count": int(bars[i])}
        for i in range(_BARS)
    ]


def lengths(columns: Columns) -> list[dict[str, Any]]:
    """Mean reward of the shortest tenth of the responses, the next, and so on."""
    rows = columns.rows()
    length = np.asarray(columns.tokens_R if columns.unit() == "tokens" else columns.characters_R)
    length, reward = length[rows], np.asarray(columns.reward_R)[rows]
    group = np.asarray(columns.group_R)[rows]
    order = np.argsort(length, kind="stable")
    order = order[~np.isnan(reward[order])]
    bins = min(_LENGTHS, len(order) // _FEWEST)
    return [
        {
            "low": float(length[part[0]]),
            "middle": float(np.median(length[part])),
            "high": float(length[part[-1]]),
            "count": len(part),
            "reward": clustered(reward[part], group[part]),
        }
        for part in (np.array_split(order, bins) if bins else [])
    ]


def curves(run: RunFiles) -> list[dict[str, Any]]:
    """Each metric of `metrics.jsonl` that was written twice or more: {"name", "points": [[x, y]]}."""
    found: dict[str, list[tuple[float, float]]] = {}
    for i, row in enumerate(run.metrics):
        x = number(row.get("step"))
        for name, value in row.items():
            y = number(value)
            if y is not None and name not in ("step", "seconds"):
                found.setdefault(text_of(name), []).append((i if x is None else x, y))
    return [
        {"name": name, "points": _thinned(points)}
        for name, points in sorted(found.items(), key=lambda item: _rank(item[0]))
        if len(points) > 1
    ]


def _rank(name: str) -> tuple[int, str]:
    """What one looks at first stands first."""
    first = (
        "held_out_accuracy", "reward", "kl/sequence/k1", "kl", "loss", "entropy", "completions/mean_length",
    )  # fmt: skip
    return (first.index(name) if name in first else len(first), name)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    stride = -(-len(points) // _POINTS)
    # The last is kept: it's the figure people quote.
    kept = points[::stride]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]
