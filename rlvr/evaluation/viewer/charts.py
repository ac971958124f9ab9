"""The viewer's figures and charts: plain data, binned so that it stays small however long the run is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlvr.evaluation.compare import Compared
from rlvr.runs.rendering import FEW
from rlvr.runs.report import Report
from rlvr.runs.rollouts import number, text_of
from rlvr.runs.statistics import Estimate, bootstrap
from rlvr.runs.tally import Tally

_BARS = 20
_DISTINCT = 12  # rewards of so few values get a bar each
_LENGTHS = 10
_FEWEST = 5  # rollouts per bin of lengths
_APART = 0.04  # of the chart's width, between two bins of lengths at least: a line between nearer ones is upright
_POINTS = 600  # of a curve: more than a chart has pixels for


def figures(report: Report, step: int | None, slice: str | None = None) -> dict[str, Any]:
    """Return a row of the table of figures: those of `rlvr eval`'s report, and no others."""
    return {
        "env": report.env,
        "part": report.part or "",
        "slice": slice,
        "few": report.tasks < FEW,
        "step": step,
        "tasks": report.tasks,
        "rollouts": report.rollouts,
        "scored": report.scored,
        "unscored": report.rollouts - report.scored,
        "missing": report.missing,
        "causes": [
            [cause, n, *report.examples.get(cause, ())] for cause, n in report.unscored.items()
        ],
        "bounds": {name: list(bounds) for name, bounds in report.bounds.items()},
        "reward": report.mean.to_json(),
        "correct": report.correct.to_json(),
        "majority": report.majority.to_json(),
        "unparsable": report.unparsable if report.scored else None,
        "truncated": report.truncated,
        "pass_at": [
            {"k": k, "tasks": report.pass_tasks[k - 1], **report.pass_at_k[k - 1].to_json()}
            for k in _ks(len(report.pass_at_k))
        ],
    }


def _ks(most: int) -> list[int]:
    if most <= 16:
        return list(range(1, most + 1))
    return sorted({2**i for i in range(most.bit_length())} | {most})


def rewards(tally: Tally) -> list[dict[str, Any]]:
    """Return how often each reward was earned: {"low", "high", "count"}; low = high for a single value."""
    reward = tally.columns()["reward"]
    reward = reward[~np.isnan(reward)]
    if len(reward) == 0:
        return []
    values, counts = np.unique(reward, return_counts=True)
    if len(values) <= _DISTINCT:
        return [
            {"low": float(v), "high": float(v), "count": int(c)}
            for v, c in zip(values, counts, strict=True)
        ]
    # The usual range whole, so that two runs' bars are at the same places.
    reach = (min(0.0, float(values[0])), max(1.0, float(values[-1])))
    bars, edges = np.histogram(reward, bins=_BARS, range=reach)
    return [
        {"low": float(edges[i]), "high": float(edges[i + 1]), "count": int(bars[i])}
        for i in range(_BARS)
    ]


def lengths(tally: Tally) -> list[dict[str, Any]]:
    """Return the mean reward of the shortest tenth of the responses, the next, and so on.

    Responses of one length, or of nearly one, are in one bin: a chart can't show two values above one length.
    """
    columns = tally.columns()
    _, length_R = tally.lengths()
    scored = ~np.isnan(columns["reward"])
    length_R, reward_R, task_R = (
        length_R[scored],
        columns["reward"][scored],
        columns["task"][scored],
    )
    order = np.argsort(length_R, kind="stable")
    length_R, reward_R, task_R = length_R[order], reward_R[order], task_R[order]
    bins = min(_LENGTHS, len(order) // _FEWEST)
    if not bins:
        return []
    edges = [len(order) * i // bins for i in range(bins)]
    starts = sorted({int(np.searchsorted(length_R, length_R[edge])) for edge in edges})
    starts = _apart(length_R, starts)
    points = []
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        part = slice(start, end)
        points.append(
            {
                "low": float(length_R[start]),
                "middle": float(np.median(length_R[part])),
                "high": float(length_R[end - 1]),
                "count": end - start,
                "reward": _mean(reward_R[part], task_R[part]).to_json(),
            }
        )
    return points


def _apart(length_R: NDArray[Any], starts: list[int]) -> list[int]:
    """Return the starts of bins without those whose bin would be right beside the one before."""
    middles = [
        float(np.median(length_R[start:end]))
        for start, end in zip(starts, [*starts[1:], len(length_R)], strict=True)
    ]
    least = _APART * (middles[-1] - middles[0])
    kept, last = [starts[0]], middles[0]
    for start, middle in zip(starts[1:], middles[1:], strict=True):
        if middle - last >= least:
            kept.append(start)
            last = middle
    return kept


def _mean(value_R: NDArray[Any], task_R: NDArray[Any]) -> Estimate:
    _, place_R = np.unique(task_R, return_inverse=True)
    return bootstrap(np.bincount(place_R, value_R), np.bincount(place_R).astype(float))[0]


def curves(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return each metric that was written twice or more: {"name", "points": [[x, y]]}."""
    points: dict[str, list[tuple[float, float]]] = {}
    for i, row in enumerate(metrics):
        x = number(row.get("step"))
        for name, value in row.items():
            y = number(value)
            if y is not None and name not in ("step", "seconds"):
                points.setdefault(text_of(name), []).append((i if x is None else x, y))
    return [
        {"name": name, "points": _thinned(curve)}
        for name, curve in sorted(points.items(), key=lambda item: _rank(item[0]))
        if len(curve) > 1
    ]


def compared(parts: list[Compared]) -> list[dict[str, Any]]:
    """Return the comparisons as `rlvr compare` has them, with the tasks whose reward differs."""
    rows = []
    for part in parts:
        ids, first_T, second_T = part.tasks
        differs = np.flatnonzero(abs(second_T - first_T) > 1e-12).tolist() if not part.slice else []
        rows.append(
            {
                **part.to_json(),
                "part": part.part or "",
                "few": part.paired.tasks < FEW,
                "rows": [[ids[i], float(first_T[i]), float(second_T[i])] for i in differs],
            }
        )
    return rows


def _rank(name: str) -> tuple[int, str]:
    """Order metrics by how soon one looks at them."""
    first = (
        "held_out_accuracy", "reward", "kl/sequence/k1", "kl", "loss", "entropy", "completions/mean_length",
    )  # fmt: skip
    return (first.index(name) if name in first else len(first), name)


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    stride = -(-len(points) // _POINTS)
    # The last is kept: it is the figure that people quote.
    kept = points[::stride]
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]
