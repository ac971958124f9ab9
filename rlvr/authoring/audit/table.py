"""An audit as text for a terminal."""

from __future__ import annotations

import io

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rlvr.authoring.audit.finding import Audit, Finding, Outcome

_STYLE = {
    Outcome.OK: "green",
    Outcome.NOTE: "yellow",
    Outcome.KNOWN: "cyan",
    Outcome.FAIL: "bold red",
    Outcome.NOTHING: "dim",
    Outcome.BROKEN: "bold magenta",
}


def table(audit: Audit, everything: bool = False) -> RenderableType:
    """The findings by group; evidence and mend of what isn't `ok`; the verdict on the whole.

    Args:
        everything: also probes that had nothing to look at.
    """
    parts: list[RenderableType] = []
    shown = [one for one in audit if everything or one.outcome is not Outcome.NOTHING]
    for group in dict.fromkeys(one.group for one in audit):
        grid = Table(box=None, pad_edge=False, show_header=False)
        grid.add_column(no_wrap=True, width=8)
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for one in (one for one in shown if one.group == group):
            grid.add_row(Text(one.outcome, _STYLE[one.outcome]), one.probe, _said(one))
        parts += [Text(f"\n{group}", "bold"), grid]
    return Group(*parts, Text(f"\n{summary(audit)}", "bold"))


def summary(audit: Audit) -> str:
    """The verdict in a line or two."""
    counts = {outcome: sum(one.outcome is outcome for one in audit) for outcome in Outcome}
    said = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    floor = "" if audit.hack_floor is None else f" Hack floor {audit.hack_floor:.1%}."
    verdict = "passes" if audit.ok else "does not pass"
    return f"{audit.environment} {verdict}: {said} ({audit.tasks} tasks, {audit.seconds:.0f} s).{floor}"


def as_text(audit: Audit, width: int = 110) -> str:
    """The table without colours."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(table(audit))
    return out.getvalue()


def _said(finding: Finding) -> RenderableType:
    lines: list[RenderableType] = [Text(finding.summary)]
    if finding.outcome not in (Outcome.OK, Outcome.NOTHING):
        lines += [Padding(Text(line, "dim"), (0, 0, 0, 2)) for line in finding.evidence]
        if finding.mend:
            lines.append(Padding(Text(f"→ {finding.mend}"), (0, 0, 0, 2)))
    return Group(*lines)
