"""Lists of values: their forms, the labels of their values, and choices and words among them."""

from __future__ import annotations

import re
from itertools import pairwise
from math import gcd

from rlvr.verifiers.math.answer import is_name
from rlvr.verifiers.math.leaf import Truth
from rlvr.verifiers.math.quantities import (
    Quantity,
    label,
    quantity,
)
from rlvr.verifiers.math.remarks import CHANGING, content
from rlvr.verifiers.math.tree import (
    ZERO,
    Call,
    Group,
    Num,
    Relation,
    Sym,
    Tree,
    Unit,
    Word,
    children,
    nodes,
    rebuilt,
)
from rlvr.verifiers.math.units import is_part_of
from rlvr.verifiers.math.vectors import is_vector


def same_phrase(gold: Quantity, answer: Quantity) -> bool:
    """Return True if one is a symbol with the same words as the other: "odd primes p" and "all odd primes"."""
    for symbol_side, word_side in ((gold, answer), (answer, gold)):
        if (
            isinstance(symbol_side.tree, Sym)
            and isinstance(word_side.tree, Word)
            and symbol_side.leading
        ):
            return symbol_side.leading == content(word_side.tree.text)
    return False


def is_listed(tree: Tree) -> bool:
    """Return True for a value, or values side by side, each with its own unit and remark."""
    if isinstance(tree, Group):
        return tree.kind in ("", "()", "{}", "letters")
    return not isinstance(tree, Relation)


_SEVERAL = frozenset({"pm", "mp", "cap", "setminus"})
_ALONE = (Num, Word, Unit)


def is_single(tree: Tree) -> bool:
    """Return True if a tree is certainly one value: no list, set or relation, and nothing made of those."""
    for node in nodes(tree):
        if isinstance(node, Call):
            if node.name in _SEVERAL:
                return False
        elif isinstance(node, Sym):
            if node.name.startswith("bb:"):
                return False
        elif not isinstance(node, _ALONE):
            return False
    return True


def same_choices(gold: Group, answer: Group) -> bool:
    """Return True for the same letters of choices, in any order unless the gold's aren't sorted: CAB is a sequence."""
    ours, theirs = [repr(item) for item in gold.items], [repr(item) for item in answer.items]
    return ours == theirs or (ours == sorted(ours) and ours == sorted(theirs))


def lettered(group: Group) -> Group:
    """Return a list or a set of letters as choices."""
    if group.kind == "letters" or group.kind not in ("", "{}", "()"):
        return group
    names = [item.name for item in group.items if isinstance(item, Sym) and len(item.name) == 1]
    if len(names) < len(group.items):
        return group
    return Group("letters", tuple(Word(name.lower()) for name in names))


def are_told_apart(gold: Group, answer: Group) -> bool:
    """Return True if one list has names, units or remarks that identify its values, and the other list has none of them.

    Then the order identifies the other's values: "4, 3" isn't "x = 3, y = 4", nor "3 apples, 4 pears".
    """
    ours, theirs = ([label(item) for item in group.items] for group in (gold, answer))
    for labels, other_labels in ((ours, theirs), (theirs, ours)):
        if None not in labels and len(set(labels)) > 1 and not set(labels) & set(other_labels):
            return True
    return False


def marks_some(group: Group) -> bool:
    """Return True if some of a list's values have a unit and others don't."""
    return len({quantity(item).unit is None for item in group.items}) == 2


def systems(group: Group) -> Group:
    """Return `x = 1, y = 2, x = 3, y = 4` as two systems of two equations each."""
    if group.kind not in ("", "{}") or not all(isinstance(item, Relation) for item in group.items):
        return group
    labels = [label(item) for item in group.items]
    period = labels.index(labels[0], 1) if labels[0] in labels[1:] else 0
    if period < 2 or len(labels) % period or None in labels or len(set(labels[:period])) < period:
        return group
    parts = [group.items[at : at + period] for at in range(0, len(labels), period)]
    if any({label(item) for item in part} != set(labels[:period]) for part in parts):
        return group
    return Group(group.kind, tuple(Group("", part) for part in parts))


def added_up(tree: Tree) -> Tree:
    """Return `3 hours, 20 minutes` as the single quantity that it may be."""
    if not isinstance(tree, Group) or tree.kind != "" or len(tree.items) < 2:
        return tree
    units = [quantity(item).unit for item in tree.items]
    for larger, smaller in pairwise(units):
        if larger is None or smaller is None or not is_part_of(smaller, larger):
            return tree
    return Call("add", tree.items)


def are_comparable(gold: Group, answer: Group) -> bool:
    """Return True if groups of different kinds may be equal: a bare list and a set, a column and a tuple."""
    kinds = {gold.kind, answer.kind}
    if kinds == {"", "{}"}:
        return True
    if kinds == {"", "()"}:  # brackets are often left off, or put around a list of solutions
        return not any(isinstance(item, Group) for item in gold.items + answer.items)
    if kinds == {"()", "[]"}:  # an interval has two ends, and a vector may have more entries
        return len(gold.items) > 2
    return kinds in ({"rows", "()"}, {"rows", "[]"}) and is_vector(gold) and is_vector(answer)


def as_lists(gold: Tree, answer: Tree) -> tuple[Tree, Tree]:
    """Return conditions on several variables as lists, and unions of finite sets as one set."""
    if isinstance(gold, Group) and isinstance(answer, Group):
        if {gold.kind, answer.kind} == {"and", "or"}:
            return gold, answer
        return _as_list(gold), _as_list(answer)
    return gold, answer


def _as_list(group: Group) -> Group:
    if group.kind in ("and", "or"):
        return Group("", group.items)
    if group.kind == "u" and all(isinstance(i, Group) and i.kind == "{}" for i in group.items):
        return Group("{}", tuple(dict.fromkeys(e for item in group.items for e in children(item))))
    return group


def may_be_time(ratio: Tree) -> bool:
    """Return True if a ratio may be a time of day, since as a ratio it would have been reduced."""
    values = [item.value for item in children(ratio) if isinstance(item, Num)]
    if len(values) != 2 or any(value.denominator != 1 for value in values):
        return False
    hours, minutes = map(int, values)
    return hours <= 24 and (minutes == 0 or 10 <= minutes < 60) and gcd(hours, minutes) > 1


def as_point(group: Group) -> Group:
    """Return `y = 2, x = 1` as the point (1, 2) if its names are neighbours in the alphabet."""
    values: dict[str, Tree] = {}
    for item in group.items:
        if not isinstance(item, Relation) or item.signs != ("=",):
            return group
        name, value = item.sides
        if not isinstance(name, Sym) or len(name.name) != 1 or name.name in values:
            return group
        values[name.name] = value
    names = sorted(values)
    if len(names) < 2 or ord(names[-1]) - ord(names[0]) != len(names) - 1:
        return (
            Group("()", tuple(values.values()))
            if list(values) == names and len(names) > 1
            else group
        )
    return Group("()", tuple(values[name] for name in names))


def spread(tree: Tree) -> Tree:
    """Return an expression with ± as a list of two values."""
    if isinstance(tree, Group) and tree.kind in ("", "{}", "and", "or"):
        items: list[Tree] = []
        for item in tree.items:
            parts = spread(item)
            items += parts.items if isinstance(parts, Group) and parts.kind == "" else [parts]
        return Group(tree.kind, tuple(items))
    if isinstance(tree, Relation) and tree.signs in (("=",), ("!=",)):
        right = spread(tree.sides[1])
        if isinstance(right, Group) and right.kind == "" and is_name(tree.sides[0]):
            return Group(
                "", tuple(Relation(tree.signs, (tree.sides[0], value)) for value in right.items)
            )
    if isinstance(tree, Call) and any(
        isinstance(node, Call) and node.name in ("pm", "mp") for node in nodes(tree)
    ):
        return Group("", (_signed(tree, 1), _signed(tree, -1)))
    return tree


def _opposite(tree: Tree) -> Tree:
    """Return the negative of a point or a vector."""
    if isinstance(tree, Group):
        return Group(tree.kind, tuple(map(_opposite, tree.items)))
    return Call("neg", (tree,))


def _signed(tree: Tree, sign: int) -> Tree:
    args = tuple(_signed(arg, sign) for arg in children(tree))
    if isinstance(tree, Call) and tree.name in ("pm", "mp"):
        plus = (tree.name == "pm") == (sign > 0)
        if isinstance(args[1], Group) and args[0] == ZERO:
            return args[1] if plus else _opposite(args[1])
        return Call("add", (args[0], args[1] if plus else Call("neg", (args[1],))))
    return rebuilt(tree, args) if args else tree


_NAMED = re.compile(r"[a-z]+ (?P<name>[ivxlc]+|[a-z]|\d+)")


def same_words(gold: Tree, answer: Tree) -> Truth:
    """Compare words, and single letters in upper or lower case: a choice (B) and b, "quadrant iv" and "iv"."""
    texts = [
        tree.text if isinstance(tree, Word) else tree.name.lower()
        for tree in (gold, answer)
        if isinstance(tree, Word) or (isinstance(tree, Sym) and len(tree.name) == 1)
    ]
    if len(texts) != 2:
        return False
    if texts[0] == texts[1]:
        return True
    for phrase, name in (texts, texts[::-1]):
        match = _NAMED.fullmatch(phrase)
        if (
            match is not None
            and match["name"] == name
            and not CHANGING.intersection(phrase.split())
        ):
            return True
    return False
