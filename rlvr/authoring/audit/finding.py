"""What a probe found, and the report that all findings make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class ProbeOutcome(StrEnum):
    """A probe's verdict on an environment."""

    OK = "ok"  # it looked, and nothing is wrong
    NOTE = "note"  # a figure to know, or something odd that may be meant
    KNOWN = "known"  # it would fail, and the environment's author has said why it's left
    FAIL = "fail"  # a reward is wrong, or will be; or a trainer will stumble
    NOTHING = "nothing"  # it has nothing to look at here: the summary says what it would need
    BROKEN = "broken"  # the probe itself failed, which says nothing about the environment


@dataclass(frozen=True)
class Finding:
    """One probe's verdict.

    Attributes:
        probe: its name.
        group: conformance, truth, hacks, learnability, or another of the prober's own.
        outcome: the verdict.
        summary: one sentence with the figures.
        evidence: what it saw, a line each: enough to see it again.
        fix: what to do; "" where there's nothing to do.
        figures: the same as plain data.
    """

    probe: str
    group: str
    outcome: ProbeOutcome
    summary: str
    evidence: tuple[str, ...] = ()
    fix: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "probe": self.probe,
            "group": self.group,
            "outcome": str(self.outcome),
            "summary": self.summary,
            "evidence": list(self.evidence),
            "fix": self.fix,
            "figures": self.figures,
        }


@dataclass(frozen=True)
class Audit:
    """The report on an environment.

    Attributes:
        environment: its name.
        options: it was made with.
        tasks: how many were looked at.
        findings: in the probes' order.
        seconds: the audit took.
    """

    environment: str
    options: dict[str, Any]
    tasks: int
    findings: tuple[Finding, ...]
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether no probe failed, and none was broken: what wasn't looked at isn't clean."""
        return not self.failures

    @property
    def failures(self) -> list[Finding]:
        """What failed, and probes that are broken."""
        return [one for one in self if one.outcome in (ProbeOutcome.FAIL, ProbeOutcome.BROKEN)]

    @property
    def hack_floor(self) -> float | None:
        """The highest mean reward that a strategy without content earns; None where none was tried."""
        floors = [one.figures["floor"] for one in self if "floor" in one.figures]
        return max(floors, default=None)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        from rlvr.authoring.audit.rendering import as_text

        return as_text(self)

    def __getitem__(self, probe: str) -> Finding:
        """The finding of that probe. Raises KeyError where it wasn't run."""
        for one in self.findings:
            if one.probe == probe:
                return one
        raise KeyError(probe)

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "environment": self.environment,
            "options": self.options,
            "tasks": self.tasks,
            "ok": self.ok,
            "hack_floor": self.hack_floor,
            "seconds": round(self.seconds, 1),
            "findings": [one.to_json() for one in self],
        }
