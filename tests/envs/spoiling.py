"""Right solutions made wrong: the same function, with another value."""

from __future__ import annotations

_SPOIL = """

def _spoilt(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float, complex)):
        return value * 2 + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, (list, tuple)):
        return type(value)([*value, "x"])
    if isinstance(value, set):
        return value | {{"x"}}
    if isinstance(value, dict):
        return {{**value, "x": 1}}
    return "x"


def {name}(*args, _right={name}):
    return _spoilt(_right(*args))
"""


def spoilt(solution: str, name: str) -> str:
    """`solution`, with what its function `name` returns changed."""
    return solution + _SPOIL.format(name=name)
