"""Reports and comparisons as the commands print them."""

from __future__ import annotations

import math

import click

from rlvr.evaluation.compare import Compared
from rlvr.runs.rendering import FEW, few, printable, report_lines
from rlvr.runs.report import Report
from rlvr.runs.statistics import Estimate

UNSCORED = 3
"""The exit status if something was not scored."""


def print_report(report: Report, by: str | None = None) -> None:
    """Print the figures of an environment, each with its uncertainty, and why rollouts were not scored."""
    for line in report_lines(report, by):
        click.echo(line)


def print_compared(compared: Compared, runs: int) -> None:
    """Print a comparison of one environment or slice."""
    paired = compared.paired
    if compared.slice is not None:
        note = f" ({few(paired.tasks)})" if paired.tasks < FEW else ""
        click.echo(
            f"    {printable(compared.slice, 40)}: {_means(compared)}, difference "
            f"{signed(paired.difference)}, {_p(compared)}{note}"
        )
        return
    where = f"{compared.env} ({compared.part})" if compared.part else compared.env
    click.echo(f"{where}: {_means(compared)}")
    click.echo(f"  difference {signed(paired.difference)}")
    click.echo(
        f"  higher on {paired.higher} tasks, lower on {paired.lower}, equal on {paired.ties}: "
        f"{_p(compared)}"
    )
    click.echo(f"  compared: {compared.method}")
    if any(compared.left_out):
        first, second = compared.left_out
        click.echo(f"  not compared: {first} tasks of the baseline, {second} of the run")
    if compared.changed:
        click.echo(
            f"  {compared.changed} tasks of one id have other references: not the same tasks"
        )
    if compared.reworded:
        click.echo(f"  the prompts of {compared.reworded} compared tasks differ")
    if paired.tasks < FEW:
        click.echo(f"  {few(paired.tasks)}")


def _means(compared: Compared) -> str:
    first, second = compared.means
    return f"reward {first:.4f} → {second:.4f} on {compared.paired.tasks} tasks"


def _p(compared: Compared) -> str:
    p = f"p {compared.paired.p:.3g}"
    return p if math.isnan(compared.p_holm) else f"{p}, Holm's {compared.p_holm:.3g}"


def signed(estimate: Estimate) -> str:
    """Return a difference with its interval as text."""
    if math.isnan(estimate.half):
        return f"{estimate.value:+.4f}"
    return f"{estimate.value:+.4f}, 95% from {estimate.low:+.4f} to {estimate.high:+.4f}"
