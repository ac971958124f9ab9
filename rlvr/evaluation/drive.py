"""Episodes driven to their verdicts: generation and verification side by side, both bounded."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias, cast

from rlvr.core.environment import Environment
from rlvr.core.episode import AskPolicy
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.evaluation.judge import EpisodeJudge
from rlvr.policies.base import (
    AsyncPolicy,
    Generation,
    Policy,
    Request,
    name_of,
    seed_of,
)
from rlvr.policies.batching import (
    Batcher,
    as_generation,
    check_responses,
    generation_of,
    stream_of,
    window_of,
)
from rlvr.runs.cache import VerdictCache
from rlvr.runs.rollouts import Rollout

AnyPolicy: TypeAlias = Policy | AsyncPolicy

_WAITING = 1024  # episodes that are over and not judged yet; with more, generation waits


@dataclass(slots=True)
class TaskSamples:
    """Samples of a task that are asked for together."""

    env: Environment
    name: str
    part: str | None
    task: Task
    samples: list[int]

    def plays(self) -> list[_Play]:
        """Return an episode for each sample."""
        episodes = [(sample, self.env.episode(self.task)) for sample in self.samples]
        return [
            _Play(
                self.env,
                episode,
                Rollout(self.name, self.part, self.task, sample, episode.messages),
            )
            for sample, episode in episodes
        ]


@dataclass(slots=True)
class _Play:
    """An episode that is being played, and the record of it."""

    env: Environment
    episode: LiveEpisode
    rollout: Rollout

    async def open(self) -> None:
        """Begin the episode."""
        if self.env.is_interactive:
            await asyncio.wrap_future(self.episode.begin_open())

    async def take(self, generation: Generation) -> bool:
        """Hand a response over to the episode. Returns True if the episode is over."""
        episode = self.episode
        if generation.stop != "error":
            self.rollout.count(generation)
            await episode.respond(generation.message, generation.stop)
        elif episode.turns and generation.overflow:
            episode.cut("length")  # its own talk filled the context: judged as it stands
        else:
            cause = Cause.INPUT if generation.overflow else Cause.INTERNAL
            episode.fail(Unscored(cause, f"no response: {generation.error}"))
        return episode.over

    def request(self, seed: int) -> Request:
        """Return the request for the next response."""
        rollout = self.rollout
        where = (rollout.env, rollout.part or "", rollout.task.id, rollout.sample)
        return Request(
            tuple(rollout.messages),
            rollout.task,
            seed_of(seed, *where, self.episode.turns),
            tuple(self.env.tool_schemas or ()),
        )


class Driver:
    """Has a policy play units, and records each rollout when it has its verdict.

    Args:
        record: called in the loop's thread.
        seed: of all sampling.
        concurrency: of an `AsyncPolicy`, by default its own.
        cache: verdicts on disk.
    """

    def __init__(
        self,
        policy: AnyPolicy,
        record: Callable[[Rollout], None],
        seed: int,
        concurrency: int | None = None,
        cache: VerdictCache | None = None,
    ) -> None:
        self._policy = policy
        self._record = record
        self._seed = seed
        self._cache = cache
        own: int = getattr(policy, "concurrency", 1)
        self._concurrency = concurrency or own
        self._slots = asyncio.Semaphore(_WAITING)
        self._judges: dict[int, EpisodeJudge] = {}
        self._live: set[LiveEpisode] = set()
        self._pending: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None  # what recording a rollout raised

    async def run(self, units: Iterable[TaskSamples]) -> None:
        """Play them all. Raises what the policy raised, after all that it answered is recorded."""
        shared = iter(units)
        try:
            async with asyncio.TaskGroup() as group:
                if hasattr(self._policy, "generate"):
                    for _ in range(self._concurrency):
                        group.create_task(self._serve(shared))
                else:
                    group.create_task(self._batches(shared))
        except BaseExceptionGroup as group:
            # Several workers fail for the same reason: one says it.
            raise _first(group) from None
        finally:
            closing = [episode.begin_close() for episode in self._live]
            await asyncio.gather(*self._pending, *map(asyncio.wrap_future, closing))
            if self._broken is not None:
                raise self._broken

    async def _serve(self, units: Iterator[TaskSamples]) -> None:
        policy = cast(AsyncPolicy, self._policy)
        loop = asyncio.get_running_loop()

        def ask(request: Request) -> Awaitable[Generation]:
            # Episodes run on a loop of their own.
            answer = asyncio.run_coroutine_threadsafe(generation_of(policy, request), loop)
            return asyncio.wrap_future(answer)

        for unit in units:  # shared with the other workers
            plays = unit.plays()
            if not unit.env.is_interactive:
                await self._ask(policy, plays)
                continue
            for play in plays:
                await self._begin(play, ask)
                while not play.episode.over:
                    await self._ask(policy, [play])

    async def _ask(self, policy: AsyncPolicy, plays: list[_Play]) -> None:
        """Make one request for all of `plays`, and see to those that are over then."""
        began = time.monotonic()
        responses = await policy.generate(plays[0].request(self._seed), len(plays))
        seconds = time.monotonic() - began
        check_responses(name_of(policy), responses, len(plays))
        generations = list(map(as_generation, responses))
        # One prompt, however many samples.
        plays[0].rollout.sent_tokens += generations[0].prompt_tokens or 0
        for play, generation in zip(plays, generations, strict=True):
            play.rollout.generate_s += seconds
            if await play.take(generation):
                await self._close(play)

    async def _begin(self, play: _Play, ask: AskPolicy) -> None:
        """Open an episode, whose sub-agents the policy plays, too; one that can't be opened is over."""
        self._live.add(play.episode)
        play.episode.policy = ask
        await play.open()
        if play.episode.over:
            await self._close(play)

    async def _batches(self, units: Iterator[TaskSamples]) -> None:
        policy = cast(Policy, self._policy)
        waiting = (play for unit in units for play in unit.plays())
        active: list[_Play] = []
        # A thread for the policy alone, so that judging goes on while it generates.
        with ThreadPoolExecutor(1, "rlvr-policy") as thread:
            batcher = Batcher(policy, thread.submit)

            def ask(request: Request) -> Awaitable[Generation]:
                return asyncio.wrap_future(batcher.submit(request))

            while True:
                # Episodes that are over make room for new ones: batches stay full to the end.
                new = list(itertools.islice(waiting, max(0, window_of(policy) - len(active))))
                await asyncio.gather(
                    *(self._begin(play, ask) for play in new if play.env.is_interactive)
                )
                active += [play for play in new if not play.episode.over]
                if not active:
                    if new:
                        continue
                    break
                going_on = []
                async for answers in self._answers(policy, active, thread):
                    over = await asyncio.gather(*(play.take(answer) for play, answer in answers))
                    for (play, _), is_over in zip(answers, over, strict=True):
                        if is_over:
                            await self._close(play)
                        else:
                            going_on.append(play)
                active = going_on

    async def _answers(
        self, policy: Policy, active: list[_Play], thread: ThreadPoolExecutor
    ) -> AsyncIterator[list[tuple[_Play, Generation]]]:
        """Yield turns with their answers, as the policy has them: all at once, or a batch at a time.

        While the caller sees to some of them, the policy goes on with the next.
        """
        requests = [play.request(self._seed) for play in active]
        stream = iter(stream_of(policy, requests))
        loop = asyncio.get_running_loop()
        began = time.monotonic()
        batch = await loop.run_in_executor(thread, next, stream, None)
        while batch is not None:
            share = (time.monotonic() - began) / max(1, len(batch))
            began = time.monotonic()
            following = loop.run_in_executor(thread, next, stream, None)
            for place, answer in batch:
                rollout = active[place].rollout
                rollout.generate_s += share
                rollout.sent_tokens += answer.prompt_tokens or 0
            yield [(active[place], answer) for place, answer in batch]
            batch = await following

    async def _close(self, play: _Play) -> None:
        """See to the verdict. Waits while too many others wait for theirs."""
        if self._broken is not None:
            raise self._broken
        rollout, episode = play.rollout, play.episode
        began = time.monotonic()
        ended = await episode.end()
        self._live.discard(episode)
        rollout.stop = episode.stop or rollout.stop
        rollout.step_rewards = episode.step_rewards
        rollout.children = episode.children
        if isinstance(ended, Unscored):
            rollout.verdict = ended
            self._record(rollout)
            return
        rollout.outcome = ended.outcome
        judge = self._judges.get(id(play.env))
        if judge is None:
            judge = self._judges[id(play.env)] = EpisodeJudge(play.env, self._cache)
        verdict = judge(rollout.task, ended)
        if isinstance(verdict, Future):
            await self._slots.acquire()
            task = asyncio.create_task(self._judged(rollout, verdict, began))
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)
            return
        rollout.verdict = verdict
        rollout.verify_s = time.monotonic() - began
        self._record(rollout)

    async def _judged(self, rollout: Rollout, verdict: Future[Verdict], began: float) -> None:
        try:
            rollout.verdict = await asyncio.wrap_future(verdict)
            rollout.verify_s = time.monotonic() - began
            self._record(rollout)
        except Exception as error:
            self._broken = error
        finally:
            self._slots.release()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
