"""`rlvr quickstart`: train a small model from random weights by GRPO, on a CPU."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console

from rlvr.cli.options import dataclass_options


def _options(function: Callable[..., None]) -> Callable[..., None]:
    from rlvr.training.quickstart import QuickstartConfig

    return dataclass_options(QuickstartConfig, "seed", "warmup_steps", "steps")(function)


@click.command("quickstart")
@_options
@click.option("--run", "run_path", help="The run's folder (default: runs/quickstart-TIME).")
def command(run_path: str | None, **settings: Any) -> None:
    """Make a small model, warm it up and train it by GRPO, on a CPU, in minutes.

    It needs no model, no data and no network, and writes a run with a plot that `rlvr view` opens.
    """
    from rlvr.training.quickstart import QuickstartConfig, quickstart

    began = time.monotonic()
    changes = {name: value for name, value in settings.items() if value is not None}
    config = QuickstartConfig(**changes)
    outcome = quickstart(config, run_path)
    before, after = outcome.before.correct.value, outcome.after.correct.value
    Console().print(
        f"held-out accuracy {before:.3f} → {after:.3f} "
        f"(seed {config.seed}, {config.steps} steps, {time.monotonic() - began:.0f} s)\n"
        f"run: {outcome.run} (plot.png, metrics.jsonl, rollouts.jsonl)",
        highlight=False,
        soft_wrap=True,
    )
