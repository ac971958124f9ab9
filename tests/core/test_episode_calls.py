"""Calls of authors' methods that end in odd ways: late, twice, while the episode is closed, or never."""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import threading
import time
from typing import Any

import pytest

import rlvr
from rlvr.core import calls
from rlvr.core.episode import ModelMessage
from rlvr.core.live_episode import LiveEpisode

TASK = rlvr.Task("Guess.", "5", "guess")
LONG_S = 60.0


class Log(rlvr.Episode):
    """Notes what is called."""

    latest: Log

    def __init__(self, task: rlvr.Task) -> None:
        super().__init__(task)
        self.calls: list[str] = []
        self.go_on = threading.Event()
        Log.latest = self

    def reply(self, message: ModelMessage) -> Any:
        self.calls.append("reply")
        return "no"

    def outcome(self) -> Any:
        self.calls.append("outcome")

    def close(self) -> Any:
        self.calls.append("close")


def opened(episode: type[Log], deadline_s: float = LONG_S) -> tuple[LiveEpisode, Log]:
    env = rlvr.MultiTurn([TASK], rlvr.Math(), episode, max_turns=9, name="log")
    live = env.episode(TASK, deadline_s=deadline_s)
    live.begin_open().result(LONG_S)
    return live, Log.latest


def until(condition: Any) -> None:
    """Wait for what another thread is about to do."""
    deadline = time.monotonic() + LONG_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Waits(Log):
    def reply(self, message: ModelMessage) -> Any:
        self.calls.append("reply")
        self.go_on.wait(LONG_S)
        return "no"


class WaitsInTheLoop(Log):
    async def reply(self, message: ModelMessage) -> Any:
        self.calls.append("reply")
        try:
            await asyncio.sleep(LONG_S)
        finally:
            self.calls.append("cancelled")


@pytest.mark.parametrize(
    ("episode", "expected"),
    [(Waits, ["reply", "close"]), (WaitsInTheLoop, ["reply", "cancelled", "close"])],
)
def test_all_commands_are_answered_if_an_episode_is_closed(
    episode: type[Log], expected: list[str]
) -> None:
    live, log = opened(episode)
    reply = live.begin_respond("4")
    until(lambda: log.calls)
    end = live.begin_end()
    live.begin_close().result(LONG_S)
    for future in (reply, end, live.begin_end()):
        with pytest.raises(RuntimeError, match="the episode was closed"):
            future.result(LONG_S)
    log.go_on.set()
    assert log.calls == expected


class ClosesSlowly(Log):
    def close(self) -> Any:
        self.calls.append("closing")
        self.go_on.wait(LONG_S)
        self.calls.append("closed")


class ClosesSlowlyInTheLoop(Log):
    async def close(self) -> Any:
        self.calls.append("closing")
        while not self.go_on.is_set():
            await asyncio.sleep(0.001)
        self.calls.append("closed")


@pytest.mark.parametrize("episode", [ClosesSlowly, ClosesSlowlyInTheLoop])
def test_a_close_under_way_goes_on_to_its_end(episode: type[Log]) -> None:
    live, log = opened(episode)
    end = live.begin_end()
    until(lambda: "closing" in log.calls)
    closing = live.begin_close()
    assert not closing.done()
    log.go_on.set()
    closing.result(LONG_S)
    assert isinstance(end.result(LONG_S), rlvr.Transcript)
    assert log.calls == ["outcome", "closing", "closed"]


def test_what_is_cancelled_from_within_is_a_fault_with_its_line() -> None:
    class Cancels(Log):
        async def reply(self, message: ModelMessage) -> Any:
            asyncio.get_running_loop().create_future().cancel()
            raise asyncio.CancelledError

    live, log = opened(Cancels)
    assert live.begin_respond("4").result(LONG_S) == []
    fault = live.begin_end().result(LONG_S)
    assert isinstance(fault, rlvr.Unscored)
    assert "cancelled from within" in fault.message
    assert "test_episode_calls.py, line" in fault.message
    assert log.calls == ["close"]


def test_a_sync_method_may_return_an_awaitable_which_shares_its_deadline() -> None:
    class Mixed(Log):
        def reply(self, message: ModelMessage) -> Any:
            return asyncio.sleep(LONG_S if message.content == "hang" else 0, "no")

    live, log = opened(Mixed, deadline_s=1.0)
    assert live.begin_respond("4").result(LONG_S) == [{"role": "user", "content": "no"}]
    live.begin_respond("hang").result(LONG_S)
    fault = live.begin_end().result(LONG_S)
    assert isinstance(fault, rlvr.Unscored)
    assert fault.message == "the reply of log took over 1 s"
    assert log.calls == ["close"]


def test_a_method_that_blocks_the_loop_is_left_alone_all_the_same() -> None:
    class Blocks(Log):
        async def reply(self, message: ModelMessage) -> Any:
            self.go_on.wait(LONG_S)  # nothing else of the loop runs meanwhile

    live, log = opened(Blocks, deadline_s=0.1)
    live.begin_respond("4").result(LONG_S)
    fault = live.begin_end().result(LONG_S)
    log.go_on.set()
    assert isinstance(fault, rlvr.Unscored)
    assert fault.cause is rlvr.Cause.TIMEOUT
    assert log.calls == ["close"]


def test_a_tool_that_refuses_to_end_is_an_error_that_the_model_reads() -> None:
    closed_in: list[Any] = []
    tasks: list[Any] = []

    class Refuses(Log):
        async def look(self) -> str:
            """Look."""
            tasks.append(asyncio.current_task())
            while not self.go_on.is_set():
                try:
                    await asyncio.sleep(LONG_S)
                except asyncio.CancelledError:
                    self.calls.append("refused")
            return "never read"

        async def close(self) -> None:
            closed_in.append(asyncio.current_task())
            self.go_on.set()

    env = rlvr.ToolEnv([TASK], rlvr.Math(), Refuses, name="log")
    live = env.episode(TASK, deadline_s=0.1)
    live.begin_open().result(LONG_S)
    call = '<tool_call>{"name": "look", "arguments": {}}</tool_call>'
    answers = [live.begin_respond(call).result(LONG_S)[0]["content"] for _ in range(4)]
    assert ["took too long" in answer for answer in answers] == [True, True, True, False]
    assert "the tools are out of order" in answers[3]
    assert isinstance(live.begin_end().result(LONG_S), rlvr.Transcript)
    assert len({*tasks, *closed_in}) == 4  # a new one after each that was left alone


def test_no_thread_for_a_call_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> Any:
        raise RuntimeError("can't start new thread")

    env = rlvr.MultiTurn([TASK], rlvr.Math(), Log, name="log")
    live = env.episode(TASK)
    with monkeypatch.context() as patch:
        patch.setattr(calls._Thread, "free", refused)
        live.begin_open().result(LONG_S)
    fault = live.begin_end().result(LONG_S)
    assert isinstance(fault, rlvr.Unscored)
    assert "can't start new thread" in fault.message


class Random(Log):
    """Takes about as long as its deadline."""

    closed: list[str] = []
    dice = random.Random(0)

    def reply(self, message: ModelMessage) -> Any:
        seconds = self.dice.uniform(0.0, 0.004)
        kind = self.dice.randrange(3)
        if kind == 0:
            return asyncio.sleep(seconds, "no")
        time.sleep(seconds)
        return "no"

    async def outcome(self) -> Any:
        await asyncio.sleep(self.dice.uniform(0.0, 0.004))

    def close(self) -> Any:
        self.closed.append(self.task.id)


def test_whatever_ends_at_the_same_moment_each_episode_is_closed_once() -> None:
    count, dice = 300, random.Random(1)
    Random.closed.clear()
    tasks = [rlvr.Task("Guess.", "5", str(number)) for number in range(count)]
    env = rlvr.MultiTurn(tasks, rlvr.Math(), Random, max_turns=3, name="log")
    # Beginning has time, so that each episode has something to close.
    episodes = [env.episode(task) for task in tasks]
    for live in episodes:
        live.begin_open().result(LONG_S)
        assert live._actor is not None
        live._actor.deadline_s = 0.002

    def play(live: LiveEpisode, moments: list[float]) -> None:
        closer = threading.Timer(moments[0], live.begin_close)
        closer.start()
        try:
            for _ in range(3):
                if not live.over:
                    live.begin_respond("4").result(LONG_S)
            live.begin_end().result(LONG_S)
        except RuntimeError as error:
            assert "closed" in str(error)  # noqa: PT017  (either way is right)
        except rlvr.errors.ResetNeededError:
            pass
        finally:
            closer.join()
            live.begin_close().result(LONG_S)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        played = [pool.submit(play, live, [dice.uniform(0.0, 0.01)]) for live in episodes]
        for future in played:
            future.result(2 * LONG_S)
    until(
        lambda: len(Random.closed) >= count
    )  # a close whose deadline passes goes on in its thread
    assert sorted(Random.closed, key=int) == [task.id for task in tasks]
    until(lambda: all(call.over for call in list(calls._watch._calls)))
