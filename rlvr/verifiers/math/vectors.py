r"""Vectors in their several forms: tuples, columns, rows, ⟨3, -2⟩, 3\mathbf{i} - 2\mathbf{j}."""

from __future__ import annotations

from collections.abc import Callable

from rlvr.verifiers.math.tree import ONE, ZERO, Call, Group, Sym, Tree, children, nodes

_BASIS = {"i": 0, "j": 1, "k": 2}


def transposed(group: Group) -> Group | None:
    """Return the column of a row or tuple, and the row of a column; None for other matrices."""
    if group.kind in ("()", "[]"):
        return Group("rows", tuple(Group("row", (entry,)) for entry in group.items))
    if group.kind != "rows":
        return None
    rows = [children(row) for row in group.items]
    if len(rows) == 1:
        return Group("rows", tuple(Group("row", (entry,)) for entry in rows[0]))
    if all(len(row) == 1 for row in rows):
        return Group("rows", (Group("row", tuple(row[0] for row in rows)),))
    return None


def is_vector(group: Group) -> bool:
    """Return True for a tuple, a list in brackets, or a matrix of one row or column."""
    if group.kind in ("()", "[]"):
        return True
    return len(group.items) == 1 or all(len(children(row)) == 1 for row in group.items)


def entries(group: Group) -> tuple[Tree, ...]:
    """Return a vector's entries in order."""
    if group.kind != "rows":
        return group.items
    return tuple(entry for row in group.items for entry in children(row))


def in_basis(tree: Tree) -> Tree:
    r"""Return 3\hat{i} - 2\hat{j} as the tuple (3, -2); other trees are returned unchanged.

    A lone i is the imaginary unit, so there has to be a j or a k, or a hat.
    """
    if not isinstance(tree, Call) or not any(map(_is_vector_name, nodes(tree))):
        return tree
    shares = _shares(tree)
    if shares is None:
        return tree
    size = 3 if 2 in shares else 2
    return Group("()", tuple(shares.get(place, ZERO) for place in range(size)))


def _is_vector_name(tree: Tree) -> bool:
    return tree in (Sym("j"), Sym("k")) or (isinstance(tree, Call) and _place(tree) is not None)


def _place(tree: Tree) -> int | None:
    if isinstance(tree, Call) and tree.name == "hat":
        tree = tree.args[0]
    return _BASIS.get(tree.name) if isinstance(tree, Sym) else None


def _shares(tree: Tree) -> dict[int, Tree] | None:
    """Return each unit vector's factor in a sum of their multiples; None for any other tree."""
    place = _place(tree)
    if place is not None:
        return {place: ONE}
    if not isinstance(tree, Call):
        return None
    if tree.name == "add":
        total: dict[int, Tree] = {}
        for term in tree.args:
            shares = _shares(term)
            if shares is None:
                return None
            for place, share in shares.items():
                total[place] = Call("add", (total[place], share)) if place in total else share
        return total
    if tree.name == "neg":
        return _scaled(tree.args[0], lambda share: Call("neg", (share,)))
    if tree.name == "div" and not _mentions(tree.args[1]):
        return _scaled(tree.args[0], lambda share: Call("div", (share, tree.args[1])))
    if tree.name == "mul":
        vectors = [factor for factor in tree.args if _mentions(factor)]
        scalars = [factor for factor in tree.args if not _mentions(factor)]
        if len(vectors) == 1:
            return _scaled(vectors[0], lambda share: Call("mul", (*scalars, share)))
    return None


def _mentions(tree: Tree) -> bool:
    return any(_place(node) is not None for node in nodes(tree))


def _scaled(tree: Tree, scale: Callable[[Tree], Tree]) -> dict[int, Tree] | None:
    shares = _shares(tree)
    return None if shares is None else {place: scale(share) for place, share in shares.items()}


def has_rows(tree: Tree) -> bool:
    """Return True if a tree has a matrix."""
    return any(isinstance(node, Group) and node.kind == "rows" for node in nodes(tree))
