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


def is_plain(tree: Tree) -> bool:
    """Whether it's a number as one writes a result: 7, -3/4, 2 1/2, 5%, 3*10^8, x = 7; not 6*7."""
    if isinstance(tree, Relation):
        return tree.sign == "=" and isinstance(tree.left, Sym) and is_plain(tree.right)
    if isinstance(tree, Num):
        return True
    if not isinstance(tree, Call):
        return True  # not an expression to work out: a word, a list
    args = tree.args
    if tree.name == "neg":
        return is_plain(args[0])
    if tree.name == "div":
        return all(_is_integer(arg) for arg in args)
    if tree.name == "add":  # a mixed number
        return isinstance(args[0], Num) and isinstance(args[1], Call) and args[1].name == "div"
    if tree.name == "mul":
        return is_plain(args[0]) and _is_power_of_ten(args[1])
    return _is_power_of_ten(tree) or tree.name in ("base", "pm")


def _is_integer(tree: Tree) -> bool:
    if isinstance(tree, Call) and tree.name == "neg":
        return _is_integer(tree.args[0])
    return isinstance(tree, Num)


def _is_power_of_ten(tree: Tree) -> bool:
    return (
        isinstance(tree, Call)
        and tree.name == "pow"
        and tree.args[0] == Num(Fraction(10))
        and _is_integer(tree.args[1])
    )
