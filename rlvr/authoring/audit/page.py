"""An audit as one HTML file that needs nothing else."""

from __future__ import annotations

from html import escape

from rlvr.authoring.audit.finding import Audit, Finding, Outcome
from rlvr.authoring.audit.table import summary

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
td { border-top: 1px solid var(--line); padding: .4rem .8rem .4rem 0; vertical-align: top; }
td:first-child { width: 5rem; } td:nth-child(2) { width: 14rem; font-family: ui-monospace, monospace; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .85rem; margin: .3rem 0; opacity: .85; }
.mend { margin: .3rem 0; } .about { opacity: .7; font-size: .85rem; font-family: system-ui, sans-serif; }
.ok { color: #2a7f3f; } .note { color: #9a6700; } .known { color: #1f6f8b; }
.fail, .broken { color: #c62828; font-weight: 600; } .nothing { opacity: .6; }
"""


def page(audit: Audit, about: dict[str, str] | None = None) -> str:
    """The whole page.

    Args:
        about: what each probe checks, by its name.
    """
    groups = []
    for group in dict.fromkeys(one.group for one in audit):
        rows = "\n".join(
            _row(one, (about or {}).get(one.probe, "")) for one in audit if one.group == group
        )
        groups.append(f"<h2>{escape(group)}</h2>\n<table>\n{rows}\n</table>")
    options = ", ".join(f"{name}={value!r}" for name, value in audit.options.items())
    made = f"<p>Made with {escape(options)}.</p>" if options else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>Audit of {escape(audit.environment)}'
        f"</title><style>{_STYLE}</style></head>\n<body>\n<h1>Audit of {escape(audit.environment)}</h1>\n"
        f'<p class="{"ok" if audit.ok else "fail"}">{escape(summary(audit))}</p>\n{made}\n'
        + "\n".join(groups)
        + "\n</body></html>\n"
    )


def _row(finding: Finding, about: str) -> str:
    evidence = "".join(f"<pre>{escape(line)}</pre>" for line in finding.evidence)
    mend = f'<p class="mend">→ {escape(finding.mend)}</p>' if finding.mend else ""
    if finding.outcome in (Outcome.OK, Outcome.NOTHING):
        evidence = mend = ""
    return (
        f'<tr><td class="{finding.outcome}">{finding.outcome}</td>'
        f'<td>{escape(finding.probe)}<div class="about">{escape(about)}</div></td>'
        f"<td>{escape(finding.summary)}{evidence}{mend}</td></tr>"
    )
