"""`rlvr kl RUN [RUN2]`: score against KL, and the KL of a model on published prompts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console


@click.command("kl")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("run2", type=click.Path(path_type=Path), required=False)
@click.option(
    "--score",
    default="reward",
    show_default=True,
    help="The metric on the plot: reward, held_out_accuracy or another of the run's.",
)
@click.option(
    "--best-of",
    type=click.Path(path_type=Path),
    help="A run with several samples a task of the start model, for best-of-n.",
)
@click.option(
    "--measure",
    "measures",
    is_flag=True,
    help="Measure each run's final model against its start, on prompts.",
)
@click.option("--model", help="Measure this one in place of RUN's final model.")
@click.option("--reference", help="Measure against this one in place of RUN's start.")
@click.option(
    "--prompts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="JSONL with prompts; by default the published set, 64 in 8 domains.",
)
@click.option(
    "--samples",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Responses to each prompt.",
)
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=256, show_default=True)
@click.option(
    "--temperature", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False),
              help="The plot's file; by default RUN/kl.png.")  # fmt: skip
def command(
    run: Path,
    run2: Path | None,
    score: str,
    best_of: Path | None,
    measures: bool,
    model: str | None,
    reference: str | None,
    prompts: Path | None,
    samples: int,
    max_new_tokens: int,
    temperature: float,
    seed: int,
    out: Path | None,
) -> None:
    """Plot the score of RUN, or of two runs, against the KL to the model it began with.

    With --measure, --model or --reference, the KL of the final model is measured too, by sampling
    from it, and written into RUN/kl.json. Two runs are compared by what stands there.
    """
    from rlvr.core.errors import OptionError
    from rlvr.runs.run import read_rollouts
    from rlvr.training.kl.best_of_n import best_of_n
    from rlvr.training.kl.curve import read_curve
    from rlvr.training.kl.plot import plot_curves
    from rlvr.training.kl.report import write_report

    runs = [run] if run2 is None else [run, run2]
    if run2 is not None and (model or reference):
        raise OptionError("--model and --reference are for one run; measure each by itself.")
    measures = measures or bool(model or reference)
    curves = [read_curve(one, score) for one in runs]
    best = None if best_of is None else best_of_n(read_rollouts(best_of))
    reports = []
    for one, curve in zip(runs, curves, strict=True):
        found = (
            _measured(one, model, reference, prompts, samples, max_new_tokens, temperature, seed)
            if measures
            else None
        )
        reports.append(write_report(one, curve, best, found))
    path = run / "kl.png" if out is None else out
    plot_curves(curves, best or [], path)
    _print(runs, reports)
    print(path)


def _measured(
    run: Path,
    model: str | None,
    reference: str | None,
    prompts: Path | None,
    samples: int,
    max_new_tokens: int,
    temperature: float,
    seed: int,
) -> dict[str, Any]:
    from rlvr.training.kl.measure import MeasureConfig
    from rlvr.training.kl.prompts import prompt_set
    from rlvr.training.kl.report import measured, models_of

    config = MeasureConfig(samples, max_new_tokens, temperature, seed)
    if model is None or reference is None:
        last, start = models_of(run)
        model, reference = model or last, reference or start
    chosen = prompt_set(prompts)
    with Console(stderr=True).status(f"measuring {run}: {len(chosen.tasks)} prompts"):
        return measured(model, reference, chosen, config)


def _print(runs: Sequence[Path], reports: Sequence[dict[str, Any]]) -> None:
    from rlvr.training.kl.report import differences

    for run, report in zip(runs, reports, strict=True):
        curve, there = report["curve"], report.get("measured")
        last = curve["points"][-1]
        print(
            f"{run}: {curve['score']} {last['score']:.3f} at step {last['step']}, "
            f"KL {last['kl']:.3g} nats a sequence"
        )
        if there:
            prompts = there["prompts"]
            print(
                f"  on {prompts['count']} prompts ({prompts['name']}, {prompts['digest']}): "
                f"KL {_interval(there['sequence']['k1'])} nats a sequence, "
                f"{_interval(there['token']['k1'])} a token"
            )
    measured = [report["measured"] for report in reports if report.get("measured")]
    if len(measured) == 2 and (different := differences(*measured)):
        print(
            f"rlvr: warning: the two were measured with different {', '.join(different)}: their KL "
            f"on prompts can't be compared. Run both again with --measure.",
            file=sys.stderr,
        )


def _interval(figure: dict[str, float | None]) -> str:
    if figure["low"] is None:
        return f"{figure['value']:.3g}"
    return f"{figure['value']:.3g} ({figure['low']:.3g} – {figure['high']:.3g})"
