r"""Sets of real numbers in their several forms, from trees.

Inequalities, intervals, unions, differences, `\mathbb{R}`, `\{x \mid x > 2\}`, integers in a range: each is
described by an expression over intervals; see `intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from rlvr.verifiers.math.intervals import (
    EMPTY,
    INTEGERS,
    LINE,
    NATURALS,
    Combined,
    Interval,
    RealSet,
    interval,
    point,
)
from rlvr.verifiers.math.tree import CONSTANTS, Call, Group, Num, Relation, Sym, Tree, symbols

TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "=": "=", "!=": "!=", "~": "~"}
SIGNS = {
    "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!=": "!=", "le": "<=", "ge": ">=",
    "ne": "!=", "in": "in", "notin": "notin", "approx": "~", "equiv": "=", "sim": "~", "≈": "~",
}  # fmt: skip
"""The notations of relations, with their signs in trees."""

INEQUALITIES = frozenset({"<", ">", "<=", ">=", "!=", "in", "notin"})
_VALUES = Num | Sym | Call


class Described(NamedTuple):
    """A set, and the variable whose values it holds; "" if the set belongs to no variable."""

    values: RealSet
    variable: str


# ---------------------------------------------------------------------- trees to sets


def sets_of(gold: Tree, answer: Tree) -> tuple[RealSet, RealSet] | None:
    """Return the two sets if both trees describe one and it takes more than lists to compare them."""
    if not (is_set(gold) or is_set(answer)):
        return None
    ours = describe(gold, _about(gold, answer))
    theirs = describe(answer, _about(answer, gold)) if ours is not None else None
    if ours is None or theirs is None:
        return None
    if ours.variable and theirs.variable and ours.variable != theirs.variable:
        return None
    return ours.values, theirs.values


def is_set(tree: Tree) -> bool:
    """Return True if a tree can only be a set: an inequality or a union, not a pair or a list of values."""
    if isinstance(tree, Relation):
        return not INEQUALITIES.isdisjoint(tree.signs)
    if isinstance(tree, Sym):
        return tree.name.startswith("bb:")
    if isinstance(tree, Call):
        return _difference(tree) is not None
    if not isinstance(tree, Group):
        return False
    if tree.kind == "":
        return any(map(is_set, tree.items)) or _solves_one(tree.items)
    return tree.kind in ("u", "[)", "(]", "builder", "and", "or")


def _solves_one(items: Sequence[Tree]) -> bool:
    """Return True for several values of one variable: `x = 1 or x = 2`, or `x = 1, 2`."""
    first = items[0] if items else None
    if not isinstance(first, Relation) or first.signs != ("=",):
        return False
    return isinstance(first.sides[0], Sym) and all(
        item.signs == ("=",) and item.sides[0] == first.sides[0]
        if isinstance(item, Relation)
        else isinstance(item, _VALUES)
        for item in items
    )


def _about(tree: Tree, other: Tree) -> str:
    """Return the variable that all of a tree's relations bound, if the other side determines it."""
    items = tree.items if isinstance(tree, Group) else (tree,)
    relations = [item for item in items if isinstance(item, Relation)]
    if not relations or not symbols(tree):
        return ""
    names = frozenset.intersection(*(_bounded(relation) for relation in relations))
    if len(names) > 1 and not isinstance(other, Relation):
        names -= symbols(other)
    return next(iter(names)) if len(names) == 1 else ""


def _bounded(relation: Relation) -> frozenset[str]:
    """Return the symbols that are one side of a relation; in the middle of a chain, that one alone."""
    sides = relation.sides[1:2] if len(relation.sides) == 3 else relation.sides
    return frozenset(side.name for side in sides if isinstance(side, Sym)) - CONSTANTS


def describe(tree: Tree, about: str = "") -> Described | None:
    """Return the set that a tree describes; `about` is the variable if it's known."""
    if isinstance(tree, Relation):
        return _of_relation(tree, about)
    if isinstance(tree, Group) and tree.kind in ("", "and", "or"):
        return _of_list(tree, about)
    values = _of_object(tree)
    return None if values is None else Described(values, "")


def _of_relation(relation: Relation, about: str) -> Described | None:
    distance = _of_distance(relation)
    if distance is not None:
        return distance
    signs, sides = relation.signs, relation.sides
    variable = about or _variable(sides)
    if signs[0] in (">", ">="):
        signs = tuple(TURNED.get(sign, sign) for sign in reversed(signs))
        sides = tuple(reversed(sides))
    if sides.count(Sym(variable)) != 1:
        return None
    place = sides.index(Sym(variable))
    rest = sides[:place] + sides[place + 1 :]
    if any(variable in symbols(other) for other in rest):
        return None
    if signs in (("in",), ("notin",)):
        within = _of_object(_blackboard(sides[1])) if place == 0 else None
        if within is None:
            return None
        return Described(within if signs == ("in",) else Combined("not", (within,)), variable)
    if not all(isinstance(other, _VALUES) for other in rest):
        return None
    if signs in (("=",), ("!=",)):
        only = point(rest[0])
        return Described(only if signs == ("=",) else Combined("not", (only,)), variable)
    if set(signs) - {"<", "<="} or (len(signs), place) not in ((1, 0), (1, 1), (2, 1)):
        return None
    low = sides[place - 1] if place else None
    high = sides[place + 1] if place < len(signs) else None
    closed = (place > 0 and signs[place - 1] == "<=", place < len(signs) and signs[place] == "<=")
    return Described(interval(low, high, closed), variable)


def _of_distance(relation: Relation) -> Described | None:
    """Return the set of |x| < 2 or |x| >= 2."""
    if len(relation.signs) != 1 or not any(
        isinstance(s, Call) and s.name == "abs" for s in relation.sides
    ):
        return None
    (sign,), (left, right) = relation.signs, relation.sides
    if isinstance(right, Call) and right.name == "abs":
        sign, left, right = TURNED.get(sign, ""), right, left
    assert isinstance(left, Call)
    inside = left.args[0]
    if not (isinstance(inside, Sym) and isinstance(right, Num) and right.value > 0):
        return None
    within = interval(Num(-right.value), right, (sign in ("<=", ">"), sign in ("<=", ">")))
    if sign in ("<", "<="):
        return Described(within, inside.name)
    return Described(Combined("not", (within,)), inside.name) if sign in (">", ">=") else None


def _variable(sides: tuple[Tree, ...]) -> str:
    """Return the symbol whose values a relation bounds: the middle of a chain, otherwise the first side that is a symbol."""
    places = sides[1:2] if len(sides) == 3 else sides
    names = [side.name for side in places if isinstance(side, Sym)]
    return next((name for name in names if name not in CONSTANTS), "")


def _blackboard(tree: Tree) -> Tree:
    r"""Return the set of real numbers for a plain R after \in."""
    if isinstance(tree, Sym) and tree.name in ("R", "Z", "N"):
        return Sym(f"bb:{tree.name}")
    return tree


def _of_list(group: Group, about: str) -> Described | None:
    """Return the set of `x < 1 or x > 2` or `x \\ne 1, 2`; intervals side by side are a union."""
    parts: list[RealSet] = []
    variables: set[str] = set()
    relations: list[Relation] = []
    excluded, objects = False, 0
    for item in group.items:
        if relations and isinstance(item, _VALUES) and not is_set(item):
            last = relations[-1]
            if last.signs not in (("=",), ("!=",)):
                return None
            excluded = excluded or last.signs == ("!=",)
            item = Relation(last.signs, (last.sides[0], item))
        described = describe(item, about)
        if described is None:
            return None
        if isinstance(item, Relation):
            relations.append(item)
        objects += not described.variable
        parts.append(described.values)
        variables |= {described.variable} - {""}
    if len(variables) > 1 or (variables and objects):
        return None
    operator = group.kind or "comma"
    if all(relation.signs == ("=",) for relation in relations):
        operator = "or"
    elif excluded:
        operator = "and"
    return Described(Combined(operator, tuple(parts)), next(iter(variables), ""))


def _of_object(tree: Tree) -> RealSet | None:
    r"""Return the set of an interval, a union, `\mathbb{R}` or `\{1, 2\}`."""
    if isinstance(tree, Sym):
        return EMPTY if tree.name == "empty" else _domain(tree.name)
    if isinstance(tree, Call):
        pair = _difference(tree)
        parts = pair and [_of_object(part) for part in pair]
        if not parts or parts[0] is None or parts[1] is None:
            return None
        removed = Combined("not", (parts[1],)) if tree.name != "cap" else parts[1]
        return Combined("and", (parts[0], removed))
    if not isinstance(tree, Group):
        return None
    if tree.kind in ("()", "[]", "[)", "(]") and len(tree.items) == 2:
        low, high = tree.items
        if not (isinstance(low, _VALUES) and isinstance(high, _VALUES)):
            return None
        return interval(low, high, (tree.kind[0] == "[", tree.kind[1] == "]"))
    if tree.kind == "{}":
        if not all(isinstance(item, _VALUES) for item in tree.items):
            return None
        return Combined("or", tuple(map(point, tree.items)))
    if tree.kind == "builder":
        return _of_builder(*tree.items)
    if tree.kind in ("u", ""):
        parts = [_of_object(item) for item in tree.items]
        return Combined("or", tuple(part for part in parts if part)) if None not in parts else None
    return None


def _of_builder(elements: Tree, condition: Tree) -> RealSet | None:
    domain: RealSet | None = LINE
    if isinstance(elements, Relation) and elements.signs == ("in",):
        domain = _of_object(_blackboard(elements.sides[1]))
        elements = elements.sides[0]
    if not isinstance(elements, Sym) or domain is None:
        return None
    described = describe(condition, elements.name)
    if described is None or described.variable != elements.name:
        return None
    return Combined("and", (domain, described.values))


def _difference(tree: Call) -> tuple[Tree, Tree] | None:
    r"""Return the two sides of A \setminus B and A \cap B; of \mathbb{R} - \{2\} and \mathbb{R}/\{2\}, too."""
    if tree.name in ("cap", "setminus"):
        left, right = tree.args
        if tree.name == "setminus" and isinstance(right, Num | Call):
            right = Group("{}", (right,))
        return left, right
    if tree.name not in ("add", "div") or len(tree.args) != 2:
        return None
    left, right = tree.args
    if tree.name == "add":
        if not (isinstance(right, Call) and right.name == "neg"):
            return None
        right = right.args[0]
    line = isinstance(left, Sym) and (left.name == "R" or left.name.startswith("bb:"))
    if not (isinstance(right, Group) and right.kind == "{}" and (line or isinstance(left, Group))):
        return None
    return _blackboard(left), right


_POSITIVE = Interval(Num(Fraction(0)), None, (False, False))
_FROM_ZERO = Interval(Num(Fraction(0)), None, (True, False))
_RANGES: dict[str, RealSet] = {
    "": LINE,
    "+": _POSITIVE,
    "-": Interval(None, Num(Fraction(0)), (False, False)),
    "*": Combined("not", (Interval(Num(Fraction(0)), Num(Fraction(0)), (True, True)),)),
    "0+": _FROM_ZERO,
    "0-": Interval(None, Num(Fraction(0)), (False, True)),
}


def _domain(name: str) -> RealSet | None:
    r"""Return the set of a symbol such as bb:Z or bb:R+, the reader's names for \mathbb{Z} and \mathbb{R}^{+}."""
    letter, part = name[3:4], name[4:]
    if not name.startswith("bb:") or letter not in "RZN" or part not in _RANGES:
        return None
    if letter == "N":
        if part in ("+", "*"):
            return Combined("and", (INTEGERS, _POSITIVE))
        return Combined("and", (INTEGERS, _FROM_ZERO)) if part == "0+" else NATURALS
    return _RANGES[part] if letter == "R" else Combined("and", (INTEGERS, _RANGES[part]))
