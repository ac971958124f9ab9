"""Sets of real numbers in their several forms: inequalities, intervals, unions, the line without a point."""

from __future__ import annotations

from rlvr.verifiers.math.tree import Call, Group, Relation, Sym, Tree, symbols

TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!=", "~": "~"}
_INFINITE = Sym("oo")
_REALS = Sym("bb:R")
_LINE = Group("()", (Call("neg", (_INFINITE,)), _INFINITE))


def as_sets(gold: Tree, answer: Tree) -> tuple[Tree, Tree]:
    """Inequalities in one variable become intervals where the other side is one, or both are."""
    if isinstance(gold, Relation) and isinstance(answer, Relation):
        ours, theirs = _solution_set(gold), _solution_set(answer)
        if ours is not None and theirs is not None and _variable(gold) == _variable(answer):
            return ours, theirs
        return gold, answer
    gold_set, answer_set = _solution_set(gold), _solution_set(answer)
    if gold_set is not None and isinstance(answer, Group) and answer_set is None:
        return gold_set, answer
    if answer_set is not None and isinstance(gold, Group) and gold_set is None:
        return gold, answer_set
    if gold_set is not None and answer_set is not None:
        return gold_set, answer_set
    return gold, answer


def _variable(relation: Relation) -> frozenset[str]:
    return symbols(relation) & {side.name for side in relation.sides if isinstance(side, Sym)}


def _solution_set(tree: Tree) -> Tree | None:
    """What `x > 2`, or `x < 1 or x > 2`, stands for; None for anything else."""
    if isinstance(tree, Relation):
        if tree.signs == ("in",) and isinstance(tree.sides[0], Sym):
            return _solution_set(tree.sides[1]) or tree.sides[1]
        if tree.signs == ("!=",) and isinstance(tree.sides[0], Sym) and not symbols(tree.sides[1]):
            return _all_but(tree.sides[1])
        return _interval(tree)
    if tree == _REALS:
        return _LINE
    if isinstance(tree, Call) and tree.name == "setminus" and tree.args[0] in (_REALS, _LINE):
        removed = tree.args[1]
        if isinstance(removed, Group) and removed.kind == "{}" and len(removed.items) == 1:
            return _all_but(removed.items[0])
    if (
        isinstance(tree, Group)
        and tree.kind == ""
        and all(isinstance(item, Relation) for item in tree.items)
    ):
        parts = [_interval(item) for item in tree.items if isinstance(item, Relation)]
        if all(part is not None for part in parts) and len(symbols(tree)) == 1:
            return Group("u", tuple(part for part in parts if part is not None))
    return None


def _all_but(point: Tree) -> Tree:
    """The reals without one of them."""
    below = Group("()", (Call("neg", (_INFINITE,)), point))
    return Group("u", (below, Group("()", (point, _INFINITE))))


def _interval(relation: Relation) -> Tree | None:
    """`a < x <= b` as (a, b]."""
    signs, sides = relation.signs, relation.sides
    if signs[0] in (">", ">="):
        signs = tuple(TURNED.get(sign, sign) for sign in reversed(signs))
        sides = tuple(reversed(sides))
    if set(signs) - {"<", "<="}:
        return None
    if len(signs) == 2 and isinstance(sides[1], Sym):
        low, high = sides[0], sides[2]
        brackets = ("(" if signs[0] == "<" else "[") + (")" if signs[1] == "<" else "]")
    elif len(signs) == 1 and isinstance(sides[0], Sym) and sides[0] != _INFINITE:
        low, high = Call("neg", (_INFINITE,)), sides[1]
        brackets = "()" if signs[0] == "<" else "(]"
    elif len(signs) == 1 and isinstance(sides[1], Sym) and sides[1] != _INFINITE:
        low, high = sides[0], _INFINITE
        brackets = "()" if signs[0] == "<" else "[)"
    else:
        return None
    if symbols(low) or symbols(high):
        return None
    return Group(brackets, (low, high))
