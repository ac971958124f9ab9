"""The finding of a probe, and the report of all findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_EVIDENCE = 6  # lines that a finding keeps
_LINE = 300  # characters that a line keeps


class ProbeOutcome(StrEnum):
    """A probe's verdict on an environment."""

    OK = "ok"
    """Nothing is wrong."""
    NOTE = "note"
    """A figure to know, or something odd that may be meant."""
    KNOWN = "known"
    """A failure that the environment's author has explained in `known_findings`."""
    FAIL = "fail"
    """A reward is wrong or will be, or a trainer will fail."""
    NOTHING = "nothing"
    """The probe has nothing to look at here; the summary says what it needs."""
    BROKEN = "broken"
    """The probe itself failed, so that nothing is known about the environment."""


@dataclass(frozen=True)
class Finding:
    """One probe's verdict on an environment.

    Attributes:
        probe: the probe's name.
        group: conformance, truth, hacks, learnability, or another group of the probe's author.
        outcome: the verdict.
        summary: one sentence with the figures.
        evidence: examples, one per line, with enough in them to see the problem again.
        fix: the advice; "" if there's nothing to do.
        figures: the figures as plain data.
    """

    probe: str
    group: str
    outcome: ProbeOutcome
    summary: str
    evidence: tuple[str, ...] = ()
    fix: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the finding as plain data."""
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
        options: the options that it was made with.
        tasks: the number of tasks in the sample.
        findings: one per probe, in the probes' order.
        seconds: the duration of the audit.
        cause: the one fault that other findings may follow from, such as a verifier that raises; "" if there's none.
    """

    environment: str
    options: dict[str, Any]
    tasks: int
    findings: tuple[Finding, ...]
    seconds: float = 0.0
    cause: str = ""

    @property
    def ok(self) -> bool:
        """True if no probe failed and none was broken."""
        return not self.failures

    @property
    def failures(self) -> list[Finding]:
        """The findings of probes that failed or were broken."""
        wrong = (ProbeOutcome.FAIL, ProbeOutcome.BROKEN)
        return [finding for finding in self if finding.outcome in wrong]

    @property
    def hack_floor(self) -> float | None:
        """The highest mean reward that a strategy without content earns; None if none was tried."""
        return max((f.figures["floor"] for f in self if "floor" in f.figures), default=None)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __str__(self) -> str:
        from rlvr.authoring.audit.rendering import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from rlvr.authoring.audit.rendering import fragment

        return fragment(self)

    def __getitem__(self, probe: str) -> Finding:
        """Return the finding of that probe. Raises KeyError if it wasn't run."""
        for finding in self.findings:
            if finding.probe == probe:
                return finding
        raise KeyError(probe)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "environment": self.environment,
            "options": self.options,
            "tasks": self.tasks,
            "ok": self.ok,
            "cause": self.cause,
            "hack_floor": self.hack_floor,
            "seconds": round(self.seconds, 1),
            "findings": [finding.to_json() for finding in self],
        }


def ok(summary: str, **figures: Any) -> Finding:
    """Return the finding that nothing is wrong."""
    return Finding("", "", ProbeOutcome.OK, summary, figures=figures)


def note(summary: str, evidence: Iterable[str] = (), fix: str = "", **figures: Any) -> Finding:
    """Return the finding of something to know."""
    return Finding("", "", ProbeOutcome.NOTE, summary, _short(evidence), fix, figures)


def fail(summary: str, evidence: Iterable[str] = (), fix: str = "", **figures: Any) -> Finding:
    """Return the finding that something is wrong, with evidence and advice."""
    return Finding("", "", ProbeOutcome.FAIL, summary, _short(evidence), fix, figures)


def nothing(summary: str) -> Finding:
    """Return the finding that there's nothing to look at; the summary says what the probe needs."""
    return Finding("", "", ProbeOutcome.NOTHING, summary)


def _short(evidence: Iterable[str]) -> tuple[str, ...]:
    lines = [str(line).encode("utf-8", "backslashreplace").decode() for line in evidence]
    shortened = [line if len(line) <= _LINE else f"{line[:_LINE]}…" for line in lines[:_EVIDENCE]]
    omitted = len(lines) - _EVIDENCE
    return (*shortened, f"… and {omitted} more") if omitted > 0 else tuple(shortened)
