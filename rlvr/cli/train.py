"""`rlvr train quickstart`: RLVR from nothing to a plot, on a CPU."""

from __future__ import annotations

import time

import click
from rich.console import Console


@click.group("train")
def command() -> None:
    """Train a model on an environment's verifiable reward."""


@command.command("quickstart", short_help="make a small model and train it by GRPO, on a CPU")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--steps", type=click.IntRange(min=1), default=60, show_default=True, help="GRPO steps."
)
@click.option("--run", "run_path", help="The run's folder; by default runs/quickstart-TIME.")
def quickstart_command(seed: int, steps: int, run_path: str | None) -> None:
    """Make a small model, warm it up, train it by GRPO, and measure it before and after.

    Nothing is downloaded. On two CPU cores it takes about a minute where nothing else wants them.
    """
    # The training stack takes seconds to import: not before it's asked for.
    from rlvr.training.quickstart import QuickstartConfig, quickstart

    began = time.monotonic()
    outcome = quickstart(QuickstartConfig(seed=seed, steps=steps), run_path)
    before, after = outcome.before.correct.value, outcome.after.correct.value
    Console().print(
        f"held-out accuracy {before:.3f} → {after:.3f} "
        f"(seed {seed}, {steps} steps, {time.monotonic() - began:.0f} s)\n"
        f"run: {outcome.run} (plot.png, metrics.jsonl, rollouts.jsonl)",
        highlight=False,
        soft_wrap=True,
    )
