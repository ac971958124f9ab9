"""An audit as text for a terminal, and as one HTML file that needs nothing else."""

from __future__ import annotations

import io
from html import escape

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rlvr.authoring.audit.finding import Audit, Finding, ProbeOutcome

_STYLE = {
    ProbeOutcome.OK: "green",
    ProbeOutcome.NOTE: "yellow",
    ProbeOutcome.KNOWN: "cyan",
    ProbeOutcome.FAIL: "bold red",
    ProbeOutcome.NOTHING: "dim",
    ProbeOutcome.BROKEN: "bold magenta",
}
_CSS = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .4rem .8rem .4rem 0; vertical-align: top; }
td:first-child { width: 5rem; } td:nth-child(2) { width: 14rem; font-family: ui-monospace, monospace; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; margin: .3rem 0; opacity: .85; }
.fix { margin: .3rem 0; } .about { opacity: .7; font-size: .85rem; font-family: system-ui, sans-serif; }
.ok { color: #2a7f3f; } .note { color: #9a6700; } .known { color: #1f6f8b; }
.fail, .broken { color: #c62828; font-weight: 600; } .nothing { opacity: .6; }
"""


def table(audit: Audit, everything: bool = False) -> RenderableType:
    """The findings by group; evidence and fix of what isn't `ok`; the verdict on the whole.

    Args:
        everything: also probes that had nothing to look at.
    """
    parts: list[RenderableType] = []
    shown = [one for one in audit if everything or one.outcome is not ProbeOutcome.NOTHING]
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
    counts = {outcome: sum(one.outcome is outcome for one in audit) for outcome in ProbeOutcome}
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
    if finding.outcome not in (ProbeOutcome.OK, ProbeOutcome.NOTHING):
        lines += [Padding(Text(line, "dim"), (0, 0, 0, 2)) for line in finding.evidence]
        if finding.fix:
            lines.append(Padding(Text(f"→ {finding.fix}"), (0, 0, 0, 2)))
    return Group(*lines)


def page(audit: Audit, about: dict[str, str] | None = None) -> str:
    """The whole page.

    Args:
        about: what each probe checks, by its name.
    """
    groups = []
    for group in dict.fromkeys(one.group for one in audit):
        rows = "\n".join(
            _html_row(one, (about or {}).get(one.probe, "")) for one in audit if one.group == group
        )
        groups.append(f"<h2>{escape(group)}</h2>\n<table>\n{rows}\n</table>")
    options = ", ".join(f"{name}={value!r}" for name, value in audit.options.items())
    made = f"<p>Made with {escape(options)}.</p>" if options else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>Audit of {escape(audit.environment)}'
        f"</title><style>{_CSS}</style></head>\n<body>\n<h1>Audit of {escape(audit.environment)}</h1>\n"
        f'<p class="{"ok" if audit.ok else "fail"}">{escape(summary(audit))}</p>\n{made}\n'
        + "\n".join(groups)
        + "\n</body></html>\n"
    )


def _html_row(finding: Finding, about: str) -> str:
    evidence = "".join(f"<pre>{escape(line)}</pre>" for line in finding.evidence)
    fix = f'<p class="fix">→ {escape(finding.fix)}</p>' if finding.fix else ""
    if finding.outcome in (ProbeOutcome.OK, ProbeOutcome.NOTHING):
        evidence = fix = ""
    return (
        f'<tr><td class="{finding.outcome}">{finding.outcome}</td>'
        f'<td>{escape(finding.probe)}<div class="about">{escape(about)}</div></td>'
        f"<td>{escape(finding.summary)}{evidence}{fix}</td></tr>"
    )
