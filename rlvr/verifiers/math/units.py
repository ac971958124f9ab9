"""Units beside values: which may be missing, and which can't be swapped."""

from __future__ import annotations

import re
from fractions import Fraction

from rlvr.verifiers.math.answer import Answer
from rlvr.verifiers.math.tree import Call, Group, Num, Tree


def percent(gold: Answer, answer: Answer) -> bool:
    """Whether one of them is a percentage and the other isn't."""
    return ("%" in gold.units) != ("%" in answer.units) and not isinstance(gold.tree, Group)


def by_hundred(gold: Answer, answer: Answer) -> tuple[Tree, Tree]:
    """50% is 0.5: the side with the sign is divided by a hundred."""
    hundred = Num(Fraction(100))
    if "%" in gold.units:
        return Call("div", (gold.tree, hundred)), answer.tree
    return gold.tree, Call("div", (answer.tree, hundred))


def kinds(units: tuple[str, ...], text: str) -> frozenset[str]:
    """The units that can't be swapped: a percent sign is part of the value, "units" says nothing."""
    money = {"$"} if _DOLLARS.search(text) else set()
    return frozenset(money.union(units)) - {"%", "unit", "unit^2", "unit^3"}


def compatible(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether two sets of units may be meant alike: degrees may be those of a scale of temperature."""
    return ours == theirs or ours ^ theirs in ({"deg", "degC"}, {"deg", "degF"})


_DOLLARS = re.compile(r"\\\$\s?[\d.]")  # cleaning takes them off
