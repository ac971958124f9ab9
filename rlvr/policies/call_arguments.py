"""The arguments of a tool call as templates write them: JSON, tags, Python's keywords, or Gemma's JSON without quotes.

Each reader returns JSON text and the place behind the arguments, or None for a text that isn't in its form.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

FIRST_MARK, LAST_MARK = "\U000f0000", "\U000fffff"
"""The private range whose characters stand for special tokens."""
Properties = Mapping[str, Any]
"""The JSON schemas of a tool's arguments by name; empty if they aren't known."""

MOST = 1 << 16
"""Most characters of a call that are read."""
_DEEPEST = 50
_WORDS = {"null": None, "None": None, "true": True, "True": True, "false": False, "False": False}
_NUMBER = re.compile(r"-?\d{1,400}(?:\.\d{1,400})?(?:[eE][+-]?\d{1,4})?")
_WORD = re.compile(r"[A-Za-z]{4,5}")


class Arguments(Protocol):
    """Reads the arguments of a call."""

    def read(self, text: str, at: int, properties: Properties) -> tuple[str, int] | None:
        """Return the arguments that begin at `at` as JSON text, and their end; None if they can't be read."""
        ...


def skip(text: str, at: int) -> int:
    """Return the place of the next character that isn't white space."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at


@functools.lru_cache(256)
def spaced(expected: str) -> re.Pattern[str]:
    """Return a pattern of a template's text, with any white space where it has some and around special tokens."""
    words = re.findall(rf"[{FIRST_MARK}-{LAST_MARK}]|[^\s{FIRST_MARK}-{LAST_MARK}]+", expected)
    return re.compile(r"\s*".join(map(re.escape, words)))


def literal(text: str, at: int, expected: str) -> int | None:
    """Return the end of `expected` behind white space, or None if it isn't there."""
    match = spaced(expected).match(text, skip(text, at))
    return match.end() if match else None


def object_at(text: str, at: int) -> tuple[dict[str, Any], int] | None:
    """Return the JSON object that begins at `at`, and its end; None if there is none."""
    at = skip(text, at)
    if not text.startswith("{", at):
        return None
    try:
        value, length = json.JSONDecoder().raw_decode(text[at : at + MOST])
    except (ValueError, RecursionError):
        return None
    return value, at + length


@dataclass(frozen=True)
class JsonArguments:
    """A JSON object."""

    def read(self, text: str, at: int, properties: Properties) -> tuple[str, int] | None:
        """Return the arguments that begin at `at` as JSON text, and their end; None if they can't be read."""
        decoded = object_at(text, at)
        return None if decoded is None else (text[skip(text, at) : decoded[1]], decoded[1])


@dataclass(frozen=True)
class TaggedArguments:
    """A tag for each argument, such as Qwen3-Coder's `<parameter=item>` or GLM's `<arg_key>`.

    Attributes:
        before_key, before_value, after_value: the text around a key and its value, with its white space.
        following: the text behind the last value, up to a tag's end.
    """

    before_key: str
    before_value: str
    after_value: str
    following: str

    def read(self, text: str, at: int, properties: Properties) -> tuple[str, int] | None:
        """Return the arguments that begin at `at` as JSON text, and their end; None if they can't be read."""
        arguments: dict[str, Any] = {}
        before_value, after_value = self.before_value.rstrip(), self.after_value.lstrip()
        while (start := literal(text, at, self.before_key.strip())) is not None:
            key_end = text.find(before_value, start, start + MOST)
            if key_end < 0:
                return None
            value_start = key_end + len(before_value)
            value_end = self._value_end(text, value_start, after_value)
            if value_end < 0:
                return None
            value = text[value_start:value_end]
            # The template's own line breaks around a value, and no other white space.
            value = value.removeprefix(self.before_value[len(before_value) :])
            value = value.removesuffix(self.after_value[: len(self.after_value) - len(after_value)])
            key = text[start:key_end].strip()
            arguments[key] = _typed(value, properties.get(key))
            at = value_end + len(after_value)
        return json.dumps(arguments, ensure_ascii=False), at

    def _value_end(self, text: str, at: int, after_value: str) -> int:
        """Return the end of a value, which may quote the closing tag."""
        end = at
        while (end := text.find(after_value, end, at + MOST)) >= 0:
            behind = end + len(after_value)
            expected = (self.before_key.strip(), self.following)
            if any(literal(text, behind, mark) is not None for mark in expected):
                return end
            end = behind
        return -1


def _typed(value: str, schema: Any) -> Any:
    """Return the value that an untyped text stands for: what the schema allows, or else what it is as JSON."""
    options = schema.get("anyOf", [schema]) if isinstance(schema, Mapping) else []
    types = {option.get("type") for option in options if isinstance(option, Mapping)}
    enum = {
        choice
        for option in options
        if isinstance(option, Mapping)
        for choice in option.get("enum", ())
        if isinstance(choice, str)
    }
    if types == {"string"} or value in enum:
        return value
    try:
        decoded = json.loads(value)
    except (ValueError, RecursionError):
        decoded = _WORDS.get(value, value)
    if "string" in types and _type_of(decoded) not in types:
        return value
    return decoded


def _type_of(value: Any) -> str:
    types = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return "null" if value is None else types.get(type(value), "string")


@dataclass(frozen=True)
class PythonArguments:
    """Keyword arguments of a call in Python, in parentheses, as LFM2's templates write them."""

    def read(self, text: str, at: int, properties: Properties) -> tuple[str, int] | None:
        """Return the arguments that begin at `at` as JSON text, and their end; None if they can't be read."""
        scanned = _parenthesis(text, skip(text, at))
        if scanned is None:
            return None
        source, end = scanned
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a model's odd escapes
                call = ast.parse(f"f{source}", mode="eval").body
            if not isinstance(call, ast.Call) or call.args:
                return None
            arguments = {_keyword(word): _value(word.value) for word in call.keywords}
            return json.dumps(arguments, ensure_ascii=False), end
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _keyword(word: ast.keyword) -> str:
    if word.arg is None:
        raise ValueError("**")
    return word.arg


def _value(node: ast.expr) -> Any:
    """Return a literal's value; some templates write `null` and `true` between Python's brackets."""
    if isinstance(node, ast.Name) and node.id in _WORDS:
        return _WORDS[node.id]
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {
            _string(key): _value(value) for key, value in zip(node.keys, node.values, strict=True)
        }
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = _value(node.operand)
        if type(value) in (int, float):
            return -value
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int | float | None):
        return node.value
    raise ValueError("no literal")


def _string(node: ast.expr | None) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    raise ValueError("no text")


def _parenthesis(text: str, at: int) -> tuple[str, int] | None:
    """Return the parenthesis that begins at `at`, with line breaks in texts escaped, and its end."""
    if not text.startswith("(", at):
        return None
    pieces: list[str] = []
    depth, quote, escaped = 0, "", False
    for place in range(at, min(len(text), at + MOST)):
        character = text[place]
        pieces.append("\\n" if quote and character == "\n" else character)
        if escaped:
            escaped = False
        elif quote:
            escaped = character == "\\"
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if not depth:
                return "".join(pieces), place + 1
        if depth > _DEEPEST:
            return None
    return None


@dataclass(frozen=True)
class GemmaArguments:
    """JSON with bare keys, and texts between quotes of Gemma's own.

    Attributes:
        quote: the text on both sides of a text.
    """

    quote: str

    def read(self, text: str, at: int, properties: Properties) -> tuple[str, int] | None:
        """Return the arguments that begin at `at` as JSON text, and their end; None if they can't be read."""
        at = skip(text, at)
        if not text.startswith("{", at):
            return None
        try:
            value, end = self._value(text[: at + MOST], at, 0)
            return json.dumps(value, ensure_ascii=False), end
        except (ValueError, IndexError):
            return None

    def _value(self, text: str, at: int, depth: int) -> tuple[Any, int]:
        if depth > _DEEPEST:
            raise ValueError("too deep")
        at = skip(text, at)
        if text.startswith(self.quote, at):
            start = at + len(self.quote)
            end = text.index(self.quote, start)
            return text[start:end], end + len(self.quote)
        if text[at] == "{":
            return self._items(text, at + 1, depth, "}")
        if text[at] == "[":
            return self._items(text, at + 1, depth, "]")
        number = _NUMBER.match(text, at)
        if number is not None:
            return json.loads(number.group()), number.end()
        word = _WORD.match(text, at)
        if word is not None and word.group() in _WORDS:
            return _WORDS[word.group()], word.end()
        raise ValueError("no value")

    def _items(self, text: str, at: int, depth: int, closer: str) -> tuple[Any, int]:
        keys: list[str] = []
        values: list[Any] = []
        at = skip(text, at)
        while text[at] != closer:
            if closer == "}":
                colon = text.index(":", at)
                key = text[at:colon].strip()
                keys.append(key.removeprefix(self.quote).removesuffix(self.quote))
                at = colon + 1
            value, at = self._value(text, at, depth + 1)
            values.append(value)
            at = skip(text, at)
            if text[at] == ",":
                at = skip(text, at + 1)
            elif text[at] != closer:
                raise ValueError("no comma")
        return (dict(zip(keys, values, strict=True)) if closer == "}" else values), at + 1
