"""`rlvr export RUN --to FORMAT`: a run in the form that another tool reads."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from rlvr.evaluation.exports import FORMATS, export

# The formats that have each option.
_OF = {
    "margin": ("preferences",),
    "pairs": ("preferences",),
    "truncated": ("preferences", "sft"),
    "threshold": ("sft",),
    "per_task": ("sft",),
    "seed": ("sft",),
}


@click.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", required=True, type=click.Choice(list(FORMATS)), help="The format to write.")
@click.option("-o", "--out", type=click.Path(path_type=Path),
              help="The file to write, or the folder for inspect and lm-eval (default: in RUN/exports).")  # fmt: skip
@click.option(
    "--step", type=int, help="Write only the rollouts of this training step (default: all)."
)
@click.option(
    "--margin",
    type=float,
    help="For preferences: the least difference of two rewards (default: any).",
)
@click.option("--pairs", type=click.Choice(["best", "all"]),
              help="For preferences: pair the best with the worst response of a task, or write all pairs (default best).")  # fmt: skip
@click.option(
    "--threshold", type=float, help="For sft: the least reward of a response (default 1)."
)
@click.option("--per-task", type=int, help="For sft: the most responses per task (default 1).")
@click.option(
    "--seed", type=int, help="For sft: the seed of the choice among a task's responses (default 0)."
)
@click.option("--truncated", is_flag=True, default=None,
              help="For preferences and sft: write truncated responses too (default: leave them out).")  # fmt: skip
def command(run: Path, to: str, out: Path | None, step: int | None, **options: Any) -> None:
    """Write RUN's rollouts for another tool, and print the paths of what was written.

    \b
    jsonl, parquet   every rollout, a flat row with typed columns
    inspect          logs for inspect_ai
    lm-eval          results and samples as lm-evaluation-harness writes them
    preferences      pairs of a better and a worse response, for DPO
    sft              the responses that earned enough, for fine-tuning
    """
    chosen = {name: value for name, value in options.items() if value is not None}
    for name in chosen:
        if to not in _OF[name]:
            flag = "--" + name.replace("_", "-")
            raise click.UsageError(f"{flag} is for --to {' and '.join(_OF[name])}, not {to}.")
    done = export(run, to, out, step=step, **chosen)
    for path in done.paths:
        print(path)
    for line in (done.summary, *done.notes):
        print(f"rlvr: {line}", file=sys.stderr)
