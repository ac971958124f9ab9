"""Learn the form in which a chat template writes tool calls, from messages that it renders.

A template shows a known message with one call, and one with two. The places of the names, keys and values tell the form.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from rlvr.core.errors import DataError
from rlvr.policies.call_arguments import (
    FIRST_MARK,
    LAST_MARK,
    Arguments,
    GemmaArguments,
    JsonArguments,
    PythonArguments,
    TaggedArguments,
    object_at,
)
from rlvr.policies.call_forms import (
    CallBody,
    CallForm,
    Harmony,
    Marks,
    NamedBody,
    ObjectBody,
)

Messages: TypeAlias = Sequence[Mapping[str, Any]]
Show: TypeAlias = Callable[[Messages, str], str | None]
"""Renders a message of the model with these calls and this content, and returns it with marks; None if refused."""

_NAME1, _NAME2 = "rlvr7name1", "rlvr7name2"
_KEY1, _KEY2 = "rlvr7key1", "rlvr7key2"
_VALUE1, _VALUE2 = "rlvr7val1", "rlvr7val2"
_CONTENT = "RLVR7CONTENT7RLVR"
_ID = "rlvr7id0"  # with its number nine letters and digits, as Mistral's templates want
PROBE_TOOLS: Sequence[Mapping[str, Any]] = (
    {
        "type": "function",
        "function": {
            "name": "rlvr7other",
            "description": "Return nothing.",
            "parameters": {
                "type": "object",
                "properties": {"x": {"type": "string", "description": "a text"}},
                "required": ["x"],
            },
        },
    },
)
"""Tools to render while a template's form is learned; some templates show calls only with tools."""


def shown_by(
    render: Callable[[Messages, bool, Messages], str], asked: Mapping[str, Any], marks: Marks
) -> Show:
    """Return a function that shows a message of the model behind the user's message `asked`."""

    def show(calls: Messages, content: str) -> str | None:
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if calls:
            message["tool_calls"] = calls
        try:
            text = render([asked, message], False, PROBE_TOOLS)
            for opened in (True, False):
                before = render([asked], opened, PROBE_TOOLS)
                if text.startswith(before):
                    return marks.of_text(text[len(before) :])
        except DataError:
            return None
        return marks.of_text(text)

    return show


def learned(show: Show, marks: Marks, plain_end: str) -> CallForm | Harmony | None:
    """Learn the form in which a template writes calls; None if it writes none.

    Args:
        show: renders a message.
        marks: of the template's tokenizer.
        plain_end: the text behind a message without calls, with marks.
    """
    first, second = _call(1, _NAME1, {_KEY1: _VALUE1}), _call(2, _NAME2, {_KEY2: _VALUE2})
    without_content, with_content = show([first], ""), show([first], _CONTENT) or ""
    if without_content is None or "to=functions." + _NAME1 in without_content:
        named = ("<|start|>", "<|message|>", "<|call|>", "<|end|>", "<|return|>")
        start, message, *ends = map(marks.of_text, named)
        return Harmony(start, message, tuple(ends)) if without_content else None
    both = show([_call(1, _NAME1, {_KEY1: _VALUE1, _KEY2: _VALUE2})], "") or ""
    place = _place(without_content, 1, both)
    if place is None:
        return None
    body, call_start, call_end = place
    # The message's header and empty thoughts stand before the content, if the template shows it before the calls.
    before, behind = without_content[:call_start], without_content[call_end:].strip()
    place_behind = _place(with_content, 1, both)
    if place_behind is not None and _CONTENT in with_content[: place_behind[1]]:
        before = with_content[: place_behind[1]].partition(_CONTENT)[2]
    else:
        before = before.removeprefix((show([], _CONTENT) or "").partition(_CONTENT)[0])
    between, closer = "", ""
    two = show([first, second], "") or ""
    places = _place(two, 1, both), _place(two, 2, both)
    if places[0] is not None and places[1] is not None and places[0][2] <= places[1][1]:
        middle = two[places[0][2] : places[1][1]].strip()
        closer = _common(middle, behind)
        between = middle[len(closer) :].strip()
    tail = behind[len(closer) :].strip()
    tail = tail.removesuffix(plain_end.strip()).strip()
    if not between:  # a message makes one call: its closer goes up to the message's end
        closer, tail = tail.rstrip(f"{FIRST_MARK}-{LAST_MARK}"), ""
    # A name that stands before the call, too, as Muse's recipient does, belongs to the text before the opener.
    head, _, opener = before.strip().rpartition(_NAME1)
    next_head, _, next_opener = between.rpartition(_NAME2)
    heads = [
        re.escape(text + name).replace(name, r"\S{1,200}?")
        for text, name in ((next_head, _NAME2), (head, _NAME1))
        if text
    ]
    return CallForm(body, opener.strip(), next_opener.strip(), closer, tail, tuple(heads))


def _place(text: str, number: int, both: str) -> tuple[CallBody, int, int] | None:
    """Return a reader of the call with these names, and where it begins and ends; None if it isn't there.

    Args:
        text: a rendered message.
        number: 1 or 2: the number of the call.
        both: a rendered message whose call has two arguments.
    """
    name, key, value = ((_NAME1, _KEY1, _VALUE1), (_NAME2, _KEY2, _VALUE2))[number - 1]
    arguments = {key: value}
    key_at = text.find(key)
    name_at = text.rfind(name, 0, key_at) if key_at >= 0 else text.find(name)
    value_at = text.find(value)
    if min(name_at if name_at >= 0 else text.find(name), key_at, value_at) < 0:
        return None
    for brace in re.finditer(r"\{", text[:value_at]):
        decoded = object_at(text, brace.start())
        if decoded is None:
            continue
        name_path, argument_path = _path(decoded[0], name), _path(decoded[0], arguments)
        if name_path and argument_path:
            id_path = _path(decoded[0], f"{_ID}{number}") or ()
            return ObjectBody(name_path, argument_path, id_path), brace.start(), decoded[1]
        if decoded[0] == arguments and name_at >= 0:
            after = text[name_at + len(name) : brace.start()].strip()
            return NamedBody(after, JsonArguments()), name_at, decoded[1]
    if name_at < 0 or key_at > value_at:
        return None
    reader: Arguments
    after, gap = text[name_at + len(name) : key_at], text[key_at + len(key) : value_at]
    if after.endswith("{") and gap.startswith(":"):
        reader, begin = GemmaArguments(gap[1:].strip()), key_at - 1
    elif after.endswith("(") and gap.startswith("="):
        reader, begin = PythonArguments(), key_at - 1
    else:
        tagged = _tagged(after, gap, text[value_at + len(value) :], both)
        if tagged is None:
            return None
        reader, begin = tagged, key_at - len(tagged.before_key)
    read = reader.read(text, begin, {})
    if read is None or json.loads(read[0]) != arguments:
        return None
    return NamedBody(text[name_at + len(name) : begin].strip(), reader), name_at, read[1]


def _tagged(after_name: str, before_value: str, behind: str, both: str) -> TaggedArguments | None:
    """Return a reader of arguments in tags, from the text around the first and what stands between two."""
    middle = both.partition(_VALUE1)[2].partition(_KEY2)[0]
    closing = re.match(r"\s*<[^<>]*>", middle)
    if closing is None:
        return None
    before_key = middle[closing.end() :]
    if not after_name.endswith(before_key.strip()) or not before_key.strip():
        return None
    following = re.match(rf"\s*(<[^<>]*>|[{FIRST_MARK}-{LAST_MARK}])", behind[closing.end() :])
    return TaggedArguments(
        before_key.strip(), before_value, closing.group(), following[1] if following else ""
    )


def _call(number: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"{_ID}{number}", "type": "function", "function": function}


def _path(value: Any, wanted: Any) -> tuple[str, ...] | None:
    """Return the keys that lead to a value, which may be JSON text, in an object."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if item == wanted:
            return (key,)
        if isinstance(item, str) and isinstance(wanted, dict):
            decoded = object_at(item, 0)
            if decoded is not None and decoded[0] == wanted:
                return (key,)
        inner = _path(item, wanted)
        if inner is not None:
            return (key, *inner)
    return None


def _common(first: str, second: str) -> str:
    """Return the common start of two texts, without a tag that it cuts and without white space at its end."""
    pairs = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    common = "".join(character for character, _ in pairs)
    if common.rfind("<") > common.rfind(">"):
        common = common[: common.rfind("<")]
    return common.rstrip()
