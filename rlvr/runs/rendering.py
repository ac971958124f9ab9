"""Reports as text, as commands and `print` show them, and as a table in a notebook."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlvr.runs.statistics import Estimate

if TYPE_CHECKING:
    from rlvr.runs.report import Report

FEW = 20
"""Tasks below which an interval is too narrow to rank by."""


def printable(text: str, most: int = 200) -> str:
    """Escape unprintable characters of a text and cut it off after `most` characters.

    Half a surrogate pair can't be written as UTF-8, and a terminal obeys control characters.
    """
    shown = text[: most + 1]
    cut = shown[:most] + "…" if len(shown) > most else shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def figure(estimate: Estimate) -> str:
    """Return an estimate as text; a figure that is not there is a dash."""
    if math.isnan(estimate.value):
        return "–"
    if math.isnan(estimate.half):
        return f"{estimate.value:.4f}"
    return f"{estimate.value:.4f} ± {estimate.half:.4f}"


def few(tasks: int) -> str:
    """Return the mark of a figure from too few tasks."""
    return f"only {tasks} task{'' if tasks == 1 else 's'}: too few to rank by"


def report_lines(report: Report, by: str | None = None) -> Iterator[str]:
    """Yield the figures of an environment, each with its uncertainty, and why rollouts were not scored.

    Args:
        by: the key that the report's slices are of, for their heading.
    """
    where = f"{report.env} ({report.part}): " if report.part else ""
    yield (
        f"{where}reward {figure(report.mean)} · correct {figure(report.correct)} · {_counts(report)}"
    )
    for name, value in _rows(report):
        yield f"  {name:<20} {value}"
        if name.startswith("unscored: "):
            cause = name.removeprefix("unscored: ")
            if cause in report.examples:
                task, message = report.examples[cause]
                yield f"    such as {printable(task, 60)}: {printable(message, 300)}"
    yield from _slice_lines(report, by)


def report_html(report: Report) -> str:
    """Return the figures as a table for a notebook. Whatever a model or a data file wrote is escaped."""
    part = f" ({report.part})" if report.part else ""
    title = html.escape(printable(f"{report.env}{part}: {_counts(report)}", 300))
    rows = [("reward", figure(report.mean)), ("correct", figure(report.correct)), *_rows(report)]
    lines = [
        f'<tr><th style="text-align:left">{html.escape(printable(name))}</th>'
        f'<td style="text-align:left">{html.escape(value)}{_example(report, name)}</td></tr>'
        for name, value in rows
    ]
    for name, part_report in report.slices.items():
        note = f" ({few(part_report.tasks)})" if part_report.tasks < FEW else ""
        cell = f"{part_report.tasks} tasks, reward {figure(part_report.mean)}, correct {figure(part_report.correct)}{note}"
        lines.append(
            f'<tr><th style="text-align:left">slice {html.escape(printable(name, 60))}</th>'
            f'<td style="text-align:left">{html.escape(cell)}</td></tr>'
        )
    return f'<table><caption style="text-align:left">{title}</caption><tbody>{"".join(lines)}</tbody></table>'


def _counts(report: Report) -> str:
    missing = f", {report.missing} missing" if report.missing else ""
    unscored = report.rollouts - report.scored
    return f"{report.scored} scored, {unscored} unscored{missing} of {report.asked}"


def _rows(report: Report) -> Iterator[tuple[str, str]]:
    if report.scored != report.asked:
        yield "unscored as 0", f"reward {figure(report.mean_unscored_as_0)}"
        yield "unscored as 1", f"reward {figure(report.mean_unscored_as_1)}"
        if "mean" in report.bounds:
            (low, high), correct = report.bounds["mean"], report.bounds["correct"]
            yield (
                "of all asked",
                f"reward {low:.4f} to {high:.4f}, correct {correct[0]:.4f} to {correct[1]:.4f}",
            )
    curve = report.pass_at_k
    if len(curve) > 1:
        for k, chance in enumerate(curve, 1):
            if k & (k - 1) == 0 or k == len(curve):
                yield f"pass@{k}", f"{figure(chance)}{_between(report, f'pass@{k}')}"
        yield "majority", f"{figure(report.majority)}{_between(report, 'majority')}"
    for status, count in report.statuses.items():
        yield status, str(count)
    for cause, count in report.unscored.items():
        yield f"unscored: {cause}", str(count)
    if report.truncated:
        yield "truncated", f"{report.truncated:.4f}"
    if report.cost is not None:
        yield "cost", f"{report.cost:.4f}"


def _between(report: Report, name: str) -> str:
    if report.scored == report.asked or name not in report.bounds:
        return ""
    low, high = report.bounds[name]
    return f", of all asked {low:.4f} to {high:.4f}"


def _example(report: Report, name: str) -> str:
    example = report.examples.get(name.removeprefix("unscored: "))
    if example is None or not name.startswith("unscored: "):
        return ""
    task, message = example
    return f"<br><small>such as {html.escape(printable(task, 60))}: {html.escape(printable(message, 300))}</small>"


def _slice_lines(report: Report, by: str | None) -> Iterator[str]:
    if not report.slices:
        return
    yield f"  by {by}:" if by is not None else "  by slice:"
    width = min(40, max(len(name) for name in report.slices))
    weakest = report.weakest()
    for name in [*weakest, *(name for name in report.slices if name not in weakest)]:
        part = report.slices[name]
        unscored = part.rollouts - part.scored
        notes = [f"{unscored} unscored"] if unscored else []
        notes += [few(part.tasks)] if part.tasks < FEW else []
        note = f" ({'; '.join(notes)})" if notes else ""
        yield (
            f"    {printable(name, 40):<{width}} {part.tasks:>6} tasks  reward {figure(part.mean)} · "
            f"correct {figure(part.correct)}{note}"
        )
