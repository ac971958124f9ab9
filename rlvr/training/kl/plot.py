"""The plot of score against KL, one curve a run, with best-of-n beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlvr.core.errors import MissingExtraError
from rlvr.training.kl.best_of_n import BestOfN
from rlvr.training.kl.curve import Curve

_SMOOTH = 5  # steps: a batch's reward goes up and down more than the policy does


def plot_curves(curves: Sequence[Curve], best: Sequence[BestOfN], path: Path) -> None:
    """Write a PNG (or what the path's suffix says).

    The axis of the KL is linear in its square root, as in Gao et al. 2022 (arXiv 2210.10760): near
    the start the KL grows with the square of the distance. Its labels are nats.

    Raises `MissingExtraError` where matplotlib isn't installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(
            "Plots need the package 'matplotlib': pip install 'rlvr[train]'."
        ) from error
    figure = Figure(figsize=(7, 5), layout="constrained")
    axis = figure.subplots()
    for number, curve in enumerate(curves):
        kl, score = np.array([(p.kl, p.score) for p in curve.points]).T
        color = f"C{number}"
        if len(kl) < 4 * _SMOOTH:
            axis.plot(kl, score, color=color, marker="o", markersize=4, label=curve.name)
        else:
            window = np.ones(_SMOOTH) / _SMOOTH
            axis.scatter(kl, score, color=color, s=8, alpha=0.3, linewidths=0)
            kl, score = (np.convolve(values, window, "valid") for values in (kl, score))
            axis.plot(kl, score, color=color, label=f"{curve.name} (mean of {_SMOOTH} steps)")
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
    axis.set_xlabel("KL to the reference (nats a sequence, square-root axis)")
    axis.set_ylabel(" / ".join(dict.fromkeys(curve.score for curve in curves)))
    axis.grid(alpha=0.3)
    axis.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
