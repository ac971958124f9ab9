"""The samples of one prompt, which wait for each other where one of them has no reward.

OpenRLHF starts all samples of a prompt at once, in one process and on one event loop. So those in
flight under the same key are the group whose mean reward its estimators will take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class Group:
    """Samples in flight, and the rewards of those that are done."""

    def __init__(self) -> None:
        self.running = 0
        self.rewards: list[float] = []
        self.over = asyncio.Event()

    async def mean(self) -> float:
        """The mean reward once every sample is done: 0.0 where none has a reward.

        Taken for a missing reward it leaves the mean as it is. Call it having left.
        """
        await self.over.wait()
        return sum(self.rewards) / len(self.rewards) if self.rewards else 0.0


class Groups:
    """The groups of one executor."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, Group] = {}

    @contextmanager
    def sample(self, key: Hashable) -> Iterator[Group]:
        """While a sample generates and is judged. Enter it before the first `await`."""
        group = self._groups.setdefault(key, Group())
        group.running += 1
        try:
            yield group
        finally:
            group.running -= 1
            if group.running == 0:
                group.over.set()
                self._groups.pop(key, None)
