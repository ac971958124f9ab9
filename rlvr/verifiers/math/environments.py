r"""LaTeX environments: matrices and determinants, systems of equations, and piecewise functions, which are compared here, too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from rlvr.verifiers.math.cursor import Cursor
from rlvr.verifiers.math.intervals import (
    INTEGERS,
    LINE,
    Canonical,
    Combined,
    RealSet,
    Undecided,
    Unordered,
    canonical,
    is_integral,
    ordered,
)
from rlvr.verifiers.math.renaming import replaced
from rlvr.verifiers.math.sets import SIGNS, describe
from rlvr.verifiers.math.tree import (
    Call,
    Group,
    Relation,
    Tree,
    Word,
    children,
    rebuilt,
)
from rlvr.verifiers.math.vocabulary import (
    Token,
    Unreadable,
    words_of,
)

SYSTEMS = words_of("cases dcases rcases aligned align gathered gather split alignedat")
_CONNECTIVES = words_of(
    "if for when where whenever with as provided that given is and all any every case in the other cases "
    "on , . : ; ("
)
MAX_ROWS = 12
"""Rows of a piecewise function; one with more is equal only row by row."""

_Pieces: TypeAlias = tuple[Sequence[tuple[RealSet, Tree]], str]
_CELL = Token("mark", "&")
_OTHERWISE = Word("otherwise")


# ---------------------------------------------------------------------- reading

MATRICES = {"pmatrix", "bmatrix", "matrix", "smallmatrix", "array", "Bmatrix"}


class Environments(Cursor, ABC):
    """Reads environments; their cells are read by the methods that a reader adds."""

    @abstractmethod
    def listing(self) -> Tree:
        """Read values joined by commas, "and" or "or"."""

    def braced(self) -> Tree:
        """Read a system or a piecewise function after one brace, and its closing mark."""
        tree = self.system(self.take().text[6:])
        self.skip(".")
        return Group("{}", (tree,)) if self.skip("\\}") else tree

    def environment(self, name: str) -> Tree:
        """Read a matrix, a determinant, a system or a piecewise function."""
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
        """Read equations in rows, or the rows of a piecewise function: a value and its condition."""
        self.tokens[self.at :] = aligned(self.tokens[self.at :], name)
        rows: list[tuple[Tree, ...]] = []
        row: list[Tree] = []
        while not self.skip(f"end:{name}"):
            if self.skip("\\\\"):
                rows.append(tuple(row))
                row = []
            elif not self.skip("&"):
                row.append(self.cell())
        return system_of([cells for cells in (*rows, tuple(row)) if cells])

    def cell(self) -> Tree:
        """Read a value, a condition, or words in its place."""
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


def aligned(tokens: list[Token], name: str) -> list[Token]:
    """Return the tokens of an environment and beyond with one `&` before each condition, and none elsewhere.

    "if" and "for" become an `&`; one at a relation (`x &= 2`) and a comma before an `&` go.
    """
    stop, level = 0, 1
    while stop < len(tokens) and level:
        level += (tokens[stop].text == f"begin:{name}") - (tokens[stop].text == f"end:{name}")
        stop += 1
    kept: list[Token] = []
    for place, token in enumerate(tokens[:stop]):
        kind, text = token
        after = tokens[place + 1] if place + 1 < stop else token
        if (kind == "said" and _CONNECTIVES.issuperset(text.lower().split())) or token == Token(
            "cond", "if"
        ):
            token = _CELL
        elif token == Token("cond", "otherwise"):
            kept.append(_CELL)
        elif token == _CELL and (_is_sign(after) or (kept and _is_sign(kept[-1]))):
            continue
        if token == _CELL or token.text == "\\\\" or token.text.startswith("end:"):
            while kept and kept[-1] in _DROPPED:
                kept.pop()
        kept.append(token)
    return kept + tokens[stop:]


_DROPPED = {_CELL, *(Token("mark", mark) for mark in ",;.")}


def _is_sign(token: Token) -> bool:
    return token.kind != "num" and token.text in SIGNS


def words_in(tokens: Sequence[Token]) -> Word:
    """Return a cell that isn't mathematics, such as "n is odd", without fillers."""
    words = " ".join(token.text for token in tokens if token.text != "=").lower().split()
    return Word(" ".join(word for word in words if word not in _CONNECTIVES))


def system_of(rows: Sequence[tuple[Tree, ...]]) -> Group:
    """Return the list of equations, or the "cases" group of values with their conditions. Raises `Unreadable`."""
    if rows and all(len(row) == 1 and _relations(row[0]) for row in rows):
        return Group("", tuple(relation for row in rows for relation in _relations(row[0])))
    return Group("cases", tuple(Group("row", _case(row)) for row in rows))


def _relations(tree: Tree) -> tuple[Tree, ...]:
    items = tree.items if isinstance(tree, Group) and tree.kind in ("", "and") else (tree,)
    return items if all(isinstance(item, Relation) for item in items) else ()


def _case(row: tuple[Tree, ...]) -> tuple[Tree, Tree]:
    if len(row) == 1:
        (cell,) = row
        if isinstance(cell, Group) and cell.kind in ("", "and") and len(cell.items) > 1:
            value, *conditions = cell.items
            row = (
                value,
                conditions[0] if len(conditions) == 1 else Group("and", tuple(conditions)),
            )
        else:
            row = with_condition(cell) or row
    if len(row) != 2:
        raise Unreadable("rows without a value and its condition")
    value, condition = row
    if isinstance(value, Relation | Word):
        raise Unreadable("a case without a value")
    if isinstance(condition, Relation | Word):
        return value, condition
    if isinstance(condition, Group) and any(
        isinstance(i, Relation | Group) for i in condition.items
    ):
        return value, condition
    raise Unreadable("a case without a condition")


def with_condition(tree: Tree) -> tuple[Tree, Tree] | None:
    """Return the parts of `x^2 (x > 0)`, which reads as a product: the value and its condition."""
    if not isinstance(tree, Call) or tree.name not in ("mul", "add", "neg"):
        return None
    *before, last = tree.args
    if tree.name == "mul" and len(before) == 1 and isinstance(last, Relation):
        return before[0], last
    inner = with_condition(last)
    return None if inner is None else (rebuilt(tree, (*before, inner[0])), inner[1])


# ---------------------------------------------------------------------- comparing


def same_cases(
    gold: Group, answer: Group, same: Callable[[Tree, Tree], bool | None]
) -> bool | None:
    """Return True if two piecewise functions have the same value everywhere; None if a worker must decide."""
    ours, theirs = _pieces(gold), _pieces(answer)
    if ours is None or theirs is None or ours[1] != theirs[1]:
        return _same_rows(gold, answer, same)
    if ours[1] == "n" or any(is_integral(where) for where, _ in (*ours[0], *theirs[0])):
        ours, theirs = _integral(ours), _integral(theirs)
    try:
        return _same_pieces(ours[0], theirs[0], ours[1], same)
    except Undecided:
        return None
    except Unordered:
        return _same_rows(gold, answer, same)


def _integral(pieces: _Pieces) -> _Pieces:
    """Return the pieces over the integers alone, as of a sequence."""
    return [(Combined("and", (INTEGERS, where)), value) for where, value in pieces[0]], pieces[1]


def _pieces(cases: Group) -> _Pieces | None:
    """Return each row's set, without those of the rows before it, with its value; and the rows' one variable."""
    if len(cases.items) > MAX_ROWS:
        return None
    pieces: list[tuple[RealSet, Tree]] = []
    before: list[RealSet] = []
    variables: set[str] = set()
    for value, condition in map(children, cases.items):
        here: RealSet = LINE
        if condition != _OTHERWISE:
            described = describe(condition)
            if described is None:
                return None
            here = described.values
            variables.add(described.variable)
        pieces.append(
            (Combined("and", (here, *(Combined("not", (earlier,)) for earlier in before))), value)
        )
        before.append(here)
    return (pieces, variables.pop()) if len(variables) == 1 else None


def _same_pieces(
    ours: Sequence[tuple[RealSet, Tree]],
    theirs: Sequence[tuple[RealSet, Tree]],
    variable: str,
    same: Callable[[Tree, Tree], bool | None],
) -> bool | None:
    form = partial(canonical, order=partial(ordered, same=same))
    everything = [
        Combined("or", tuple(values for values, _ in pieces)) for pieces in (ours, theirs)
    ]
    for domain, other in (everything, everything[::-1]):
        if form(Combined("and", (domain, Combined("not", (other,))))).intervals:
            return False
    truth: bool | None = True
    for where, value in ours:
        for elsewhere, other_value in theirs:
            common = form(Combined("and", (where, elsewhere)))
            if not common.intervals:
                continue
            equal = same(value, other_value)
            if equal is False:
                equal = _same_at_points(common, value, other_value, variable, same)
            if equal is False:
                return False
            truth = truth and equal
    return truth


def _same_at_points(
    where: Canonical,
    value: Tree,
    other: Tree,
    variable: str,
    same: Callable[[Tree, Tree], bool | None],
) -> bool | None:
    """Return True if two expressions agree at all points of a finite set, such as x^2 and 4 at 2."""
    truth: bool | None = True
    for interval in where.intervals:
        if interval.low is None or interval.low != interval.high:
            return False
        at = {variable: interval.low}
        truth = truth and same(replaced(value, at), replaced(other, at))
    return truth


def _same_rows(
    gold: Group, answer: Group, same: Callable[[Tree, Tree], bool | None]
) -> bool | None:
    """Return True if the rows are the same in some order, value by value and condition by condition."""
    if len(gold.items) != len(answer.items):
        return False
    left = [children(row) for row in answer.items]
    truth: bool | None = True
    for row in gold.items:
        value, condition = children(row)
        fits = [both(same(condition, there[1]), same(value, there[0])) for there in left]
        if True in fits:
            left.pop(fits.index(True))
        elif None in fits:
            truth = None
        else:
            return False
    return truth


def both(first: bool | None, second: bool | None) -> bool | None:
    """Return True if both truths are True; None if that is undecided."""
    if first is False or second is False:
        return False
    return True if first and second else None
