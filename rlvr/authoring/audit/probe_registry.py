"""`@probe`: the decorator that adds a check to the audit.

A probe is a function that looks at a subject and returns a finding::

    @rlvr.probe("truth")
    def answers_are_short(subject):
        long = [task.id for task in subject.tasks if len(task.reference) > 20]
        return fail(f"{len(long)} references are long", long, "Shorten them.") if long else ok("short")

Its name is the function's, with hyphens. Installed packages add probes by the entry-point group
`rlvr.probes`; each entry names a decorated function.
"""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from rlvr.authoring.audit.finding import Finding, ProbeOutcome, nothing
from rlvr.authoring.audit.hang_budget import HangBudgetSpentError
from rlvr.core.entry_points import entry_points
from rlvr.core.errors import OptionError
from rlvr.core.faults import described

if TYPE_CHECKING:
    from rlvr.authoring.audit.subject import Subject

GROUPS = ("conformance", "truth", "hacks", "learnability")
ENTRY_POINTS = "rlvr.probes"
_MODULES = (
    "conformance.environment_api",
    "conformance.episode_rules",
    "conformance.task_sets",
    "conformance.verdicts",
    "conformance.side_effects",
    "conformance.other_process",
    "truth.right_answers",
    "truth.episodes",
    "truth.answer_variants",
    "truth.task_texts",
    "hacks.content_free",
    "hacks.episode_policies",
    "hacks.leaks",
    "hacks.verifier_cheats",
    "hacks.function_tests",
    "learnability.rollouts",
)
Check = Callable[["Subject"], Finding]
F = TypeVar("F", bound=Check)


@dataclass(frozen=True)
class Probe:
    """A check of the audit.

    Attributes:
        name: the name of its finding.
        group: the group under which the finding is reported.
        look: the function.
        last: True if it runs after the other probes, since it looks at their verdicts.
    """

    name: str
    group: str
    look: Check
    last: bool = False

    @property
    def about(self) -> str:
        """The first line of the function's docstring: the sentence that says what it checks."""
        return (inspect.getdoc(self.look) or "").partition("\n")[0]

    def __call__(self, subject: Subject) -> Finding:
        """Return the finding under the probe's name. An exception of the probe is a finding, too."""
        try:
            finding = self.look(subject)
        except HangBudgetSpentError as error:
            finding = nothing(str(error))
        except Exception as error:
            finding = Finding("", "", ProbeOutcome.BROKEN, f"the probe raised {described(error)}")
        return replace(finding, probe=self.name, group=self.group)


_probes: dict[str, Probe] = {}


def probe(group: str, *, name: str | None = None, last: bool = False) -> Callable[[F], F]:
    """Add the decorated function to every audit. A later probe of the same name replaces it::

        @rlvr.probe("truth")
        def references_are_short(subject):
            long = [task.id for task in subject.tasks if len(str(task.reference)) > 20]
            return fail(f"{len(long)} references are long", long, "Shorten them.") if long else ok("all are short")

    `rlvr.authoring` has `ok`, `note`, `fail` and `nothing`, which make findings.
    """
    if not isinstance(group, str):
        raise OptionError('A probe has a group: @rlvr.probe("truth").')

    def decorate(look: F) -> F:
        key = name or look.__name__.replace("_", "-")
        _probes[key] = Probe(key, group, look, last)
        return look

    return decorate


def probes() -> list[Probe]:
    """Return all probes in the order of their groups and modules."""
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
    groups = {group: i for i, group in enumerate(GROUPS)}
    # By module, not by import: `settling` comes before the probes that call `settle`.
    modules = {f"{__package__}.{module}": i for i, module in enumerate(_MODULES)}

    def place(probe: Probe) -> tuple[int, int]:
        return (
            groups.get(probe.group, len(groups)),
            modules.get(probe.look.__module__, len(modules)),
        )

    return sorted(_probes.values(), key=place)
