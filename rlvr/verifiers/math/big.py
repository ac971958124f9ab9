r"""Sums, products, integrals, limits, series and lists with dots, as the reader makes trees of them.

The variable that one binds gets a name of its own, so that \sum_k k^2 is \sum_i i^2.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from rlvr.verifiers.math.exact import small
from rlvr.verifiers.math.normal import Undefined, key, normal
from rlvr.verifiers.math.tree import (
    BOUND,
    ONE,
    TWO,
    ZERO,
    Call,
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
from rlvr.verifiers.math.vocabulary import END, GREEK, Token

if TYPE_CHECKING:
    from rlvr.verifiers.math.atoms import Atoms

BIG = {"sum", "prod", "int", "iint", "lim"}
_OPENING, _CLOSING = ("(", "[", "{", "\\{"), (")", "]", "}", "\\}")


def read_big(reader: Atoms, name: str) -> Tree:
    """Read what follows \\sum, \\prod, \\int, \\iint or \\lim."""
    low: Tree | None = None
    high: Tree | None = None
    for _ in range(2):
        if reader.skip("_"):
            low = reader.bound()
        elif reader.skip("^"):
            high = reader.argument()
    if name == "int":
        return _integral(reader, low, high)
    body = reader.product()
    names: list[Sym] = []
    if isinstance(low, Relation):
        inner = low.sides[1:-1] if set(low.signs) <= {"<", "<="} else low.sides[:1]
        names = [side for side in inner if isinstance(side, Sym)]
        if low.signs == ("<=", "<=") and names and high is None:
            low, high = Relation(("=",), (names[0], low.sides[0])), low.sides[2]
    elif isinstance(low, Sym):
        names = [low]
    args = [body, low or ZERO, high or ZERO]
    for i, variable in enumerate(names):
        bound = Sym(f"{BOUND}{_levels(body) + 1 + i}")
        args[0], args[1] = (
            _renamed(args[0], variable, bound),
            _renamed(args[1], variable, bound),
        )
    return Call(f"big:{name}", tuple(args))


def _levels(tree: Tree) -> int:
    names = [node.name for node in nodes(tree) if isinstance(node, Sym)]
    levels = [int(name[len(BOUND) :]) for name in names if name.startswith(BOUND)]
    return max(levels, default=0)


def _renamed(tree: Tree, old: Sym, new: Sym) -> Tree:
    if tree == old:
        return new
    if isinstance(tree, Sym) and "_" in tree.name:  # the k of a_k
        letter, _, index = tree.name.partition("_")
        index = re.sub(rf"(?<![a-zA-Z]){re.escape(old.name)}(?![a-zA-Z])", new.name, index)
        return Sym(f"{letter}_{index}")
    inside = children(tree)
    return rebuilt(tree, tuple(_renamed(child, old, new) for child in inside)) if inside else tree


# ---------------------------------------------------------------------- integrals


def _integral(reader: Atoms, low: Tree | None, high: Tree | None) -> Tree:
    end = _differential(reader)
    if end is not None:
        inside = type(reader)([*reader.tokens[reader.at : end]])
        inside.depth = reader.depth
        body = inside.sum() if inside.tokens else ONE
        if inside.peek() is not END:
            end = None
        else:
            reader.at = end + 1
            variable: Tree | None = Sym(reader.take().text)
    if end is None:
        body, variable = _without_differential(reader.product())
    if not isinstance(variable, Sym):
        return Call("big:int", (body, low or ZERO, high or ZERO))
    if low is None or high is None:
        return Call("big:int", (body, variable))
    bound = Sym(f"{BOUND}{_levels(body) + 1}")
    return Call("big:int", (_renamed(body, variable, bound), low, high, bound))


def _differential(reader: Atoms) -> int | None:
    """Return the position of the d that ends an integral which begins at the reader's position."""
    depth, wanted = 0, 1
    for at in range(reader.at, len(reader.tokens) - 1):
        kind, text = reader.tokens[at]
        if kind == "mark" and text in _OPENING:
            depth += 1
        elif kind == "mark" and text in _CLOSING:
            depth -= 1
            if depth < 0:
                return None
        elif depth == 0 and kind == "cmd" and text == "int":
            wanted += 1
        elif depth == 0 and (kind, text) == ("name", "d") and _is_variable(reader.tokens[at + 1]):
            wanted -= 1
            if not wanted:
                return at
    return None


def _is_variable(token: Token) -> bool:
    return (token.kind == "name" and len(token.text) == 1) or (
        token.kind == "cmd" and token.text in GREEK
    )


def _without_differential(tree: Tree) -> tuple[Tree, Tree | None]:
    r"""Return the \frac{1}{x} of \frac{dx}{x}, and the x."""
    if not isinstance(tree, Call) or tree.name not in ("mul", "div"):
        return tree, None
    if tree.name == "div":
        top, variable = _without_differential(tree.args[0])
        return Call("div", (top, tree.args[1])), variable
    left, right = tree.args
    if left == Sym("d") and isinstance(right, Sym):
        return ONE, right
    if isinstance(left, Call) and left.name == "mul" and left.args[1] == Sym("d"):
        return left.args[0], right
    for i, side in ((1, right), (0, left)):
        without, variable = _without_differential(side)
        if variable is not None:
            return Call("mul", (left, without) if i else (without, right)), variable
    return tree, None


# ---------------------------------------------------------------------- series with dots


def series(before: list[Tree], after: list[Tree]) -> Tree:
    """Return the sum of `before`, terms left out, and `after`: in closed form if the terms tell it."""
    if len(before) < len(after):
        before, after = after[::-1], before[::-1]
    try:
        first, last = normal(before[0]), normal(after[-1])
        steps = [normal(Call("add", (b, Call("neg", (a,))))) for a, b in itertools.pairwise(before)]
        ratios = [normal(Call("div", (b, a))) for a, b in itertools.pairwise(before) if a != ZERO]
        rest = tuple(sorted(map(normal, before + after), key=key))
    except Undefined:
        return Call("big:dots", tuple(sorted(before + after, key=key)))
    closed: Tree | None = None
    counted = len(set(steps)) == 1 and steps[0] != ZERO
    count = Call("add", (Call("div", (_minus(last, first), steps[0])), ONE)) if counted else ZERO
    counted = counted and _is_whole(count)
    growing = len(set(ratios)) == 1 and _is_power(Call("div", (last, first)), ratios[0])
    if growing and not (counted and not _has_power(after[-1])):
        top = _minus(Call("mul", (last, ratios[0])), first)
        closed = Call("div", (top, _minus(ratios[0], ONE)))
    elif counted:
        closed = Call("div", (Call("mul", (count, Call("add", (first, last)))), TWO))
    return Call("big:dots", rest) if closed is None else Call("big:series", (closed,))


def _minus(a: Tree, b: Tree) -> Tree:
    return Call("add", (a, Call("neg", (b,))))


def _has_power(tree: Tree) -> bool:
    return any(isinstance(node, Call) and node.name == "pow" for node in nodes(tree))


def _is_whole(count: Tree) -> bool:
    """Tell whether it's a whole number if its symbols are, as a number of terms has to be."""
    values = [small(count, at) for at in _whole_points(count)]
    return all(value is not None and value.denominator == 1 for value in values)


def _is_power(quotient: Tree, ratio: Tree) -> bool:
    """Tell whether it's a power of the ratio, as in a geometric series."""
    for at in _whole_points(Call("mul", (quotient, ratio))):
        power, wanted = small(ratio, at), small(quotient, at)
        if power is None or wanted is None or abs(power) in (0, 1):
            return False
        value = power
        for _ in range(200):  # in the caller's thread: no larger numbers than the quotient
            if value == wanted or (abs(value) > abs(wanted)) == (abs(power) > 1):
                break
            value *= power
        if value != wanted:
            return False
    return True


def _whole_points(tree: Tree) -> list[dict[str, int]]:
    names = sorted(symbols(tree))
    if any("_" in name for name in names):  # x_1 + x_2 + … + x_n
        return [{}]
    return [{name: start + 2 * i for i, name in enumerate(names)} for start in (3, 4, 6)]


# ---------------------------------------------------------------------- lists that go on

DOTS = Word("…")
MAX_ITEMS = 200
"""A longer list keeps its dots."""


def going_on(items: Sequence[Tree]) -> list[Tree]:
    """Return a list with dots in one form: worked out where it has an end, else its first two values, dots, its end.

    What shows no constant step is left as it's written.
    """
    at = items.index(DOTS)
    shown = [item.value for item in items[:at] if isinstance(item, Num)]
    if len(shown) < max(at, 2) or items.count(DOTS) > 1:
        return list(items)
    step = shown[1] - shown[0]
    if any(later - earlier != step for earlier, later in pairwise(shown)) or not step:
        return list(items)
    ends = items[at + 1 :]
    numbers = [item.value for item in ends if isinstance(item, Num)]
    if ends and len(numbers) == len(ends):
        return _worked_out(shown[0], step, len(shown), numbers) or list(items)
    return (
        [Num(shown[0]), Num(shown[1]), DOTS, *ends[-1:]]
        if len(ends) <= 1 or _follow(ends, step)
        else list(items)
    )


def _worked_out(
    first: Fraction, step: Fraction, shown: int, ends: list[Fraction]
) -> list[Tree] | None:
    count = (ends[-1] - first) / step
    if count.denominator != 1 or not shown + len(ends) <= count < MAX_ITEMS:
        return None  # of "1, 2, …, 3" the dots stand for nothing
    values = [first + step * place for place in range(int(count) + 1)]
    return [Num(value) for value in values] if values[-len(ends) :] == ends else None


def _follow(ends: Sequence[Tree], step: Fraction) -> bool:
    """Tell whether the last values are a step apart as they're written: n - 1, n."""
    before = [Call("add", (last, Call("neg", (Num(step),)))) for last in ends[1:]]
    return all(end == expected for end, expected in zip(ends, before, strict=False))
