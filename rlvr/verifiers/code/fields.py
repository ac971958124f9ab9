"""The fields of a code task's reference, each checked to be of its type.

Errors name a field's type and place, and never repeat the content of a hidden test. All functions raise
`CannotScore(gold)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rlvr.core.errors import CannotScore
from rlvr.core.verdict import Cause


def name_of(data: Mapping[str, Any]) -> str:
    """Return the entry point's name; "" if the reference names none."""
    name = text(data, "entry_point", "")
    if name and not name.isidentifier():
        raise wrong(f'has the "entry_point" {name!r:.80}, which is no name')
    return name


def items(data: Mapping[str, Any], key: str) -> list[Any] | tuple[Any, ...]:
    """Return the list under a key, which must not be empty."""
    values = data[key]
    if not isinstance(values, list | tuple) or not values:
        raise wrong(f'has "{key}" empty or of type {type(values).__name__}; it\'s a list')
    return values


def text(data: Mapping[str, Any], key: str, default: str) -> str:
    """Return the text under a key, or the default if the key is missing or null."""
    value = data.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise wrong(f'has "{key}" of type {type(value).__name__}; it\'s text')
    utf8(value, f'"{key}"')
    return value


def content(test: Mapping[str, Any], names: tuple[str, str], where: str) -> bytes:
    """Return a test's input or output, by the first of its names that is there."""
    for name in names:
        if name in test:
            if not isinstance(test[name], str):
                kind = type(test[name]).__name__
                raise wrong(f'has {where} with "{name}" of type {kind}; it\'s text')
            return utf8(test[name], where)
    raise wrong(
        f'has {where} without "{names[0]}"; it has {", ".join(map(str, test)) or "nothing"}'
    )


def utf8(string: str, where: str) -> bytes:
    """Return text as bytes. Raises `CannotScore(gold)` for a lone surrogate."""
    try:
        return string.encode()
    except UnicodeEncodeError as error:
        raise wrong(f"has {where} with text that is no Unicode: {error.reason}") from None


def wrong(problem: str) -> CannotScore:
    """Return the error for a reference that is, has or expects something that it can't."""
    return CannotScore(Cause.GOLD, f"the reference {problem}")
