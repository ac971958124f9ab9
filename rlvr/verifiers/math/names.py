"""The names of values: `x = 5`, "the area is 5", and chains that end in a value."""

from __future__ import annotations

from rlvr.verifiers.math.answer import is_name, is_quantity
from rlvr.verifiers.math.estimates import estimate
from rlvr.verifiers.math.leaf import quick
from rlvr.verifiers.math.quantities import bare
from rlvr.verifiers.math.remarks import content
from rlvr.verifiers.math.tree import (
    ZERO,
    Call,
    Group,
    Relation,
    Sym,
    Tree,
    Word,
    nodes,
    symbols,
)


def states_a_value(answer: Tree) -> bool:
    """Return True for an equation of values, none of which names a quantity."""
    return (
        isinstance(answer, Relation)
        and set(answer.signs) == {"="}
        and not any(is_name(side) or isinstance(side, Group | Word) for side in answer.sides)
    )


def is_open(tree: Tree) -> bool:
    """Return True if a value depends on a symbol, an unknown function or a sum's terms."""
    return bool(symbols(tree)) or any(
        isinstance(node, Call) and node.name.startswith(("apply:", "big:")) for node in nodes(tree)
    )


def consistent(answer: Tree) -> Tree:
    """Turn a chain `x = 5 + 6 = 11` into `x = 11`; `x = 5 = 11` contradicts itself and becomes a relation "?"."""
    answer = exact_side(answer)
    if not isinstance(answer, Relation):
        return answer
    if len(answer.signs) < 2:
        return answer
    if set(answer.signs) - {"=", "~"}:
        return answer
    values = [side for side in answer.sides if not is_name(side)]
    if any(quick(values[0], other) is False for other in values[1:]):
        return Relation(("?",), answer.sides[:2])
    names = [side for side in answer.sides if is_name(side)]
    if names and values:
        return Relation(("=",), (names[0], values[-1]))
    return answer


def exact_side(answer: Tree) -> Tree:
    """Return the exact side of `x = 1/3 ≈ 0.33`; `5 ≈ 7` contradicts itself and becomes a relation "?"."""
    if isinstance(answer, Relation) and answer.signs[-1] == "~" and len(answer.sides) >= 2:
        sides = answer.sides[:-1]
        if is_name(sides[-1]):  # x ≈ 0.33 has no other value
            return Relation((*answer.signs[:-1], "="), answer.sides)
        if not _is_near(sides[-1], answer.sides[-1]):
            return Relation(("?",), answer.sides[-2:])
        return sides[0] if len(sides) == 1 else Relation(answer.signs[:-1], sides)
    return answer


_NEAR = 0.05  # of the value, for generous rounding


def _is_near(exact: Tree, rounded: Tree) -> bool:
    """Return True if a value may be rounded to another one, or if either can't be estimated."""
    exact_estimate, rounded_estimate = estimate(bare(exact)), estimate(bare(rounded))
    if exact_estimate is None or rounded_estimate is None:
        return True
    return abs(exact_estimate.value - rounded_estimate.value) <= _NEAR * max(
        abs(exact_estimate.value), abs(rounded_estimate.value)
    )


def without_names(gold: Tree, answer: Tree) -> tuple[Tree, Tree]:
    """Drop a value's name if the other side has none: `x = 5` against `5`."""
    if isinstance(gold, Group) and isinstance(answer, Group) and gold.kind in ("", "{}"):
        return gold, answer  # item by item
    gold_value = _named_value(gold) or _worked_out(gold)
    answer_value = _named_value(answer) or _value_of_quantity(answer, gold)
    if gold_value is not None and not isinstance(answer, Relation):
        return gold_value, answer
    if answer_value is not None and not isinstance(gold, Relation):
        if _is_choice(gold) and isinstance(answer, Relation) and _is_choice(answer.sides[0]):
            return gold, answer  # of "C = B" neither is chosen
        return gold, answer_value
    if gold_value is not None and answer_value is not None:
        assert isinstance(gold, Relation)
        assert isinstance(answer, Relation)
        ours, theirs = gold.sides[0], answer.sides[0]
        function = symbols(gold_value) and {type(ours), type(theirs)} == {Sym, Call}
        if function or names_agree(ours, theirs):  # y = 2x and f(x) = 2x
            return gold_value, answer_value
    return gold, answer


def _is_choice(tree: Tree) -> bool:
    """Return True for a letter of a choice."""
    name = tree.text if isinstance(tree, Word) else tree.name if isinstance(tree, Sym) else ""
    return len(name) == 1 and name in "ABCDEFGHIJabcdefghij"


def names_agree(ours: Tree, theirs: Tree) -> bool:
    """Return True if two names of a value may be the same: "the area" and "area of ABC", or a word and a letter."""
    if isinstance(ours, Sym) and isinstance(theirs, Sym) and ours != theirs:
        bases = {name.name.partition("_")[0] for name in (ours, theirs)}
        return len(bases) == 1 and bases <= {ours.name, theirs.name}  # \\lambda = 2, 5
    ours, theirs = _applied(ours, theirs), _applied(theirs, ours)
    if isinstance(ours, Word) and isinstance(theirs, Word):
        our_words, their_words = content(ours.text), content(theirs.text)
        return our_words <= their_words or their_words <= our_words
    return isinstance(ours, Word) or isinstance(theirs, Word) or ours == theirs


def _applied(name: Tree, other: Tree) -> Tree:
    """Return a function's value in the words that name one at a number: "f of x" beside "f of 2"."""
    if not isinstance(other, Word) or not isinstance(name, Call) or len(name.args) != 1:
        return name
    argument = name.args[0]
    if not name.name.startswith("apply:") or not isinstance(argument, Sym):
        return name
    return Word(f"{name.name.removeprefix('apply:')} of {argument.name}")


def in_order(gold: Tree, answer: Tree) -> Tree:
    """Return `(m, n) = (2, 1)`, or `m = 2, n = 1`, in the gold's order `(n, m) = (1, 2)`.

    For a bare tuple, x, y and z have their alphabetical order.
    """
    if not isinstance(gold, Relation) and not (isinstance(gold, Group) and gold.kind == "()"):
        return answer
    entries = _named_entries(answer)
    names = list(_named_entries(gold))
    if isinstance(gold, Group) and isinstance(answer, Relation) and {*entries} <= {*"xyz"}:
        names = sorted(entries)
    if (
        not names
        or {*names} != {*entries}
        or (isinstance(answer, Relation) and names == list(entries))
    ):
        return answer
    sides = (tuple(map(Sym, names)), tuple(entries[name] for name in names))
    return Relation(("=",), (Group("()", sides[0]), Group("()", sides[1])))


def _named_entries(tree: Tree) -> dict[str, Tree]:
    """Return the values of a tuple or a list by their names; none if one of them has no name."""
    if isinstance(tree, Group) and tree.kind == "":
        pairs = [
            item.sides for item in tree.items if isinstance(item, Relation) and item.signs == ("=",)
        ]
        if len(pairs) < len(tree.items):
            return {}
    elif isinstance(tree, Relation) and tree.signs == ("=",):
        left, right = tree.sides
        if not (
            isinstance(left, Group) and isinstance(right, Group) and left.kind == right.kind == "()"
        ):
            return {}
        if len(left.items) != len(right.items):
            return {}
        pairs = list(zip(left.items, right.items, strict=True))
    else:
        return {}
    entries = {name.name: value for name, value in pairs if isinstance(name, Sym)}
    return entries if len(entries) == len(pairs) > 1 else {}


def _value_of_quantity(answer: Tree, gold: Tree) -> Tree | None:
    """Return the 42 of `m + n = 42` if the gold is a bare value."""
    if not isinstance(answer, Relation) or answer.signs != ("=",) or isinstance(gold, Relation):
        return None
    quantity, value = answer.sides
    bare = not symbols(value) and not symbols(gold) and value != ZERO  # x + y = 0 is an equation
    return value if bare and is_quantity(quantity) else None


def _worked_out(gold: Tree) -> Tree | None:
    """Return the 42 of a gold `6 * 7 = 42`, or the value of a sum or a limit, whose left side needs no solving."""
    if not isinstance(gold, Relation) or gold.signs != ("=",):
        return None
    before, value = gold.sides
    if isinstance(before, Group | Relation | Word):
        return None
    big = isinstance(before, Call) and before.name.startswith("big:")
    return value if big or not symbols(before) | symbols(value) else None


def _named_value(tree: Tree) -> Tree | None:
    """Return the value in `name = value` or `name ∈ value` if the name isn't in the value."""
    if (
        not isinstance(tree, Relation)
        or len(tree.signs) != 1
        or tree.signs[0] not in ("=", "in", "~")
    ):
        return None
    left, right = tree.sides
    if is_name(left) and not isinstance(right, Relation):
        bound = symbols(left) if isinstance(left, Sym) else frozenset()
        if not bound & symbols(right):
            return right
    if is_name(right) and isinstance(right, Sym) and right.name not in symbols(left):
        return left if tree.signs[0] == "=" and not is_name(left) else None
    return None
