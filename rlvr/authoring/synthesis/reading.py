"""JSON in replies: the objects or texts that a policy wrote, whatever stands around them."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from rlvr.core.errors import DataError
from rlvr.core.thinking import after_thinking
from rlvr.verifiers.fences import fenced_blocks

_LONGEST = 400_000
"""The longest reply in characters that is read."""
_STARTS = 16  # places of a reply at which JSON is looked for
_DEEPEST = 12  # of a row's lists and objects
_LISTS = ("tasks", "personas", "rows", "items", "problems", "data")


def read_items(reply: str) -> list[Any]:
    """Return the items of the first JSON array in a reply.

    It may be in a fence, behind a thinking part, or in an object under a name such as `tasks`. A sole object, or an
    object per line, is an array as well.

    Raises `DataError` saying why there's none.
    """
    text = after_thinking(reply)
    if len(text) > _LONGEST:
        raise DataError(f"the reply has {len(text)} characters")
    if not text.strip():
        raise DataError("the reply is empty")
    for part in [*(block.text for block in fenced_blocks(text)[:_STARTS]), text]:
        items = _items_in(part)
        if items:
            return items
    raise DataError("the reply has no JSON array of objects")


def _items_in(text: str) -> list[Any]:
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.lstrip().startswith("{") for line in lines):
        try:
            return [_DECODER.decode(line) for line in lines]
        except (ValueError, RecursionError):
            pass  # an object over several lines
    starts = [match.start() for match in re.finditer(r"[\[{]", text)][:_STARTS]
    for start in starts:
        try:
            value, _ = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        items = _as_items(value)
        if items:
            return items
    return []


def _as_items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        named = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
        value = [value] if named is None else named
    if not isinstance(value, list) or not any(isinstance(item, dict | str) for item in value):
        return []
    return value


def check_plain(value: Any, depth: int = 0) -> None:
    """Raise `DataError` if a value of JSON is nested deeply or has text that isn't Unicode."""
    if depth > _DEEPEST:
        raise DataError(f"it is nested more than {_DEEPEST} deep")
    if isinstance(value, str):
        if any("\ud800" <= char <= "\udfff" for char in value):
            raise DataError("it has half a surrogate pair, which is no text")
    elif isinstance(value, dict):
        for key, item in value.items():
            check_plain(key, depth + 1)
            check_plain(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            check_plain(item, depth + 1)


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if abs(number) < 1e300 else _not_json(digits[:50])


_DECODER = json.JSONDecoder(parse_constant=_not_json, parse_float=_finite)
