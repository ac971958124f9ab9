"""Tools through OpenAI's chat API, against a server that is as strict as theirs and one that returns nonsense."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import OptionError
from rlvr.core.tool_calls import calls_of
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.base import Generation, PolicyError, Request
from rlvr.policies.openai import OpenAIPolicy, generations
from tests.evaluation.test_native_calls import Clerk, Hostile, equal, shop, verdicts
from tests.stub_server import Stub, _reply

TOOL = {"type": "function", "function": {"name": "price", "parameters": {"type": "object"}}}


class ToolServer(Stub):
    """Answers by `say(body)`, after it has checked the messages as OpenAI's and vLLM's servers do."""

    def __init__(self, say: Any) -> None:
        super().__init__()
        self.say = say

    async def _answer(self, path: str, body: dict[str, Any]) -> bytes | None:
        if path.endswith("/models"):
            return _reply(200, {"data": [{"id": "adder", "owned_by": "me"}]})
        self.bodies.append(body)
        wrong = complaint(body)
        if wrong:
            return _reply(400, {"error": {"message": wrong}})
        choice = {"index": 0, "finish_reason": "stop", **self.say(body)}
        return _reply(200, {"choices": [choice], "usage": {"completion_tokens": 3}})


def complaint(body: dict[str, Any]) -> str:
    """Return what is wrong with the messages; "" if nothing is."""
    waiting: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting or not isinstance(message["content"], str):
                return f"no call for {message}"
            waiting.remove(message["tool_call_id"])
        elif waiting:
            return f"no result for {waiting}"
        if set(message) - {"role", "content", "tool_calls", "tool_call_id", "name"}:
            return f"unknown fields in {message}"
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", message.get("name", "x")):
            return f"a name that is none in {message}"
        if (
            message["role"] == "assistant"
            and not message["content"]
            and not message.get("tool_calls")
        ):
            return "nothing said"
        for call in message.get("tool_calls", ()):
            waiting.append(call["id"])
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            if (
                set(call) != {"id", "type", "function"}
                or call["type"] != "function"
                or not call["id"]
            ):
                return f"a call that is none: {call}"
            if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
                return f"a function's name that is none: {name!r}"
            try:
                if not isinstance(json.loads(arguments), dict):
                    return "arguments that are no object"
            except ValueError:
                return "arguments that are no JSON"
    return ""


def ask(policy: OpenAIPolicy, request: Request) -> Generation:
    async def go() -> Generation:
        try:
            return (await policy.generate(request))[0]
        finally:
            await policy.aclose()

    return asyncio.run(go())


def test_requests_and_answers_are_in_openai_s_form() -> None:
    calls = [
        {
            "id": "a",
            "type": "function",
            "function": {"name": "price", "arguments": '{"item": "lamp"}'},
        },
        {"id": "b", "type": "function", "function": {"name": "no such", "arguments": "{'x'"}},
    ]
    talk = (
        {"role": "user", "content": [{"type": "text", "text": "What is it?"}]},
        {"role": "assistant", "content": "", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "name": "price", "content": "7"},
        {"role": "tool", "tool_call_id": "b", "name": "no such", "content": "error: no"},
    )
    message = {"role": "assistant", "content": None, "tool_calls": calls[:1]}
    with ToolServer(lambda body: {"message": message, "finish_reason": "tool_calls"}) as server:
        policy = OpenAIPolicy("adder", server.url)
        found = ask(policy, Request(talk, rlvr.Task("x", "0"), 5, (TOOL,)))
    (body,) = server.bodies
    assert body["tools"] == [TOOL]
    assert body["tool_choice"] == "auto"
    assert body["messages"][0] == talk[0]
    assert body["messages"][1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            calls[0],
            {
                "id": "b",
                "type": "function",
                "function": {"name": "invalid", "arguments": json.dumps({"invalid": "{'x'"})},
            },
        ],
    }
    assert body["messages"][2] == talk[2]
    assert body["messages"][3] == talk[3] | {"name": "invalid"}
    assert (found.text, found.stop, found.tool_calls) == ("", "stop", (calls[0],))
    assert found.message["tool_calls"] == calls[:1]


def test_a_request_without_tools_has_no_such_field() -> None:
    with ToolServer(lambda body: {"message": {"content": "1"}}) as server:
        ask(OpenAIPolicy("adder", server.url), Request.of(rlvr.Task("x", "0")))
    assert not {"tools", "tool_choice"} & set(server.bodies[0])


def test_another_tool_choice_is_the_user_s() -> None:
    with ToolServer(lambda body: {"message": {"content": "1"}}) as server:
        policy = OpenAIPolicy("adder", server.url, extra={"tool_choice": "required"})
        ask(policy, Request(({"role": "user", "content": "x"},), rlvr.Task("x", "0"), 0, (TOOL,)))
    assert server.bodies[0]["tool_choice"] == "required"


def test_a_completions_server_has_no_tools() -> None:
    env = rlvr.make("shop", calls="native", size=2)
    with (
        Stub() as stub,
        pytest.raises(OptionError, match=r"knows no tools. Use api='chat'.*calls='text'"),
    ):
        evaluate(env, OpenAIPolicy("adder", stub.url, api="completions"), limit=1)


def test_a_server_without_a_parser_is_told_so() -> None:
    said = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'

    class Refusing(ToolServer):
        async def _answer(self, path: str, body: dict[str, Any]) -> bytes | None:
            if path.endswith("/models"):
                return await super()._answer(path, body)
            return _reply(400, {"error": {"message": said}})

    env = rlvr.make("shop", calls="native", size=2)
    with (
        Refusing(None) as server,
        pytest.raises(PolicyError, match=r"start the server with a parser"),
    ):
        evaluate(env, OpenAIPolicy("adder", server.url), limit=1)


def test_a_clerk_behind_a_server_gets_the_verdicts_of_text(tmp_path: Path) -> None:
    """Also one whose calls are malformed: the server would refuse them in the next request."""
    text = shop("text", 4, 40)
    expected = verdicts(text, Clerk("text"), tmp_path / "text", 20)
    tasks = {text.tasks[i].text: text.tasks[i] for i in range(20)}

    def say(body: dict[str, Any]) -> dict[str, Any]:
        messages = body["messages"]
        found = Clerk("native").answer(
            Request(tuple(messages), tasks[messages[0]["content"]], 0, tuple(body["tools"]))
        )
        calls = [
            {**call, "id": f"call_{len(messages)}_{i}"} for i, call in enumerate(found.tool_calls)
        ]
        message = {"role": "assistant", "content": found.text or None, "tool_calls": calls}
        return {"message": message, "finish_reason": "tool_calls" if calls else "stop"}

    with ToolServer(say) as server:
        policy = OpenAIPolicy("adder", server.url, concurrency=8)
        assert verdicts(shop("native", 4, 40), policy, tmp_path / "native", 20) == expected


MALFORMED: list[Any] = [
    7, "x", {}, {"name": "echo"}, [None], [7], ["x"], [[]], [{}], [{"function": None}], [{"function": "echo"}],
    [{"id": None, "function": {"name": "echo", "arguments": None}}],
    [{"id": 7, "type": "tool", "function": {"name": "echo", "arguments": {"text": "a"}}}],
    [{"id": "a", "function": {"name": None, "arguments": "{}"}}],
    [{"id": "a", "function": {"name": ["echo"], "arguments": "{}"}}],
    [{"id": "a", "function": {"name": "", "arguments": ""}}],
    [{"id": "a", "function": {"name": "echo\n<x>", "arguments": "[1]"}}],
    [{"id": "a", "function": {"name": "e" * 9999, "arguments": "{"}}],
    [{"id": "a" * 9999, "function": {"name": "echo", "arguments": '{"text": "a"}'}}],
    [{"id": "a", "function": {"name": "echo", "arguments": '{"text": "a"}'}}] * 3,
    [{"id": "a", "function": {"name": "echo", "arguments": "[" * 5000}}] * 40,
    [{"function": {"name": "echo", "arguments": {"text": "\ud800"}}}],
    [{"function": {"name": "\ud800", "arguments": "\ud800"}}],
]  # fmt: skip


@pytest.mark.parametrize("reason", ["tool_calls", "stop", None])
def test_malformed_calls_cost_the_model_a_turn_and_no_more(tmp_path: Path, reason: Any) -> None:
    """The server sends each once, and then the right answer: every episode is scored, with the full reward."""
    tasks = [rlvr.Task(f"{i}", "9", f"t{i}") for i in range(len(MALFORMED))]
    env = rlvr.ToolEnv(rlvr.TaskSet(tasks, "hostile"), equal, Hostile, calls="native")

    def say(body: dict[str, Any]) -> dict[str, Any]:
        messages = body["messages"]
        if len(messages) > 1:
            return {"message": {"content": "9"}}
        calls = MALFORMED[int(messages[0]["content"])]
        return {"message": {"content": None, "tool_calls": calls}, "finish_reason": reason}

    with ToolServer(say) as server:
        policy = OpenAIPolicy("adder", server.url, concurrency=4, patience_s=0.3, backoff_s=0.05)
        report = evaluate(env, policy)
    empty = sum(not calls for calls in MALFORMED)  # no call: an empty answer, or none at all
    assert report.unscored in ({}, {"internal": empty})
    assert round(report.mean.value * report.scored) == len(MALFORMED) - empty


def test_what_is_read_of_calls() -> None:
    old = {"content": None, "function_call": {"name": "echo", "arguments": "{}"}}
    (found,) = generations({"choices": [{"message": old, "finish_reason": "function_call"}]}, 1)
    assert [call.name for call in calls_of(found.message)] == ["echo"]
    (found,) = generations(
        {"choices": [{"message": {"content": "hm", "tool_calls": []}, "finish_reason": "length"}]},
        1,
    )
    assert (found.text, found.stop, found.tool_calls) == ("hm", "length", ())
    (found,) = generations({"choices": [{"message": {"tool_calls": [{"function": 7}]}}]}, 1)
    assert [call.error for call in calls_of(found.message)] == [
        'the call can\'t be read: {"function": 7}'
    ]


def test_a_key_in_a_call_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-sesame-1234567890")
    OpenAIPolicy("adder")
    call = {
        "id": "a",
        "function": {"name": "echo", "arguments": '{"text": "sk-sesame-1234567890"}'},
    }
    choice = {"message": {"content": None, "tool_calls": [call]}, "token_ids": [1, 2]}
    (found,) = generations({"choices": [choice]}, 1)
    assert "sesame" not in str(found)
    assert found.token_ids is None
