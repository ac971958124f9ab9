"""The hack floor of every built-in environment: what a policy earns that solves nothing.

    RLVR_DATA=… python benchmarks/hack_floors.py [-o docs/hack_floors.md] [ENV…]

Prints a table, and writes it where docs/audit.md has it. Environments whose data isn't at hand are left out
by name.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rlvr
from rlvr.authoring.audit import Audit, ProbeOutcome
from rlvr.core.errors import RlvrError
from rlvr.core.registry import environments


def line(report: Audit) -> str:
    figures = {one.probe: one.figures for one in report}
    best = max(
        (one for one in report if "floor" in one.figures), key=lambda one: one.figures["floor"]
    )
    known = ", ".join(one.probe for one in report if one.outcome is ProbeOutcome.KNOWN) or "none"
    failed = ", ".join(one.probe for one in report.failures)
    p50, p99 = (
        1000 * figures["seconds-per-verification"].get(q, float("nan")) for q in ("p50", "p99")
    )
    base = figures["base-rate"].get("share")
    return (
        f"| `{report.environment}` | {'yes' if report.ok else f'no: {failed}'} | "
        f"{best.figures['floor']:.1%} | {best.probe} | "
        f"{'unknown' if base is None else f'{base:.1%}'} | {known} | {p50:.1f} / {p99:.1f} |"
    )


def table(names: Iterable[str]) -> list[str]:
    lines = [
        "| environment | passes | hack floor | by | base rate | known findings | ms, p50 / p99 |",
        "|---|---|---|---|---|---|---|",
    ]
    missing = []
    for name in names:
        try:
            lines.append(line(rlvr.audit(name)))
        except RlvrError as error:
            missing.append(f"`{name}`")
            print(f"{name}: {error}", flush=True)
            continue
        print(lines[-1], flush=True)
    if missing:
        lines += ["", f"Not measured, since their data weren't at hand: {', '.join(missing)}."]
    return lines


SEVERAL_TURNS: dict[str, dict[str, Any]] = {
    "code_repair": {},
    "if_rlvr": {"level": 3, "turns": 3},
    "shop": {},
    "sql_explore": {},
}
POLICIES = (
    "never-acts",
    "calls-every-tool",
    "loops-to-the-limit",
    "quotes-results",
    "repeated-step",
)


def of_episodes() -> list[str]:
    """Return a table of policies that act, in the environments of several turns."""
    lines = [
        "",
        "In episodes of several turns, the share of the full reward that policies earn without solving anything:",
        "",
        f"| environment | {' | '.join(POLICIES)} |",
        f"|---|{'---|' * len(POLICIES)}",
    ]
    for name, options in SEVERAL_TURNS.items():
        try:
            report = rlvr.audit(name, only=POLICIES, **options)
        except RlvrError as error:
            print(f"{name}: {error}", flush=True)
            continue
        shown = ", ".join(f"{option}={value}" for option, value in options.items())
        shares = [
            f"{report[p].figures['share']:.1%}" if "share" in report[p].figures else "–"
            for p in POLICIES
        ]
        lines.append(f"| `{name}`{f', {shown}' if shown else ''} | {' | '.join(shares)} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="ENV")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # what isn't here isn't waited for
    every = [spec.name for spec in environments() if spec.origin == "rlvr"]
    lines = table(arguments.names or every)
    if not arguments.names:
        lines += of_episodes()
    if arguments.output is not None:
        arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
