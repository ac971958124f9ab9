"""Functions of texts and numbers that MySQL and PostgreSQL have and SQLite lacks.

Arguments are values of SQLite's, and none is NULL unless a function says so.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from rlvr.verifiers.sql import moment_formats
from rlvr.verifiers.sql.aggregates import as_text
from rlvr.verifiers.sql.guard import VALUE_BYTES
from rlvr.verifiers.sql.patterns import BadPattern

Number: TypeAlias = int | float

_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?)")
_LONGEST_NUMBER = 400  # characters
_DIGITS = 64  # of a number in another base
_MOST_DECIMALS = 30


class TooLargeValue(Exception):
    """A value would be larger than a value may be."""


def as_number(value: Any) -> Number:
    """Return the number that a text begins with, as MySQL does; 0 without one."""
    if isinstance(value, int | float):
        return value
    match = _NUMBER.match(as_text(value)[:_LONGEST_NUMBER])
    if match is None:
        return 0
    return int(match[1]) if match[1].lstrip("+-").isdigit() else float(match[1])


def as_int(value: Any) -> int:
    """Return a value's whole number. Raises `OverflowError` for infinity."""
    return int(as_number(value))


def check_length(length: int) -> None:
    """Raise `TooLargeValue` if a text of this length would be too large."""
    if length > VALUE_BYTES:
        raise TooLargeValue


# ---------------------------------------------------------------- texts


def left(value: Any, count: Any) -> str:
    """Return MySQL's LEFT: nothing for a negative count."""
    return as_text(value)[: max(0, as_int(count))]


def right(value: Any, count: Any) -> str:
    """Return MySQL's RIGHT: nothing for a negative count."""
    length = as_int(count)
    return as_text(value)[-length:] if length > 0 else ""


def postgres_left(value: Any, count: Any) -> str:
    """Return PostgreSQL's `left`: all but the last characters for a negative count."""
    return as_text(value)[: as_int(count)]


def postgres_right(value: Any, count: Any) -> str:
    """Return PostgreSQL's `right`: all but the first characters for a negative count."""
    length = as_int(count)
    return as_text(value)[-length:] if length else ""


def lpad(value: Any, length: Any, fill: Any = " ") -> str | None:
    """Return a text filled up on the left, or cut, to a length."""
    return _padded(value, length, fill, is_left=True)


def rpad(value: Any, length: Any, fill: Any = " ") -> str | None:
    """Return a text filled up on the right, or cut, to a length."""
    return _padded(value, length, fill, is_left=False)


def _padded(value: Any, length: Any, fill: Any, is_left: bool) -> str | None:
    text, filling, size = as_text(value), as_text(fill), as_int(length)
    if size < 0:
        return None
    check_length(size)
    missing = size - len(text)
    if missing <= 0:
        return text[:size]
    if not filling:
        return text
    padding = (filling * (missing // len(filling) + 1))[:missing]
    return padding + text if is_left else text + padding


def repeat(value: Any, times: Any) -> str:
    """Return a text several times."""
    text, count = as_text(value), max(0, as_int(times))
    check_length(len(text) * count)
    return text * count


def concat(*values: Any) -> str:
    """Return PostgreSQL's `concat`, which leaves out NULLs."""
    parts = [as_text(value) for value in values if value is not None]
    check_length(sum(map(len, parts)))
    return "".join(parts)


def concat_ws(separator: Any, *values: Any) -> str | None:
    """Return texts joined by a separator, without NULLs; NULL if the separator is."""
    if separator is None:
        return None
    parts, joint = [as_text(value) for value in values if value is not None], as_text(separator)
    check_length(sum(map(len, parts)) + len(joint) * len(parts))
    return joint.join(parts)


def substring_index(value: Any, separator: Any, count: Any) -> str:
    """Return MySQL's SUBSTRING_INDEX: what is before the n-th separator, from the end for a negative n."""
    mark, number = as_text(separator), as_int(count)
    if not mark or number == 0:
        return ""
    parts = as_text(value).split(mark)
    return mark.join(parts[:number] if number > 0 else parts[number:])


def mid(value: Any, start: Any, length: Any = None) -> str:
    """Return MySQL's MID, which counts from the end for a negative start."""
    text, first = as_text(value), as_int(start)
    begin = first - 1 if first > 0 else len(text) + first
    if first == 0 or begin < 0:
        return ""
    return text[begin:] if length is None else text[begin : begin + max(0, as_int(length))]


def locate(part: Any, value: Any, start: Any = 1) -> int:
    """Return MySQL's LOCATE: the place of a part from 1, or 0."""
    first = as_int(start)
    return 0 if first < 1 else as_text(value).find(as_text(part), first - 1) + 1


def insert(value: Any, start: Any, length: Any, new: Any) -> str:
    """Return MySQL's INSERT: a text with a part of it replaced."""
    text, first, size = as_text(value), as_int(start), as_int(length)
    if not 1 <= first <= len(text):
        return text
    end = len(text) if size < 0 else first - 1 + size
    return text[: first - 1] + as_text(new) + text[end:]


def overlay(value: Any, new: Any, start: Any, length: Any = None) -> str:
    """Return PostgreSQL's `overlay`: a text with a part of it replaced."""
    text, replacement = as_text(value), as_text(new)
    begin = max(0, as_int(start) - 1)
    size = len(replacement) if length is None else max(0, as_int(length))
    return text[:begin] + replacement + text[begin + size :]


def field(wanted: Any, *values: Any) -> int:
    """Return MySQL's FIELD: the place of a value among others, or 0; any may be NULL."""
    return values.index(wanted) + 1 if wanted is not None and wanted in values else 0


def element(number: Any, *values: Any) -> Any:
    """Return MySQL's ELT: the n-th of some values; any may be NULL."""
    place = 0 if number is None else as_int(number)
    return values[place - 1] if 1 <= place <= len(values) else None


def find_in_set(wanted: Any, items: Any) -> int:
    """Return the place of a text among those between commas, or 0."""
    listed, item = as_text(items).split(","), as_text(wanted)
    return listed.index(item) + 1 if item in listed else 0


def grouped(value: Any, decimals: Any = 0) -> str:
    """Return MySQL's FORMAT: a number with commas between its thousands."""
    places = min(max(0, as_int(decimals)), _MOST_DECIMALS)
    return f"{_half_up(as_number(value), places):,.{places}f}"


def split_part(value: Any, separator: Any, place: Any) -> str | None:
    """Return PostgreSQL's `split_part`: the n-th part, from the end for a negative n."""
    text, mark, number = as_text(value), as_text(separator), as_int(place)
    parts = text.split(mark) if mark else [text]
    at = number - 1 if number > 0 else len(parts) + number
    return None if number == 0 else parts[at] if 0 <= at < len(parts) else ""


def initcap(value: Any) -> str:
    """Return a text whose words begin with capitals."""
    return re.sub(r"[^\W_]+", lambda word: word[0][0].upper() + word[0][1:].lower(), as_text(value))


def translate(value: Any, old: Any, new: Any) -> str:
    """Return a text with characters replaced one by one; those without a counterpart are left out."""
    target = as_text(new)
    table: dict[int, str | None] = {}
    for at, char in enumerate(as_text(old)):
        table.setdefault(ord(char), target[at] if at < len(target) else None)
    return as_text(value).translate(table)


def characters(*codes: Any) -> str:
    """Return the characters of these codes; NULLs are left out."""
    return "".join(chr(as_int(code)) for code in codes if code is not None)


def strcmp(first: Any, second: Any) -> int:
    """Return -1, 0 or 1."""
    a, b = as_text(first), as_text(second)
    return (a > b) - (a < b)


def first_code(value: Any) -> int:
    """Return the code of a text's first character; 0 for none."""
    text = as_text(value)
    return ord(text[0]) if text else 0


def conv(value: Any, old: Any, new: Any) -> str | None:
    """Return MySQL's CONV: a number in another base."""
    base, target = as_int(old), as_int(new)
    if not (2 <= base <= 36 and 2 <= target <= 36):
        return None
    number = int(as_text(value)[:_DIGITS], base)
    digits = ""
    while number > 0 or not digits:
        number, digit = divmod(number, target)
        digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[digit] + digits
    return digits


def digest(name: str) -> Callable[[Any], str]:
    """Return a function for a text's digest."""
    return lambda value: hashlib.new(
        name, as_text(value).encode("utf-8", "replace"), usedforsecurity=False
    ).hexdigest()


def row(*values: Any) -> str | None:
    """Return one value for several, for COUNT(DISTINCT a, b); NULL if one is."""
    if None in values:
        return None
    return repr(tuple(float(value) if type(value) is int else value for value in values))


# ---------------------------------------------------------------- numbers


def truncated(value: Any, decimals: Any = 0) -> Number:
    """Return a number cut to some decimals, by its decimal digits: 19.9 * 10 is less than 199."""
    number, places = as_number(value), min(as_int(decimals), _MOST_DECIMALS)
    if places < 0:
        scale = 10 ** min(-places, _MOST_DECIMALS)
        cut = int(abs(number)) // scale * scale * (-1 if number < 0 else 1)
        return cut if isinstance(number, int) else float(cut)
    shown = f"{number:.15g}"
    if isinstance(number, int) or "e" in shown or "n" in shown:
        return number
    head, _, tail = shown.partition(".")
    return float(f"{head}.{tail[:places]}0")


def rounded(value: Any, decimals: Any = 0) -> Number:
    """Return a number rounded to some decimals, or for negative ones to tens and hundreds."""
    number = as_number(value)
    places = max(-_MOST_DECIMALS, min(as_int(decimals), _MOST_DECIMALS))
    result = _half_up(number, places)
    return int(result) if isinstance(number, int) else result


def _half_up(number: Number, places: int) -> Number:
    """Return a number rounded half away from zero."""
    if isinstance(number, int) and places >= 0:
        return number
    scale = 10.0**places
    scaled = float(f"{abs(number) * scale:.15g}")
    if not math.isfinite(scaled):
        return number
    return math.copysign(math.floor(scaled + 0.5) / scale, number)


def remainder(first: Any, second: Any) -> Number:
    """Return the remainder of a division, with the sign of what is divided."""
    a, b = as_number(first), as_number(second)
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) % abs(b) * (-1 if a < 0 else 1)
    return math.fmod(a, b)


def quotient(first: Any, second: Any) -> int:
    """Return the whole quotient of a division, cut towards zero."""
    a, b = as_number(first), as_number(second)
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (-1 if (a < 0) != (b < 0) else 1)
    return int(a / b)


def to_number(value: Any, pattern: Any) -> Number:
    """Return PostgreSQL's `to_number`, by the digits alone."""
    return as_number(re.sub(r"[^0-9.eE+-]", "", as_text(value)[:_LONGEST_NUMBER]))


def to_char(value: Any, pattern: Any) -> str | None:
    """Return PostgreSQL's `to_char` of a moment or of a number. Raises `BadPattern` for a format it doesn't know."""
    if not isinstance(value, int | float):
        return moment_formats.postgres_format(value, as_text(pattern))
    asked = as_text(pattern)
    short = asked[:2].upper() == "FM"
    shape = asked[2:] if short else asked
    if len(shape) > 100 or re.fullmatch(r"[09,.DGL$ ]*", shape) is None:
        raise BadPattern(f"the format {asked[:40]!r} isn't one that is known here")
    head, _, tail = shape.replace("D", ".").replace("G", ",").partition(".")
    places = sum(char in "09" for char in tail)
    number = _half_up(value, places)
    shown = f"{abs(number):,.{places}f}" if "," in head else f"{abs(number):.{places}f}"
    if "0" in head:
        shown = shown.rjust(len(shape.strip("L$ ")), "0")
    if short and tail and "0" not in tail:
        shown = shown.rstrip("0")
    shown = ("-" if number < 0 else "") + "$" * shape.startswith("$") + shown
    return shown if short else shown.rjust(len(shape) + 1)
