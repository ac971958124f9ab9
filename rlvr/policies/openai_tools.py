"""Tools in OpenAI's chat API: the messages and the calls as its servers take them, and the calls that they return."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rlvr.core.errors import OptionError
from rlvr.core.task import Message
from rlvr.core.tool_calls import encodable, sent_call

_LONGEST_ID = 256


def tool_fields(
    tools: Sequence[Mapping[str, Any]], api: str, body: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of a request that offer tools. Raises `OptionError` for an API without tools."""
    if not tools:
        return {}
    if api != "chat":
        raise OptionError(
            "A completions server gets its prompt as one text and knows no tools. Use api='chat', or an environment "
            "with calls='text', whose prompts explain the tools."
        )
    return {"tools": [dict(tool) for tool in tools], "tool_choice": body.get("tool_choice", "auto")}


def sent_messages(messages: Sequence[Message]) -> list[Message]:
    """Return messages in OpenAI's exact form.

    Calls have JSON objects as arguments and names that servers take, whatever the model wrote: a server that refused
    the next request because of them would make a wrong call a fault.
    """
    sent = []
    for message in messages:
        if message["role"] == "assistant" and isinstance(message.get("content"), str):
            message = {**message, "content": encodable(message["content"])}
        if message.get("tool_calls"):
            calls = [sent_call(call) for call in message["tool_calls"]]
            message = {**message, "content": message.get("content") or None, "tool_calls": calls}
        elif message["role"] == "tool" and "name" in message:
            named = sent_call({"function": {"name": message["name"]}})
            message = {**message, "name": named["function"]["name"]}
        sent.append(message)
    return sent


def returned_calls(message: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """Return the calls in a server's message, in OpenAI's form.

    A malformed call keeps its text and has no name, so that an environment answers it with an error. A call has no id
    if the server gave none, or one twice.
    """
    calls = message.get("tool_calls")
    if not calls and isinstance(message.get("function_call"), Mapping):  # the form before `tools`
        calls = [{"function": message["function_call"]}]
    if not calls:
        return ()
    ids: set[str] = set()
    read = []
    for call in calls if isinstance(calls, list) else [calls]:
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            function = {"name": "", "arguments": _text(call)}
        arguments = function.get("arguments")
        id = call.get("id") if isinstance(call, Mapping) else None
        if not isinstance(id, str) or len(id) > _LONGEST_ID or id in ids:
            id = ""
        ids.add(id)
        read.append(
            {
                "id": id,
                "type": "function",
                "function": {
                    "name": function["name"],
                    "arguments": _text({} if arguments is None else arguments),
                },
            }
        )
    return tuple(read)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""
