"""Separate a value from its unit and the words around it.

A unit or a remark may be missing on one side. Two units agree if they have the same dimension, and the
values are compared in one of them: 3 h 20 min is 200 min. Two remarks agree if the words of one are among
those of the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from rlvr.verifiers.math import remarks
from rlvr.verifiers.math.tree import (
    Call,
    Group,
    Num,
    Relation,
    Sym,
    Tree,
    Unit,
    Word,
    children,
    rebuilt,
)
from rlvr.verifiers.math.units import DEGREE, NOTHING, PERCENT, over, times, unit_of
from rlvr.verifiers.math.vocabulary import Unreadable

_TRIGONOMETRIC = ("sin", "cos", "tan", "cot", "sec", "csc", "cis")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value, separated from its unit and the words around it.

    Attributes:
        tree: the value, without units and remarks.
        unit: its unit; None if none was written.
        remark: the words of the remarks after it; see `remarks.content`.
        leading: the words before it, unless they only name it ("Quadrant 4").
        altered: True if the leading words change its meaning ("multiples of 5").
        clear: True if its units fit together.
    """

    tree: Tree
    unit: Unit | None
    remark: frozenset[str] = frozenset()
    leading: frozenset[str] = frozenset()
    altered: bool = False
    clear: bool = True


def quantity(tree: Tree) -> Quantity:
    """Return a tree without its units and remarks, with these beside it; not `clear` if its units are absurd."""
    try:
        return _quantity(tree)
    except Unreadable:
        return Quantity(tree, None, clear=False)


def _quantity(tree: Tree) -> Quantity:
    if isinstance(tree, Call):
        if tree.name == "unit":
            return _with_unit(tree)
        if tree.name in ("said", "told"):
            return _with_remark(tree)
        if tree.name.startswith(_TRIGONOMETRIC):
            return Quantity(rebuilt(tree, tuple(_in_radians(arg) for arg in tree.args)), None)
    inside = children(tree)
    if not inside or not _has_beside(tree):
        return Quantity(tree, None)
    parts = [_quantity(child) for child in inside]
    combined = (
        _sum(tree, parts) if isinstance(tree, Call) and tree.name == "add" else _whole(tree, parts)
    )
    remark_words = frozenset[str]().union(*(part.remark for part in parts))
    leading_words = frozenset[str]().union(*(part.leading for part in parts))
    clear = combined.clear and all(part.clear for part in parts)
    altered = any(part.altered for part in parts)
    return Quantity(combined.tree, combined.unit, remark_words, leading_words, altered, clear)


def bare(tree: Tree) -> Tree:
    """Return a tree without units and remarks."""
    return quantity(tree).tree


def _has_beside(tree: Tree) -> bool:
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, Call) and (
            node.name in ("unit", "said", "told") or node.name.startswith(_TRIGONOMETRIC)
        ):
            return True
        todo.extend(children(node))
    return False


def _with_unit(tree: Call) -> Quantity:
    inner, unit = _quantity(tree.args[0]), tree.args[1]
    assert isinstance(unit, Unit)
    product = unit if inner.unit is None else times(inner.unit, unit)
    return Quantity(inner.tree, product, inner.remark, inner.leading, inner.altered, inner.clear)


def _with_remark(tree: Call) -> Quantity:
    inner, word = _quantity(tree.args[0]), tree.args[1]
    assert isinstance(word, Word)
    words = remarks.content(word.text)
    # A remark on a lone symbol is part of its meaning, wherever it is: "n odd" is "odd n".
    if isinstance(inner.tree, Sym) or (tree.name == "told" and not remarks.is_name(word.text)):
        return replace(
            inner,
            leading=inner.leading | words,
            altered=inner.altered or remarks.leads_over(word.text),
        )
    return replace(inner, remark=inner.remark | words)


def _sum(tree: Tree, parts: list[Quantity]) -> Quantity:
    """Return a sum in the unit of its first term that has one: 3 h + 20 min in hours."""
    units = [part.unit for part in parts if part.unit is not None]
    if not units:
        return Quantity(rebuilt(tree, tuple(part.tree for part in parts)), None)
    first = units[0]
    values = tuple(
        part.tree if part.unit is None else scaled(part.tree, part.unit.scale / first.scale)
        for part in parts
    )
    clear = all(unit.powers == first.powers for unit in units)
    return Quantity(rebuilt(tree, values), first, clear=clear)


def _whole(tree: Tree, parts: list[Quantity]) -> Quantity:
    unit, clear = _combined(tree, parts)
    return Quantity(rebuilt(tree, tuple(part.tree for part in parts)), unit, clear=clear)


def _combined(tree: Tree, parts: list[Quantity]) -> tuple[Unit | None, bool]:
    """Return the unit of an expression that isn't a sum, and True if its units fit together."""
    units = [part.unit for part in parts]
    if all(unit is None for unit in units):
        return None, True
    if isinstance(tree, Call) and tree.name in ("neg", "pm", "mp", "abs", "root"):
        return next(unit for unit in units if unit is not None), True
    if isinstance(tree, Call) and tree.name in ("mul", "div"):
        product = NOTHING
        for place, unit in enumerate(units):
            if unit is not None:
                product = times(product, over(unit, -1 if tree.name == "div" and place else 1))
        return product, True
    if isinstance(tree, Call) and tree.name == "pow" and units[0] is not None:
        power = parts[1].tree
        if isinstance(power, Num) and power.value.denominator == 1 and abs(power.value) <= 12:
            return over(units[0], int(power.value)), True
    distinct = {unit for unit in units if unit is not None}
    return min(distinct, key=repr), len(distinct) == 1 or isinstance(tree, Group | Relation)


def _in_radians(tree: Tree) -> Tree:
    """Return an angle within a trigonometric function: there, degrees are part of the value."""
    if isinstance(tree, Call) and tree.name == "unit":
        if tree.args[1] == DEGREE:
            half_turn = Call("div", (Sym("pi"), Num(Fraction(180))))
            return Call("mul", (_in_radians(tree.args[0]), half_turn))
        return _in_radians(tree.args[0])
    if isinstance(tree, Call) and tree.name in ("said", "told"):
        return _in_radians(tree.args[0])
    inside = tuple(_in_radians(child) for child in children(tree))
    return rebuilt(tree, inside) if inside else tree


def scaled(tree: Tree, factor: Fraction) -> Tree:
    """Return a value times a rational number."""
    return tree if factor == 1 else Call("mul", (Num(factor), tree))


# ---------------------------------------------------------------------- comparison


def same_unit(ours: Unit | None, theirs: Unit | None) -> Fraction | None:
    """Return the factor from the second unit to the first; None if they have different dimensions."""
    if ours is None or theirs is None:
        return Fraction(1)
    if ours.powers == theirs.powers:
        return theirs.scale / ours.scale
    if _counts(ours) and _counts(theirs):
        return None  # square units and cubic ones
    for unit, counterpart in ((ours, theirs), (theirs, ours)):
        if _counts(unit):  # square units may be cm^2, and no cm^3
            power = dict(unit.powers).get("unit", 1)
            return (
                Fraction(1)
                if power == 1 or dict(counterpart.powers).get("m") in (None, power)
                else None
            )
    names = {ours, theirs}
    return (
        Fraction(1) if any(names == {unit, counterpart} for unit, counterpart in _ALIKE) else None
    )


# Degrees may be those of a scale of temperature, pounds may be money.
_ALIKE = tuple(
    (_unit, _other_unit)
    for first, second in (("deg", "degC"), ("deg", "degF"), ("lb", "£"))
    if (_unit := unit_of(first)) is not None and (_other_unit := unit_of(second)) is not None
)


def says(unit: Unit | None) -> bool:
    """Return True if a unit may be required: it is neither "units" nor a percent sign."""
    return unit is not None and unit != PERCENT and not _counts(unit)


def _counts(unit: Unit) -> bool:
    """Return True for a unit without a size: "units", "square units"."""
    return not unit.powers or {base for base, _ in unit.powers} == {"unit"}


def agree(gold: Quantity, answer: Quantity) -> bool:
    """Return True if the words around two values fit together."""
    if not gold.clear or not answer.clear:
        return False
    if isinstance(gold.tree, Sym) and isinstance(answer.tree, Sym):
        return bool(gold.leading) == bool(answer.leading) and _contained(
            gold.leading, answer.leading
        )
    named = answer.leading - remarks.PREPOSITIONS  # "an increase of 15%" is a "15% increase"
    if answer.leading and not gold.leading and not (named and named <= gold.remark):
        return False
    if (
        gold.altered
        and not answer.leading
        and not gold.leading - remarks.PREPOSITIONS <= answer.remark
    ):
        return False
    if not gold.leading:
        return _contained(gold.remark, answer.remark | named)
    return _contained(gold.remark | gold.leading, answer.remark | answer.leading)


def _contained(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    return not ours or not theirs or ours <= theirs or theirs <= ours


def is_percentage(measured: Quantity) -> bool:
    """Return True if a quantity is in percent."""
    return measured.unit == PERCENT


def label(tree: Tree) -> object:
    """Return the name, remark or unit that identifies a value in a list; None if it has none."""
    if isinstance(tree, Relation) and tree.signs in (("=",), ("~",)):
        left = tree.sides[0]
        if isinstance(left, Sym):
            return left.name.partition("_")[0]  # the index of a root x_1 doesn't count
        return left.text if isinstance(left, Word) else repr(left)
    measured = quantity(tree)
    if measured.unit in (PERCENT, DEGREE):
        return None
    if measured.leading or measured.remark:
        return measured.leading | measured.remark
    return measured.unit.powers if measured.unit is not None else None
