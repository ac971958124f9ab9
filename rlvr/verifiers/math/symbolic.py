"""SymPy's word on two expressions, where neither their form nor their numbers decide.

For a worker, which is killed when it overstays. The trees become SymPy objects node by node, by the
tables here; no text is ever parsed by SymPy.
"""

from __future__ import annotations

import math
from typing import Any

import sympy

from rlvr.verifiers.math.compare import Truth, quick
from rlvr.verifiers.math.numeric import agree
from rlvr.verifiers.math.tree import Call, Group, Num, Sym, Tree, children


class NotSymbolic(Exception):
    """The expression has a part that SymPy isn't asked about."""


class Stages:
    """A leaf comparison through all stages, which remembers the deepest one it needed."""

    order = ("form", "numeric", "sympy")

    def __init__(self) -> None:
        self.deepest = 0

    def __call__(self, gold: Tree, answer: Tree) -> bool:
        """Whether the two are equal."""
        seen = quick(gold, answer)
        if seen is None:
            self.deepest = max(self.deepest, 1)
            seen = agree(gold, answer)
        if seen is None:
            self.deepest = 2
            seen = simplify(gold, answer)
        return bool(seen)

    @property
    def stage(self) -> str:
        """The name of the deepest stage so far."""
        return self.order[self.deepest]


def simplify(gold: Tree, answer: Tree) -> Truth:
    """Whether SymPy simplifies their difference to zero."""
    try:
        difference = to_sympy(gold) - to_sympy(answer)
        if isinstance(difference, sympy.MatrixBase):
            return all(sympy.simplify(entry) == 0 for entry in difference)
        return bool(sympy.simplify(difference) == 0)
    except (MemoryError, RecursionError):
        raise
    except Exception:  # SymPy raises many kinds on what it can't work on
        return None


def to_sympy(tree: Tree) -> Any:
    """The SymPy object of a tree. Raises `NotSymbolic`."""
    if isinstance(tree, Num):
        return sympy.Rational(tree.value.numerator, tree.value.denominator)
    if isinstance(tree, Sym):
        return _CONSTANTS.get(tree.name) or sympy.Symbol(tree.name, real=True)
    if isinstance(tree, Call) and tree.name in _FUNCTIONS:
        if tree.name == "pow" and isinstance(tree.args[1], Num) and abs(tree.args[1].value) > 1000:
            raise NotSymbolic
        return _FUNCTIONS[tree.name](*(to_sympy(arg) for arg in tree.args))
    if isinstance(tree, Group) and tree.kind == "rows" and len(tree.items) <= 10:
        return sympy.Matrix([[to_sympy(entry) for entry in children(row)] for row in tree.items])
    raise NotSymbolic


_CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}
_FUNCTIONS: dict[str, Any] = {
    "add": sympy.Add,
    "neg": lambda a: -a,
    "mul": lambda *factors: math.prod(factors),
    "div": lambda a, b: a / b,
    "pow": sympy.Pow,
    "root": sympy.root,
    "abs": sympy.Abs,
    "factorial": sympy.factorial,
    "binomial": sympy.binomial,
    "ln": sympy.log,
    "log": lambda x, base=None: sympy.log(x) if base is None else sympy.log(x, base),
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "difference": lambda a, b: a - b,
    **{
        name: getattr(sympy, name)
        for name in ("exp", "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh")
    },
}
