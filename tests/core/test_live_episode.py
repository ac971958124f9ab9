"""One rule for episodes: who is called, how often, in which thread and task, and that `close` follows in any case."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.episode import ModelMessage
from rlvr.core.errors import OptionError, ResetNeededError, ResponseError
from rlvr.core.live_episode import LiveEpisode

TASK = rlvr.Task("Guess.", "5", "guess")


@rlvr.verifier(mode="whole", inline=True)
def exact(task: rlvr.Task, answer: str) -> bool:
    return bool(answer == task.reference)


class Log(rlvr.Episode):
    """Notes its calls; a subclass fails somewhere."""

    def __init__(self, task: rlvr.Task) -> None:
        super().__init__(task)
        self.calls: list[str] = []
        logs.append(self)

    def open(self) -> Any:
        self.calls.append("open")

    def reply(self, message: ModelMessage) -> Any:
        self.calls.append("reply")
        return None if message.content == "5" else "no"

    def outcome(self) -> Any:
        self.calls.append("outcome")
        return {"calls": len(self.calls)}

    def close(self) -> Any:
        self.calls.append("close")


logs: list[Log] = []


@pytest.fixture(autouse=True)
def _no_logs() -> None:
    logs.clear()


def env_of(episode: Any, **options: Any) -> rlvr.MultiTurn:
    return rlvr.MultiTurn([TASK], exact, episode, **{"max_turns": 4, "name": "log", **options})


def played(env: rlvr.MultiTurn, *responses: str) -> tuple[LiveEpisode, rlvr.Verdict]:
    async def play() -> tuple[LiveEpisode, rlvr.Verdict]:
        async with env.episode(TASK) as episode:
            for response in responses:
                if not episode.over:
                    await episode.respond(response)
            return episode, await episode.verdict()

    return asyncio.run(play())


def waited(condition: Any) -> bool:
    """Wait for what another thread is about to do."""
    for _ in range(2000):
        if condition():
            return True
        time.sleep(0.005)
    return False


def test_each_method_is_called_once_in_order() -> None:
    episode, verdict = played(env_of(Log), "3", "4", "5")
    assert logs[0].calls == ["open", "reply", "reply", "reply", "outcome", "close"]
    assert (episode.turns, episode.stop, episode.outcome) == (3, "stop", {"calls": 5})
    assert [m["role"] for m in episode.messages] == [
        "user",
        *["assistant", "user"] * 2,
        "assistant",
    ]
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.reward == 1.0


def test_without_turns_left_the_last_response_is_judged_as_it_stands() -> None:
    episode, verdict = played(env_of(Log, max_turns=2), "3", "4")
    assert (episode.over, episode.stop, episode.messages[-1]["content"]) == (True, "turns", "4")
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.reward == 0.0


class FailsToBegin(Log):
    def __init__(self, task: rlvr.Task) -> None:
        raise ValueError("no guess today")


class FailsToOpen(Log):
    def open(self) -> Any:
        raise ValueError("no jail")


class FailsToReply(Log):
    def reply(self, message: ModelMessage) -> Any:
        raise SystemExit(3)


class FailsAtTheEnd(Log):
    async def outcome(self) -> Any:
        raise rlvr.CannotScore("sandbox", "the database is gone")


class HasNoPlainOutcome(Log):
    def outcome(self) -> Any:
        return {"at": {1, 2}}


class FailsToClose(Log):
    async def close(self) -> Any:
        super().close()
        raise OSError("no such jail")


class RepliesNonsense(Log):
    def reply(self, message: ModelMessage) -> Any:
        return 7


class Hangs(Log):
    stop = threading.Event()

    def reply(self, message: ModelMessage) -> Any:
        self.stop.wait(60)

    def close(self) -> Any:
        super().close()
        self.stop.set()  # as ending a jail ends a call that waits for it


class HangsInTheLoop(Log):
    async def reply(self, message: ModelMessage) -> Any:
        await asyncio.sleep(60)


class RefusesToEnd(Log):
    async def reply(self, message: ModelMessage) -> Any:
        while "close" not in self.calls:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                self.calls.append("refused")


@pytest.mark.parametrize(
    ("episode", "cause", "says", "calls"),
    [
        (FailsToBegin, "internal", "the beginning of log raised: ValueError: no guess today", None),
        (FailsToOpen, "internal", "the beginning of log raised: ValueError: no jail", ["close"]),
        (FailsToReply, "internal", "the reply of log raised: SystemExit: 3", ["open", "close"]),
        (FailsAtTheEnd, "sandbox", "the database is gone", ["open", "reply", "close"]),
        (
            HasNoPlainOutcome,
            "internal",
            "holds {1, 2}, which is no plain",
            ["open", "reply", "close"],
        ),
        (FailsToClose, "internal", "no such jail", ["open", "reply", "outcome", "close"]),
        (RepliesNonsense, "internal", "the reply of log is a int: return a str", ["open", "close"]),
        (Hangs, "timeout", "the reply of log took over 0.2 s", ["open", "close"]),
        (HangsInTheLoop, "timeout", "the reply of log took over 0.2 s", ["open", "close"]),
        (RefusesToEnd, "timeout", "took over 0.2 s", ["open", "refused", "close"]),
    ],
)
def test_a_failing_method_is_a_fault_and_close_follows(
    episode: Any, cause: str, says: str, calls: list[str] | None
) -> None:
    _, verdict = played(env_of(episode, deadline_s=0.2), "5")
    assert isinstance(verdict, rlvr.Unscored)
    assert (verdict.cause, says in verdict.message) == (cause, True), verdict
    assert waited(lambda: calls is None or logs[0].calls[-1:] == ["close"])
    assert calls is None or logs[0].calls == calls


def test_the_task_is_there_without_a_call_of_the_base_class() -> None:
    class Wordle(rlvr.Episode):
        def __init__(self, task: rlvr.Task) -> None:
            self.left = int(self.task.reference)

        def reply(self, message: ModelMessage) -> rlvr.Reply | None:
            self.left -= 1
            return rlvr.Reply(self.task.reference, reward=0.0) if self.left else None

    episode, _ = played(env_of(Wordle, max_turns=9), *"12345")
    assert (episode.turns, episode.stop, episode.messages[2]["content"]) == (5, "stop", "5")


def test_a_fault_says_where_it_was_raised() -> None:
    _, verdict = played(env_of(FailsToOpen), "5")
    assert isinstance(verdict, rlvr.Unscored)
    assert "test_live_episode.py, line" in verdict.message


def test_an_environment_whose_fault_shows_at_reset_ends_at_the_first_step() -> None:
    env = env_of(FailsToOpen)
    assert env.reset(options={"task": TASK})[0] == "Guess."
    _, reward, terminated, truncated, info = env.step("5")
    assert (reward != reward, terminated, truncated) == (True, False, True)
    assert info["verdict"].message.endswith(")")


def test_a_cancelled_episode_is_closed() -> None:
    async def play() -> None:
        async with env_of(HangsInTheLoop, deadline_s=60).episode(TASK) as episode:
            await episode.respond("5")

    async def cancelled() -> None:
        task = asyncio.ensure_future(play())
        while not logs or "open" not in logs[0].calls:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert logs[0].calls == ["open", "close"]


def test_an_episode_whose_loop_died_is_closed() -> None:
    loop = asyncio.new_event_loop()
    episode = env_of(Log).episode(TASK)
    loop.run_until_complete(episode.__aenter__())
    loop.close()
    del episode
    gc.collect()
    assert waited(lambda: logs[0].calls == ["open", "close"])


def test_an_environment_closes_its_episode_at_the_next_reset_and_at_close() -> None:
    env = env_of(Log)
    for _ in range(2):
        env.reset()
        env.step("3")
    env.close()
    assert [log.calls for log in logs] == [["open", "reply", "close"]] * 2
    with pytest.raises(ResetNeededError):
        env.step("3")


PROGRAM = """
import os, signal, sys, time, rlvr
class Noted(rlvr.Episode):
    def reply(self, message): return "no"
    def close(self): print("closed", flush=True)
env = rlvr.MultiTurn([rlvr.Task("?", "5")], rlvr.Math(), Noted)
env.reset()
env.step("3")
print("ready", flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["sys.exit(1)", "raise RuntimeError", "time.sleep(60)"])
def test_a_process_closes_its_episodes_when_it_ends(end: str, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(end=end)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    if "sleep" in end:
        process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == "closed\n"
    assert process.wait() == (-signal.SIGTERM if "sleep" in end else 1)


def test_sync_methods_share_a_thread_and_async_ones_a_task() -> None:
    class Mixed(rlvr.Episode):
        def __init__(self, task: rlvr.Task) -> None:
            self.database = sqlite3.connect(":memory:")  # refuses other threads
            self.tasks: set[Any] = set()

        async def open(self) -> None:
            self.tasks.add(asyncio.current_task())

        def reply(self, message: ModelMessage) -> str | None:
            self.database.execute("create table if not exists said (text)")
            self.database.execute("insert into said values (?)", (message.content,))
            return None if message.content == "5" else "no"

        def outcome(self) -> Any:
            return [text for (text,) in self.database.execute("select text from said")]

        async def close(self) -> None:
            self.tasks.add(asyncio.current_task())
            closed.append(self.tasks)

    closed: list[set[Any]] = []
    episode, _ = played(env_of(Mixed), "3", "5")
    assert episode.outcome == ["3", "5"]
    assert [len(tasks) for tasks in closed] == [1]


def test_a_hundred_episodes_at_once_have_a_thread_each() -> None:
    barrier = threading.Barrier(100)

    class Meets(Log):
        def reply(self, message: ModelMessage) -> Any:
            barrier.wait(30)

    async def play() -> list[rlvr.Verdict]:
        async def one() -> rlvr.Verdict:
            async with env_of(Meets).episode(TASK) as episode:
                await episode.respond("5")
                return await episode.verdict()

        return await asyncio.gather(*(one() for _ in range(100)))

    assert all(verdict.scored for verdict in asyncio.run(play()))


def test_step_rewards_are_paid_bounded_and_in_the_verdict() -> None:
    class Pays(Log):
        def reply(self, message: ModelMessage) -> Any:
            return rlvr.Reply("more", reward=0.4)

    env = env_of(Pays, max_turns=5)
    env.reset()
    rewards = [env.step("3")[1] for _ in range(4)]
    assert rewards == pytest.approx([0.4, 0.4, 0.2, 0.0])  # no more than 1 in an episode
    *_, info = env.step("5")
    assert info["verdict"].reward == 2.0
    assert info["verdict"].components == {"exact": 1.0, "step_reward": 1.0}
    _, verdict = played(env_of(Pays, step_reward_range=(0.0, 0.3)), "5")
    assert isinstance(verdict, rlvr.Unscored)
    assert "has the reward 0.4, and a step's is a number from 0 to 0.3" in verdict.message


def test_a_reply_may_end_the_episode_with_a_reward() -> None:
    class Ends(Log):
        def reply(self, message: ModelMessage) -> Any:
            return rlvr.Reply("You won.", reward=0.5, over=True)

    env = env_of(Ends)
    env.reset()
    _, reward, terminated, _, info = env.step("5")
    assert (reward, terminated) == (1.5, True)
    assert info["messages"][-1] == {"role": "user", "content": "You won."}


def test_nine_calls_execute_nine_times() -> None:
    executed: list[int] = []

    class Counter(rlvr.Episode):
        def count(self, number: int) -> int:
            """Count.

            Args:
                number: any.
            """
            executed.append(number)
            return number

    env = rlvr.ToolEnv([TASK], exact, Counter, max_turns=10)
    call = '<tool_call>{"name": "count", "arguments": {"number": %d}}</tool_call>'
    _, verdict = played(env, *(call % number for number in range(9)), "5")
    assert executed == list(range(9))
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.reward == 1.0


def test_a_transcript_is_judged_beside_the_last_response() -> None:
    @rlvr.verifier(sees="transcript")
    def quick(task: rlvr.Task, transcript: rlvr.Transcript) -> bool:
        return transcript.turns <= 2

    env = rlvr.MultiTurn([TASK], 0.5 * exact + 0.5 * quick, Log, max_turns=4)
    rewards = [played(env, *responses)[1] for responses in (["5"], ["3", "4", "5"])]
    assert [verdict.reward for verdict in rewards if verdict.scored] == [1.0, 0.5]
    (alone,) = rlvr.score([TASK], ["5"], quick)
    assert alone.scored
    assert alone.reward == 1.0


@pytest.mark.parametrize(
    "message",
    [
        7,
        None,
        {"content": 7},
        {"role": "assistant"},
        {"content": [{"text": "x"}]},
    ],
)
def test_what_is_no_message_is_refused_and_costs_no_turn(message: Any) -> None:
    episode = env_of(Log).episode(TASK)
    with pytest.raises(ResponseError, match="A response is a str or a message"):
        episode.begin_respond(message)
    assert episode.turns == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"deadline_s": 0}, "deadline_s is a number of seconds above 0"),
        ({"step_reward_range": (0.5, 1)}, "low <= 0 <= high"),
        ({"episode": 6}, "the number of turns is named: max_turns="),
    ],
)
def test_invalid_options_say_what_to_do(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        rlvr.MultiTurn([TASK], exact, **{"episode": Log, **options})


def test_a_partner_that_fails_costs_its_rows_and_nothing_else(tmp_path: Path) -> None:
    class Partner(rlvr.Episode):
        async def reply(self, message: ModelMessage) -> str | None:
            await asyncio.sleep(0)
            if int(self.task.id) % 10 < 3 and message.content == "3":
                raise ConnectionError("the partner is away")
            return None if message.content == "5" else "no"

    class Policy:
        name = "counts"

        def respond(self, requests: Any) -> list[str]:
            return [str(3 + len(request.prompt) // 2) for request in requests]

    tasks = [rlvr.Task("Guess.", "5", str(i)) for i in range(50)]
    report = rlvr.evaluate(rlvr.MultiTurn(tasks, exact, Partner, max_turns=4), Policy())
    assert report.unscored == {"internal": 15}
    assert report.correct.value == 1.0  # of the others


def test_an_episode_may_be_played_in_a_forked_child() -> None:
    env = env_of(Log)
    env.reset()
    pid = os.fork()
    if pid == 0:
        child = env_of(Log)
        child.reset()
        os._exit(0 if child.step("5")[1] == 1.0 else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert env.step("5")[1] == 1.0
