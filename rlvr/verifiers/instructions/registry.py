"""The instructions there are: a public id, the function that checks it, its arguments.

An author adds one in five lines, in a module of their own::

    @instruction("acme:ends_with_question", says="End with a question.")
    def ends_with_question(text: Text) -> bool:
        return text.stripped.endswith("?")

What a check takes after the text are its kwargs: their names, types and defaults are read off its
signature. It answers for any text, and the same every time.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypedDict, TypeVar

from rlvr.core.errors import RegistrationError, nearest
from rlvr.verifiers.instructions.kwargs import MISSING, Judge, read_kwarg, shown, signature, wrong

_Function = TypeVar("_Function", bound=Judge)

FAMILIES = (
    "ifeval.keywords", "ifeval.length", "ifeval.format", "ifbench.counts", "ifbench.words",
    "ifbench.layout", "ifbench.custom", "if_rlvr.words", "if_rlvr.forms",
    "ifeval.published", "ifbench.published_words", "ifbench.published_forms", "if_rlvr.published",
)  # fmt: skip
"""The modules with rlvr's own checks, and those with the published behaviour."""


@dataclass(frozen=True)
class Deviation:
    """A difference between a check and the published one.

    Attributes:
        published: what the published check does.
        ours: what this one does instead.
        report: the upstream report.
        function: the published behaviour, for `reference_bugs=True`.
        cheap: as a check's.
    """

    published: str
    ours: str
    report: str
    function: Judge
    cheap: bool


@dataclass(frozen=True)
class Check:
    """One instruction.

    Attributes:
        id: its public id.
        says: what it asks, with `{kwarg}`s, as a sentence for a prompt or for feedback.
        function: takes a `Text` and the kwargs.
        kwargs: name to (type, default).
        cheap: whether it takes microseconds on a page of text, and linear time.
        deviation: from the published check, where there's one.
    """

    id: str
    says: str
    function: Judge
    kwargs: Mapping[str, tuple[Any, Any]]
    cheap: bool
    deviation: Deviation | None = None

    def bound(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the kwargs, checked. A kwarg that is None counts as missing, as in the Hub's columns.

        Raises `CannotScore(gold)` if a kwarg is missing, of another type, or unknown to the check.
        """
        taken = {name: value for name, value in kwargs.items() if value is not None}
        there = ", ".join(self.kwargs) or "none"
        for name in taken:
            if name not in self.kwargs:
                raise wrong(f"{self.id} takes no {name!r}. Its kwargs are: {there}.")
        for name, (kind, default) in self.kwargs.items():
            if name in taken:
                taken[name] = read_kwarg(self.id, name, kind, taken[name])
            elif default is MISSING:
                raise wrong(f"{self.id} needs {name!r}. Its kwargs are: {there}.")
        return taken

    def sentence(self, kwargs: Mapping[str, Any]) -> str:
        """Return the instruction with these kwargs as a sentence."""
        values = {name: shown(value) for name, value in kwargs.items()}
        return self.says.format_map({**dict.fromkeys(self.kwargs, "…"), **values})


_checks: dict[str, Check] = {}
_added: tuple[Check, ...] = ()


def instruction(id: str, *, says: str, cheap: bool = False) -> Callable[[_Function], _Function]:
    """Register a check under `id`, which has the form `family:name`::

        @rlvr.instruction("length:at_most_words", says="Answer in at most {count} words.", cheap=True)
        def at_most_words(text, count: int):
            return len(text.words) <= count

    Args:
        says: one imperative sentence with `{kwarg}` for each kwarg that it names.
        cheap: it may run in the caller's thread: microseconds on a page, linear, no data to load.

    Raises `RegistrationError` where the id is taken or has no family.
    """
    family, mark, name = id.partition(":")
    if not (mark and family and name) or any(map(str.isspace, id)):
        raise RegistrationError(f"An instruction's id is family:name, not {id!r}.")

    def decorate(function: _Function) -> _Function:
        add(Check(id, says, function, signature(id, function), cheap))
        return function

    return decorate


class Difference(TypedDict):
    """A difference from the published checks that several checks share."""

    published: str
    ours: str
    report: str


def deviates(
    id: str, *, published: str, ours: str, report: str, cheap: bool = False
) -> Callable[[_Function], _Function]:
    """Make the decorated function what `reference_bugs=True` does for `id`."""

    def decorate(function: _Function) -> _Function:
        if id not in _checks:  # the module of the published check was imported first
            load_families()
        check = _checks[id]
        deviation = Deviation(published, ours, report, function, cheap)
        _checks[id] = Check(id, check.says, check.function, check.kwargs, check.cheap, deviation)
        return function

    return decorate


def add(check: Check) -> None:
    """Add a check. One of rlvr's own can't be replaced; an author's can, as when a cell is run again."""
    global _added
    built_in = getattr(check.function, "__module__", "").startswith(__package__ + ".")
    if not built_in:
        load_families()
        there = _checks.get(check.id)
        if there is not None and there not in _added:
            raise RegistrationError(f"The instruction {check.id!r} is rlvr's: choose another id.")
        _added = (*(added for added in _added if added.id != check.id), check)
    _checks[check.id] = check


def added() -> tuple[Check, ...]:
    """Return the authors' checks: another tuple whenever one is added."""
    return _added


def find(id: Any) -> Check:
    """Return the check of that id. Raises `CannotScore(gold)` with the nearest ids."""
    load_families()
    if not isinstance(id, str) or id not in _checks:
        message = f"There's no instruction {id!r:.100}."
        raise wrong(f"{message} {nearest(id, _checks)}" if isinstance(id, str) else message)
    return _checks[id]


def checks() -> Iterator[Check]:
    """All there are, by id."""
    load_families()
    return iter(sorted(_checks.values(), key=lambda check: check.id))


@cache
def load_families() -> None:
    """Import the modules with rlvr's own checks."""
    for family in FAMILIES:
        importlib.import_module(f"{__package__}.{family}")
