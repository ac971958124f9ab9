"""Separate a value from its unit and the words around it.

A unit or a remark may be missing on one side. Two units agree where they measure the same thing, and the
values are compared in one of them: 3 h 20 min is 200 min. Two remarks agree where one says nothing that
the other doesn't.
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
    """A value taken apart.

    Attributes:
        tree: the value, without units and remarks.
        unit: None where none was written.
        said: what the remarks say, in words; see `remarks.content`.
        told: those in front of the value, unless they only name it ("Quadrant 4").
        led: whether those make something else of it ("multiples of 5").
        clear: whether its units fit together.
    """

    tree: Tree
    unit: Unit | None
    said: frozenset[str] = frozenset()
    told: frozenset[str] = frozenset()
    led: bool = False
    clear: bool = True


def quantity(tree: Tree) -> Quantity:
    """Return a tree without its units and remarks, and those; not `clear` where its units are absurd."""
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
    parts = [_quantity(one) for one in inside]
    found = (
        _sum(tree, parts) if isinstance(tree, Call) and tree.name == "add" else _whole(tree, parts)
    )
    said = frozenset[str]().union(*(part.said for part in parts))
    told = frozenset[str]().union(*(part.told for part in parts))
    clear = found.clear and all(part.clear for part in parts)
    led = any(part.led for part in parts)
    return Quantity(found.tree, found.unit, said, told, led, clear)


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
    whole = unit if inner.unit is None else times(inner.unit, unit)
    return Quantity(inner.tree, whole, inner.said, inner.told, inner.led, inner.clear)


def _with_remark(tree: Call) -> Quantity:
    inner, word = _quantity(tree.args[0]), tree.args[1]
    assert isinstance(word, Word)
    words = remarks.content(word.text)
    # What's said of a lone symbol is what it stands for: "n odd" as "odd n".
    if isinstance(inner.tree, Sym) or (tree.name == "told" and not remarks.is_name(word.text)):
        return replace(
            inner, told=inner.told | words, led=inner.led or remarks.leads_over(word.text)
        )
    return replace(inner, said=inner.said | words)


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
    """Return the unit of what isn't a sum, and whether it has one."""
    units = [part.unit for part in parts]
    if all(unit is None for unit in units):
        return None, True
    if isinstance(tree, Call) and tree.name in ("neg", "pm", "mp", "abs", "root"):
        return next(unit for unit in units if unit is not None), True
    if isinstance(tree, Call) and tree.name in ("mul", "div"):
        found = NOTHING
        for place, unit in enumerate(units):
            if unit is not None:
                found = times(found, over(unit, -1 if tree.name == "div" and place else 1))
        return found, True
    if isinstance(tree, Call) and tree.name == "pow" and units[0] is not None:
        power = parts[1].tree
        if isinstance(power, Num) and power.value.denominator == 1 and abs(power.value) <= 12:
            return over(units[0], int(power.value)), True
    written = {unit for unit in units if unit is not None}
    return min(written, key=repr), len(written) == 1 or isinstance(tree, Group | Relation)


def _in_radians(tree: Tree) -> Tree:
    """Return an angle within a trigonometric function: there, degrees are part of the value."""
    if isinstance(tree, Call) and tree.name == "unit":
        if tree.args[1] == DEGREE:
            half_turn = Call("div", (Sym("pi"), Num(Fraction(180))))
            return Call("mul", (_in_radians(tree.args[0]), half_turn))
        return _in_radians(tree.args[0])
    if isinstance(tree, Call) and tree.name in ("said", "told"):
        return _in_radians(tree.args[0])
    inside = tuple(_in_radians(one) for one in children(tree))
    return rebuilt(tree, inside) if inside else tree


def scaled(tree: Tree, factor: Fraction) -> Tree:
    """Return a value times a rational number."""
    return tree if factor == 1 else Call("mul", (Num(factor), tree))


# ---------------------------------------------------------------------- two of them


def same_unit(ours: Unit | None, theirs: Unit | None) -> Fraction | None:
    """Return what a value in the second unit is times in the first; None where they measure different things."""
    if ours is None or theirs is None:
        return Fraction(1)
    if ours.powers == theirs.powers:
        return theirs.scale / ours.scale
    if _counts(ours) and _counts(theirs):
        return None  # square units and cubic ones
    for one, other in ((ours, theirs), (theirs, ours)):
        if _counts(one):  # square units may be cm^2, and no cm^3
            power = dict(one.powers).get("unit", 1)
            return (
                Fraction(1) if power == 1 or dict(other.powers).get("m") in (None, power) else None
            )
    names = {ours, theirs}
    return Fraction(1) if any(names == {one, other} for one, other in _ALIKE) else None


# Degrees may be those of a scale of temperature, pounds may be money.
_ALIKE = tuple(
    (one, other)
    for first, second in (("deg", "degC"), ("deg", "degF"), ("lb", "£"))
    if (one := unit_of(first)) is not None and (other := unit_of(second)) is not None
)


def says(unit: Unit | None) -> bool:
    """Tell whether a unit says something that may be required: neither "units" nor a percent sign."""
    return unit is not None and unit != PERCENT and not _counts(unit)


def _counts(unit: Unit) -> bool:
    """Tell whether it says nothing: "units", "square units"."""
    return not unit.powers or {base for base, _ in unit.powers} == {"unit"}


def agree(gold: Quantity, answer: Quantity) -> bool:
    """Tell whether what is said of both values fits together."""
    if not gold.clear or not answer.clear:
        return False
    if isinstance(gold.tree, Sym) and isinstance(answer.tree, Sym):
        return bool(gold.told) == bool(answer.told) and _contained(gold.told, answer.told)
    named = answer.told - remarks.PREPOSITIONS  # "an increase of 15%" is a "15% increase"
    if answer.told and not gold.told and not (named and named <= gold.said):
        return False
    if gold.led and not answer.told and not gold.told - remarks.PREPOSITIONS <= answer.said:
        return False
    if not gold.told:
        return _contained(gold.said, answer.said | named)
    return _contained(gold.said | gold.told, answer.said | answer.told)


def _contained(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    return not ours or not theirs or ours <= theirs or theirs <= ours


def is_percentage(found: Quantity) -> bool:
    """Tell whether it's in percent."""
    return found.unit == PERCENT


def label(tree: Tree) -> object:
    """Return what tells a value in a list from the others: its name, its unit, or its remark; None for none."""
    if isinstance(tree, Relation) and tree.signs in (("=",), ("~",)):
        left = tree.sides[0]
        if isinstance(left, Sym):
            return left.name.partition("_")[0]  # which root is x_1 says nothing
        return left.text if isinstance(left, Word) else repr(left)
    found = quantity(tree)
    if found.unit in (PERCENT, DEGREE):
        return None
    if found.told or found.said:
        return found.told | found.said
    return found.unit.powers if found.unit is not None else None
