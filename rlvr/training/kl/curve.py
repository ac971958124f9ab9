"""A run's score against its KL, from the lines of its `metrics.jsonl`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, nearest
from rlvr.core.files import read_lines
from rlvr.runs.run import about

KL = "kl/sequence/k1"


@dataclass(frozen=True)
class Point:
    """A step: the KL of the policy that stands there, in nats a sequence, and its score."""

    step: int
    kl: float
    score: float


@dataclass(frozen=True)
class Curve:
    """A run's points in the order of its steps.

    Attributes:
        name: of the run.
        score: which metric the score is.
        source: which metric the KL is.
    """

    name: str
    score: str
    source: str
    points: tuple[Point, ...]


def read_curve(run: Path, score: str = "reward") -> Curve:
    """The curve of `score`: `reward`, `held_out_accuracy`, or any metric the run has.

    A line that TRL logs at step s is of the policy before that step's update, as is its KL. What is
    measured apart at step s is of the policy after it, whose KL stands in the next line.

    A run from before KL was measured has TRL's `kl`, a mean over tokens; times the mean length
    that's the mean over sequences.

    Raises `DataError` where there's no run, no KL or no such score in it.
    """
    about(run)
    rows = _rows(run / "metrics.jsonl")
    source, kls = _kls(rows)
    if not kls:
        raise DataError(
            f"{str(run)!r} has no KL in its metrics: it was trained without. `rlvr kl RUN --measure` "
            f"measures its final model."
        )
    scores = [(row["step"], row[score], "reward" in row) for row in rows if _is_number(row, score)]
    if not scores:
        known = {name for row in rows for name in row if _is_number(row, name)}
        raise DataError(f"{str(run)!r} has no {score!r} in its metrics. {nearest(score, known)}")
    points = []
    for step, value, is_log in scores:
        kl = kls.get(step) if is_log else kls.get(step + 1, kls.get(step))
        if kl is not None:
            points.append(Point(step, kl, value))
    if not points:
        raise DataError(f"In {str(run)!r} no step has both a KL and {score!r}.")
    return Curve(run.resolve().name, score, source, tuple(points))


def _kls(rows: list[dict[str, Any]]) -> tuple[str, dict[int, float]]:
    found = {row["step"]: row[KL] for row in rows if _is_number(row, KL)}
    if found:
        return KL, found
    length = "completions/mean_length"
    rows = [row for row in rows if _is_number(row, "kl") and _is_number(row, length)]
    return f"kl x {length}", {row["step"]: row["kl"] * row[length] for row in rows}


def _rows(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise DataError(f"{str(path.parent)!r} has no metrics.jsonl: it's no training run.")
    rows = [line.row for line in read_lines(path, what="metrics")]
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("step"), int)]


def _is_number(row: dict[str, Any], name: str) -> bool:
    return isinstance(row.get(name), int | float) and not isinstance(row[name], bool)
