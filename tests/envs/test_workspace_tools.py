"""`rlvr.tools.Python`, `Shell` and `Files`: what the model reads, and what is nobody's wrong answer."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.authoring import describe
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.tool_calls import written_call
from rlvr.envs.toolboxes import Files, Python, Shell
from rlvr.envs.tools import ToolEnv
from rlvr.sandboxes.workspace_jails import jails

pytestmark = pytest.mark.usefixtures("workspaces_of_bubblewrap")

TASK = Task("What is 6 × 7?", "42", "t")


def played(env: ToolEnv, *messages: str) -> tuple[list[str], rlvr.Verdict]:
    """Play an episode; return the tools' results and the verdict."""

    async def play() -> tuple[list[str], rlvr.Verdict]:
        results = []
        async with env.episode(TASK) as episode:
            for message in messages:
                for reply in await episode.respond(message):
                    text = reply["content"].removeprefix("<tool_response>\n")
                    results.append(text.removesuffix("\n</tool_response>"))
            return results, await episode.verdict()

    return asyncio.run(play())


def test_several_share_one_workspace() -> None:
    env = ToolEnv([TASK], rlvr.Math(), [Python(), Shell(), Files()], max_turns=20)
    results, verdict = played(
        env,
        written_call("write_file", path="a/data.txt", text="6 7\n8 9\n10 11\n"),
        written_call("python", code="rows = [l.split() for l in open('a/data.txt')]\nlen(rows)"),
        written_call("shell", command="cd a; head -1 data.txt; false"),
        written_call("shell", command="pwd"),
        written_call("read_file", path="a/data.txt", first_line=2, lines=1),
        written_call("edit_file", path="a/data.txt", old="8 9", new="8 0"),
        written_call("edit_file", path="a/data.txt", old="nowhere", new=""),
        written_call("list_files"),
        written_call("python", code="int(rows[0][0]) * int(rows[0][1])"),
        "\\boxed{42}",
    )
    assert results == [
        "a/data.txt: 14 bytes written",
        "3",
        "6 7\n[exit status 1]",
        "/work/a",
        "[lines 2 to 2 of 3]\n8 9\n",
        "a/data.txt: replaced",
        "error: the old text occurs 0 times in a/data.txt, not once",
        "a/\na/data.txt (14)",
        "42",
    ]
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.reward == 1.0


def test_an_answer_that_only_a_tool_gave_earns_nothing() -> None:
    env = ToolEnv([TASK], rlvr.Answered() >> rlvr.Math(), Python(), max_turns=2)
    printed = written_call("python", code="print('\\\\boxed{42}')")
    for messages in ((printed, "It has said it."), (printed, printed)):
        _, verdict = played(env, *messages)
        assert isinstance(verdict, rlvr.Scored)
        assert verdict.reward == 0.0, messages


def test_what_cannot_be_done_is_an_error_that_the_model_reads() -> None:
    env = ToolEnv([TASK], rlvr.Math(), Files(), max_turns=20)
    results, verdict = played(
        env,
        written_call("read_file", path="nowhere"),
        written_call("read_file", path="a\0b"),
        written_call("read_file", path="\ud800"),
        written_call("write_file", path="/etc/passwd", text=""),
        written_call("write_file", path="/work", text="x"),
        written_call("list_files", path="/nowhere"),
        written_call("write_file", path="\ud800.txt", text="\ud800"),
        written_call("write_file", path="x" * 300, text=""),
        "\\boxed{42}",
    )
    assert all(result.startswith("error: ") for result in results), results
    assert isinstance(verdict, rlvr.Scored)


def test_a_long_result_keeps_its_head_and_its_tail() -> None:
    results, _ = played(
        ToolEnv([TASK], rlvr.Math(), Shell()), written_call("shell", command="seq 5000")
    )
    assert results[0].startswith("1\n2\n")
    assert results[0].endswith("\n5000")
    assert "characters cut" in results[0]
    assert len(results[0]) < 4000


def test_limits_are_told_and_hold() -> None:
    box = Python(wall_s=1, memory_mb=128)
    assert "A call may take 1 s, 128 MiB of memory" in describe(box)
    results, verdict = played(
        ToolEnv([TASK], rlvr.Math(), box),
        written_call("python", code="import time; time.sleep(1000)"),
        written_call("python", code="x = bytearray(300 << 20); x[::4096] = b'1' * len(x[::4096])"),
        written_call("python", code="'alive'"),
        "\\boxed{42}",
    )
    assert "over its limit of 1 s" in results[0]
    assert "over its limit of 128 MiB" in results[1] or "MemoryError" in results[1]
    assert results[2] == "'alive'"
    assert isinstance(verdict, rlvr.Scored)


def test_a_dead_jail_leaves_the_episode_unscored() -> None:
    env = ToolEnv([TASK], rlvr.Math(), Shell())

    async def play() -> rlvr.Verdict:
        async with env.episode(TASK) as episode:
            await episode.respond(written_call("shell", command="echo on"))
            for jail in jails._jails:
                pid = jail._link._process.pid  # type: ignore[attr-defined]
                (broker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                os.kill(int(broker), signal.SIGKILL)
            await episode.respond(written_call("shell", command="echo on"))
            return await episode.verdict()

    verdict = asyncio.run(play())
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.SANDBOX


def test_a_workspace_is_opened_when_it_is_needed_and_closed_with_the_episode() -> None:
    env = ToolEnv([TASK], rlvr.Math(), [Python(), Shell()])
    jails.close()
    played(env, "\\boxed{42}")
    assert not jails._jails
    played(
        env,
        written_call("python", code="1"),
        written_call("shell", command="sleep 1000 &"),
        "\\boxed{42}",
    )
    assert [jail.numbers for jail in jails._jails] == [set()]


def test_an_authors_class_finds_the_workspace_beside_the_toolboxes() -> None:
    class Hidden(rlvr.Episode):
        async def open(self) -> None:
            await self.shared["workspace"].write({"input.txt": b"from the author"})

        def give_up(self) -> rlvr.Reply:
            """End the episode."""
            return rlvr.Reply("", over=True)

        async def outcome(self) -> Any:
            return list(await self.shared["workspace"].read(["input.txt", "made"]))

    env = ToolEnv([TASK], rlvr.Math(), [Shell(), Hidden])

    async def play() -> Any:
        async with env.episode(TASK) as episode:
            (reply,) = await episode.respond(
                written_call("shell", command="cat input.txt; touch made")
            )
            assert "from the author" in reply["content"]
            await episode.respond(written_call("give_up"))
            ended = await episode.end()
            assert isinstance(ended, rlvr.Transcript)
            return ended.outcome

    assert asyncio.run(play()) == ["input.txt", "made"]


def test_toolboxes_are_plain_data() -> None:
    box = Python(wall_s=2, packages=("numpy",))
    assert pickle.loads(pickle.dumps(box)) == box
    env = pickle.loads(pickle.dumps(ToolEnv([TASK], rlvr.Math(), [box, Shell()], calls="native")))
    assert [tool["function"]["name"] for tool in env.tool_schemas] == ["python", "shell"]
    assert env.deadline_s > 200
    with pytest.raises(OptionError):
        Python(wall_s=0)
    with pytest.raises(OptionError):
        Shell(memory_mb=-1)


def test_two_folders_cannot_be_one_workspace() -> None:
    with pytest.raises(OptionError, match="/work and /app"):
        ToolEnv([TASK], rlvr.Math(), [Python(), Shell(folder="/app")])


def test_many_episodes_at_once_are_apart() -> None:
    env = ToolEnv([TASK], rlvr.Math(), [Python(), Shell()], max_turns=8)

    async def one(number: int) -> str:
        async with env.episode(TASK) as episode:
            await episode.respond(written_call("python", code=f"mine = {number}"))
            await episode.respond(
                written_call("shell", command=f"mine={number}; echo {number} > mine")
            )
            seen = await episode.respond(
                written_call("python", code="print(mine, open('mine').read().strip())")
                + written_call("shell", command="echo $mine; ls /work; ls /proc | grep -c '^[0-9]'")
            )
            return str(seen[0]["content"])

    async def play() -> list[str]:
        return await asyncio.gather(*map(one, range(32)))

    for number, seen in enumerate(asyncio.run(play())):
        assert f"{number} {number}\n" in seen
        assert f"{number}\nmine\n" in seen
