"""`rlvr kl RUN [RUN2]`: plot score against KL, and measure a model's KL on published prompts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from rlvr.cli.options import dataclass_options

if TYPE_CHECKING:
    from rlvr.training.kl.prompts import MeasureConfig


def _options(function: Callable[..., None]) -> Callable[..., None]:
    from rlvr.training.kl.prompts import MeasureConfig

    names = ("samples", "max_new_tokens", "temperature", "seed")
    return dataclass_options(MeasureConfig, *names)(function)


@click.command("kl")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("run2", type=click.Path(path_type=Path), required=False)
@click.option(
    "--score",
    default="reward",
    help="Metric to plot against the KL: held_out_accuracy or another one of the run (default reward).",
)
@click.option(
    "--best-of",
    type=click.Path(path_type=Path),
    help="A run with several samples per task of the starting model, to plot best-of-n beside.",
)
@click.option(
    "--measure",
    "measures",
    is_flag=True,
    help="Measure the KL of each run's final model to its starting model, on prompts.",
)
@click.option("--model", help="Measure this model instead of RUN's final one.")
@click.option("--reference", help="Measure against this model instead of RUN's starting one.")
@click.option(
    "--prompts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A JSONL file of prompts (default: the published set, 64 in 8 domains).",
)
@_options
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the plot (default: RUN/kl.png).",
)
def command(
    run: Path,
    run2: Path | None,
    score: str,
    best_of: Path | None,
    measures: bool,
    model: str | None,
    reference: str | None,
    prompts: Path | None,
    out: Path | None,
    **settings: Any,
) -> None:
    """Plot the score of RUN, or of two runs, against the KL to the starting model.

    With --measure, --model or --reference, the KL of the final model is also measured, by sampling from it, and written
    to RUN/kl.json. Two runs are compared by their measurements.
    """
    from rlvr.core.errors import OptionError
    from rlvr.runs.run import read_rollouts
    from rlvr.training.kl.best_of_n import best_of_n
    from rlvr.training.kl.curve import plot_curves, read_curve
    from rlvr.training.kl.prompts import MeasureConfig
    from rlvr.training.kl.report import write_report

    runs = [run] if run2 is None else [run, run2]
    if run2 is not None and (model or reference):
        raise OptionError("--model and --reference are for one run; measure each run by itself.")
    config = MeasureConfig(**{name: value for name, value in settings.items() if value is not None})
    curves = [read_curve(folder, score) for folder in runs]
    best = None if best_of is None else best_of_n(read_rollouts(best_of))
    reports = []
    for folder, curve in zip(runs, curves, strict=True):
        measurement = None
        if measures or model or reference:
            measurement = _measurement(folder, model, reference, prompts, config)
        reports.append(write_report(folder, curve, best, measurement))
    path = run / "kl.png" if out is None else out
    plot_curves(curves, best or [], path)
    _print(runs, reports)
    print(path)


def _measurement(
    run: Path, model: str | None, reference: str | None, prompts: Path | None, config: MeasureConfig
) -> dict[str, Any]:
    from rlvr.training.kl.prompts import prompt_set
    from rlvr.training.kl.report import measured, models_of

    if model is None or reference is None:
        last, start = models_of(run)
        model, reference = model or last, reference or start
    chosen = prompt_set(prompts)
    with Console(stderr=True).status(f"measuring {run}: {len(chosen.tasks)} prompts"):
        return measured(model, reference, chosen, config)


def _print(runs: Sequence[Path], reports: Sequence[dict[str, Any]]) -> None:
    from rlvr.training.kl.report import differences

    for run, report in zip(runs, reports, strict=True):
        curve, measured = report["curve"], report.get("measured")
        last = curve["points"][-1]
        print(
            f"{run}: {curve['score']} {last['score']:.3f} at step {last['step']}, "
            f"KL {last['kl']:.3g} nats per sequence"
        )
        if measured:
            prompts = measured["prompts"]
            print(
                f"  on {prompts['count']} prompts ({prompts['name']}, {prompts['digest']}): "
                f"KL {_interval(measured['sequence']['k1'])} nats per sequence, "
                f"{_interval(measured['token']['k1'])} per token"
            )
    both = [report["measured"] for report in reports if report.get("measured")]
    if len(both) == 2 and (different := differences(*both)):
        print(
            f"rlvr: warning: the two runs were measured with different {', '.join(different)}: their KL on prompts "
            f"can't be compared. Run both again with --measure.",
            file=sys.stderr,
        )


def _interval(figure: dict[str, float | None]) -> str:
    if figure["low"] is None:
        return f"{figure['value']:.3g}"
    return f"{figure['value']:.3g} ({figure['low']:.3g} – {figure['high']:.3g})"
