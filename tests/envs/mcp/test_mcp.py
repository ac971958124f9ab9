"""`rlvr.tools.Mcp` with the official client and a real server, by stdio and by HTTP."""

from __future__ import annotations

import asyncio
import json
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr import Cause, Scored, Unscored
from rlvr.core.errors import OptionError

pytestmark = pytest.mark.mcp
SERVER = str(Path(__file__).with_name("server.py"))
COMMAND = [sys.executable, SERVER]


@pytest.fixture(scope="module")
def stdio() -> Any:
    return rlvr.tools.Mcp(COMMAND, start_s=300, call_s=60)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*COMMAND, str(port)], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:  # which says when it listens
            if "running on" in line:
                break
        else:
            pytest.fail("the server didn't begin")
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.communicate()


def env_of(toolbox: Any, **options: Any) -> rlvr.ToolEnv:
    return rlvr.ToolEnv(
        [rlvr.Task("?", "1")], rlvr.Math(), toolbox, max_turns=9, deadline_s=300, **options
    )


def call(tool: str, **arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': tool, 'arguments': arguments})}</tool_call>"


def played(env: rlvr.ToolEnv, *messages: str) -> tuple[list[str], rlvr.Verdict]:
    """Return the results of calls, and the verdict."""

    async def play() -> tuple[list[str], rlvr.Verdict]:
        results = []
        async with env.episode(env.tasks[0]) as episode:
            for message in messages:
                if not episode.over:
                    results += [new["content"] for new in await episode.respond(message)]
            return results, await episode.verdict()

    results, verdict = asyncio.run(play())
    return [
        r.removeprefix("<tool_response>\n").removesuffix("\n</tool_response>") for r in results
    ], verdict


def test_tools_have_the_servers_schemas(stdio: Any) -> None:
    env = env_of(stdio, calls="native")
    assert env.tool_schemas is not None
    by_name = {schema["function"]["name"]: schema["function"] for schema in env.tool_schemas}
    assert list(by_name) == ["price", "add_order", "wait", "die", "long", "environment"]
    price = by_name["price"]["parameters"]
    assert price["required"] == ["item"]
    assert price["properties"]["currency"]["enum"] == ["EUR", "USD"]
    assert by_name["price"]["description"] == "Return the price of an item."
    text = rlvr.envs.tools.describe(stdio)
    assert "price(item: str, currency: " in text
    assert "add_order(item: str, options: " in text


def test_calls_reach_the_server_and_results_come_back(stdio: Any) -> None:
    results, verdict = played(
        env_of(stdio),
        call("price", item="lamp") + call("price", item="lamp", currency="USD"),
        call("add_order", item="lamp", options={"gift": [1, {"a": None}]}),
        call("add_order", item="chair"),
        "\\boxed{1}",
    )
    assert results == ["4 EUR\n</tool_response>\n<tool_response>\n4 USD", "1", "2"]
    assert isinstance(verdict, Scored)
    assert verdict.reward == 1


def test_the_model_reads_what_a_server_refuses(stdio: Any) -> None:
    results, verdict = played(
        env_of(stdio),
        call("price", item="unicorn"),
        call("price", item=3),
        call("price", item="x", currency="DM"),
        call("price"),
        call("nothing"),
        call("wait", seconds="long"),
        call("long", count=5000),
        "\\boxed{1}",
    )
    assert "there's no unicorn in this shop" in results[0]
    assert all(result.startswith("error: ") for result in results[:6]), results
    assert len(results[6]) < 4100
    assert verdict == Scored(1.0, "correct", {"math": 1.0}, "", verdict.detail)  # type: ignore[union-attr]


def test_each_episode_has_a_server_of_its_own(stdio: Any) -> None:
    env = env_of(stdio)

    async def play() -> list[str]:
        async def one(episode: Any, item: str) -> str:
            (new,) = await episode.respond(call("add_order", item=item))
            return str(new["content"])

        async with env.episode(env.tasks[0]) as a, env.episode(env.tasks[0]) as b:
            return [await one(a, "x"), await one(b, "y"), await one(a, "z")]

    assert [text.split("\n")[1] for text in asyncio.run(play())] == ["1", "1", "2"]


def test_a_server_that_dies_leaves_the_episode_unscored(stdio: Any) -> None:
    _, verdict = played(env_of(stdio), call("die"), "\\boxed{1}")
    assert isinstance(verdict, Unscored)
    assert verdict.cause is Cause.INTERNAL
    assert "server.py" in verdict.message


def test_a_tool_that_hangs_is_given_up(stdio: Any) -> None:
    toolbox = rlvr.tools.Mcp(COMMAND, start_s=300, call_s=1.0)
    results, verdict = played(env_of(toolbox), call("wait", seconds=3600), "\\boxed{1}")
    assert results == ["error: wait took too long"]
    assert isinstance(verdict, Scored)


def test_nothing_is_left_after_episodes(stdio: Any) -> None:
    def children() -> set[str]:
        found = set()
        for task in Path("/proc/self/task").iterdir():
            found |= set((task / "children").read_text().split())
        return found

    before = children()
    for messages in ([call("price", item="x"), "1"], [call("die"), "1"], ["1"]):
        played(env_of(stdio), *messages)
    assert children() <= before


def test_the_servers_environment_is_what_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLVR_TEST_SECRET", "hidden")
    toolbox = rlvr.tools.Mcp(
        COMMAND, env={"SHOP": "open"}, only=["environment"], start_s=300, call_s=60
    )
    results, _ = played(
        env_of(toolbox),
        call("environment", name="RLVR_TEST_SECRET"),
        call("environment", name="SHOP"),
        call("price", item="x"),
    )
    assert results[:2] == ["(unset)", "open"]
    assert "there's no tool 'price'" in results[2]


def test_it_is_pickled_without_asking_again(stdio: Any) -> None:
    copied = pickle.loads(pickle.dumps(env_of(stdio)))
    assert copied.toolbox == (stdio,)
    results, _ = played(copied, call("price", item="lamp"))
    assert results == ["4 EUR"]


def test_http(address: str) -> None:
    toolbox = rlvr.tools.Mcp(address, only=["price", "add-order"])
    results, verdict = played(
        env_of(toolbox), call("price", item="lamp"), call("price", item="unicorn"), "\\boxed{1}"
    )
    assert results[0] == "4 EUR"
    assert "no unicorn" in results[1]
    assert isinstance(verdict, Scored)


def test_an_http_server_that_is_gone_leaves_the_episode_unscored(address: str) -> None:
    toolbox = rlvr.tools.Mcp(address)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        object.__setattr__(toolbox, "server", f"http://127.0.0.1:{free.getsockname()[1]}/mcp")
    _, verdict = played(env_of(toolbox), "\\boxed{1}")
    assert isinstance(verdict, Unscored)


@pytest.mark.parametrize(
    ("server", "options", "message"),
    [
        ("server.py", {}, "an address or a list"),
        ([], {}, "a list of texts"),
        (["/nowhere/at/all"], {}, "can't be asked for its tools"),
        ([sys.executable, "-c", "raise SystemExit('no shop today')"], {}, "no shop today"),
        ([sys.executable, "-c", "print('hello')"], {}, "can't be asked for its tools"),
        (COMMAND, {"only": ["prices"]}, "has no tool 'prices'; it has: price"),
        (
            [sys.executable, "-c", "import time; time.sleep(3600)"],
            {"start_s": 1.0},
            "can't be asked",
        ),
        ("http://127.0.0.1:9/mcp", {}, "can't be asked for its tools"),
        (COMMAND, {"call_s": 0}, "seconds above 0"),
    ],
)
def test_a_server_that_is_none_is_said_to_be(server: Any, options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        rlvr.tools.Mcp(server, **options)


def test_32_episodes_at_once(address: str) -> None:
    env = env_of(rlvr.tools.Mcp(address, start_s=300, call_s=60))

    async def one(number: int) -> str:
        async with env.episode(env.tasks[0]) as episode:
            (new,) = await episode.respond(call("price", item="x" * number))
            return str(new["content"].split("\n")[1])

    async def play() -> list[str]:
        return list(await asyncio.gather(*(one(number) for number in range(1, 33))))

    assert asyncio.run(play()) == [f"{number} EUR" for number in range(1, 33)]


def test_the_audit_finds_nothing(address: str) -> None:
    toolbox = rlvr.tools.Mcp(address, only=["price"], start_s=300, call_s=60)
    tasks = [rlvr.Task(f"What does a {'x' * n} cost?", str(n), str(n)) for n in range(60, 70)]
    env = rlvr.ToolEnv(tasks, rlvr.UsedTool("price") >> rlvr.Math(), toolbox)
    probes = [
        "replies-again",
        "episodes-apart",
        "closed-once",
        "episode-leaves-nothing",
        "pickling",
    ]
    report = rlvr.audit(env, only=probes, tasks=4)
    assert not report.failures, str(report)
