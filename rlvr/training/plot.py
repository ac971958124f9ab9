"""The plot of a training run, from the lines in its `metrics.jsonl` and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlvr.core.errors import MissingExtraError
from rlvr.evaluation.run import Run

PANELS = (
    ("reward", "reward\n(training batch)"),
    ("held_out_accuracy", "accuracy\n(held out, greedy)"),
    ("kl", "KL to the\nstarting model (nats)"),
)


def plot_run(run: Run) -> Path:
    """Draw reward, held-out accuracy and KL against steps into `plot.png`; returns its path."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "Plots need the package 'matplotlib': pip install 'rlvr[train]'."
        ) from error
    rows = run.read_metrics()
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots(len(PANELS), 1, sharex=True)
    for axis, (key, label) in zip(axes, PANELS, strict=True):
        points = _points(rows, key)
        axis.plot(*zip(*points, strict=True), marker="o" if len(points) < 20 else None)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
        if key != "kl":
            axis.set_ylim(-0.02, 1.02)
    axes[-1].set_xlabel("GRPO step")
    figure.suptitle(run.path.name)
    path = run.path / "plot.png"
    figure.savefig(path, dpi=150)
    return path


def _points(rows: list[dict[str, Any]], key: str) -> list[tuple[int, float]]:
    return [(row["step"], row[key]) for row in rows if "step" in row and row.get(key) is not None]
