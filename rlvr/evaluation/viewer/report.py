"""The intervals of `report.json`, which are bootstrapped, in place of the viewer's simple ones."""

from __future__ import annotations

from typing import Any

from rlvr.evaluation.viewer.read import number

_NAMES = {"mean": "reward", "correct": "correct"}


def with_report(slices: list[dict[str, Any]], report: Any) -> bool:
    """Put the report's figures into the slices they're of; whether any was.

    A report that counts other rollouts than the run now has is older than them, and is left.
    """
    found = report.get("reports") if isinstance(report, dict) else None
    taken = False
    for one in found if isinstance(found, list) else []:
        for part in slices:
            if not isinstance(one, dict) or one.get("rollouts") != part["rollouts"]:
                continue
            of = (one.get("env"), one.get("part") or "")
            if len(slices) > 1 and (part["env"], part["part"]) != of:
                continue
            figures = {to: _figure(one.get(name)) for name, to in _NAMES.items()}
            part.update({name: figure for name, figure in figures.items() if figure})
            taken = taken or any(figures.values())
    return taken


def _figure(value: Any) -> dict[str, float | None] | None:
    if not isinstance(value, dict) or number(value.get("value")) is None:
        return None
    return {name: number(value.get(name)) for name in ("value", "low", "high")}
