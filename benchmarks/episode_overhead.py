"""Measure what an episode adds to a turn: `env.episode` against a bare loop that calls the author's method itself.

    python benchmarks/episode_overhead.py [--turns 50] [--times 40]

The bar: at most 0.2 ms per turn, for sync and async methods and for tools. Printed: the fastest of all times.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import Any

import rlvr
from rlvr.core.episode import ModelMessage

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


async def bare(reply: Any, turns: int) -> float:
    """Return the seconds per turn of a loop that calls the method."""
    began = time.perf_counter()
    messages = [dict(message) for message in TASK.prompt]
    for _ in range(turns):
        messages.append({"role": "assistant", "content": "x"})
        said = reply(ModelMessage("x"))
        said = await said if asyncio.iscoroutine(said) else said
        messages.append({"role": "user", "content": said})
    return (time.perf_counter() - began) / turns


async def played(env: rlvr.Environment, response: str, turns: int) -> float:
    """Return the seconds per turn of an episode."""
    async with env.episode(TASK) as episode:
        began = time.perf_counter()
        for _ in range(turns):
            await episode.respond(response)
        return (time.perf_counter() - began) / turns


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=50)
    parser.add_argument("--times", type=int, default=40)
    options = parser.parse_args()
    turns, worst = options.turns, 0.0
    math = rlvr.Math()
    cases: list[tuple[str, Any, rlvr.Environment, str]] = [
        ("sync reply", Sync(TASK).reply, rlvr.MultiTurn([TASK], math, Sync, turns + 1), "x"),
        ("async reply", Async(TASK).reply, rlvr.MultiTurn([TASK], math, Async, turns + 1), "x"),
        ("a tool", Sync(TASK).reply, rlvr.ToolEnv([TASK], math, Tool, turns + 1), CALL),
    ]
    for name, reply, env, response in cases:
        alone = min(asyncio.run(bare(reply, turns)) for _ in range(options.times))
        whole = min(asyncio.run(played(env, response, turns)) for _ in range(options.times))
        added = 1000 * (whole - alone)
        worst = max(worst, added)
        print(f"{name}: {added:.3f} ms added per turn")
    raise SystemExit(worst > 0.2)


if __name__ == "__main__":
    main()
