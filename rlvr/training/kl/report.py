"""The findings of `rlvr kl` about a run, as `kl.json` in its folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from rlvr.core.errors import DataError
from rlvr.core.files import write_json
from rlvr.runs.run import about
from rlvr.training.kl.best_of_n import BestOfN
from rlvr.training.kl.curve import Curve
from rlvr.training.kl.prompts import MeasureConfig, PromptSet

Json: TypeAlias = dict[str, Any]
FILE = "kl.json"
# Two measurements can be compared if these are the same.
_SAME = ("prompts", "samples", "max_new_tokens", "temperature")


def models_of(run: Path) -> tuple[str, str]:
    """Return the folder or id of a run's final model and of its starting model.

    Raises `DataError` if the run has no final model yet, or doesn't name its starting model.
    """
    config = about(run).get("config") or {}
    # The quickstart keeps its starting model in the run's folder.
    warmed_up = run / "model-warmed-up"
    start = str(warmed_up) if warmed_up.is_dir() else config.get("model")
    if not (run / "model").is_dir():
        raise DataError(f"{str(run)!r} has no final model yet; name one with --model DIR.")
    if not isinstance(start, str):
        raise DataError(
            f"{str(run / 'run.json')!r} doesn't name its starting model; name it with "
            f"--reference DIR."
        )
    return str(run / "model"), start


def measured(model: str, reference: str, prompts: PromptSet, config: MeasureConfig) -> Json:
    """Measure the KL, and return the measurement with all settings that it depends on."""
    from rlvr.training.kl.measure import measure  # torch: not for a plot alone

    settings = asdict(config)
    del settings["batch_size"]
    measurement = measure(model, reference, prompts, config)
    return {
        "model": model,
        "reference": reference,
        "prompts": {
            "name": prompts.name,
            "digest": prompts.digest,
            "count": len(prompts.tasks),
        },
        **settings,
        **measurement.to_json(),
    }


def write_report(
    run: Path,
    curve: Curve | None,
    best: Sequence[BestOfN] | None,
    measurement: Json | None,
) -> Json:
    """Write the parts that aren't None into the run's `kl.json`, and return all of its content."""
    report = read_report(run)
    if curve is not None:
        report["curve"] = asdict(curve)
    if best is not None:
        report["best_of_n"] = [
            {"n": point.n, "kl": point.kl, "score": point.score.to_json(), "tasks": point.tasks}
            for point in best
        ]
    if measurement is not None:
        report["measured"] = measurement
    write_json(run / FILE, report, indent=1)
    return report


def read_report(run: Path) -> Json:
    """Return the run's `kl.json`; an empty dictionary if it is missing or can't be read."""
    try:
        report = json.loads((run / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def differences(first: Json, second: Json) -> list[str]:
    """Return the settings in which two measurements differ, so that their KLs can't be compared."""
    return [name for name in _SAME if first.get(name) != second.get(name)]
