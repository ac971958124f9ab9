"""The type hints of tools: which there may be, which values fit them, and their JSON schemas."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_PLAIN = {int: "integer", float: "number", str: "string", bool: "boolean", NoneType: "null"}


def schema_of(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Return a tool's schema in OpenAI's form. The function's first argument is the toolbox."""
    text = inspect.getdoc(function) or ""
    exact = getattr(function, "schema", None)  # of a tool whose server has one
    if isinstance(exact, dict):
        about = {"name": name, "description": _summary(text), "parameters": exact}
        return {"type": "function", "function": about}
    hints = get_type_hints(function)
    properties: dict[str, Any] = {}
    required = []
    for parameter in list(inspect.signature(function).parameters.values())[1:]:
        described = _description(text, parameter.name)
        properties[parameter.name] = {**_schema(hints[parameter.name]), "description": described}
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": _summary(text),
            "parameters": {"type": "object", "properties": properties, "required": required},
        },
    }


def _summary(text: str) -> str:
    """Return a docstring without its `Args:` section."""
    return re.split(r"\n\s*\n?Args:\s*\n", text)[0].strip()


def _description(text: str, argument: str) -> str:
    """Return what a docstring's `Args:` section says of an argument, on one line."""
    start = re.search(rf"^(\s+){re.escape(argument)}\s*(?:\([^)]*\))?:", text, re.MULTILINE)
    if start is None:
        return ""
    lines = text[start.end() :].split("\n")
    indented = [lines[0]]
    for line in lines[1:]:
        if not line.strip() or not line.startswith(f"{start[1]} "):
            break
        indented.append(line)
    return " ".join(line.strip() for line in indented)


def _schema(hint: Any) -> dict[str, Any]:
    origin, inside = get_origin(hint), get_args(hint)
    if hint is Any:
        return {}
    if origin is Literal:
        return {"enum": list(inside)}
    if origin in (Union, UnionType):
        return {"anyOf": [_schema(member) for member in inside]}
    if origin is list:
        return {"type": "array", "items": _schema(inside[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(inside[1])}
    return {"type": _PLAIN[hint]}


def is_known(hint: Any) -> bool:
    """Tell whether a JSON value can be checked against the type hint."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return all(isinstance(value, str | int) for value in inside)
    if origin is dict:
        return inside[0] is str and is_known(inside[1])
    if origin in (list, Union, UnionType):
        return all(is_known(argument) for argument in inside)
    return hint in (int, float, str, bool, NoneType, Any)


def fits(value: Any, hint: Any) -> bool:
    """Tell whether a JSON value is of that type. A bool is no number; a number is finite."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in inside)
    if origin in (Union, UnionType):
        return any(fits(value, member) for member in inside)
    if origin is list:
        return isinstance(value, list) and all(fits(item, inside[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, inside[1]) for item in value.values())
    if hint is Any:
        return True
    if hint is float:
        return type(value) in (int, float) and abs(value) < math.inf
    return type(value) is hint


def shown(hint: Any) -> str:
    """Return a type hint as a model reads it."""
    return hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
