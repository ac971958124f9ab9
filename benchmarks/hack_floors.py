"""The hack floor of every built-in environment: what a policy earns that solves nothing.

    RLVR_DATA=… python benchmarks/hack_floors.py [-o docs/hack_floors.md] [ENV…]

Prints a table, and writes it where docs/audit.md has it. Environments whose data isn't at hand are left out
by name. `mbpp (shared)` is MBPP with its tests in the solution's process.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rlvr
from rlvr.authoring.audit import Audit, ProbeOutcome
from rlvr.core.environment import Environment
from rlvr.core.errors import RlvrError
from rlvr.core.registry import environments

SHARED = " (shared)"
NOTES = """
`ifbench` and `ifeval` are measured without a guard, as their figures are published; `guard="lenient"` refuses filler. `ifeval`'s floor is
one of 15 tasks whose right answers are short, and a list of boxed numbers earns it: no commas, few words, several sentences. The filled template earns 54% of
all 540 prompts (49% before): the whole difference is 38 prompts that ask for English in small letters. "word. word. word." is that; the published checker
asked a detector of languages, which took it for another one, as it does with "yes" and "i am fine.". No other check became more lenient.

`mbpp (shared)` is MBPP with `"isolation": "shared"`: none of 30 cheats from within the tests' process passes. A program that knows rlvr's own and forges
its report passes every test there, so that the floor against such a policy is 100% ([code](code.md#in-one-jail))."""


def made(name: str) -> Environment | str:
    """Return the environment of that name; with `SHARED`, with tests in the solution's process."""
    if not name.endswith(SHARED):
        return name
    env = rlvr.make(name.removesuffix(SHARED))
    tasks = [
        rlvr.Task(task.prompt, {**task.reference, "isolation": "shared"}, task.id, task.metadata)
        for task in (env.tasks[i] for i in range(len(env.tasks)))
    ]
    return rlvr.SingleTurn(tasks, env.verifier)


def line(name: str, report: Audit) -> str:
    """Return the table's line on an environment."""
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
        f"| `{name}` | {'yes' if report.ok else f'no: {failed}'} | "
        f"{best.figures['floor']:.1%} | {best.probe} | "
        f"{'unknown' if base is None else f'{base:.1%}'} | {known} | {p50:.1f} / {p99:.1f} |"
    )


def table(names: Iterable[str]) -> list[str]:
    """Return the table's lines, with a line on the environments that weren't measured."""
    lines = [
        "| environment | passes | hack floor | by | base rate | known findings | ms, p50 / p99 |",
        "|---|---|---|---|---|---|---|",
    ]
    missing = []
    for name in names:
        try:
            lines.append(line(name, rlvr.audit(made(name))))
        except RlvrError as error:
            missing.append(f"`{name}`")
            print(f"{name}: {error}", flush=True)
            continue
        print(lines[-1], flush=True)
    if missing:
        lines += ["", f"Not measured, since their data weren't at hand: {', '.join(missing)}."]
    return lines


SEVERAL_TURNS: dict[str, dict[str, Any]] = {
    "browser": {},
    "code_agent": {},
    "code_repair": {},
    "if_rlvr": {"level": 3, "turns": 3},
    "ledgers": {},
    "math_python": {},
    "connect_four": {},
    "negotiation": {},
    "search_qa": {},
    "shop": {},
    "sql_explore": {},
    "support": {},
    "terminal": {},
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
    """Print the table and the notes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="ENV")
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # what isn't here isn't waited for
    every = [spec.name for spec in environments() if spec.origin == "rlvr"]
    every.insert(every.index("mbpp") + 1, f"mbpp{SHARED}")
    lines = [*table(arguments.names or every), *NOTES.splitlines()]
    if not arguments.names:
        lines += of_episodes()
    if arguments.output is not None:
        arguments.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
