"""The arguments of a check: what its signature says they are, and what a task's reference gives."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from math import isfinite
from typing import Any, Literal, TypeAlias

from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.verdict import Cause

Relation: TypeAlias = Literal["less than", "at least"]
Judge: TypeAlias = Callable[..., bool]
MISSING = inspect.Parameter.empty


def wrong(message: str) -> CannotScore:
    """Return the error for a reference that can't be used."""
    return CannotScore(Cause.GOLD, message)


def holds(count: int, relation: str, bound: int) -> bool:
    """Tell whether `count` is less than `bound`, or at least `bound`: IFEval's two relations."""
    return count < bound if relation == "less than" else count >= bound


def signature(id: str, function: Judge) -> dict[str, tuple[Any, Any]]:
    """Return the type and the default of each parameter of a check after the text, by name.

    Raises `OptionError` if a reference can't hold a value of a parameter's type.
    """
    hints = typing.get_type_hints(function)
    _, *rest = inspect.signature(function).parameters.values()
    for parameter in rest:
        if hints.get(parameter.name) not in (int, float, str, list[str], Relation):
            raise OptionError(
                f"{id}: say of {parameter.name!r} whether it's an int, a float, a str, a list[str] "
                f"or a Relation."
            )
    return {parameter.name: (hints[parameter.name], parameter.default) for parameter in rest}


def read_kwarg(id: str, name: str, kind: Any, value: Any) -> Any:
    """`value` as `kind`: 5.0 from a column of floats is 5, and a list of one word is that word."""
    if kind is str and isinstance(value, list) and len(value) == 1:
        value = value[0]
    number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if kind is int and number and value == int(value) and value >= 0:
        return int(value)
    if kind is float and number and value >= 0:
        return float(value)
    if kind is str and isinstance(value, str) and value:
        return value
    texts = isinstance(value, list) and value and all(isinstance(v, str) and v for v in value)
    if kind == list[str] and texts:
        return list(value)
    if kind is Relation and value in typing.get_args(Relation):
        return value
    raise wrong(f"{id}: {name} is {_KINDS[kind]}, not {value!r:.80}.")


_KINDS = {
    int: "a whole number of at least 0",
    float: "a number of at least 0",
    str: "a string",
    list[str]: "a list of strings",
    Relation: "'less than' or 'at least'",
}


def shown(value: Any) -> str:
    """Return a value as text for a sentence."""
    if isinstance(value, list):
        return ", ".join(repr(item) for item in value)
    return str(value) if not isinstance(value, str) else value[:200]
