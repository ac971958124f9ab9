"""Units beside values: which may be missing, and which can't be swapped."""

from __future__ import annotations

import re

from rlvr.verifiers.math.answer import Answer
from rlvr.verifiers.math.tree import Group


def percent(gold: Answer, answer: Answer) -> bool:
    """Whether one of them is a percentage and the other isn't."""
    return ("%" in gold.units) != ("%" in answer.units) and not isinstance(gold.tree, Group)


def kinds(units: tuple[str, ...], text: str) -> frozenset[str]:
    """The units that can't be swapped: a percent sign is part of the value, "units" says nothing."""
    money = {"$"} if _DOLLARS.search(text) else set()
    return frozenset(money.union(units)) - {"%", "unit", "unit^2", "unit^3"}


def compatible(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether two sets of units may be meant alike: degrees may be those of a scale of temperature."""
    return ours == theirs or ours ^ theirs in ({"deg", "degC"}, {"deg", "degF"})


_DOLLARS = re.compile(r"\\\$\s?[\d.]")  # cleaning takes them off
