r"""Rename an answer's variables as in the gold.

Some names are always free: a function's own argument (f(z) = z), a parameter that is declared to range
over a set (n \in \mathbb{Z}), and a constant of integration. Other variables are renamed only if an author allows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, permutations

from rlvr.verifiers.math.tree import (
    CONSTANTS,
    Call,
    Group,
    Num,
    Relation,
    Sym,
    Tree,
    Word,
    children,
    nodes,
    rebuilt,
    symbols,
)


def renamed(gold: Tree, answer: Tree) -> Tree:
    """Return `answer` with its variables named as the gold's, in order of appearance."""
    ours, theirs = _appearing(gold), _appearing(answer)
    if len(ours) != len(theirs) or set(ours) == set(theirs):
        return answer
    return replaced(answer, {name: Sym(mine) for name, mine in zip(theirs, ours, strict=True)})


def _appearing(tree: Tree) -> list[str]:
    if isinstance(tree, Sym):
        return [] if tree.name in CONSTANTS else [tree.name]
    return list(dict.fromkeys(name for inside in children(tree) for name in _appearing(inside)))


def replaced(tree: Tree, values: Mapping[str, Tree]) -> Tree:
    """Return `tree` with some symbols replaced by other trees."""
    if isinstance(tree, Sym):
        return values.get(tree.name, tree)
    inside = children(tree)
    return rebuilt(tree, tuple(replaced(part, values) for part in inside)) if inside else tree


def rebound(gold: Group, answer: Group) -> Group:
    r"""Return a set with a condition, with its bound variables named as in the gold: \{(a, b) \mid a > b\}."""
    ours, theirs = _bound(gold), _bound(answer)
    if len(ours) != len(theirs) or not (symbols(answer) - {*theirs}).isdisjoint(ours):
        return answer
    names = {name: Sym(mine) for name, mine in zip(theirs, ours, strict=True)}
    return Group(answer.kind, tuple(replaced(item, names) for item in answer.items))


def _bound(builder: Group) -> list[str]:
    """Return the bound variables of a set: those of its elements, and those that a condition draws from a set."""
    elements, condition = builder.items
    names: list[Tree] = list(children(elements)) if isinstance(elements, Group) else [elements]
    names += children(condition) if isinstance(condition, Group) else (condition,)
    names = [children(name)[0] if _ranges(name) else name for name in names]
    return list(dict.fromkeys(name.name for name in names if isinstance(name, Sym)))


def _ranges(tree: Tree) -> bool:
    return isinstance(tree, Relation) and tree.signs == ("in",)


# ---------------------------------------------------------------------- names that are free

MAX_RENAMINGS = 8
_CONSTANT = re.compile(r"[CcKkABD](?:_\w+)?")
_OF_INTEGRATION = re.compile(r"[CcK](?:_\w+)?|A|B")
_UNKNOWN = re.compile(r"[r-z]|theta|phi|tau|rho")
_ASKED = re.compile(r"[u-z]")
_INDEXED = re.compile(r"([a-zA-Z]+)_([a-z])")


def renamings(
    gold: Tree, answer: Tree, ours: Mapping[str, Tree], theirs: Mapping[str, Tree]
) -> Iterator[dict[str, Tree]]:
    """Yield the ways to rename an answer's free names as in the gold; the first keeps the names.

    `ours` and `theirs` are the parameters that each side declares, with their ranges.
    """
    if isinstance(gold, (Num, Word)) or isinstance(answer, (Num, Word)):
        yield {}
        return
    fixed = _arguments(gold, answer) or _of_lines(gold, answer)
    ways = islice(_of_parameters(gold, answer, ours, theirs), MAX_RENAMINGS)
    yield fixed
    yield from ({**fixed, **way} for way in ways if way)


def _of_parameters(
    gold: Tree, answer: Tree, ours: Mapping[str, Tree], theirs: Mapping[str, Tree]
) -> Iterator[dict[str, Tree]]:
    our_symbols, their_symbols = symbols(gold), symbols(answer)
    if not our_symbols or not their_symbols:
        return
    mine = [
        name for name in sorted(our_symbols) if _is_free(name, ours) or name in _constants(gold)
    ]
    yours = [
        name
        for name in sorted(their_symbols)
        if _is_free(name, theirs) or _CONSTANT.fullmatch(name)
    ]
    if any(_is_free(name, ours) for name in mine) and not any(
        _is_free(name, theirs) for name in yours
    ):
        yours = sorted(
            {*yours, *(their_symbols - our_symbols)}
        )  # n\pi beside k\pi, k \in \mathbb{Z}
    if any(_is_free(name, theirs) for name in yours) and not any(
        _is_free(name, ours) for name in mine
    ):
        mine = sorted({*mine, *(our_symbols - their_symbols)})
    shared = {*mine} & {*yours}
    apart = (
        [name for name in mine if name not in shared],
        [name for name in yours if name not in shared],
    )
    for left, right in ((mine, yours), apart):
        if len(left) == len(right) and left:
            indexed = left != right or all("_" in name or name in ours for name in left)
            if indexed and len(left) <= 3:
                yield from (_renaming(order, left) for order in permutations(right))
            elif indexed:
                order = [name for name in _appearing(answer) if name in right]
                yield _renaming(order, [name for name in _appearing(gold) if name in left])


def _renaming(theirs: Sequence[str], ours: Sequence[str]) -> dict[str, Tree]:
    return {name: Sym(mine) for name, mine in zip(theirs, ours, strict=True)}


def _is_free(name: str, declared: Mapping[str, Tree]) -> bool:
    """Return True for a declared parameter, which over the reals isn't one of the letters for unknowns."""
    if name not in declared:
        return False
    within = declared[name]
    discrete = isinstance(within, Group) or (
        isinstance(within, Sym) and within.name[3:4] in ("Z", "N")
    )
    return discrete or not _ASKED.fullmatch(name)


def _constants(tree: Tree) -> frozenset[str]:
    """Return the constants of integration: terms or factors in an expression of a variable, and nothing else.

    A plain c is one only as a whole term beside an unknown like x: ax^2 + bx + c has none.
    """
    names = [
        node.name for node in nodes(tree) if isinstance(node, Sym) and node.name not in CONSTANTS
    ]
    variables = {name for name in names if not _CONSTANT.fullmatch(name)}
    if not variables:
        return frozenset()
    plain = all(map(_UNKNOWN.fullmatch, variables))
    constants: set[str] = set()
    for node in nodes(tree):
        if not isinstance(node, Call) or node.name not in ("add", "mul", "div"):
            continue
        for arg in node.args[:1] if node.name == "div" else node.args:
            arg = arg.args[0] if isinstance(arg, Call) and arg.name == "neg" else arg
            if not isinstance(arg, Sym) or names.count(arg.name) > 1:
                continue
            if not _OF_INTEGRATION.fullmatch(arg.name):
                continue
            term = node.name == "add"
            if (
                "_" in arg.name
                or (arg.name in ("C", "K") and (term or plain))
                or (arg.name == "c" and plain and (term or _transcendental(node)))
                or (arg.name in ("A", "B") and plain and _transcendental(node))
            ):
                constants.add(arg.name)
    return frozenset(constants)


def without_constant(tree: Tree) -> Tree | None:
    """Return an antiderivative without its constant of integration; None if it has none."""
    constants = {name for name in _constants(tree) if name[0] in "CK"}
    if not constants or not isinstance(tree, Call) or tree.name != "add":
        return None
    first, last = tree.args[0], tree.args[-1]
    for constant, terms in ((last, tree.args[:-1]), (first, tree.args[1:])):
        if isinstance(constant, Sym) and constant.name in constants:
            return terms[0] if len(terms) == 1 else Call("add", terms)
    inner = without_constant(first)
    return None if inner is None else Call("add", (inner, *tree.args[1:]))


def _transcendental(tree: Tree) -> bool:
    """Return True if a tree has a function, or a power with a variable exponent, as solutions of differential equations."""
    return any(
        isinstance(node, Call)
        and (
            node.name in ("sin", "cos", "exp", "ln", "sinh", "cosh")
            or (node.name == "pow" and bool(symbols(node.args[1])))
        )
        for node in nodes(tree)
    )


def _arguments(gold: Tree, answer: Tree) -> dict[str, Tree]:
    """Return the gold's names for the answer's arguments of a function: x of f(x) = x for z of f(z) = z."""
    ours, theirs = _left_sides(gold), _left_sides(answer)
    if len(ours) != 1 or len(theirs) != 1:
        return {}
    (left,), (their_left,) = ours, theirs
    if isinstance(left, Sym) and isinstance(their_left, Sym):
        our_index, their_index = _INDEXED.fullmatch(left.name), _INDEXED.fullmatch(their_left.name)
        if (
            our_index is None
            or their_index is None
            or our_index.group(1) != their_index.group(1)
            or left == their_left
        ):
            return {}
        names: dict[str, Tree] = {
            their_index.group(2): Sym(our_index.group(2)),
            their_left.name: left,
        }
    elif isinstance(left, Call) and isinstance(their_left, Call) and left.name == their_left.name:
        if left == their_left or not all(
            isinstance(arg, Sym) for arg in (*left.args, *their_left.args)
        ):
            return {}
        mine, yours = _appearing(left), _appearing(their_left)
        if (
            len(mine) != len(left.args)
            or len(mine) != len(yours)
            or len(yours) != len(their_left.args)
        ):
            return {}
        names = _renaming(yours, mine)
    else:
        return {}
    other_symbols = symbols(answer) - {*names}
    new_names = {symbol.name for symbol in names.values() if isinstance(symbol, Sym)}
    return {} if other_symbols & new_names else names


def _of_lines(gold: Tree, answer: Tree) -> dict[str, Tree]:
    """Return the gold's name for the answer's parameter of a line: t of x = 1 + t, y = 2t for s of x = 1 + s, y = 2s."""
    ours, theirs = _parameters_of_lines(gold), _parameters_of_lines(answer)
    if len(ours) != 1 or len(theirs) != 1 or ours == theirs:
        return {}
    return {theirs.pop(): Sym(ours.pop())}


def _parameters_of_lines(tree: Tree) -> set[str]:
    """Return the symbols that several equations use and none determines."""
    if not isinstance(tree, Group) or len(tree.items) < 2:
        return set()
    left: set[str] = set()
    right: set[str] = set()
    for item in tree.items:
        if not isinstance(item, Relation) or item.signs != ("=",):
            return set()
        if not isinstance(item.sides[0], Sym):
            return set()
        left.add(item.sides[0].name)
        right |= symbols(item.sides[1])
    return right - left


def _left_sides(tree: Tree) -> set[Tree]:
    """Return the left sides if all items are equations."""
    if not isinstance(tree, Group | Relation):
        return set()
    items = tree.items if isinstance(tree, Group) and tree.kind == "" else (tree,)
    sides = {item.sides[0] for item in items if isinstance(item, Relation) and item.signs == ("=",)}
    if not all(isinstance(item, Relation) for item in items):
        return set()
    names: set[Tree] = {
        s
        for s in sides
        if isinstance(s, Sym) or (isinstance(s, Call) and s.name.startswith("apply:"))
    }
    return names if names == sides else set()
