"""Measure what an episode adds to a turn: `env.episode` against a bare loop that calls the author's method itself.

    python benchmarks/episode_overhead.py [--turns 50] [--times 200]

The bar: at most 0.2 ms per turn, for sync and async methods and for tools. Printed: the fastest of all times, and the least
processor time of all threads together, which other programs on the machine disturb less.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterable
from typing import Any, TypeAlias

import rlvr
from rlvr.core.episode import ModelMessage

Times: TypeAlias = tuple[float, float]
"""Wall and processor time."""

TASK = rlvr.Task("Go on.", "1")
CALL = '<tool_call>{"name": "again", "arguments": {"text": "x"}}</tool_call>'


class Sync(rlvr.Episode):
    """Replies at once."""

    def reply(self, message: ModelMessage) -> str:
        """Reply."""
        return "x"


class Async(Sync):
    """Replies in a coroutine."""

    async def reply(self, message: ModelMessage) -> str:  # type: ignore[override]
        """Reply."""
        return "x"


class Tool(rlvr.Episode):
    """Has a tool."""

    def again(self, text: str) -> str:
        """Say it again.

        Args:
            text: what to say.
        """
        return text


async def bare(reply: Any, turns: int) -> Times:
    """Time a loop that calls the method."""
    clock = Clock()
    messages = [dict(message) for message in TASK.prompt]
    for _ in range(turns):
        messages.append({"role": "assistant", "content": "x"})
        said = reply(ModelMessage("x"))
        said = await said if asyncio.iscoroutine(said) else said
        messages.append({"role": "user", "content": said})
    return clock.per_turn(turns)


async def played(env: rlvr.Environment, response: str, turns: int) -> Times:
    """Time an episode."""
    async with env.episode(TASK) as episode:
        clock = Clock()
        for _ in range(turns):
            await episode.respond(response)
        return clock.per_turn(turns)


class Clock:
    """Time since it was made."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def per_turn(self, turns: int) -> Times:
        """Return the milliseconds per turn."""
        wall, processor = time.perf_counter(), time.process_time()
        return 1000 * (wall - self._wall) / turns, 1000 * (processor - self._processor) / turns


def least(times: Iterable[Times]) -> Times:
    """Return the least of each."""
    wall, processor = zip(*times, strict=True)
    return min(wall), min(processor)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=50)
    parser.add_argument("--times", type=int, default=200)
    options = parser.parse_args()
    turns, worst = options.turns, 0.0
    math = rlvr.Math()
    cases: list[tuple[str, Any, rlvr.Environment, str]] = [
        ("sync reply", Sync(TASK).reply, rlvr.MultiTurn([TASK], math, Sync, turns + 1), "x"),
        ("async reply", Async(TASK).reply, rlvr.MultiTurn([TASK], math, Async, turns + 1), "x"),
        ("a tool", Sync(TASK).reply, rlvr.ToolEnv([TASK], math, Tool, turns + 1), CALL),
    ]
    for name, reply, env, response in cases:
        alone = least(asyncio.run(bare(reply, turns)) for _ in range(options.times))
        whole = least(asyncio.run(played(env, response, turns)) for _ in range(options.times))
        wall, processor = (each - own for each, own in zip(whole, alone, strict=True))
        worst = max(worst, wall)
        print(f"{name}: {wall:.3f} ms added per turn, {processor:.3f} ms of processor time")
    raise SystemExit(worst > 0.2)


if __name__ == "__main__":
    main()
