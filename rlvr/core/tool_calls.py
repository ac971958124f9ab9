"""Tool calls in messages: OpenAI's `tool_calls`, and calls written as text.

The text form is that of Qwen's and Hermes' chat templates::

    <tool_call>
    {"name": "price", "arguments": {"item": "lamp"}}
    </tool_call>
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlvr.core.task import Message, content_text
from rlvr.core.thinking import after_thinking

_OPENS, _CLOSES = "<tool_call>", "</tool_call>"
_RESULT_OPENS, _RESULT_CLOSES = "<tool_response>\n", "\n</tool_response>"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model makes.

    Attributes:
        name: the name of the tool; "" if the call can't be read.
        arguments: the arguments as JSON text, exactly as the model wrote them.
        id: the call's id in OpenAI's messages; "" for a call written as text.
        error: the reason why the call can't be read, in words for the model; "" if it can.
    """

    name: str
    arguments: str
    id: str = ""
    error: str = ""


def calls_of(message: Mapping[str, Any]) -> list[ToolCall]:
    """Return the calls of an assistant's message, in order; thoughts don't count.

    A message with `tool_calls` makes these alone: what its content spells is text.
    """
    native = message.get("tool_calls")
    if native:
        return [_native(call) for call in native]
    return [_written(text) for text in texts_of_calls(content_text(message))]


def written_call(name: str, **arguments: Any) -> str:
    """Return a call as text, in the form that `calls_of` reads."""
    return f"{_OPENS}\n{json.dumps({'name': name, 'arguments': arguments})}\n{_CLOSES}"


def openai_call(call: Any, id: str) -> dict[str, Any]:
    """Return a call in OpenAI's form, with an id and arguments as text, whatever a server left out."""
    call = call if isinstance(call, Mapping) else {}
    function = call.get("function")
    function = dict(function) if isinstance(function, Mapping) else {}
    if "arguments" in function:
        function["arguments"] = _arguments_text(function["arguments"])
    return {"id": str(call.get("id") or id), "type": "function", "function": function}


def nests_deeper(value: Any, most: int = 64) -> bool:
    """Return whether a JSON value has more levels than that, which copying or pickling it may not survive."""
    level = [value]
    for _ in range(most + 1):
        level = [
            item
            for outer in level
            if isinstance(outer, Mapping | list | tuple)
            for item in (outer.values() if isinstance(outer, Mapping) else outer)
        ]
        if not level:
            return False
    return True


def texts_of_calls(content: str) -> list[str]:
    """Return the text of each call that a content spells, without its tags; thoughts don't count."""
    text = after_thinking(content)
    calls: list[str] = []
    end = 0
    # Not with a regular expression, which would search for the end from each of thousands of openings.
    while (start := text.find(_OPENS, end)) >= 0:
        closing = text.find(_CLOSES, start)
        if closing < 0:
            break
        calls.append(text[start + len(_OPENS) : closing])
        end = closing + len(_CLOSES)
    return calls


def results_message(results: Sequence[str]) -> Message:
    """Return the user's message that answers calls written as text.

    A result can't end its own tags, so that a quoted text never looks like the result of another call.
    """
    quoted = [result.replace("tool_response>", "tool\\_response>") for result in results]
    content = "\n".join(f"{_RESULT_OPENS}{result}{_RESULT_CLOSES}" for result in quoted)
    return {"role": "user", "content": content}


def tool_message(call: ToolCall, result: str) -> Message:
    """Return the message that answers one of OpenAI's `tool_calls`."""
    return {"role": "tool", "tool_call_id": call.id, "name": call.name, "content": result}


def calls_with_results(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the calls of a conversation that were answered, as plain data.

    Returns:
        A dictionary per call: `turn` (from 1), `name`, `arguments` (an object; the text as it stands if that is no
        JSON), `result` and `failed`, which is True if the result is an error.
    """
    return list(_with_results(messages))


def are_results(calls: Sequence[ToolCall], messages: Sequence[Message]) -> bool:
    """Return whether the messages after a message with these calls hold results of them."""
    return any(result is not None for result in _results(calls, messages))


def _with_results(messages: Sequence[Message]) -> Iterator[dict[str, Any]]:
    turn = 0
    for place, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        turn += 1
        calls = calls_of(message)
        for call, result in zip(calls, _results(calls, messages[place + 1 :]), strict=False):
            if result is not None:
                yield {
                    "turn": turn,
                    "name": call.name,
                    "arguments": _arguments(call.arguments),
                    "result": result,
                    "failed": result.startswith("error: "),
                }


def _results(calls: Sequence[ToolCall], after: Sequence[Message]) -> Iterator[str | None]:
    """Yield each call's result; None for a call without one."""
    replies = []
    for message in after:
        if message["role"] == "assistant":
            break
        replies.append(message)
    if calls and calls[0].id:
        by_id: dict[Any, list[str]] = {}
        for reply in replies:
            by_id.setdefault(reply.get("tool_call_id"), []).append(content_text(reply))
        # In order, since a model may give two of its calls the same id.
        for call in calls:
            results = by_id.get(call.id)
            yield results.pop(0) if results else None
        return
    if replies and replies[0]["role"] == "tool":  # without ids, as TRL writes them
        yield from map(content_text, replies)
        return
    yield from _written_results(content_text(replies[0]) if replies else "", len(calls))


def _written_results(text: str, most: int) -> Sequence[str]:
    """Return the results in a message of `results_message`; none in any other, such as one that quotes the model."""
    if not (text.startswith(_RESULT_OPENS) and text.endswith(_RESULT_CLOSES)):
        return []
    inner = text[len(_RESULT_OPENS) : -len(_RESULT_CLOSES)]
    results = inner.split(f"{_RESULT_CLOSES}\n{_RESULT_OPENS}")
    whole = len(results) <= most and not any("tool_response>" in result for result in results)
    return results if whole else []


def _native(call: Any) -> ToolCall:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return ToolCall("", "", error="the call has no function")
    arguments = function.get("arguments")
    arguments = _arguments_text(arguments)
    name, id = function.get("name"), str(call.get("id") or "")
    if not name or not isinstance(name, str):
        return ToolCall("", arguments, id, f"the call can't be read: {arguments:.200}")
    return ToolCall(name, arguments or "{}", id)


def sent_call(call: Any) -> dict[str, Any]:
    """Return a call in OpenAI's exact form, whose arguments are a JSON object, for servers and templates.

    Many refuse a conversation with other names or arguments; a model that wrote some is to read the error.
    """
    read = _native(call)
    arguments = encodable(read.arguments) or "{}"
    try:
        is_object = isinstance(json.loads(arguments), dict)
    except (ValueError, RecursionError):
        is_object = False
    arguments = arguments if is_object else json.dumps({"invalid": arguments})
    name = read.name if _NAME.fullmatch(read.name) else "invalid"
    return {
        "id": read.id,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _arguments_text(arguments: Any) -> str:
    """Return a call's arguments as text: some templates and servers give an object."""
    if isinstance(arguments, str):
        return arguments
    if arguments is None:
        return ""
    try:
        return json.dumps(arguments, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError) as error:
        return f"(no JSON: {error!s:.100})"  # the model reads that it isn't JSON


def encodable(text: str) -> str:
    """Return a text with a question mark for each half of a character, which no request to a server can hold."""
    return text.encode("utf-8", "replace").decode()


_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _written(text: str) -> ToolCall:
    if len(text) > MOST_CALL:
        return ToolCall("", "", error=f"a call has at most {MOST_CALL} characters")
    try:
        call = json.loads(text)
    except (ValueError, RecursionError) as error:
        return ToolCall("", text, error=f"the call isn't JSON: {error!s:.200}")
    if not isinstance(call, dict) or set(call) != {"name", "arguments"}:
        return ToolCall("", text, error='a call is an object with "name" and "arguments" alone')
    name = call["name"] if isinstance(call["name"], str) else json.dumps(call["name"])
    return ToolCall(name, json.dumps(call["arguments"], ensure_ascii=False))


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


MOST_CALLS = 16
"""Calls of a message that are made; the others are answered with an error."""

MOST_CHARACTERS = 4000
"""Most characters of a result."""

MOST_CALL = 32_000
"""Most characters of a call, which may hold a program."""
