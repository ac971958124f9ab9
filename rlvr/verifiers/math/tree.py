"""The tree that the reader makes of an answer: small frozen dataclasses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Num:
    """An exact rational number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Sym:
    r"""A symbol or a named constant: x, \alpha, x_1; pi, e, i, oo, empty."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function with its arguments: add, mul, div, pow, neg, pm, root, sin, log, …

    Three hold the additions to a value: "unit" a `Unit`; "said" the `Word` behind it ("5 apples"),
    "told" the one in front ("odd n").
    """

    name: str
    args: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Several values.

    `kind` is "()" for a tuple, point or open interval; "[]", "[)" or "(]" for the other intervals;
    "{}" for a set; "" for values side by side ("1, 2" or "1 or 2"); "u" for a union; "rows" for a
    matrix, whose items are "row" groups; "det" for one between bars; "cases"; ":" for a ratio or
    a time of day; "letters" for choices.
    """

    kind: str
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """An equation or inequality, or a chain of them: `sides` has one more than `signs`."""

    signs: tuple[str, ...]
    sides: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of measure.

    Attributes:
        scale: its size in base units: 1000 for km, 1/100 for cents.
        powers: the base units and their powers, sorted: (("m", 1), ("s", -2)).
    """

    scale: Fraction
    powers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Word:
    """Text: a name, a day, a choice's letter. Lower case."""

    text: str


Tree: TypeAlias = Num | Sym | Call | Group | Relation | Unit | Word

CONSTANTS = frozenset({"pi", "e", "i", "oo", "empty"})
BOUND = "bound:"
"""How the name of a variable begins that its sum, product, integral or limit binds."""

ZERO, ONE, TWO = (Num(Fraction(n)) for n in (0, 1, 2))


def children(tree: Tree) -> tuple[Tree, ...]:
    """Return the trees directly inside it."""
    if isinstance(tree, Call):
        return tree.args
    if isinstance(tree, Group):
        return tree.items
    return tree.sides if isinstance(tree, Relation) else ()


def nodes(tree: Tree) -> Iterator[Tree]:
    """Yield it and everything inside it."""
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        todo.extend(children(node))


def depth(tree: Tree) -> int:
    """Return the number of levels; 1 for a number. Without recursion, since it guards what recurses."""
    levels, row = 0, [tree]
    while row:
        levels += 1
        row = [inside for node in row for inside in children(node)]
    return levels


def symbols(tree: Tree) -> frozenset[str]:
    """Return the names of its symbols, without constants and the variables that sums and integrals bind."""
    names = {node.name for node in nodes(tree) if isinstance(node, Sym)}
    return frozenset(name for name in names if name not in CONSTANTS and BOUND not in name)


def rebuilt(tree: Tree, inside: tuple[Tree, ...]) -> Tree:
    """Return the same node with other trees inside."""
    if isinstance(tree, Call):
        return Call(tree.name, inside)
    if isinstance(tree, Group):
        return Group(tree.kind, inside)
    return Relation(tree.signs, inside) if isinstance(tree, Relation) else tree
