"""`@probe`: how a check joins the audit.

A probe is a function that looks at a subject and says what it found::

    @rlvr.probe("truth")
    def answers_are_short(subject):
        long = [task.id for task in subject.tasks if len(task.reference) > 20]
        return fail(f"{len(long)} references are long", long, "Shorten them.") if long else ok("short")

Its name is the function's, with hyphens. Installed packages bring theirs by the entry-point group
`rlvr.probes`, each naming a function that is decorated so.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from rlvr.authoring.audit.finding import Finding, ProbeOutcome
from rlvr.authoring.audit.hang_budget import HangBudgetSpentError
from rlvr.core.errors import OptionError
from rlvr.core.faults import described
from rlvr.core.registry import entry_points

if TYPE_CHECKING:
    from rlvr.authoring.audit.subject import Subject

GROUPS = ("conformance", "truth", "hacks", "learnability")
ENTRY_POINTS = "rlvr.probes"
_MODULES = (
    "conformance.environment_api",
    "conformance.task_sets",
    "conformance.verdicts",
    "conformance.side_effects",
    "conformance.other_process",
    "truth.right_answers",
    "truth.episodes",
    "truth.answer_variants",
    "truth.task_texts",
    "hacks.content_free",
    "hacks.leaks",
    "hacks.verifier_cheats",
    "learnability.rollouts",
)
_EVIDENCE = 6  # lines of it that a finding keeps
_LINE = 300

Look = Callable[["Subject"], Finding]
F = TypeVar("F", bound=Look)


@dataclass(frozen=True)
class Probe:
    """A check of the audit.

    Attributes:
        name: of the finding.
        group: under which it's reported.
        look: what it does.
        last: whether it looks at what the others saw, and so comes after them.
    """

    name: str
    group: str
    look: Look
    last: bool = False

    @property
    def about(self) -> str:
        """What it checks: the first line of the function's docstring."""
        return (inspect.getdoc(self.look) or "").partition("\n")[0]

    def __call__(self, subject: Subject) -> Finding:
        """The finding, under the probe's name. What the probe raises is a finding too."""
        try:
            found = self.look(subject)
        except HangBudgetSpentError as error:
            found = nothing(str(error))
        except Exception as error:
            found = Finding("", "", ProbeOutcome.BROKEN, f"the probe raised {described(error)}")
        return replace(found, probe=self.name, group=self.group)


_probes: dict[str, Probe] = {}


def probe(group: str, *, name: str | None = None, last: bool = False) -> Callable[[F], F]:
    """Add the decorated function to every audit; one of the same name replaces it."""
    if not isinstance(group, str):
        raise OptionError('A probe has a group: @rlvr.probe("truth").')

    def decorate(look: F) -> F:
        own = name or look.__name__.replace("_", "-")
        _probes[own] = Probe(own, group, look, last)
        return look

    return decorate


def probes() -> list[Probe]:
    """All there are, in the order of their groups."""
    for module in _MODULES:
        importlib.import_module(f"rlvr.authoring.audit.{module}")
    for point, origin in entry_points(ENTRY_POINTS):
        try:
            point.load()
        except (Exception, SystemExit) as error:
            warnings.warn(
                f"The probe {point.value!r} of {origin} can't be loaded and is left out: {described(error)}.",
                stacklevel=2,
            )
    order = {group: i for i, group in enumerate(GROUPS)}
    return sorted(_probes.values(), key=lambda one: order.get(one.group, len(order)))


def ok(summary: str, **figures: Any) -> Finding:
    """Nothing is wrong."""
    return Finding("", "", ProbeOutcome.OK, summary, figures=figures)


def note(summary: str, evidence: Iterable[str] = (), fix: str = "", **figures: Any) -> Finding:
    """Something to know."""
    return Finding("", "", ProbeOutcome.NOTE, summary, _short(evidence), fix, figures)


def fail(summary: str, evidence: Iterable[str] = (), fix: str = "", **figures: Any) -> Finding:
    """Something is wrong: with what was seen, and what to do."""
    return Finding("", "", ProbeOutcome.FAIL, summary, _short(evidence), fix, figures)


def nothing(summary: str) -> Finding:
    """There's nothing to look at here; say what it would need."""
    return Finding("", "", ProbeOutcome.NOTHING, summary)


def _short(evidence: Iterable[str]) -> tuple[str, ...]:
    lines = [str(line).encode("utf-8", "backslashreplace").decode() for line in evidence]
    kept = [line if len(line) <= _LINE else f"{line[:_LINE]}…" for line in lines[:_EVIDENCE]]
    return (
        (*kept, f"… and {len(lines) - _EVIDENCE} more") if len(lines) > _EVIDENCE else tuple(kept)
    )
