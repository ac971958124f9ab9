"""What a task's reference asks for, read and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rlvr.verifiers.instructions.kwargs import (
    wrong,
)
from rlvr.verifiers.instructions.registry import (
    Check,
    find,
)

_FORM = '{"instruction_id_list": [id, …], "kwargs": [{…}, …]}'


@dataclass(frozen=True, slots=True)
class Wanted:
    """One instruction of a task.

    Attributes:
        check: of its id.
        kwargs: checked.
        name: of its component: the id, numbered from the second on where it's there several times.
    """

    check: Check
    kwargs: dict[str, Any]
    name: str

    @property
    def told(self) -> str:
        """For feedback: what was asked, and under which id."""
        return f"[{self.name}] {self.check.sentence(self.kwargs)}"


def read(reference: Any) -> tuple[Wanted, ...]:
    """The instructions of a reference. Raises `CannotScore(gold)` saying what is wrong with it."""
    if not isinstance(reference, Mapping):
        raise wrong(f"a reference of instructions is {_FORM}, not {reference!r:.80}.")
    ids, kwargs = reference.get("instruction_id_list"), reference.get("kwargs")
    if not isinstance(ids, list | tuple) or not ids:
        raise wrong(f"a reference of instructions is {_FORM}; this one names no instruction.")
    if kwargs is None:
        kwargs = [{}] * len(ids)
    if not isinstance(kwargs, list | tuple) or len(kwargs) != len(ids):
        raise wrong(f"{len(ids)} instructions need a list of as many kwargs, not {kwargs!r:.80}.")
    seen: Counter[str] = Counter()
    found = []
    for id, given in zip(ids, kwargs, strict=True):
        check = find(id)
        if given is not None and not isinstance(given, Mapping):
            raise wrong(f"{id}: kwargs are an object or null, not {given!r:.80}.")
        seen[check.id] += 1
        name = check.id if seen[check.id] == 1 else f"{check.id}#{seen[check.id]}"
        found.append(Wanted(check, check.bound(given or {}), name))
    return tuple(found)
