"""Whether two trees are equal as mathematics: exactly, then numerically, then by SymPy.

Runs in a worker, where it may take its time and be killed. Each answer says which stage decided.
"""

from __future__ import annotations

import random
from typing import Any

import mpmath
import sympy

from rlvr.verifiers.math.exact import TooLarge, exact
from rlvr.verifiers.math.tree import Call, Group, Num, Relation, Sym, Tree, Word, symbols

_DIGITS = 60
_POINTS = 6


class Different(Exception):
    """Raised deep inside where two values can't be compared at all."""


def equal(gold: Tree, answer: Tree) -> tuple[bool, str]:
    """Whether they're equal, and the stage that decided."""
    if gold == answer:
        return True, "form"
    gold, answer = _bare(gold, answer)
    if isinstance(gold, Group) or isinstance(answer, Group):
        return _groups(gold, answer)
    if isinstance(gold, Word) or isinstance(answer, Word):
        return False, "form"
    if isinstance(gold, Relation) or isinstance(answer, Relation):
        return _relations(gold, answer)
    if _ambiguous(gold) or _ambiguous(answer):
        return _plus_minus(gold, answer)
    try:
        a, b = exact(gold), exact(answer)
    except TooLarge:
        return False, "too large"
    except ZeroDivisionError:
        return False, "undefined"
    if a is not None and b is not None:
        return a == b, "exact"
    seen = _numerically(gold, answer)
    if seen is not None:
        return seen, "numeric"
    try:
        return bool(sympy.simplify(_sympy(gold) - _sympy(answer)) == 0), "sympy"
    except (Different, TypeError, ValueError, ArithmeticError, NotImplementedError):
        return False, "undecided"


def _bare(gold: Tree, answer: Tree) -> tuple[Tree, Tree]:
    """`x = 5` against `5`: the side that names a variable is dropped where the gold names none."""
    if (
        isinstance(answer, Relation)
        and answer.sign in ("=", "in")
        and not isinstance(gold, Relation)
    ):
        if isinstance(answer.left, Sym) or (
            isinstance(answer.left, Call) and answer.left.name == "mul"
        ):
            named = not symbols(answer.right) & symbols(answer.left)
            if named and not isinstance(answer.right, Relation):
                return gold, answer.right
    if isinstance(gold, Relation) and gold.sign in ("=", "in") and not isinstance(answer, Relation):
        if isinstance(gold.left, Sym) and gold.left.name not in symbols(gold.right):
            return gold.right, answer
    return gold, answer


def _groups(gold: Tree, answer: Tree) -> tuple[bool, str]:
    if isinstance(gold, Group) and isinstance(answer, Group):
        if gold.kind != answer.kind and {gold.kind, answer.kind} not in ({"", "()"}, {"", "{}"}):
            return False, "form"
        if len(gold.items) != len(answer.items) or len(gold.items) > 1000:
            return False, "form"
        ordered = gold.kind not in ("{}", "", "u") or (gold.kind == "" and answer.kind == "()")
        if ordered:
            verdicts = [equal(a, b) for a, b in zip(gold.items, answer.items, strict=True)]
            return all(same for same, _ in verdicts), verdicts[-1][1]
        return _unordered(gold.items, answer.items)
    return False, "form"


def _unordered(gold: tuple[Tree, ...], answer: tuple[Tree, ...]) -> tuple[bool, str]:
    left = list(answer)
    stage = "form"
    for item in gold:
        for i, other in enumerate(left):
            same, stage = equal(item, other)
            if same:
                del left[i]
                break
        else:
            return False, stage
    return True, stage


def _relations(gold: Tree, answer: Tree) -> tuple[bool, str]:
    if not (isinstance(gold, Relation) and isinstance(answer, Relation)):
        return False, "form"
    turned = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
    for one in (answer, Relation(turned.get(answer.sign, answer.sign), answer.right, answer.left)):
        if one.sign == gold.sign and equal(gold.left, one.left)[0]:
            if equal(gold.right, one.right)[0]:
                return True, "form"
    if gold.sign == answer.sign == "=" and symbols(gold) == symbols(answer):
        return _same_zeros(gold, answer)
    return False, "form"


def _same_zeros(gold: Relation, answer: Relation) -> tuple[bool, str]:
    """Two equations are the same where one's difference of sides is a constant multiple of the other's."""
    try:
        a = _sympy(gold.left) - _sympy(gold.right)
        b = _sympy(answer.left) - _sympy(answer.right)
        ratio = sympy.simplify(a / b)
        return bool(ratio.is_number and ratio != 0 and ratio.is_finite), "sympy"
    except (Different, TypeError, ValueError, ArithmeticError, NotImplementedError):
        return False, "undecided"


def _ambiguous(tree: Tree) -> bool:
    return isinstance(tree, Call) and (
        tree.name == "pm" or any(_ambiguous(arg) for arg in tree.args)
    )


def _plus_minus(gold: Tree, answer: Tree) -> tuple[bool, str]:
    """± stands for two values, and is equal only to two values."""
    if not (_ambiguous(gold) and _ambiguous(answer)):
        return False, "form"
    return _unordered(tuple(_signs(gold)), tuple(_signs(answer)))


def _signs(tree: Tree) -> list[Tree]:
    return [_signed(tree, "add"), _signed(tree, "sub")]


def _signed(tree: Tree, name: str) -> Tree:
    if not isinstance(tree, Call):
        return tree
    args = tuple(_signed(arg, name) for arg in tree.args)
    if tree.name != "pm":
        return Call(tree.name, args)
    return Call("add", (args[0], args[1] if name == "add" else Call("neg", (args[1],))))


def _numerically(gold: Tree, answer: Tree) -> bool | None:
    """Whether they agree at random points to `_DIGITS`; None where no point decides."""
    names = sorted((symbols(gold) | symbols(answer)) - {"pi", "e", "i", "oo", "empty"})
    if (symbols(gold) | symbols(answer)) & {"oo", "empty"}:
        return None
    rng = random.Random(20_260_101)
    compared = 0
    with mpmath.workdps(_DIGITS + 15):
        for point in range(_POINTS if names else 1):
            # Positive points first. At negative ones, roots and logarithms may leave the reals,
            # where √(1/n) and 1/√n part: there only real values are compared.
            sign = 1 if point < _POINTS // 2 else -1
            at = {name: mpmath.mpf(sign) * rng.randint(10**9, 9 * 10**9) / 2**31 for name in names}
            try:
                a, b = _value(gold, at), _value(answer, at)
            except (Different, TypeError):
                return None
            except (ValueError, ArithmeticError, mpmath.libmp.NoConvergence):
                continue
            if sign < 0 and (mpmath.im(a) != 0 or mpmath.im(b) != 0):
                continue
            if not (mpmath.isfinite(a) and mpmath.isfinite(b)):
                continue
            if abs(a - b) > mpmath.mpf(10) ** -_DIGITS * max(abs(a), abs(b)):
                return False
            compared += 1
    return True if compared else None


def _value(tree: Tree, at: dict[str, Any]) -> Any:
    if isinstance(tree, Num):
        return mpmath.mpf(tree.value.numerator) / tree.value.denominator
    if isinstance(tree, Sym):
        if tree.name == "i" and "i" not in at:
            return mpmath.mpc(0, 1)
        known = {"pi": mpmath.pi, "e": mpmath.e}
        return +known[tree.name] if tree.name in known else at[tree.name]
    if not isinstance(tree, Call) or tree.name not in _NUMERIC:
        raise Different
    values = [_value(arg, at) for arg in tree.args]
    if tree.name == "pow" and abs(values[1]) > 10**6:
        raise Different
    if tree.name in ("factorial", "exp", "sinh", "cosh") and abs(values[0]) > 10**6:
        raise Different
    return _NUMERIC[tree.name](*values)


def _nth_root(value: Any, degree: Any) -> Any:
    if degree == 3 and mpmath.im(value) == 0 and value < 0:
        return -mpmath.cbrt(-value)  # in answers, the cube root of -8 is -2
    return mpmath.power(value, 1 / degree)


_NUMERIC: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "neg": lambda a: -a,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": mpmath.power,
    "root": _nth_root,
    "abs": abs,
    "factorial": mpmath.factorial,
    "binomial": mpmath.binomial,
    "log": lambda a, base=None: mpmath.log(a) if base is None else mpmath.log(a) / mpmath.log(base),
    "ln": mpmath.log,
    "exp": mpmath.exp,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "tan": mpmath.tan,
    "cot": mpmath.cot,
    "sec": mpmath.sec,
    "csc": mpmath.csc,
    "arcsin": mpmath.asin,
    "arccos": mpmath.acos,
    "arctan": mpmath.atan,
    "sinh": mpmath.sinh,
    "cosh": mpmath.cosh,
    "tanh": mpmath.tanh,
}

_SYMPY: dict[str, Any] = {
    "add": sympy.Add,
    "neg": lambda a: -a,
    "mul": sympy.Mul,
    "div": lambda a, b: a / b,
    "pow": sympy.Pow,
    "root": lambda a, n: sympy.root(a, n),
    "abs": sympy.Abs,
    "factorial": sympy.factorial,
    "binomial": sympy.binomial,
    "ln": sympy.log,
    "log": lambda a, base=None: sympy.log(a) if base is None else sympy.log(a, base),
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    **{
        name: getattr(sympy, name)
        for name in ("exp", "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh")
    },
}


def _sympy(tree: Tree) -> Any:
    """The SymPy object of a tree, built node by node from the tables above."""
    if isinstance(tree, Num):
        return sympy.Rational(tree.value.numerator, tree.value.denominator)
    if isinstance(tree, Sym):
        constants = {"pi": sympy.pi, "e": sympy.E, "i": sympy.I, "oo": sympy.oo}
        return constants.get(tree.name) or sympy.Symbol(tree.name, real=True)
    if isinstance(tree, Call) and tree.name in _SYMPY:
        return _SYMPY[tree.name](*(_sympy(arg) for arg in tree.args))
    raise Different
