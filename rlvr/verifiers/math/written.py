"""An expression as it is written, whatever it's worth: its shape, its factors, what is left to do in it."""

from __future__ import annotations

from rlvr.verifiers.math.normal import key
from rlvr.verifiers.math.tree import (
    ONE,
    ZERO,
    Call,
    Group,
    Num,
    Relation,
    Tree,
    children,
    nodes,
    rebuilt,
    symbols,
)

_FUNCTIONS = frozenset(
    ("factorial", "binomial", "log", "ln", "gcd", "lcm", "max", "min", "floor", "ceil", "mod")
)
_TRIGONOMETRIC = ("sin", "cos", "tan", "cot", "sec", "csc", "arc")


def shape(tree: Tree) -> Tree:
    """What is written, but for order, brackets, and what has no effect (a factor 1, a term 0)."""
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
        signs, factors = 0, []
        for factor in inside:
            negative = isinstance(factor, Call) and factor.name == "neg"
            signs += negative
            factors.append(children(factor)[0] if negative else factor)
        product = _joined("mul", tuple(factors), ONE)
        return _negated(product) if signs % 2 else product
    if tree.name in ("div", "pow") and inside[1] == ONE:
        return inside[0]
    return Call(tree.name, inside)


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
    """Whether a function's value is left to work out: sin 18°, arccos(1/2), 5!, log₂ 5; a root isn't one."""
    return any(
        isinstance(node, Call)
        and (node.name in _FUNCTIONS or node.name.startswith((*_TRIGONOMETRIC, "big:")))
        for node in nodes(tree)
    )


def has_products_of_matrices(tree: Tree) -> bool:
    """Whether matrices are left to add up or to multiply; a number before one may stay."""
    if not isinstance(tree, Call):
        return False
    matrices = [node for node in nodes(tree) if isinstance(node, Group) and node.kind == "rows"]
    powers = any(
        isinstance(node, Call) and node.name == "pow" and isinstance(node.args[0], Group)
        for node in nodes(tree)
    )
    return len(matrices) > 1 or powers


def factors(tree: Tree) -> int:
    """How many factors with a symbol in them are written, powers counted as often as they say."""
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
    """Whether no product or whole power of a sum is left in it."""
    return not any(map(_is_product_of_sum, nodes(tree)))


def _is_product_of_sum(tree: Tree) -> bool:
    if not isinstance(tree, Call):
        return False
    if tree.name == "pow":
        base, power = tree.args
        return _is_sum(base) and isinstance(power, Num) and power.value.denominator == 1
    return tree.name == "mul" and any(map(_is_sum, tree.args))


def _is_sum(tree: Tree) -> bool:
    return isinstance(tree, Call) and tree.name == "add" and bool(symbols(tree))
