"""Numbers in the forms that answers have, exactly and without a parser."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

MAX_DIGITS = 2000
"""A longer number is compared as text."""

_PLAIN = re.compile(r"([-+]?)\s*(\d*)(?:\.(\d*))?\s*(\\?%)?")
_FRACTION = re.compile(
    r"([-+]?)\s*(\d+)?\s*\\frac\s*(?:\{\s*(-?\d+)\s*\}|(\d))\s*(?:\{\s*(-?\d+)\s*\}|(\d))\s*(\\?%)?"
)
_SLASHED = re.compile(r"([-+]?)\s*\(?(?:(\d+)\s+)?(-?\d+)\s*/\s*(-?\d+)\)?")
_TRUE_INT = re.compile(r"-?(?:0|[1-9]\d{0,17})")


class Number(NamedTuple):
    """An exact value, and whether a percent sign stood behind it."""

    value: Fraction
    percent: bool = False

    def equals(self, other: Number) -> bool:
        """50% is 50% and 0.5; and 50 where the other side says percent (data drop the sign freely)."""
        if self.percent == other.percent or self.value == other.value:
            return self.value == other.value
        mine = self.value / 100 if self.percent else self.value
        theirs = other.value / 100 if other.percent else other.value
        return mine == theirs


def read_integer(text: str) -> int | None:
    """A short integer in plain digits: the commonest answer by far, so it has a way of its own."""
    return int(text) if _TRUE_INT.fullmatch(text) else None


def read_number(text: str) -> Number | None:
    r"""The number that cleaned `text` is: an integer, decimal, fraction, mixed number or percentage.

    None where it's anything else, or has over `MAX_DIGITS` characters.
    """
    if not text or len(text) > MAX_DIGITS:
        return None
    plain = _PLAIN.fullmatch(text)
    if plain:
        sign, whole, decimals, percent = plain.groups()
        if not whole and not decimals:
            return None
        scale = 10 ** len(decimals or "")
        value = Fraction(int((whole or "") + (decimals or "")), scale)
        return Number(-value if sign == "-" else value, percent is not None)
    match = _FRACTION.fullmatch(text)
    if match:
        sign, mixed, top, top_digit, bottom, bottom_digit, percent = match.groups()
        return _ratio(sign, mixed, top or top_digit, bottom or bottom_digit, percent is not None)
    match = _SLASHED.fullmatch(text)
    if match:
        sign, mixed, top, bottom = match.groups()
        return _ratio(sign, mixed, top, bottom, percent=False)
    return None


def _ratio(sign: str, mixed: str | None, top: str, bottom: str, percent: bool) -> Number | None:
    if int(bottom) == 0:
        return None
    value = Fraction(int(top), int(bottom))
    if mixed is not None:
        if value < 0:
            return None
        value += int(mixed)
    return Number(-value if sign == "-" else value, percent)
