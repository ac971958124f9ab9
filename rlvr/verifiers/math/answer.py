"""An answer as it is compared: its tree, with units and names of quantities taken off and kept apart."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from fractions import Fraction

from rlvr.verifiers.extraction import find_answer
from rlvr.verifiers.math.beside import labelled, without_condition
from rlvr.verifiers.math.clean import without_commas
from rlvr.verifiers.math.normal import Undefined, normal
from rlvr.verifiers.math.reader import read
from rlvr.verifiers.math.tree import (
    ONE,
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
from rlvr.verifiers.math.vocabulary import Unreadable
from rlvr.verifiers.math.words import in_words


@dataclass(frozen=True, slots=True)
class Answer:
    """One reading of an answer.

    Attributes:
        tree: without units.
        units: those that were there, in order; () where there were none.
        written: the tree with everything that was written.
        beside: what else was said, and may be missing but not be another; see `beside`.
    """

    tree: Tree
    units: tuple[str, ...]
    written: Tree
    beside: str = ""

    @property
    def value(self) -> Tree:
        """The tree, of a percentage its hundredth."""
        return Call("div", (self.tree, Num(Fraction(100)))) if "%" in self.units else self.tree


def readings(text: str) -> tuple[Answer, ...]:
    """The ways to read cleaned `text`, the likeliest first.

    More than one where a comma may mark thousands, where a logarithm has no base, and where a
    choice's letter has the choice behind it. Raises `Unreadable` where there's none.
    """
    found: list[Answer] = []
    choice = labelled(text)
    if choice is not None:
        found.append(Answer(choice[0], (), choice[0], choice[1]))
    rest, condition = without_condition(text)
    without = without_commas(rest)
    try:
        found += _answers(rest if without is None else without, condition)
    except Unreadable:
        if not found:
            raise
    if without is not None:
        with contextlib.suppress(Unreadable):
            found += _answers(rest, condition)
    return tuple(found)


def _answers(text: str, condition: str) -> list[Answer]:
    word = in_words(text)
    if word is not None:
        return [Answer(word, (), word, condition)]
    written = read(text)
    units: list[str] = []
    tree = _without_units(written, units)
    found = [Answer(tree, tuple(units), written, condition)]
    if any(isinstance(node, Call) and node.name == "log" for node in nodes(tree)):
        decimal = _to_base_ten(tree)
        if decimal != tree:
            found.append(Answer(decimal, tuple(units), written, condition))
    return found


def _to_base_ten(tree: Tree) -> Tree:
    """Logarithms without a base, which are natural to some, as decimal ones."""
    inside = tuple(map(_to_base_ten, children(tree)))
    if isinstance(tree, Call) and tree.name == "log" and len(inside) == 1:
        return Call("log", (*inside, Num(Fraction(10))))
    return rebuilt(tree, inside) if inside else tree


def _without_units(tree: Tree, units: list[str]) -> Tree:
    """Without units, which are added to `units`; a percentage keeps its own mark."""
    if isinstance(tree, Call) and tree.name == "unit":
        unit = tree.args[1]
        assert isinstance(unit, Sym)
        units.append(unit.name)
        return _without_units(tree.args[0], units)
    inside = children(tree)
    if not inside:
        return tree
    if isinstance(tree, Call) and tree.name.startswith(("sin", "cos", "tan", "cot", "sec", "csc")):
        return rebuilt(tree, tuple(_in_radians(arg) for arg in inside))
    return rebuilt(tree, tuple(_without_units(one, units) for one in inside))


def _in_radians(tree: Tree) -> Tree:
    """An angle within a trigonometric function: there, degrees are part of the value."""
    if isinstance(tree, Call) and tree.name == "unit":
        if tree.args[1] == Sym("deg"):
            half_turn = Call("div", (Sym("pi"), Num(Fraction(180))))
            return Call("mul", (tree.args[0], half_turn))
        return tree.args[0]
    inside = tuple(_in_radians(one) for one in children(tree))
    return rebuilt(tree, inside) if inside else tree


def is_plain(tree: Tree) -> bool:
    """Whether it's a number as one writes a result: 7, -3/4, 2 1/2, 5%, 3*10^8, x = 7; not 6*7."""
    if isinstance(tree, Relation):
        values = [side for side in tree.sides if not is_name(side)]
        return not values or is_plain(values[-1])
    if isinstance(tree, Group) and tree.kind == "":  # 6*7, 6*7
        return all(map(is_plain, tree.items))
    if not isinstance(tree, Call):
        return True
    args = tree.args
    if tree.name in ("neg", "unit"):
        return is_plain(args[0])
    if tree.name in ("pm", "mp"):
        return all(map(is_plain, args))
    if tree.name == "div":  # a fraction, and none that comes out whole
        return all(map(_is_integer, args)) and not _comes_out_whole(tree)
    if tree.name == "add":  # a mixed number
        return isinstance(args[0], Num) and isinstance(args[1], Call) and args[1].name == "div"
    if tree.name == "mul":
        return is_plain(args[0]) and _is_power_of_ten(args[1])
    return _is_power_of_ten(tree) or tree.name == "base"


def _is_integer(tree: Tree) -> bool:
    if isinstance(tree, Call) and tree.name == "neg":
        return _is_integer(tree.args[0])
    return isinstance(tree, Num)


def _comes_out_whole(tree: Call) -> bool:
    try:
        value = normal(tree)
    except Undefined:
        return False
    return isinstance(value, Num) and value.value.denominator == 1 and tree.args[1] != ONE


def _is_power_of_ten(tree: Tree) -> bool:
    return (
        isinstance(tree, Call)
        and tree.name == "pow"
        and tree.args[0] == Num(Fraction(10))
        and _is_integer(tree.args[1])
    )


def is_name(tree: Tree) -> bool:
    """Whether it names a quantity and has no value of its own: x, f(x), |AB|, NO/BO, (p, q)."""
    if isinstance(tree, Sym):
        return tree.name not in ("pi", "e", "i", "oo", "empty")
    if isinstance(tree, Call):
        if tree.name.startswith("apply:") or tree.name == "prime":
            return True
        names = ("mul", "div", "abs", "norm", "hat", "angle", "triangle")
        return tree.name in names and all(map(is_name, tree.args))
    return isinstance(tree, Group) and tree.kind == "()" and all(map(is_name, tree.items))


def is_quantity(tree: Tree) -> bool:
    """Whether it says which quantity was asked for, without determining its symbols: m + n, sin A, P(2).

    2x isn't one, nor x + 1: whoever writes 2x = 10 is still on the way to x.
    """
    if is_name(tree):
        return True
    if not isinstance(tree, Call):
        return False
    if tree.name in ("sin", "cos", "tan", "cot", "sec", "csc", "gcd", "lcm") or (
        tree.name in ("max", "min") or tree.name.startswith("big:")
    ):
        return bool(symbols(tree))
    if tree.name == "mul" and isinstance(tree.args[0], Sym) and tree.args[0].name.isupper():
        return True  # P(2), a value of some function
    return tree.name in ("add", "mul", "div", "pow") and len(symbols(tree)) > 1


def is_simplified(tree: Tree) -> bool:
    r"""Whether nothing is left to simplify in its numbers: no \frac{2}{4}, √8, 1/√2 or 2+3."""
    if not all(map(is_simplified, children(tree))):
        return False
    if not isinstance(tree, Call):
        return True
    numbers = [arg.value for arg in tree.args if isinstance(arg, Num)]
    if tree.name == "div":
        if len(numbers) == 2 and isinstance(tree.args[0], Num):
            top, bottom = numbers
            return bottom > 1 and top.denominator == 1 and (top / bottom).denominator == bottom
        return not any(isinstance(n, Call) and n.name == "root" for n in children(tree)[1:])
    if tree.name == "root" and len(numbers) == 2 and numbers[0].denominator == 1:
        degree = int(numbers[1])
        return not any(numbers[0] % d**degree == 0 for d in range(2, 100))
    if tree.name == "pow" and len(numbers) == 2:
        return numbers[0] == 10
    return not (tree.name in ("add", "mul") and len(numbers) == 2 and not is_plain(tree))


def gold_text(reference: str) -> str:
    r"""The part of a reference that is the answer: what it boxes or states as one, else all of it."""
    if "\\boxed" in reference or "\\fbox" in reference:
        found = find_answer(reference, "boxed")
        if found.answer is not None:
            return found.answer
    if "####" in reference or "nswer is" in reference:
        return find_answer(reference, "flexible").answer or reference
    return reference
