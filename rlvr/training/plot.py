"""The plot of a training run, from the lines of its `metrics.jsonl`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlvr.core.errors import DataError, MissingExtraError
from rlvr.core.files import replacing
from rlvr.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = (
    ("reward", "reward\n(training batch)"),
    ("held_out_accuracy", "accuracy\n(held out, greedy)"),
    ("kl/sequence/k1", "KL to the start\n(nats per sequence)"),
    ("kl", "KL to the start\n(nats per token)"),  # TRL's own, of runs without the measured one
)


def plot_run(run: Run) -> Path:
    """Plot reward, held-out accuracy and KL against steps into `plot.png`, and return its path."""
    rows = run.read_metrics()
    curves = {key: _points(rows, key) for key, _ in PANELS}
    if curves["kl/sequence/k1"]:
        curves.pop("kl")
    panels = [(key, label) for key, label in PANELS if curves.get(key)]
    if not panels:
        raise DataError(f"The run in {str(run.path)!r} has no metrics to plot.")
    figure = new_figure(7, 7)
    # Fixed margins: a layout that measures all labels takes as long as the plot itself, 0.3 s.
    figure.subplots_adjust(left=0.14, right=0.97, bottom=0.07, top=0.94, hspace=0.1)
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axis, (key, label) in zip(axes, panels, strict=True):
        points = curves[key]
        axis.plot(*zip(*points, strict=True), marker="o" if len(points) < 20 else None)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        if not key.startswith("kl"):
            axis.set_ylim(-0.02, 1.02)
    axes[-1].set_xlabel("step")
    figure.align_ylabels()
    figure.suptitle(run.path.name)
    path = run.path / "plot.png"
    with replacing(path) as file:
        figure.savefig(file, dpi=150)
    return path


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches. Raises `MissingExtraError` if matplotlib isn't installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "Plots need the package 'matplotlib': pip install 'rlvr[train]'."
        ) from error
    return Figure(figsize=(width, height))


def _points(rows: list[dict[str, Any]], key: str) -> list[tuple[int, float]]:
    return [(row["step"], row[key]) for row in rows if "step" in row and row.get(key) is not None]
