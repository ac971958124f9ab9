"""Numbers in English words: "one hundred twenty-five", "two thirds", "three and a half"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

ONES = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES = {
    "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12,
    "lakh": 10**5, "crore": 10**7,
}  # fmt: skip
_PARTS = {
    "half": 2, "halves": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7,
    "eighth": 8, "ninth": 9, "tenth": 10, "eleventh": 11, "twelfth": 12, "hundredth": 100,
    "thousandth": 1000,
}  # fmt: skip
MAX_WORDS = 24


def numeral(words: Sequence[str]) -> tuple[Fraction | None, int]:
    """Return the number that `words` begin with, and how many of them spell it; (None, 0) if they begin with none.

    >>> numeral(["two", "hundred", "and", "five", "apples"])
    (Fraction(205, 1), 4)
    >>> numeral(["two-thirds", "of", "it"])
    (Fraction(2, 3), 1)
    """
    pieces, ends = _pieces(words[:MAX_WORDS])
    integer, at = _whole(pieces)
    fraction, used = _fraction(pieces, integer, at)
    if fraction is not None:
        return fraction, ends[used - 1]
    if at == 0:
        return None, 0
    part, used = _and_a_part(pieces, at)
    return Fraction(integer) + part, ends[used - 1]


def _pieces(words: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the words in lower case, split at hyphens, and for each piece the number of words up to its end."""
    pieces: list[str] = []
    ends: list[int] = []
    for number, word in enumerate(words, 1):
        parts = word.lower().strip(".,;:()").split("-")
        hyphened = len(parts) > 1 and all(map(_is_number_word, parts))
        pieces += parts if hyphened else [word.lower().strip(".;:()")]
        ends += [number] * (len(parts) if hyphened else 1)
    return pieces, ends


def _is_number_word(word: str) -> bool:
    is_whole_part = (
        word in ONES or word in TENS or word in _SCALES or word in ("hundred", "and", "a", "an")
    )
    return is_whole_part or _part(word) > 0


def _whole(pieces: list[str]) -> tuple[int, int]:
    """Return the whole number at the beginning, and how many pieces spell it."""
    total, group, at, last = 0, 0, 0, ""
    for number, piece in enumerate(pieces):
        if (
            piece in ONES
            and last in ("", "tens", "hundred", "scale")
            and not (last == "tens" and ONES[piece] > 9)
        ):
            group, last = group + ONES[piece], "ones"
        elif piece in TENS and last in ("", "hundred", "scale"):
            group, last = group + TENS[piece], "tens"
        elif piece == "hundred" and last in ("ones", "tens"):
            group, last = group * 100, "hundred"
        elif piece in _SCALES and last in ("ones", "tens", "hundred"):
            total, group, last = total + group * _SCALES[piece], 0, "scale"
        elif (
            piece in ("a", "an")
            and last == ""
            and pieces[number + 1 : number + 2] in (["hundred"], ["thousand"], ["million"])
        ):
            group, last = 1, "ones"
        elif piece == "and" and last in ("hundred", "scale"):
            continue
        else:
            break
        at = number + 1
    return total + group, at


def _part(word: str) -> int:
    return _PARTS.get(word) or _PARTS.get(word.removesuffix("s")) or 0


def _fraction(pieces: list[str], integer: int, at: int) -> tuple[Fraction | None, int]:
    """Return the fraction that `pieces` begin with ("two thirds", "a half"), and the end of its pieces."""
    following = pieces[at] if at < len(pieces) else ""
    if at and _part(following) and (integer != 1) == following.endswith("s"):
        return Fraction(integer, _part(following)), at + 1
    if not at and pieces[:1] in (["a"], ["an"], ["one"]) and len(pieces) > 1 and _part(pieces[1]):
        return Fraction(1, _part(pieces[1])), 2
    return None, 0


def _and_a_part(pieces: list[str], at: int) -> tuple[Fraction, int]:
    """Return the fraction after "and", such as the half of "two and a half", and the end of its pieces."""
    if pieces[at : at + 1] != ["and"]:
        return Fraction(0), at
    following = pieces[at + 1 :]
    top, used = _whole(following)
    part, used_by_part = _fraction(following, top, used)
    if part is None or part >= 1:
        return Fraction(0), at
    return part, at + 1 + used_by_part


def spelled(text: str) -> Fraction | None:
    """Return the number that all of `text` spells out; None for any other text."""
    words = re.findall(r"\S+", text.replace(",", " "))
    sign = 1
    if words[:1] and words[0].lower() in ("minus", "negative"):
        words, sign = words[1:], -1
    value, used = numeral(words)
    return sign * value if value is not None and used == len(words) else None


# ---------------------------------------------------------------------- in Chinese

_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_UNITS = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "亿": 10**8}


def chinese_numeral(text: str) -> Fraction | None:
    """Return the number that all of `text` is in Chinese numerals; None for any other text.

    >>> chinese_numeral("二分之一"), chinese_numeral("一百零五"), chinese_numeral("百分之五十")
    (Fraction(1, 2), Fraction(105, 1), Fraction(1, 2))
    """
    sign, text = (-1, text[1:]) if text[:1] == "负" else (1, text)
    bottom, parted, top = text.partition("分之")
    values = [_chinese_whole(part) for part in ((bottom, top) if parted else (text,))]
    if None in values or not all(values[:-1]):
        return None
    numbers = [value for value in values if value is not None]
    return sign * (Fraction(numbers[1], numbers[0]) if parted else Fraction(numbers[0]))


def _chinese_whole(text: str) -> int | None:
    if text in _UNITS:
        return _UNITS[text]  # the 百 of 百分之五
    total, group, digit = 0, 0, 0
    for at, char in enumerate(text):
        if char in _DIGITS and (digit == 0 or text[at - 1] == "零"):
            digit = _DIGITS[char]
        elif char in _UNITS:
            group, digit = group + (digit or (1 if at == 0 else 0)) * _UNITS[char], 0
        elif char in _LARGE:
            total, group, digit = (total + group + digit) * _LARGE[char], 0, 0
        else:
            return None
    return total + group + digit if text else None
