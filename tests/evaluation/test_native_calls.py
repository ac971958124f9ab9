"""Episodes with tools, whose calls are OpenAI's or text: the same verdicts, and errors within bounds for both."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.environment import judged
from rlvr.core.errors import ToolError
from rlvr.core.task import content_text
from rlvr.core.tool_calls import calls_with_results
from rlvr.envs.shop import Shop
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.base import Generation, Request
from rlvr.runs.run import Run, read_rollouts

FORMS = ("text", "native")


def said(form: str, content: str, calls: Sequence[tuple[str, str]] = ()) -> Generation:
    """Return a response with these calls, each a name and arguments as text."""
    if form == "text":
        written = "".join(
            f'\n<tool_call>\n{{"name": {json.dumps(name)}, "arguments": {arguments}}}\n</tool_call>'
            for name, arguments in calls
        )
        return Generation(content + written)
    native = [{"type": "function", "function": {"name": n, "arguments": a}} for n, a in calls]
    return Generation(content, tool_calls=tuple(native))


class Clerk:
    """Solves orders of the shop with its tools, in one of the forms; some clerks in a way of their own.

    It learns the prices from the results alone, so that a result that is lost or mixed up shows in the verdict.
    """

    name = "clerk"
    ways = (
        "right",
        "parallel",
        "wrong",
        "mute",
        "broken first",
        "unknown first",
        "forgets",
        "loops",
    )

    def __init__(self, form: str) -> None:
        self.form = form

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        return [self.answer(request) for request in requests]

    def answer(self, request: Request) -> Generation:
        assert bool(request.tools) == (self.form == "native")
        shop = request.task.metadata["shop"]
        way = random.Random(json.dumps(shop)).choice(self.ways)
        content, calls = self.step(way, list(request.prompt), request.task)
        return said(self.form, content, calls)

    def step(
        self, way: str, messages: list[Any], task: rlvr.Task
    ) -> tuple[str, list[tuple[str, str]]]:
        answered = calls_with_results(messages)
        turn = sum(message["role"] == "assistant" for message in messages)
        if way == "loops":
            return "Once more.", [("add", '{"numbers": [1]}')]
        if way == "mute":
            return "\\boxed{1}", []
        if turn == 0 and way == "broken first":
            return "", [("price", '{"item": lamp}'), ("price", "7"), ("price", '{"item": 7}')]
        if turn == 0 and way == "unknown first":
            return "", [("steal", "{}"), ("price", '{"item": "moon"}')]
        results = {(c["name"], json.dumps(c["arguments"])): c["result"] for c in answered}
        total, wanted = 0, []
        order = content_text(task.prompt[0]).split(".")[0].removeprefix("An order: ")
        for line in order.split(", "):
            if line.startswith("delivery to "):
                kind, key, count = "delivery", {"town": line.removeprefix("delivery to ")}, 1
            elif " of the set " in line:
                number, name = line.split(" of the set ")
                kind, key, count = "contents", {"bundle": name.strip("'")}, int(number)
            else:
                number, item = line.split(" × ")
                kind, key, count = "price", {"item": item}, int(number)
            result = results.get((kind, json.dumps(key)))
            if result is None:
                wanted.append((kind, json.dumps(key)))
                continue
            for item, pieces in json.loads(result).items() if kind == "contents" else ():
                price = results.get(("price", json.dumps({"item": item})))
                if price is None:
                    wanted.append(("price", json.dumps({"item": item})))
                else:
                    total += count * pieces * int(price)
            total += count * int(result) if kind != "contents" else 0
        if wanted:
            return "Let me ask.", wanted if way == "parallel" else wanted[:1]
        return f"\\boxed{{{total + (way == 'wrong') - (way == 'forgets') * 2}}}", []


def shop(form: Any, level: int, size: int) -> rlvr.Environment:
    """Return orders of the shop, the same in both forms; `make` draws others for each prompt."""
    tasks = rlvr.make("shop", split="test", level=level, size=size).tasks
    return rlvr.ToolEnv(tasks, rlvr.Math("boxed"), Shop, 14, calls=form)


def verdicts(env: rlvr.Environment, policy: Any, folder: Path, limit: int) -> list[Any]:
    """Return the turns, stop and verdict of each task, in the order of the tasks."""
    with Run.create(folder, "eval", {}) as run:
        evaluate(env, policy, limit=limit, run=run)
    rows = {row["task"]: row for row in read_rollouts(run.path)}
    tasks = [env.tasks[i].id for i in range(limit)]
    return [
        (
            sum(m["role"] == "assistant" for m in row["messages"]),
            row["stop"],
            row["verdict"]["reward"],
            row["verdict"]["scored"],
        )
        for row in map(rows.__getitem__, tasks)
    ]


def test_both_forms_get_the_same_verdicts(tmp_path: Path) -> None:
    """Play 200 episodes in each form: right, wrong and mute ones, parallel, malformed and unknown calls, and loops."""
    found: dict[str, list[Any]] = {}
    for form in FORMS:
        found[form] = []
        for level in (1, 2, 3, 4, 5):
            env = shop(form, level, 40)
            found[form] += verdicts(env, Clerk(form), tmp_path / f"{form}{level}", 40)
    assert found["native"] == found["text"]
    assert len(found["text"]) == 200
    rewards = [reward for _, _, reward, _ in found["text"]]
    assert 60 < sum(rewards) < 140
    assert all(scored for *_, scored in found["text"])
    assert {stop for _, stop, _, _ in found["text"]} == {"stop", "turns"}


class Spelling(Clerk):
    """A clerk whose responses are tokens in the form of a chat template, read by `Template.message`."""

    def __init__(self, template: Any, tokenizer: Any) -> None:
        super().__init__("native")
        self.template, self.tokenizer = template, tokenizer

    def answer(self, request: Request) -> Generation:
        self.template.prompt(request.prompt, request.tools)
        response = super().answer(request)
        text = response.text
        for call in response.tool_calls:
            f = call["function"]
            text += f'\n<tool_call>\n{{"name": "{f["name"]}", "arguments": {f["arguments"]}}}\n</tool_call>'
        ids = self.tokenizer(f"{text}<|im_end|>")["input_ids"]
        message = self.template.message(ids, request.tools)
        return Generation(message["content"], tool_calls=tuple(message.get("tool_calls", ())))


def test_calls_read_from_tokens_get_the_same_verdicts(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    from rlvr.policies.template import Template
    from tests.policies.families import tokenizer_of

    tokenizer = tokenizer_of("qwen3")
    found = []
    for form, policy in (
        ("text", Clerk("text")),
        ("native", Spelling(Template(tokenizer), tokenizer)),
    ):
        env = shop(form, 4, 30)
        found.append(verdicts(env, policy, tmp_path / form, 30))
    assert found[0] == found[1]


RELEASED = threading.Event()


class Hostile(rlvr.Episode):
    """Tools that fail in each way there is."""

    def fail(self) -> str:
        """Raise an error of Python's."""
        raise KeyError("no such thing" * 1000)

    def refuse(self) -> str:
        """Raise an error for the model."""
        raise ToolError("not today" * 10_000)

    def leave(self) -> str:
        """End the process, as far as it can."""
        raise SystemExit(3)

    def hang(self) -> str:
        """Wait for ever."""
        RELEASED.wait(600)
        return "late"

    def flood(self) -> str:
        """Return 10 MB."""
        return "x" * 10_000_000

    def pile(self) -> dict[str, list[str]]:
        """Return 10 MB of data."""
        return {"x": ["7" * 1000] * 10_000}

    def odd(self) -> Any:
        """Return what is no JSON."""
        return {1, 2}

    def echo(self, text: str) -> str:
        """Return a text.

        Args:
            text: it.
        """
        return text


@rlvr.verifier(mode="whole")
def equal(task: rlvr.Task, answer: str) -> bool:
    return answer == task.reference


def play(form: str, *turns: Sequence[tuple[str, str]], deadline_s: float = 0.3) -> list[list[str]]:
    """Return the results of each turn's calls, and check that the episode can still be won."""
    tasks = rlvr.TaskSet([rlvr.Task("?", "9", "t")])
    env = rlvr.ToolEnv(tasks, equal, Hostile, calls=form, deadline_s=deadline_s)  # type: ignore[arg-type]
    episode = env.episode(env.tasks[0])
    episode.begin_open().result()
    results = []
    try:
        for calls in turns:
            before = len(calls_with_results(episode.messages))
            episode.begin_respond(said(form, "", calls).message).result()
            results.append([c["result"] for c in calls_with_results(episode.messages)[before:]])
        episode.begin_respond("9").result()
        assert judged(env, episode).reward == 1.0  # type: ignore[union-attr]
    finally:
        episode.begin_close().result()
    return results


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("call", "error"),
    [
        (("fail", "{}"), "error: fail failed: KeyError"),
        (("refuse", "{}"), "error: not today"),
        (("leave", "{}"), "error: leave failed: SystemExit"),
        (("odd", "{}"), "error: odd failed: TypeError"),
        (("flood", "{}"), "xxx"),
        (("pile", "{}"), '{"x": ["777'),
        (("steal", "{}"), "error: there's no tool 'steal'"),
        (("__init__", "{}"), "error: there's no tool '__init__'"),
        (("reply", '{"message": "x"}'), "error: there's no tool 'reply'"),
        (("echo", '{"text": 7}'), "error: 'text' of echo is str, not 7"),
        (("echo", '{"test": "a"}'), "error: echo has no argument 'test'"),
        (("echo", "[]"), "error: "),
        (("echo", "nope"), "error: "),
        (("echo", "{" * 3000), "error: "),
        (
            ("echo", json.dumps({"text": "x" * 33_000})),
            "error: a call has at most 32000 characters",
        ),
        (("echo" * 5000, "{}"), "error: "),
    ],
    ids=lambda value: value[0][:10] if isinstance(value, tuple) else "",
)
def test_a_failing_call_is_an_error_within_bounds(form: str, call: Any, error: str) -> None:
    good = ("echo", '{"text": "a"}')
    ((first, second, third),) = play(form, [good, call, good], deadline_s=30.0)
    assert (first, third) == ("a", "a")
    assert second.startswith(error)
    assert len(second) < 4100


@pytest.mark.parametrize("form", FORMS)
def test_a_call_that_hangs_is_an_error(form: str) -> None:
    hang, good = ("hang", "{}"), ("echo", '{"text": "a"}')
    try:
        (results,) = play(form, [hang, good])
    finally:
        RELEASED.set()
        RELEASED.clear()
    assert results == ["error: hang took too long", "a"]


@pytest.mark.parametrize("form", FORMS)
def test_a_message_makes_sixteen_calls_and_no_more(form: str) -> None:
    calls = [("echo", f'{{"text": "{i}"}}') for i in range(40)]
    (results,) = play(form, calls, deadline_s=30.0)
    assert results[:16] == [str(i) for i in range(16)]
    assert set(results[16:]) == {"error: only the first 16 calls of a message are done"}


@pytest.mark.parametrize("calls", [None, "x", [None], [7], ["x"], [[]], [{}], [{"function": None}], [{"function": {}}],
                                   [{"function": {"name": None}}], [{"function": {"name": ["echo"], "arguments": {}}}],
                                   [{"function": {"name": "echo", "arguments": {"text": "a"}}, "id": 7}],
                                   [{"function": {"name": "echo", "arguments": None}}]])  # fmt: skip
def test_whatever_a_message_has_as_calls_the_episode_goes_on(calls: Any) -> None:
    tasks = rlvr.TaskSet([rlvr.Task("?", "9", "t")])
    env = rlvr.ToolEnv(tasks, equal, Hostile, calls="native")
    episode = env.episode(env.tasks[0])
    episode.begin_open().result()
    try:
        message = {"role": "assistant", "content": "9", "tool_calls": calls}
        replies = episode.begin_respond(message).result()
        assert all(reply["role"] == "tool" for reply in replies)
        assert episode.fault is None
        assert bool(replies) == bool(calls)
    finally:
        episode.begin_close().result()
