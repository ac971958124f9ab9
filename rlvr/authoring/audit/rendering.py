"""An audit as text for a terminal, and as one HTML file that needs nothing else."""

from __future__ import annotations

import io
from dataclasses import replace
from html import escape

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rlvr.authoring.audit.finding import Audit, Finding, ProbeOutcome

_COLOURS = {
    ProbeOutcome.OK: "green",
    ProbeOutcome.NOTE: "yellow",
    ProbeOutcome.KNOWN: "cyan",
    ProbeOutcome.FAIL: "bold red",
    ProbeOutcome.NOTHING: "dim",
    ProbeOutcome.BROKEN: "bold magenta",
}
_ALIKE = 3  # least number of strategies with the same share that are shown as one row
_QUIET = (ProbeOutcome.OK, ProbeOutcome.NOTHING)
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
    """Return the findings by group, with evidence and advice unless they are ok, and the summary.

    Args:
        everything: also show probes that had nothing to look at, and each strategy in a row of its own.
    """
    parts: list[RenderableType] = []
    if audit.cause:
        parts.append(Text(audit.cause, "bold red"))
    findings = list(audit) if everything else _alike_merged(audit)
    for group in dict.fromkeys(finding.group for finding in audit):
        grid = Table(box=None, pad_edge=False, show_header=False)
        grid.add_column(no_wrap=True, width=8)
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for finding in findings:
            if finding.group == group:
                style = _COLOURS[finding.outcome]
                grid.add_row(Text(finding.outcome, style), finding.probe, _lines(finding))
        parts += [Text(f"\n{group}", "bold"), grid]
    return Group(*parts, Text(f"\n{summary(audit)}", "bold"))


def summary(audit: Audit) -> str:
    """Return the audit's verdict in one or two lines."""
    counts = {outcome: sum(f.outcome is outcome for f in audit) for outcome in ProbeOutcome}
    parts = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
    floor = "" if audit.hack_floor is None else f" Hack floor {audit.hack_floor:.1%}."
    name = (
        "The environment" if audit.environment == "tasks" else audit.environment
    )  # it has no name
    verdict = "passes" if audit.ok else "does not pass"
    return f"{name} {verdict}: {parts} ({audit.tasks} tasks, {audit.seconds:.0f} s).{floor}"


def as_text(audit: Audit, width: int = 110) -> str:
    """Return the table without colours."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(table(audit))
    return out.getvalue()


def page(audit: Audit, about: dict[str, str] | None = None) -> str:
    """Return the audit as an HTML page.

    Args:
        about: a sentence on each probe, by its name.
    """
    name = escape(audit.environment)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>Audit of {name}'
        f"</title><style>{_CSS}</style></head>\n<body>\n<h1>Audit of {name}</h1>\n"
        f"{fragment(audit, about)}\n</body></html>\n"
    )


def fragment(audit: Audit, about: dict[str, str] | None = None) -> str:
    """Return the body of the page, as a notebook shows it."""
    groups = []
    for group in dict.fromkeys(finding.group for finding in audit):
        rows = "\n".join(
            _html_row(finding, (about or {}).get(finding.probe, ""))
            for finding in audit
            if finding.group == group
        )
        groups.append(f"<h2>{escape(group)}</h2>\n<table>\n{rows}\n</table>")
    options = ", ".join(f"{name}={value!r}" for name, value in audit.options.items())
    made_with = f"<p>Made with {escape(options)}.</p>" if options else ""
    cause = f'<p class="fail">{escape(audit.cause)}</p>\n' if audit.cause else ""
    return (
        f'<p class="{"ok" if audit.ok else "fail"}">{escape(summary(audit))}</p>\n{cause}{made_with}\n'
        + "\n".join(groups)
    )


def _alike_merged(audit: Audit) -> list[Finding]:
    """Return the findings except those of probes without material. Strategies with one outcome and share are one row."""
    findings = [finding for finding in audit if finding.outcome is not ProbeOutcome.NOTHING]
    alike: dict[tuple[ProbeOutcome, float], list[Finding]] = {}
    for finding in findings:
        if "strategy" in finding.figures:
            key = (finding.outcome, finding.figures["share"])
            alike.setdefault(key, []).append(finding)
    merged: list[Finding] = []
    for finding in findings:
        same = alike.get((finding.outcome, finding.figures.get("share", -1.0)), [])
        if "strategy" not in finding.figures or len(same) < _ALIKE:
            merged.append(finding)
        elif finding is same[0]:
            names = ", ".join(f.figures["strategy"] for f in same)
            share = finding.figures["share"]
            merged.append(
                replace(
                    finding,
                    probe=f"{len(same)} strategies",
                    summary=f"each earns {share:.1%} of the full reward: {names}",
                )
            )
    return merged


def _lines(finding: Finding) -> RenderableType:
    lines: list[RenderableType] = [Text(finding.summary)]
    if finding.outcome not in _QUIET:
        lines += [Padding(Text(line, "dim"), (0, 0, 0, 2)) for line in finding.evidence]
        if finding.fix:
            lines.append(Padding(Text(f"→ {finding.fix}"), (0, 0, 0, 2)))
    return Group(*lines)


def _html_row(finding: Finding, about: str) -> str:
    evidence = "".join(f"<pre>{escape(line)}</pre>" for line in finding.evidence)
    fix = f'<p class="fix">→ {escape(finding.fix)}</p>' if finding.fix else ""
    if finding.outcome in _QUIET:
        evidence = fix = ""
    return (
        f'<tr><td class="{finding.outcome}">{finding.outcome}</td>'
        f'<td>{escape(finding.probe)}<div class="about">{escape(about)}</div></td>'
        f"<td>{escape(finding.summary)}{evidence}{fix}</td></tr>"
    )
