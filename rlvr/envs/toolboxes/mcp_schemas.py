"""Tools of an MCP server as functions that `ToolEnv` takes: names, type hints and docstrings from JSON Schemas."""

from __future__ import annotations

import inspect
import json
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union

from rlvr.envs.toolboxes.base import Tool

_TYPES: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "null": type(None),
    "array": list[Any],
    "object": dict[str, Any],
}
_MOST_DESCRIPTION = 2000
_MOST_OF_ARGUMENT = 300
_RESERVED = ("reset", "get_reward")  # which TRL uses for something else
_MOST_ENUM = 50


@dataclass(frozen=True)
class McpTool:
    """A tool of a server.

    Attributes:
        name: its name here, which every server of models takes.
        server_name: its name on the server.
        description: a text for the model.
        schema: the JSON Schema of its arguments, as JSON text, with their names here.
        arguments: the name here and the name on the server of each argument.
    """

    name: str
    server_name: str
    description: str
    schema: str
    arguments: tuple[tuple[str, str], ...]


def read_tools(listed: Iterable[Any]) -> list[McpTool]:
    """Return a server's tools, in order, as the official client lists them."""
    tools: list[McpTool] = []
    names: set[str] = set()
    for tool in listed:
        schema = dict(tool.input_schema) if isinstance(tool.input_schema, Mapping) else {}
        properties = schema.get("properties")
        properties = dict(properties) if isinstance(properties, Mapping) else {}
        keys: dict[str, str] = {}  # on the server to here
        for key in properties:
            keys[key] = _free(_identifier(str(key), "argument"), set(keys.values()) | {"session"})
        required = schema.get("required")
        required = (
            [keys[key] for key in required if key in keys] if isinstance(required, list) else []
        )
        renamed = {
            **schema,
            "type": "object",
            "properties": {keys[key]: value for key, value in properties.items()},
            "required": required,
        }
        name = _free(_identifier(str(tool.name), "tool"), names | set(_RESERVED))
        names.add(name)
        description = (
            tool.description or f"Call the tool {tool.name!r:.60} of the server."
        ).strip()
        tools.append(
            McpTool(
                name,
                str(tool.name),
                description[:_MOST_DESCRIPTION],
                json.dumps(renamed),
                tuple((here, there) for there, here in keys.items()),
            )
        )
    return tools


def function_of(tool: McpTool) -> Tool:
    """Return an async function that calls a tool by an episode's connection, with hints and a docstring."""
    schema = json.loads(tool.schema)
    there = dict(tool.arguments)

    async def call(session: Any, **arguments: Any) -> str:
        values = {there[name]: value for name, value in arguments.items()}
        text: str = await session.call(tool.server_name, values)
        return text

    parameters = [inspect.Parameter("session", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    annotations: dict[str, Any] = {}
    lines = []
    # Parameters with a default come last.
    properties = sorted(
        schema["properties"].items(), key=lambda item: item[0] not in schema["required"]
    )
    for name, value in properties:
        hint, is_exact = hint_of(value)
        needed = name in schema["required"]
        annotations[name] = hint if needed else _or_none(hint)
        parameters.append(
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=inspect.Parameter.empty if needed else None,
                annotation=annotations[name],
            )
        )
        lines.append(f"    {name}: {_about(value, is_exact)}")
    call.__name__ = call.__qualname__ = tool.name
    call.__doc__ = tool.description + ("\n\nArgs:\n" + "\n".join(lines) if lines else "")
    call.__annotations__ = {**annotations, "return": str}
    call.__signature__ = inspect.Signature(parameters, return_annotation=str)  # type: ignore[attr-defined]
    call.schema = schema  # type: ignore[attr-defined]
    return call


def hint_of(schema: Any) -> tuple[Any, bool]:
    """Return the type hint of a JSON Schema, and True if it says all that the schema does.

    What a hint can't say is the server's to check.
    """
    if not isinstance(schema, Mapping):
        return Any, True
    enum = schema.get("enum")
    if isinstance(enum, list) and 0 < len(enum) <= _MOST_ENUM:
        if all(type(value) in (str, int) for value in enum):
            return Literal[tuple(enum)], True
        return Any, False
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            hints = [hint_of(option) for option in schema[key]]
            if any(hint is Any for hint, _ in hints):
                return Any, False
            return Union[tuple(hint for hint, _ in hints)], all(exact for _, exact in hints)  # noqa: UP007
    kind = schema.get("type")
    if isinstance(kind, list) and kind and all(name in _TYPES for name in kind):
        return Union[tuple(_TYPES[name] for name in kind)], False  # noqa: UP007
    if kind == "array":
        item, exact = hint_of(schema.get("items"))
        return list[item], exact and not set(schema) - _PLAIN - {"items"}  # type: ignore[valid-type]
    if not isinstance(kind, str) or kind not in _TYPES:
        return Any, not set(schema) - _PLAIN
    return _TYPES[kind], not set(schema) - _PLAIN


_PLAIN = {"type", "title", "description", "default"}


def _about(schema: Any, is_exact: bool) -> str:
    """Return an argument's description on one line, with its schema if the hint doesn't say all of it."""
    text = (
        str(schema.get("description") or schema.get("title") or "")
        if isinstance(schema, Mapping)
        else ""
    )
    text = " ".join(text.split())[:_MOST_OF_ARGUMENT]
    if not is_exact:
        text = f"{text} JSON Schema: {json.dumps(schema)[:_MOST_OF_ARGUMENT]}".strip()
    return text or "see the tool's description."


def _or_none(hint: Any) -> Any:
    return Any if hint is Any else Union[hint, None]  # noqa: UP007


def _identifier(name: str, otherwise: str) -> str:
    """Return a name that is an identifier of at most 64 ASCII characters, no keyword, and not private."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", name).strip("_")[:60] or otherwise
    if name[0].isdigit():
        name = f"{otherwise}_{name}"[:60]
    return f"{name}_" if keyword.iskeyword(name) else name


def _free(name: str, taken: set[str]) -> str:
    """Return a name that isn't taken."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
