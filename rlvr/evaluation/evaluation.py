"""`Evaluation`: a policy on environments' tasks, generating and judging at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.envs.shots import prompting_of
from rlvr.envs.slices import By
from rlvr.evaluation.drive import AnyPolicy, Driver, TaskSamples
from rlvr.evaluation.preflight import (
    check_policy,
    check_server,
    check_stop,
    check_verifier,
    run_to_end,
)
from rlvr.runs.cache import VerdictCache
from rlvr.runs.reading import read_records
from rlvr.runs.report import EvaluationSize, Report
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run
from rlvr.runs.saved import reports_of
from rlvr.runs.tally import PartKey, Tallies, Tally, check_by
from rlvr.scoring.prints import kept_in


@dataclass(frozen=True)
class Part:
    """One environment of an evaluation.

    Attributes:
        env: a single- or multi-turn environment.
        k: samples per task.
        limit: the number of tasks, from the first; None for all.
        part: `dev` for tasks that were looked at while training, `unseen` for others; reported apart.
        name: the name to report, by default the environment's own.
        split: the split that `env` was made with, for the record; None if it has none.
    """

    env: Environment
    k: int = 1
    limit: int | None = None
    part: str | None = None
    name: str | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        if self.k < 1:
            raise OptionError(f"k is at least 1, not {self.k}.")
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"limit is at least 1, not {self.limit}.")

    @property
    def key(self) -> tuple[str, str | None]:
        """The environment's name and its part, as in the rollouts."""
        return self.name or self.env.name, self.part

    @property
    def stop(self) -> tuple[str, ...]:
        """The strings at which responses should end, as the environment's prompt names them."""
        prompting = prompting_of(self.env)
        return prompting.stop if prompting is not None else ()

    @property
    def tasks(self) -> int:
        """The number of tasks."""
        return min(len(self.env.tasks), self.limit or len(self.env.tasks))

    def to_json(self) -> dict[str, Any]:
        """Return the record of what was asked, for `run.json`."""
        env, part = self.key
        record = {"env": env, "part": part, "split": self.split, "tasks": self.tasks, "k": self.k}
        prompting = prompting_of(self.env)
        return record if prompting is None else {**record, **prompting.to_json()}

    def units(self, done: dict[tuple[str, str | None, str], int]) -> Iterator[TaskSamples]:
        """Yield the samples to ask for, without those of a task that are `done` (as bits)."""
        for i in range(self.tasks):
            task = self.env.tasks[i]
            bits = done.get((*self.key, task.id), 0)
            samples = [sample for sample in range(self.k) if not bits >> sample & 1]
            if not samples:
                continue
            if self.env.max_turns == 1:
                yield TaskSamples(self.env, *self.key, task, samples)
            else:  # conversations part ways
                for sample in samples:
                    yield TaskSamples(self.env, *self.key, task, [sample])


class Evaluation:
    """A policy on several environments, while it runs and after.

    Attributes:
        tallies: the tally of each part so far.
        total: the number of rollouts there will be.
        already: the number of rollouts that a resumed run had before.

    Args:
        keep: called with each rollout once it is judged, for callers that write no run.
        by: a key or function of tasks to slice the reports by.

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
        by: By | None = None,
    ) -> None:
        self.parts = list(parts)
        self.policy = policy
        self.table = Tallies(by)
        for part in self.parts:
            self.table.begin(*part.key)
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
        self._by = by
        self._facts: dict[str, Any] | None = None
        self._done: dict[tuple[str, str | None, str], int] = {}
        if resume and run is not None:
            self._recall(run)

    @property
    def tallies(self) -> dict[PartKey, Tally]:
        """The tally of each part so far."""
        return self.table.parts

    @property
    def done(self) -> int:
        """The number of rollouts that have been judged, including those from before."""
        return sum(map(len, self.tallies.values()))

    def run(self) -> list[Report]:
        """Play the remaining units, and report on each part. From any thread; raises what the policy raises.

        Raises `RlvrError` before the first request if this machine lacks something that verdicts need.
        """
        facts = self.check()
        check_server(self.policy)
        if self._run is not None:
            self._run.note(**facts, asked=[part.to_json() for part in self.parts])
        kept = nullcontext() if self._run is None else kept_in(self._run.path)
        with kept:
            run_to_end(self._play())
        asked = {part.key: EvaluationSize(part.tasks, part.k) for part in self.parts}
        return reports_of(self.table, asked, self.table.is_sliced, self._price)

    def check(self) -> dict[str, Any]:
        """Make sure that verdicts can be reached on this machine, and return facts for a run's record.

        Raises `RlvrError` that says what is missing and how to get it.
        """
        if self._facts is None:
            self._facts = {}
            if self._by is not None:
                check_by(self._by, (p.env.tasks[i] for p in self.parts for i in range(p.tasks)))
            check_policy(self.policy)
            for part in self.parts:
                check_stop(self.policy, part.stop, part.key[0])
                tasks = part.env.tasks
                self._facts |= part.env.verifier.prepare(tasks[i] for i in range(part.tasks))
                check_verifier(part.env, part.tasks)
        return self._facts

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
        self.table.add(rollout)
        self._progress(self)

    def _recall(self, run: Run) -> None:
        for record in read_records(run.path):
            rollout = record.rollout
            if (rollout.env, rollout.part) not in self.tallies:
                continue
            key = (rollout.env, rollout.part, rollout.task.id)
            self._done[key] = self._done.get(key, 0) | 1 << rollout.sample
            self.table.add(rollout)
            self.already += 1
