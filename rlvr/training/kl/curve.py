"""A run's score against its KL, from the lines of its `metrics.jsonl`, and the plot of such curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from rlvr.core.errors import DataError, nearest
from rlvr.core.files import read_lines
from rlvr.runs.run import about
from rlvr.training.kl.best_of_n import BestOfN
from rlvr.training.plot import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row: TypeAlias = dict[str, Any]
_SMOOTH = 5  # steps: a batch's reward varies more than the policy does
_STYLES = ("-", "--", "-.", ":")
KL = "kl/sequence/k1"


@dataclass(frozen=True)
class CurvePoint:
    """The policy at a step: its KL to the reference, in nats per sequence, and its score."""

    step: int
    kl: float
    score: float


@dataclass(frozen=True)
class Curve:
    """A run's points in the order of its steps.

    Attributes:
        name: The run's name.
        score: The metric that is the score.
        source: The metric that is the KL.
    """

    name: str
    score: str
    source: str
    points: tuple[CurvePoint, ...]


def read_curve(run: Path, score: str = "reward") -> Curve:
    """Return the curve of `score`: `reward`, `held_out_accuracy`, or any other metric of the run.

    A line that TRL logs at step s describes the policy before that step's update, and so does its KL. A measurement at
    step s is of the policy after the update, whose KL is in the next line.

    A run without `kl/sequence/k1` has TRL's `kl`, a mean over tokens: times the mean length it is a mean over sequences.

    Raises `DataError` if there is no run, or no KL or no such score in it.
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
        names = {name for row in rows for name in row if _is_number(row, name)}
        raise DataError(f"{str(run)!r} has no {score!r} in its metrics. {nearest(score, names)}")
    points = []
    for step, value, is_log in scores:
        kl = kls.get(step) if is_log else kls.get(step + 1, kls.get(step))
        if kl is not None:
            points.append(CurvePoint(step, kl, value))
    if not points:
        raise DataError(f"In {str(run)!r} no step has both a KL and {score!r}.")
    return Curve(run.resolve().name, score, source, tuple(points))


def plot_curves(curves: Sequence[Curve], best: Sequence[BestOfN], path: Path) -> None:
    """Write the plot of score against KL, one curve per run, with best-of-n beside them.

    The file is a PNG unless the path has another suffix. The KL's axis is linear in its square root, as in Gao et al. 2022
    (arXiv 2210.10760), since the KL grows with the square of the distance near the start. Its labels are nats. Each
    curve has the steps of its ends beside them, and a line style of its own, by which it's seen under another.

    Raises `MissingExtraError` if matplotlib isn't installed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(curves, best).savefig(path, dpi=150)


def draw(curves: Sequence[Curve], best: Sequence[BestOfN]) -> Figure:
    """Return the figure that `plot_curves` writes."""
    figure = new_figure(7, 5)
    axis = figure.add_axes((0.11, 0.11, 0.86, 0.86))
    for number, curve in enumerate(curves):
        kl, score = np.array([(p.kl, p.score) for p in curve.points]).T
        color, steps = f"C{number}", (curve.points[0].step, curve.points[-1].step)
        # Later curves are thinner and broken, so that an equal one before them shows through.
        line: dict[str, Any] = {"color": color, "linestyle": _STYLES[number % len(_STYLES)]}
        line["linewidth"] = 3.0 if number == 0 and len(curves) > 1 else 1.5
        if len(kl) < 4 * _SMOOTH:
            axis.plot(kl, score, marker="o", markersize=4, label=curve.name, **line)
        else:
            window = np.ones(_SMOOTH) / _SMOOTH
            axis.scatter(kl, score, color=color, s=8, alpha=0.3, linewidths=0)
            kl, score = (np.convolve(values, window, "valid") for values in (kl, score))
            axis.plot(kl, score, label=f"{curve.name} (mean of {_SMOOTH} steps)", **line)
        for place, step, up in ((0, steps[0], -11), (-1, steps[1], 5)):
            axis.annotate(
                f"step {step}", (kl[place], score[place]), (3, up), textcoords="offset points",
                color=color, fontsize=8,
            )  # fmt: skip
    if best:
        values = [point.score for point in best]
        low, high = ([abs(getattr(v, end) - v.value) for v in values] for end in ("low", "high"))
        axis.errorbar(
            [point.kl for point in best], [v.value for v in values], yerr=np.nan_to_num([low, high]),
            color="0.3", linestyle="--", marker="s", markersize=4, capsize=2,
            label=f"best of n ≤ {best[-1].n} of the start (KL is a bound)",
        )  # fmt: skip
    axis.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    axis.set_xlim(left=0)
    axis.set_xlabel("KL to the reference (nats per sequence, square-root axis)")
    axis.set_ylabel(" / ".join(dict.fromkeys(curve.score for curve in curves)))
    axis.grid(alpha=0.3)
    axis.legend()
    return figure


def _kls(rows: list[Row]) -> tuple[str, dict[int, float]]:
    measured = {row["step"]: row[KL] for row in rows if _is_number(row, KL)}
    if measured:
        return KL, measured
    length = "completions/mean_length"
    rows = [row for row in rows if _is_number(row, "kl") and _is_number(row, length)]
    return f"kl x {length}", {row["step"]: row["kl"] * row[length] for row in rows}


def _rows(path: Path) -> list[Row]:
    if not path.is_file():
        raise DataError(f"{str(path.parent)!r} has no metrics.jsonl: it's no training run.")
    rows = [line.row for line in read_lines(path, noun="metrics")]
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("step"), int)]


def _is_number(row: Row, name: str) -> bool:
    return isinstance(row.get(name), int | float) and not isinstance(row[name], bool)
