"""Reports and comparisons as the commands print them."""

from __future__ import annotations

import math

import click

from rlvr.cli.printable import printable
from rlvr.evaluation.compare import Compared
from rlvr.runs.report import FEW, Report
from rlvr.runs.statistics import Estimate

UNSCORED = 3
"""The exit status if something was not scored."""


def print_report(report: Report, by: str | None = None) -> None:
    """Print the figures of an environment, each with its uncertainty, and why rollouts were not scored."""
    where = f"{report.env} ({report.part}): " if report.part else ""
    unscored = report.rollouts - report.scored
    missing = f", {report.missing} missing" if report.missing else ""
    click.echo(
        f"{where}reward {figure(report.mean)} · correct {figure(report.correct)} · "
        f"{report.scored} scored, {unscored} unscored{missing} of {report.asked}"
    )
    _print_bounds(report)
    curve = report.pass_at_k
    for k, chance in enumerate(curve, 1):
        if len(curve) > 1 and (k & (k - 1) == 0 or k == len(curve)):
            click.echo(f"  {f'pass@{k}':<20} {figure(chance)}{_between(report, f'pass@{k}')}")
    if len(curve) > 1:
        click.echo(f"  {'majority':<20} {figure(report.majority)}{_between(report, 'majority')}")
    for status, count in report.statuses.items():
        click.echo(f"  {status:<20} {count}")
    for cause, count in report.unscored.items():
        click.echo(f"  {'unscored: ' + cause:<20} {count}")
        if cause in report.examples:
            task, message = report.examples[cause]
            click.echo(f"    such as {printable(task, 60)}: {printable(message, 300)}")
    if report.truncated:
        click.echo(f"  {'truncated':<20} {report.truncated:.4f}")
    if report.cost is not None:
        click.echo(f"  {'cost':<20} {report.cost:.4f}")
    _print_slices(report, by)


def _print_bounds(report: Report) -> None:
    if report.scored == report.asked:
        return
    for name, estimate in (
        ("unscored as 0", report.mean_unscored_as_0),
        ("unscored as 1", report.mean_unscored_as_1),
    ):
        click.echo(f"  {name:<20} reward {figure(estimate)}")
    if "mean" in report.bounds:
        (low, high), correct = report.bounds["mean"], report.bounds["correct"]
        click.echo(
            f"  {'of all asked':<20} reward {low:.4f} to {high:.4f}, "
            f"correct {correct[0]:.4f} to {correct[1]:.4f}"
        )


def _between(report: Report, name: str) -> str:
    if report.scored == report.asked or name not in report.bounds:
        return ""
    low, high = report.bounds[name]
    return f", of all asked {low:.4f} to {high:.4f}"


def _print_slices(report: Report, by: str | None) -> None:
    if not report.slices:
        return
    click.echo(f"  by {by}:")
    width = min(40, max(len(name) for name in report.slices))
    weakest = report.weakest()
    ordered = [*weakest, *(name for name in report.slices if name not in weakest)]
    for name in ordered:
        part = report.slices[name]
        unscored = part.rollouts - part.scored
        notes = [f"{unscored} unscored"] if unscored else []
        notes += [few(part.tasks)] if part.tasks < FEW else []
        note = f" ({'; '.join(notes)})" if notes else ""
        label = printable(name, 40)
        click.echo(
            f"    {label:<{width}} {part.tasks:>6} tasks  reward {figure(part.mean)} · "
            f"correct {figure(part.correct)}{note}"
        )


def print_compared(compared: Compared, runs: int) -> None:
    """Print a comparison of one environment or slice."""
    found = compared.paired
    if compared.slice is not None:
        note = f" ({few(found.tasks)})" if found.tasks < FEW else ""
        click.echo(
            f"    {printable(compared.slice, 40)}: {_means(compared)}, difference "
            f"{signed(found.difference)}, {_p(compared)}{note}"
        )
        return
    where = f"{compared.env} ({compared.part})" if compared.part else compared.env
    click.echo(f"{where}: {_means(compared)}")
    click.echo(f"  difference {signed(found.difference)}")
    click.echo(
        f"  higher on {found.higher} tasks, lower on {found.lower}, equal on {found.ties}: "
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
    if found.tasks < FEW:
        click.echo(f"  {few(found.tasks)}")


def _means(compared: Compared) -> str:
    first, second = compared.means
    return f"reward {first:.4f} → {second:.4f} on {compared.paired.tasks} tasks"


def _p(compared: Compared) -> str:
    p = f"p {compared.paired.p:.3g}"
    return p if math.isnan(compared.p_holm) else f"{p}, Holm's {compared.p_holm:.3g}"


def few(tasks: int) -> str:
    """Return the mark of a figure from too few tasks."""
    return f"only {tasks} task{'' if tasks == 1 else 's'}: too few to rank by"


def figure(estimate: Estimate) -> str:
    """Return an estimate as text; a figure that is not there is a dash."""
    if math.isnan(estimate.value):
        return "–"
    if math.isnan(estimate.half):
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} ± {estimate.half:.4f}"


def signed(estimate: Estimate) -> str:
    """Return a difference with its interval as text."""
    if math.isnan(estimate.half):
        return f"{estimate.value:+.4f}"
    return f"{estimate.value:+.4f}, 95% from {estimate.low:+.4f} to {estimate.high:+.4f}"
