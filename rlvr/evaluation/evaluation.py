"""`Evaluation`: a policy on environments' tasks, generating and judging at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.evaluation.drive import AnyPolicy, Driver, Unit
from rlvr.runs.cache import VerdictCache
from rlvr.runs.report import Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run, read_rollouts
from rlvr.runs.tally import Tally
from rlvr.scoring.prints import kept_in


@dataclass(frozen=True)
class Part:
    """One environment of an evaluation.

    Attributes:
        env: single- or multi-turn.
        k: samples of each task.
        limit: only so many tasks, from the first.
        part: `dev` for what was looked at while training, `unseen` for what wasn't; reported apart.
        name: by default the environment's own.
    """

    env: Environment
    k: int = 1
    limit: int | None = None
    part: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise OptionError(f"k is at least 1, not {self.k}.")
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"limit is at least 1, not {self.limit}.")

    @property
    def key(self) -> tuple[str, str | None]:
        """What its rollouts are found under."""
        return self.name or self.env.name, self.part

    @property
    def tasks(self) -> int:
        """How many."""
        return min(len(self.env.tasks), self.limit or len(self.env.tasks))

    def units(self, done: dict[tuple[str, str | None, str], int]) -> Iterator[Unit]:
        """What's to be asked; of a task whose samples are `done` (as bits), the others."""
        for i in range(self.tasks):
            task = self.env.tasks[i]
            bits = done.get((*self.key, task.id), 0)
            samples = [sample for sample in range(self.k) if not bits >> sample & 1]
            if not samples:
                continue
            if self.env.max_turns == 1:
                yield Unit(self.env, *self.key, task, samples)
            else:  # conversations part ways
                for sample in samples:
                    yield Unit(self.env, *self.key, task, [sample])


class Evaluation:
    """A policy on several environments, while it runs and after.

    Attributes:
        tallies: of each part, what was counted so far.
        total: rollouts there will be.
        already: rollouts that were there before, of the run that is resumed.

    Args:
        keep: called with each rollout once it's judged, for who writes no run.

    The other arguments are `rlvr.evaluate`'s; `run` is an opened one.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        policy: AnyPolicy,
        *,
        run: Run | None = None,
        resume: bool = False,
        seed: int = 0,
        concurrency: int | None = None,
        progress: Callable[[Evaluation], None] = lambda evaluation: None,
        labels: dict[str, str | int] | None = None,
        cache: VerdictCache | None = None,
        price: tuple[float, float] | None = None,
        keep: Callable[[Rollout], object] | None = None,
    ) -> None:
        self.parts = list(parts)
        self.policy = policy
        self.tallies = {part.key: Tally(*part.key) for part in parts}
        if len(self.tallies) < len(self.parts):
            raise OptionError("Two environments of an evaluation have one name: name one of them.")
        self.total = sum(part.tasks * part.k for part in parts)
        self.already = 0
        self._run = run
        self._seed = seed
        self._concurrency = concurrency
        self._progress = progress
        self._labels = labels or {}
        self._cache = cache
        self._price = price
        self._keep = keep
        self._done: dict[tuple[str, str | None, str], int] = {}
        if resume and run is not None:
            self._recall(run)

    @property
    def done(self) -> int:
        """Rollouts that have been judged, those from before among them."""
        return sum(map(len, self.tallies.values()))

    def run(self) -> list[Report]:
        """Do what's left, and report on each part. From any thread; raises what the policy raises.

        Raises `RlvrError` before the first task if this machine lacks something that verdicts need.
        """
        facts: dict[str, Any] = {}
        for part in self.parts:
            facts |= part.env.verifier.prepare(part.env.tasks[i] for i in range(part.tasks))
        if self._run is not None:
            self._run.note(**facts)
        kept = nullcontext() if self._run is None else kept_in(self._run.path)
        with kept:
            _finished(self._play())
        return [Report.of(tally, self._price) for tally in self.tallies.values()]

    async def _play(self) -> None:
        skips = getattr(self.policy, "skips", lambda task: False)  # the oracle's
        every = (unit for part in self.parts for unit in part.units(self._done))
        units = (unit for unit in every if not skips(unit.task))
        close = getattr(self.policy, "aclose", None)
        try:
            if hasattr(self.policy, "start"):
                await self.policy.start()
            driver = Driver(self.policy, self._record, self._seed, self._concurrency, self._cache)
            await driver.run(units)
        finally:
            if close is not None:
                await close()

    def _record(self, rollout: Rollout) -> None:
        if self._run is not None:
            self._run.rollout(rollout.to_json(**self._labels))
        if self._keep is not None:
            self._keep(rollout)
        self.tallies[rollout.env, rollout.part].add(rollout)
        self._progress(self)

    def _recall(self, run: Run) -> None:
        for row in read_rollouts(run.path):
            rollout = Rollout.from_json(row)
            tally = self.tallies.get((rollout.env, rollout.part))
            if tally is None:
                continue
            key = (rollout.env, rollout.part, rollout.task.id)
            self._done[key] = self._done.get(key, 0) | 1 << rollout.sample
            tally.add(rollout)
            self.already += 1


def _finished(work: Coroutine[Any, Any, None]) -> None:
    """Run it to its end, also where this thread has a loop already (a notebook)."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()
