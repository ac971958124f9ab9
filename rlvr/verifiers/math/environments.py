"""Reads LaTeX environments: matrices, determinants, systems of equations, piecewise functions."""

from __future__ import annotations

from abc import ABC, abstractmethod

from rlvr.verifiers.math.cursor import Cursor
from rlvr.verifiers.math.piecewise import SYSTEMS, aligned, system_of, words_in
from rlvr.verifiers.math.tree import (
    Group,
    Relation,
    Tree,
)
from rlvr.verifiers.math.vocabulary import (
    Unreadable,
)

MATRICES = {"pmatrix", "bmatrix", "matrix", "smallmatrix", "array", "Bmatrix"}


class Environments(Cursor, ABC):
    """Reads environments; their cells are read by the methods that a reader adds."""

    @abstractmethod
    def listing(self) -> Tree:
        """Values joined by commas, "and" or "or"."""

    def braced(self) -> Tree:
        """A system or a piecewise function behind one brace, and what closes that."""
        tree = self.system(self.take().text[6:])
        self.skip(".")
        return Group("{}", (tree,)) if self.skip("\\}") else tree

    def environment(self, name: str) -> Tree:
        """A matrix, a determinant, a system or a piecewise function."""
        if name in SYSTEMS:
            return self.system(name)
        if name not in MATRICES | {"vmatrix"}:
            raise Unreadable(f"unexpected environment {name}")
        rows: list[tuple[Tree, ...]] = []
        row: list[Tree] = []
        while not self.skip(f"end:{name}"):
            if self.skip("\\\\"):
                rows.append(tuple(row))
                row = []
            elif self.skip("&"):
                continue
            else:
                row.append(self.deeper(self.listing))
        if row:
            rows.append(tuple(row))
        if len({len(row) for row in rows}) != 1:
            raise Unreadable("rows of different lengths")
        cells = tuple(cell for row in rows for cell in row)
        if name == "array" and len(cells) == len(rows) and all(map(_is_relation, cells)):
            return Group("", cells)  # a system's solution
        kind = "det" if name == "vmatrix" else "rows"
        return Group(kind, tuple(Group("row", row) for row in rows))

    def system(self, name: str) -> Tree:
        """Equations in rows, or the rows of a piecewise function: a value and its condition."""
        self.tokens[self.at :] = aligned(self.tokens[self.at :], name)
        rows: list[tuple[Tree, ...]] = []
        row: list[Tree] = []
        while not self.skip(f"end:{name}"):
            if self.skip("\\\\"):
                rows.append(tuple(row))
                row = []
            elif not self.skip("&"):
                row.append(self.cell())
        return system_of([one for one in (*rows, tuple(row)) if one])

    def cell(self) -> Tree:
        """A value, a condition, or the words that stand for one."""
        stop = self.at
        while stop < len(self.tokens) and self.tokens[stop].text not in ("&", "\\\\"):
            if self.tokens[stop].text.startswith("end:"):
                break
            stop += 1
        inside = self.tokens[self.at : stop]
        if any(token.kind in ("said", "cond") for token in inside):
            self.at = stop
            return words_in(inside)
        return self.deeper(self.listing)


def _is_relation(tree: Tree) -> bool:
    return isinstance(tree, Relation)
