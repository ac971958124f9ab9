"""What `rlvr kl` finds about a run, as `kl.json` in its folder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlvr.core.errors import DataError
from rlvr.core.files import write_json
from rlvr.runs.run import about
from rlvr.training.kl.best_of_n import BestOfN
from rlvr.training.kl.curve import Curve
from rlvr.training.kl.prompts import PromptSet

if TYPE_CHECKING:
    from rlvr.training.kl.measure import MeasureConfig

FILE = "kl.json"
# What has to be the same for two measurements to be compared.
_SAME = ("prompts", "samples", "max_new_tokens", "temperature")


def models_of(run: Path) -> tuple[str, str]:
    """A run's final model and the one that it began with.

    Raises `DataError` where one of them isn't there any more.
    """
    config = about(run).get("config") or {}
    warmed_up = run / "model-warmed-up"  # the quickstart's start is in its own folder
    start = str(warmed_up) if warmed_up.is_dir() else config.get("model")
    if not (run / "model").is_dir():
        raise DataError(f"{str(run)!r} has no final model yet; name one with --model DIR.")
    if not isinstance(start, str):
        raise DataError(
            f"{str(run / 'run.json')!r} doesn't say what model it began with; name it with "
            f"--reference DIR."
        )
    return str(run / "model"), start


def measured(
    model: str, reference: str, prompts: PromptSet, config: MeasureConfig
) -> dict[str, Any]:
    """A measurement with all that it depends on."""
    from rlvr.training.kl.measure import measure  # torch: not for a plot alone

    settings = asdict(config)
    del settings["batch_size"]
    found = measure(model, reference, prompts, config)
    return {
        "model": model,
        "reference": reference,
        "prompts": {
            "name": prompts.name,
            "digest": prompts.digest,
            "count": len(prompts.tasks),
        },
        **settings,
        **found.to_json(),
    }


def write_report(
    run: Path,
    curve: Curve | None,
    best: Sequence[BestOfN] | None,
    measurement: dict[str, Any] | None,
) -> dict[str, Any]:
    """Write what's new into the run's `kl.json`; what isn't (None) stays as it was. Returns it all."""
    found = read_report(run)
    if curve is not None:
        found["curve"] = asdict(curve)
    if best is not None:
        found["best_of_n"] = [
            {"n": one.n, "kl": one.kl, "score": one.score.to_json(), "tasks": one.tasks}
            for one in best
        ]
    if measurement is not None:
        found["measured"] = measurement
    write_json(run / FILE, found, indent=1)
    return found


def read_report(run: Path) -> dict[str, Any]:
    """The run's `kl.json`; empty where there's none that can be read."""
    try:
        found = json.loads((run / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def differences(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """In what two measurements differ that must be the same for their KLs to be compared."""
    return [name for name in _SAME if first.get(name) != second.get(name)]
