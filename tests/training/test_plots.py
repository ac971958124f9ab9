"""The plots of a training run: nothing overlaps, and no curve hides another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rlvr.runs.run import Run
from rlvr.training import plot
from rlvr.training.kl.curve import Curve, CurvePoint, draw

pytest.importorskip("matplotlib", reason="plots need rlvr[train]")


@pytest.mark.parametrize("panels", [1, 2, 3])
def test_each_label_is_beside_its_own_panel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, panels: int
) -> None:
    keys = ("kl/sequence/k1", "held_out_accuracy", "reward")[:panels]
    rows = [{"step": step, **dict.fromkeys(keys, 0.1 * step)} for step in range(10)]
    figures: list[Any] = []
    new_figure = plot.new_figure

    def kept(width: float, height: float) -> Any:
        figures.append(new_figure(width, height))
        return figures[-1]

    monkeypatch.setattr(plot, "new_figure", kept)
    with Run.create(tmp_path / "run", "train", {}) as run:
        (run.path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        plot.plot_run(run)
    (figure,) = figures
    figure.set_dpi(150)  # as in the file
    for axis in figure.axes:
        label, panel = axis.yaxis.label.get_window_extent(), axis.get_window_extent()
        assert panel.y0 <= label.y0
        assert label.y1 <= panel.y1
        assert label.x0 >= 0


def test_equal_curves_are_both_seen_and_say_where_they_begin() -> None:
    points = tuple(CurvePoint(step, 0.1 * step, 0.5 + 0.01 * step) for step in range(1, 31))
    figure = draw([Curve(name, "reward", "kl", points) for name in ("a", "b")], [])
    (axis,) = figure.axes
    under, over = axis.lines
    assert under.get_linewidth() > over.get_linewidth()
    assert (under.get_linestyle(), over.get_linestyle()) == ("-", "--")
    assert [text.get_text() for text in axis.texts] == ["step 1", "step 30"] * 2
