"""An environment with sync and async methods, a scripted model for it, and its verdicts by Gymnasium.

Every driver's test plays the same 64 episodes with the same script, and expects the same verdicts.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import rlvr
from rlvr.core.episode import ModelMessage
from rlvr.core.task import content_text

EPISODES = 64
PRICES = {"lamp": 7, "chair": 30, "table": 110}
TEMPLATE = "smollm3"  # of `tests.policies.families`: it needs no other package
# Of those that ask the customer anything, so that 30% of all fail.
FAILING = [number for number in range(EPISODES) if number % 4 != 1 and number % 5 < 2]


class Desk(rlvr.Episode):
    """A till with an async price list, and a customer who asks again before it's over."""

    async def open(self) -> None:
        """Connect."""
        await asyncio.sleep(0)
        self._sold: dict[str, int] = {}
        self._asked = False

    async def price(self, item: str) -> int:
        """Return the price of an item.

        Args:
            item: its name.
        """
        await asyncio.sleep(0.001)
        if item not in PRICES:
            raise rlvr.ToolError("there's no such item")
        return PRICES[item]

    def sell(self, item: str, count: int) -> rlvr.Reply:
        """Sell an item.

        Args:
            item: its name.
            count: how many.
        """
        self._sold[item] = self._sold.get(item, 0) + count
        return rlvr.Reply(f"sold {count}", reward=0.125)

    async def reply(self, message: ModelMessage) -> str | None:
        """Ask the customer, who is away now and then."""
        await asyncio.sleep(0)
        if self.task.metadata["fails"]:
            raise ConnectionError("the customer hung up")
        asked, self._asked = self._asked, True
        return None if asked else "Are you sure?"

    def outcome(self) -> Any:
        """Return what was sold, and its worth."""
        worth = sum(PRICES[item] * count for item, count in self._sold.items())
        return {"sold": self._sold, "worth": str(worth)}


@rlvr.environment("test_desk")
def make(fails: bool = False) -> rlvr.Environment:
    """Make the environment.

    Args:
        fails: True if the customer hangs up in 30% of the episodes.
    """
    tasks = []
    for number in range(EPISODES):
        item, count = list(PRICES)[number % 3], 1 + number % 5
        tasks.append(
            rlvr.Task(
                f"Order {number}: {count} x {item}. Sell it, and say the total in \\boxed{{}}.",
                str(PRICES[item] * count),
                str(number),
                {"fails": fails and number in FAILING},
            )
        )
    verifier = 0.5 * rlvr.Math() + 0.5 * rlvr.Outcome(path="worth")
    return rlvr.ToolEnv(tasks, verifier, Desk, max_turns=5)


def says(shown: str) -> str:
    """Return the next response to a conversation as text, with or without a template's marks.

    By its order's number a model sells one lamp too many, asks for the price to the last turn, forgets to sell, or does it
    all. It learns the price from the tool alone.
    """
    number, count, item = re.findall(r"Order (\d+): (\d+) x (\w+)\.", shown)[-1]
    way = int(number) % 4
    results = re.findall(r"<tool_response>\n([^<]*)\n</tool_response>", shown)
    if not results or way == 1:
        return _call(f'"price", "arguments": {{"item": "{item}"}}')
    if len(results) == 1 and way != 2:
        sold = int(count) + (way == 0)
        return _call(f'"sell", "arguments": {{"item": "{item}", "count": {sold}}}')
    return f"\\boxed{{{int(results[0]) * int(count)}}}"


def _call(rest: str) -> str:
    return f'<tool_call>\n{{"name": {rest}}}\n</tool_call>'


def expected(env: rlvr.Environment) -> list[rlvr.Verdict]:
    """Return the verdicts by Gymnasium, one episode after the other."""
    verdicts = []
    for task in env.tasks:
        _, info = env.reset(options={"task": task})
        over = False
        while not over:
            shown = "\n".join(content_text(message) for message in info["messages"])
            *_, terminated, truncated, info = env.step(says(shown))
            over = terminated or truncated
        verdicts.append(info["verdict"])
    return verdicts


def brief(verdict: rlvr.Verdict) -> tuple[str, float | None]:
    """Return a verdict's status or cause, and its reward."""
    if isinstance(verdict, rlvr.Scored):
        return str(verdict.status), verdict.reward
    return str(verdict.cause), None
