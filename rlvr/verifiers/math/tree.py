"""What the reader makes of an answer: a small tree of plain tuples-with-names."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Num:
    """An exact rational number."""

    value: Fraction


@dataclass(frozen=True, slots=True)
class Sym:
    """A symbol or a named constant: x, \\alpha, x_1, pi, e, i, oo."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or function with its arguments: add, mul, div, pow, neg, pm, sin, log, …"""

    name: str
    args: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Several values: a tuple or interval (with its brackets), a set "{}", a bare list "", a union "u"."""

    kind: str
    items: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """An equation or inequality."""

    sign: str
    left: Tree
    right: Tree


@dataclass(frozen=True, slots=True)
class Word:
    """Text: a name, a day, a choice's letter. Lower case."""

    text: str


Tree: TypeAlias = Num | Sym | Call | Group | Relation | Word


def symbols(tree: Tree) -> set[str]:
    """The names of all symbols in it."""
    found: set[str] = set()
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, Sym):
            found.add(node.name)
        elif isinstance(node, Call):
            todo.extend(node.args)
        elif isinstance(node, Group):
            todo.extend(node.items)
        elif isinstance(node, Relation):
            todo += [node.left, node.right]
    return found
