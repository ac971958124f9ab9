"""Messages as chat templates take them: contents as text, arguments as objects, and quoted markers."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rlvr.core.errors import DataError
from rlvr.core.task import Message, content_text
from rlvr.core.tool_calls import sent_call
from rlvr.policies.call_forms import Schemas, WrittenCall

_SIMPLE_ID = re.compile(r"[\w.:-]{1,64}")
_MISTRAL_ID = re.compile(r"[A-Za-z0-9]{9}")


def plain_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message with a content of text, and calls whose arguments are objects.

    Raises `DataError` if the content has parts that aren't text.
    """
    content = message.get("content")
    if isinstance(content, list | tuple) and any(part.get("type") != "text" for part in content):
        kinds = sorted({str(part.get("type")) for part in content} - {"text"})
        raise DataError(
            f"A model in this process reads text alone, and a message has parts of the kind {', '.join(kinds)}. Ask a "
            f"server."
        )
    plain = {**message, "content": content_text(message)}
    if message.get("tool_calls"):
        calls = [sent_call(call) for call in message["tool_calls"]]
        plain["tool_calls"] = [_with_arguments(call, json.loads) for call in calls]
    if "name" in message and message.get("role") == "tool":
        plain["name"] = message["name"] or "invalid"
    return plain


def variants(messages: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Yield a conversation with calls in the other forms that templates want.

    Their arguments are text (DeepSeek's), their ids have nine letters and digits (Mistral's), or a message makes one
    call at most (Llama's).
    """
    if not any(message.get("tool_calls") for message in messages):
        return
    for changes in itertools.product((False, True), repeat=3):
        changed = list(messages)
        for change, is_made in zip(
            (_one_by_one, _with_short_ids, _with_text), changes, strict=True
        ):
            changed = change(changed) if is_made else changed
        if any(changes):
            yield changed


def _with_arguments(call: Mapping[str, Any], change: Any) -> dict[str, Any]:
    function = call["function"]
    return {**call, "function": {**function, "arguments": change(function["arguments"])}}


def _with_text(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    def text(arguments: Any) -> str:
        return json.dumps(arguments, ensure_ascii=False)

    return [
        {**m, "tool_calls": [_with_arguments(call, text) for call in m["tool_calls"]]}
        if m.get("tool_calls")
        else m
        for m in messages
    ]


def _with_short_ids(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    changed = []
    for message in messages:
        if message.get("tool_calls"):
            calls = [{**call, "id": _short(call["id"])} for call in message["tool_calls"]]
            message = {**message, "tool_calls": calls}
        if message.get("tool_call_id"):
            message = {**message, "tool_call_id": _short(message["tool_call_id"])}
        changed.append(message)
    return changed


def _short(id: str) -> str:
    return id if _MISTRAL_ID.fullmatch(id) else _digest(id)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()[:9]


def _one_by_one(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the conversation with a message for each call, followed by its result."""
    results = {message.get("tool_call_id"): message for message in messages}
    changed: list[Mapping[str, Any]] = []
    moved: set[Any] = set()
    for message in messages:
        calls = message.get("tool_calls") or ()
        if len(calls) > 1 and all(call["id"] in results for call in calls):
            for number, call in enumerate(calls):
                content = message["content"] if number == 0 else ""
                changed += [
                    {**message, "content": content, "tool_calls": [call]},
                    results[call["id"]],
                ]
                moved.add(call["id"])
        elif message.get("tool_call_id") not in moved:
            changed.append(message)
    return changed


def calls_message(calls: Sequence[Mapping[str, Any]], content: str = "") -> dict[str, Any]:
    """Return a message of the model that makes these calls."""
    message: dict[str, Any] = {"role": "assistant", "content": content}
    return {**message, "tool_calls": list(calls)} if calls else message


def answered_calls(messages: Sequence[Mapping[str, Any]], argument: str) -> list[dict[str, Any]]:
    """Return calls that these results of tools could answer; the last one has the given argument."""
    return [
        {
            "id": message["tool_call_id"],
            "type": "function",
            "function": {"name": message.get("name") or "tool", "arguments": {"x": argument}},
        }
        for message in messages
        if message.get("role") == "tool" and message.get("tool_call_id")
    ]


def message_of(content: str, calls: Sequence[WrittenCall], response: Sequence[int]) -> Message:
    """Return the model's message. Calls without an id get one that depends on the response alone."""
    message: Message = {"role": "assistant", "content": content}
    if not calls:
        return message
    ids: set[str] = set()
    message["tool_calls"] = []
    for number, call in enumerate(calls):
        id = call.id if _SIMPLE_ID.fullmatch(call.id) and call.id not in ids else ""
        id = id or _digest(f"{number} {','.join(map(str, response))}")
        ids.add(id)
        function = {"name": call.name, "arguments": call.arguments}
        message["tool_calls"].append({"id": id, "type": "function", "function": function})
    return message


def schemas_of(tools: Sequence[Mapping[str, Any]]) -> Schemas:
    """Return the schemas of each tool's arguments by its name."""
    functions = [tool.get("function", tool) for tool in tools]
    return {
        str(function.get("name")): (function.get("parameters") or {}).get("properties") or {}
        for function in functions
    }
