"""The comparison of two single expressions, as the caller's thread can settle it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from rlvr.verifiers.math.estimates import apart
from rlvr.verifiers.math.normal import Undefined, normal
from rlvr.verifiers.math.tree import (
    Call,
    Num,
    Sym,
    Tree,
    nodes,
    symbols,
)

Truth: TypeAlias = bool | None


Leaf: TypeAlias = Callable[[Tree, Tree], Truth]


_EMPTY = Sym("empty")


def quick(gold: Tree, answer: Tree) -> Truth:
    """A leaf comparison by normal form: exact where both are numbers, else undecided."""
    try:
        if _names_points(gold) and _names_points(answer):
            return gold == answer
        gold, answer = normal(gold), normal(answer)
    except Undefined:
        return False
    if gold == answer:
        return True
    if isinstance(gold, Num) and isinstance(answer, Num):
        return False
    ours, theirs = list(nodes(gold)), list(nodes(answer))
    if _EMPTY in ours or _EMPTY in theirs:
        return False  # no value is the empty set, nor is anything worked out with it
    if _are_based(ours) != _are_based(theirs):
        return False
    if symbols(gold) != symbols(answer) and not _may_vanish(gold, answer):
        return False
    return None


def at_once(gold: Tree, answer: Tree) -> Truth:
    """Compare as `quick` does, and tell values apart that are plainly others."""
    same = quick(gold, answer)
    return False if same is None and apart(gold, answer) else same


def _names_points(tree: Tree) -> bool:
    """Tell whether it's written C(5, 2), which may be a point as well: C(5, 3) isn't the same then."""
    return isinstance(tree, Call) and tree.name == "choose" and not symbols(tree)


def _are_based(parts: Sequence[Tree]) -> bool:
    """Tell whether a number in another base is among them, which stands for itself."""
    return any(isinstance(part, Call) and part.name == "base" for part in parts)


def _may_vanish(gold: Tree, answer: Tree) -> bool:
    """Tell whether symbols that one side alone has could cancel out there."""
    extra = symbols(gold) ^ symbols(answer)
    counts = [node.name for tree in (gold, answer) for node in nodes(tree) if isinstance(node, Sym)]
    return all(counts.count(name) > 1 for name in extra)


def is_at_most_one(tree: Tree) -> bool:
    """Tell whether a value is at most 1, as a share is, or can't be told to be more."""
    try:
        value = normal(tree)
    except Undefined:
        return True
    return isinstance(value, Num) and abs(value.value) <= 1


def some(truths: Sequence[Truth]) -> Truth:
    """Tell whether one of them is true; None where that isn't known."""
    if True in truths:
        return True
    return None if None in truths else False
