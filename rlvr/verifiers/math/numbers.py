"""Numbers in the forms that answers have, exactly and without a parser."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

MAX_DIGITS = 2000
"""A longer number is left to the reader."""

_SHORT = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FIRST = frozenset("-+.\\ 0123456789")
_DECIMAL = re.compile(r"([-+]?)\s*+(\\\$)?\s*+([0-9]*+)(?:\.([0-9]*+))?\s*+(\\?%)?")
_LATEX = re.compile(
    r"([-+]?)\s*+(?:([0-9]++)\s*+)?\\frac\s*+(?:\{\s*+(-?[0-9]++)\s*+\}|([0-9]))"
    r"\s*+(?:\{\s*+(-?[0-9]++)\s*+\}|([0-9]))"
)
_SLASHED = re.compile(r"([-+]?)\s*+(?:([0-9]++)\s++)?([0-9]++)\s*+/\s*+([0-9]++)")


class Number(NamedTuple):
    """An exact value, and how it was written.

    Attributes:
        percent: a percent sign stood behind it.
        reduced: it's no fraction, or one in lowest terms.
        worked_out: it's no fraction that is an integer (84/2 for 42).
        money: a dollar sign stood before it.
    """

    value: Fraction
    percent: bool = False
    reduced: bool = True
    worked_out: bool = True
    money: bool = False

    def equals(self, answer: Number) -> bool:
        """50% is 50% and 0.5; and 50 where one side says percent (data drop the sign freely).

        Of a reference of at most 1 without the sign, 0.5% is no spelling.
        """
        if (self.money and answer.percent) or (self.percent and answer.money):
            return False
        same = self.value == answer.value
        if self.percent == answer.percent:
            return same
        if same and (self.percent or abs(self.value) > 1):
            return True
        mine = self.value / 100 if self.percent else self.value
        theirs = answer.value / 100 if answer.percent else answer.value
        return mine == theirs


def read_integer(text: str) -> int | None:
    """Return a short integer in plain digits: the commonest answer by far, so it has a way of its own."""
    return int(text) if _SHORT.fullmatch(text) else None


def read_number(text: str) -> Number | None:
    r"""Return the number that cleaned `text` is: an integer, decimal, fraction, mixed number or percentage.

    None where it's anything else, or has over `MAX_DIGITS` characters.
    """
    if not text or len(text) > MAX_DIGITS or text[0] not in _FIRST:
        return None
    decimal = _DECIMAL.fullmatch(text)
    if decimal:
        sign, money, whole, decimals, percent = decimal.groups()
        if not whole and not decimals:
            return None
        value = (
            Fraction(int(whole + decimals), 10 ** len(decimals))
            if decimals
            else Fraction(int(whole))
        )
        return Number(
            -value if sign == "-" else value, percent is not None, money=money is not None
        )
    latex = _LATEX.fullmatch(text)
    if latex:
        sign, mixed, top, top_digit, bottom, bottom_digit = latex.groups()
        return _ratio(sign, mixed, top or top_digit, bottom or bottom_digit)
    slashed = _SLASHED.fullmatch(text)
    return _ratio(*slashed.groups()) if slashed else None


def _ratio(sign: str, mixed: str | None, top: str, bottom: str) -> Number | None:
    if int(bottom) == 0:
        return None
    value = Fraction(int(top), int(bottom))
    reduced = abs(value.denominator) == abs(int(bottom)) != 1 and int(bottom) > 0
    if mixed is not None:
        if value < 0:
            return None
        reduced = reduced and value < 1
        value += int(mixed)
    worked_out = value.denominator != 1 or int(bottom) == 1
    return Number(-value if sign == "-" else value, False, reduced, worked_out)
