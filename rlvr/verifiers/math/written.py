"""The written form of an expression, apart from its value: its shape, its factors, and its unevaluated parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction

from rlvr.verifiers.math.normal import key
from rlvr.verifiers.math.tree import (
    ONE,
    TWO,
    ZERO,
    Call,
    Group,
    Num,
    Relation,
    Sym,
    Tree,
    children,
    nodes,
    rebuilt,
    symbols,
)

_MINUS_ONE = Num(Fraction(-1))
_FUNCTIONS = frozenset(
    ("factorial", "binomial", "log", "ln", "gcd", "lcm", "max", "min", "floor", "ceil", "mod")
)
_TRIGONOMETRIC = ("sin", "cos", "tan", "cot", "sec", "csc", "ar")


def shape(tree: Tree) -> Tree:
    r"""Return the written form, except for order, brackets, notation, and parts without effect (a factor 1, a term 0).

    A quotient is a product with an inverse, a root a power: \frac{x}{2} is \frac12 x.
    """
    inside = tuple(map(shape, children(tree)))
    if isinstance(tree, Relation) and set(tree.signs) == {"="}:
        return Relation(tree.signs, tuple(sorted(inside, key=key)))
    if not isinstance(tree, Call):
        return rebuilt(tree, inside) if inside else tree
    if tree.name == "neg":
        return _negated(inside[0])
    if tree.name == "add":
        return _joined("add", inside, ZERO)
    if tree.name == "mul":
        return _product(inside)
    if tree.name == "div":
        return _product((inside[0], _inverse(inside[1])))
    if tree.name == "root":
        return _power(inside[0], _inverse(inside[1]))
    return _power(*inside) if tree.name == "pow" else Call(tree.name, inside)


def contains(tree: Tree, part: Tree) -> bool:
    """Return True if a shape contains another one, or its opposite: as a part, or among its terms or factors."""
    wanted = (part, _opposite(part))
    return any(
        node == target or _has_among(node, target) for node in nodes(tree) for target in wanted
    )


def _has_among(tree: Tree, part: Tree) -> bool:
    if not isinstance(tree, Call) or not isinstance(part, Call) or tree.name != part.name:
        return False
    return tree.name in ("add", "mul") and Counter(part.args) <= Counter(tree.args)


def _opposite(tree: Tree) -> Tree:
    if isinstance(tree, Call) and tree.name == "add":
        return _joined("add", tuple(map(_negated, tree.args)), ZERO)
    return _negated(tree)


def _product(factors: Sequence[Tree]) -> Tree:
    negative = [_is_negative(factor) for factor in factors]
    bare = tuple(
        _negated(factor) if minus else factor
        for factor, minus in zip(factors, negative, strict=True)
    )
    product = _joined("mul", bare, ONE)
    return _negated(product) if sum(negative) % 2 else product


def _power(base: Tree, exponent: Tree) -> Tree:
    if isinstance(exponent, Num) and exponent.value.numerator == 1:
        exponent = _inverse(Num(Fraction(exponent.value.denominator)))
    if exponent == ONE:
        return base
    if exponent == _MINUS_ONE:
        return _inverse(base)
    if base == _MINUS_ONE and exponent == _inverse(TWO):
        return Sym("i")
    if isinstance(exponent, Num) and exponent.value % 2 == 0 and _is_negative(base):
        base = _negated(base)
    return Call("pow", (base, exponent))


def _is_negative(tree: Tree) -> bool:
    if isinstance(tree, Num):
        return tree.value < 0
    return isinstance(tree, Call) and tree.name == "neg"


def _inverse(tree: Tree) -> Tree:
    if tree == ONE:
        return tree
    if isinstance(tree, Call):
        if tree.name == "neg":
            return _negated(_inverse(tree.args[0]))
        if tree.name == "mul":
            return _joined("mul", tuple(map(_inverse, tree.args)), ONE)
        if tree.name == "pow" and tree.args[1] == _MINUS_ONE:
            return tree.args[0]
    return Call("pow", (tree, _MINUS_ONE))


def _joined(name: str, args: tuple[Tree, ...], nothing: Num) -> Tree:
    flat: list[Tree] = []
    for arg in args:
        flat += children(arg) if isinstance(arg, Call) and arg.name == name else [arg]
    flat = sorted((arg for arg in flat if arg != nothing), key=key)
    if not flat:
        return nothing
    return flat[0] if len(flat) == 1 else Call(name, tuple(flat))


def _negated(tree: Tree) -> Tree:
    if isinstance(tree, Call) and tree.name == "neg":
        return tree.args[0]
    return Num(-tree.value) if isinstance(tree, Num) else Call("neg", (tree,))


def has_functions(tree: Tree) -> bool:
    """Return True if a function's value is still to be evaluated: sin 18°, arccos(1/2), 5!, log₂ 5; roots don't count."""
    return any(
        isinstance(node, Call)
        and (node.name in _FUNCTIONS or node.name.startswith((*_TRIGONOMETRIC, "big:")))
        for node in nodes(tree)
    )


def has_products_of_matrices(tree: Tree) -> bool:
    """Return True if matrices are still to be added or multiplied; a number before a matrix may stay."""
    if not isinstance(tree, Call):
        return False
    matrices = [node for node in nodes(tree) if isinstance(node, Group) and node.kind == "rows"]
    powers = any(
        isinstance(node, Call) and node.name == "pow" and isinstance(node.args[0], Group)
        for node in nodes(tree)
    )
    return len(matrices) > 1 or powers


def factors(tree: Tree) -> int:
    """Count the written factors that have a symbol, a power by its exponent."""
    if not symbols(tree):
        return 0
    if not isinstance(tree, Call):
        return 1
    if tree.name in ("mul", "neg"):
        return sum(map(factors, tree.args))
    if tree.name == "pow" and isinstance(tree.args[1], Num):
        power = tree.args[1].value
        if power.denominator == 1 and 1 <= power <= 1000:
            return int(power) * factors(tree.args[0])
    if tree.name == "div" and not symbols(tree.args[1]):
        return factors(tree.args[0])
    return 1


def is_expanded(tree: Tree) -> bool:
    """Return True if an expression has no product and no whole power of a sum."""
    return not any(map(_is_product_of_sum, nodes(tree)))


def _is_product_of_sum(tree: Tree) -> bool:
    if not isinstance(tree, Call):
        return False
    if tree.name == "pow":
        base, power = tree.args
        return _is_sum(base) and isinstance(power, Num) and power.value.denominator == 1
    return tree.name == "mul" and any(map(_is_sum, tree.args))


def _is_sum(tree: Tree) -> bool:
    if isinstance(tree, Call) and tree.name == "neg":
        return _is_sum(tree.args[0])
    return isinstance(tree, Call) and tree.name == "add" and bool(symbols(tree))
