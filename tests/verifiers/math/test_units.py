"""Units of measure: what's one, and how they go together."""

from fractions import Fraction

import pytest

import rlvr
from rlvr.verifiers.math.clean import clean
from rlvr.verifiers.math.quantities import quantity, same_unit
from rlvr.verifiers.math.reader import read
from rlvr.verifiers.math.units import EVERYDAY, is_unmistakable, unit_of


@pytest.mark.parametrize("word", sorted(EVERYDAY))
def test_what_is_a_unit_without_a_text_is_one(word):
    assert unit_of(word) is not None


@pytest.mark.parametrize("word", ["ab", "PA", "ac", "st", "cd", "am", "x", "Area"])
def test_letters_behind_a_number_are_variables(word):
    assert not is_unmistakable(word) or word == "am"


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        (r"5\text{ km}", r"5\text{ m}", Fraction(1, 1000)),
        (r"5\text{ kJ}", r"5\text{ kilojoules}", 1),
        (r"5\text{ km/h}", r"5\text{ m/s}", Fraction(36, 10)),
        (r"5\text{ N}", r"5\,\mathrm{kg\,m\,s^{-2}}", 1),
        (r"5\text{ N}\cdot\text{m}", r"5\text{ J}", 1),
        (r"5\frac{\text{m}}{\text{s}}", r"5\text{ m s}^{-1}", 1),
        (r"5\text{ square feet}", r"5\text{ ft}^2", 1),
        (r"5\text{ cm squared}", r"5\text{ cm}^2", 1),
        (r"5\text{ h}", r"5\text{ m}", None),
        (r"5\text{ m}", r"5\text{ m}^2", None),
        (r"5\text{ square units}", r"5\text{ cubic units}", None),
        (r"5\text{ units}^2", r"5\text{ cm}^2", 1),
        ("5厘米", r"5\text{ cm}", 1),
        ("5平方米", r"5\text{ m}^2", 1),
        (r"5\text{ ft }3\text{ in}", r"5\text{ in}", Fraction(1, 12)),
    ],
)
def test_units_are_the_same_measure(one, other, ratio):
    ours, theirs = quantity(read(clean(one))), quantity(read(clean(other)))
    assert same_unit(ours.unit, theirs.unit) == ratio


@pytest.mark.parametrize(
    "text",
    [
        r"5\text{ km}^{12}\text{ square m}^{12}",
        "(" * 9 + r"5\text{ km}" + ")^{12}" * 9,
        r"5\text{ square cubic km}^{99}",
        r"5\text{ km}^{-99999}",
        r"5\text{ km}/hz|Pa",
    ],
)
def test_absurd_units_are_refused_at_once(text):
    verdict = rlvr.Math().settle(rlvr.Task("", r"5\text{ km}"), f"\\boxed{{{text}}}")
    assert verdict is not None
    assert verdict.reward == 0
