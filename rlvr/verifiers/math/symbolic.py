"""SymPy's word on two expressions, where neither their form nor their numbers decide.

For a worker, which is killed at its deadline. The trees become SymPy objects node by node, by the
tables here; no text is ever parsed by SymPy.
"""

from __future__ import annotations

import math
from typing import Any

import sympy

from rlvr.verifiers.math.agreement import agree
from rlvr.verifiers.math.leaf import Truth, at_once
from rlvr.verifiers.math.tree import BOUND, Call, Group, Num, Relation, Sym, Tree, children, nodes


class NotSymbolic(Exception):
    """The expression has a part that SymPy isn't asked about."""


class Stages:
    """A leaf comparison through all stages, which remembers the deepest one it needed."""

    order = ("form", "numeric", "sympy")

    def __init__(self) -> None:
        self.deepest = 0

    def __call__(self, gold: Tree, answer: Tree) -> bool:
        """Tell whether the two are equal."""
        seen = at_once(gold, answer)
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
    """Tell whether SymPy simplifies their difference to zero."""
    try:
        difference = to_sympy(gold) - to_sympy(answer)
        if isinstance(difference, sympy.MatrixBase):
            return all(sympy.simplify(entry) == 0 for entry in difference)
        return bool(sympy.simplify(difference) == 0)
    except MemoryError:
        raise
    except Exception:  # SymPy raises many kinds on what it can't work on
        return None


def to_sympy(tree: Tree) -> Any:
    """Return the SymPy object of a tree. Raises `NotSymbolic`."""
    if isinstance(tree, Num):
        return sympy.Rational(tree.value.numerator, tree.value.denominator)
    if isinstance(tree, Sym) and f"_{BOUND}" in tree.name:  # the terms of a sequence
        raise NotSymbolic
    if isinstance(tree, Sym):
        return _CONSTANTS.get(tree.name) or sympy.Symbol(tree.name, real=True)
    if isinstance(tree, Call) and tree.name in _FUNCTIONS:
        args = [to_sympy(arg) for arg in tree.args]
        if tree.name == "pow" and args[1].is_Rational and abs(args[1]) > 1000:
            raise NotSymbolic
        if tree.name in _GROWING:
            whole = all(arg.is_Integer for arg in args)
            if any(arg.is_number and not abs(arg) < (1000 if whole else 40) for arg in args):
                raise NotSymbolic
        return _FUNCTIONS[tree.name](*args)
    if isinstance(tree, Call) and tree.name.startswith("big:"):
        return _big(tree)
    if isinstance(tree, Group) and tree.kind == "rows" and len(tree.items) <= 10:
        return sympy.Matrix([[to_sympy(entry) for entry in children(row)] for row in tree.items])
    raise NotSymbolic


_LARGEST_POWER = 40
"""In what is summed up: the closed form of a sum of k^360 takes SymPy half a minute."""


def _big(tree: Call) -> Any:
    """Return a sum, product, integral or limit, worked out."""
    body, low, *rest = tree.args
    for node in nodes(body):
        exponent = node.args[1] if isinstance(node, Call) and node.name == "pow" else None
        if isinstance(exponent, Num) and abs(exponent.value) > _LARGEST_POWER:
            raise NotSymbolic
    if tree.name == "big:int" and len(rest) == 2:
        limits = (to_sympy(rest[1]), to_sympy(low), to_sympy(rest[0]))
        return sympy.Integral(to_sympy(body), limits).doit()
    if not isinstance(low, Relation) or len(low.sides) != 2:
        raise NotSymbolic
    name, start = map(to_sympy, low.sides)
    if tree.name == "big:lim" and low.signs == ("to",):
        return sympy.limit(to_sympy(body), name, start)
    if tree.name not in ("big:sum", "big:prod") or low.signs != ("=",):
        raise NotSymbolic
    kind = sympy.Sum if tree.name == "big:sum" else sympy.Product
    return kind(to_sympy(body), (name, start, to_sympy(rest[0]))).doit()


_TRIGONOMETRIC = ("sin", "cos", "tan", "cot", "sec", "csc")
_HYPERBOLIC = ("sinh", "cosh", "tanh", "coth", "sech", "csch")
_GROWING = {"factorial", "double", "binomial", "choose", "falling"}
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
    "double": sympy.factorial2,
    "choose": sympy.binomial,
    "falling": sympy.ff,
    "sgn": sympy.sign,
    "conj": sympy.conjugate,
    "re": sympy.re,
    "im": sympy.im,
    "cis": lambda x: sympy.cos(x) + sympy.I * sympy.sin(x),
    "floor": sympy.floor,
    "ceil": sympy.ceiling,
    "difference": lambda a, b: a - b,
    **{name: getattr(sympy, name) for name in ("exp", *_TRIGONOMETRIC, *_HYPERBOLIC)},
    **{f"arc{name}": getattr(sympy, f"a{name}") for name in _TRIGONOMETRIC},
    **{f"ar{name}": getattr(sympy, f"a{name}") for name in _HYPERBOLIC},
}
