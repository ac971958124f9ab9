"""Episodes driven to their verdicts: generation and verification side by side, both bounded."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias, cast

from rlvr.core.environment import Environment
from rlvr.core.faults import raised
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.evaluation.judge import EpisodeJudge
from rlvr.policies.base import (
    AsyncPolicy,
    Generation,
    Policy,
    PolicyError,
    Request,
    StreamPolicy,
    name_of,
    seed_of,
)
from rlvr.runs.cache import VerdictCache
from rlvr.runs.rollouts import Rollout
from rlvr.scoring.prints import call_judging

AnyPolicy: TypeAlias = Policy | AsyncPolicy
_Turn: TypeAlias = tuple[Environment, Rollout, int]  # the last is the number of the turn

_WAITING = 1024  # episodes that are over and not judged yet; with more, generation waits
_THREADS = 16  # that run environments' replies
_BATCH = 64


@dataclass(slots=True)
class TaskSamples:
    """Samples of a task that are asked for together."""

    env: Environment
    name: str
    part: str | None
    task: Task
    samples: list[int]

    def rollouts(self) -> list[Rollout]:
        """One for each sample, with the prompt in it."""
        return [
            Rollout(self.name, self.part, self.task, sample, [dict(m) for m in self.task.prompt])
            for sample in self.samples
        ]


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
        self._threads = ThreadPoolExecutor(_THREADS, "rlvr-episodes")
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
            await asyncio.gather(*self._pending)
            self._threads.shutdown(wait=True, cancel_futures=True)
            if self._broken is not None:
                raise self._broken

    async def _serve(self, units: Iterator[TaskSamples]) -> None:
        policy = cast(AsyncPolicy, self._policy)
        for unit in units:  # shared with the other workers
            rollouts = unit.rollouts()
            if unit.env.max_turns == 1:
                await self._ask(policy, unit.env, rollouts, 0)
                continue
            for rollout in rollouts:
                turn = 0
                while not await self._ask(policy, unit.env, [rollout], turn):
                    turn += 1

    async def _ask(
        self, policy: AsyncPolicy, env: Environment, rollouts: list[Rollout], turn: int
    ) -> bool:
        """One request for all of `rollouts`; whether their episodes are over."""
        began = time.monotonic()
        responses = await policy.generate(self._request(rollouts[0], turn), len(rollouts))
        seconds = time.monotonic() - began
        _check(name_of(policy), responses, len(rollouts))
        found = list(map(_generation, responses))
        over = True
        rollouts[0].sent_tokens += found[0].prompt_tokens or 0  # one prompt, however many samples
        for rollout, generation in zip(rollouts, found, strict=True):
            rollout.generate_s += seconds
            over = await self._turn(env, rollout, generation, turn)
            if over:
                await self._close(env, rollout)
        return over

    async def _batches(self, units: Iterator[TaskSamples]) -> None:
        policy = cast(Policy, self._policy)
        waiting = ((unit.env, rollout) for unit in units for rollout in unit.rollouts())
        active: list[_Turn] = []
        # A thread for the policy alone, so that judging goes on while it generates.
        with ThreadPoolExecutor(1, "rlvr-policy") as thread:
            while True:
                # Episodes that are over make room for new ones: batches stay full to the end.
                new = itertools.islice(waiting, max(0, _window(policy) - len(active)))
                active += [(env, rollout, 0) for env, rollout in new]
                if not active:
                    break
                going_on = []
                async for answers in self._answers(policy, active, thread):
                    over = await asyncio.gather(
                        *(
                            self._turn(env, rollout, answer, turn)
                            for (env, rollout, turn), answer in answers
                        )
                    )
                    for ((env, rollout, turn), _), is_over in zip(answers, over, strict=True):
                        if is_over:
                            await self._close(env, rollout)
                        else:
                            going_on.append((env, rollout, turn + 1))
                active = going_on

    async def _answers(
        self, policy: Policy, active: list[_Turn], thread: ThreadPoolExecutor
    ) -> AsyncIterator[list[tuple[_Turn, Generation]]]:
        """Yield turns with their answers, as the policy has them: all at once, or a batch at a time.

        While the caller sees to some of them, the policy goes on with the next.
        """
        requests = [self._request(rollout, turn) for _, rollout, turn in active]
        stream = iter(_stream(policy, requests))
        loop = asyncio.get_running_loop()
        began = time.monotonic()
        batch = await loop.run_in_executor(thread, next, stream, None)
        while batch is not None:
            share = (time.monotonic() - began) / max(1, len(batch))
            began = time.monotonic()
            following = loop.run_in_executor(thread, next, stream, None)
            for place, answer in batch:
                _, rollout, _ = active[place]
                rollout.generate_s += share
                rollout.sent_tokens += answer.prompt_tokens or 0
            yield [(active[place], answer) for place, answer in batch]
            batch = await following

    def _request(self, rollout: Rollout, turn: int) -> Request:
        task = rollout.task
        where = (rollout.env, rollout.part or "", task.id, rollout.sample, turn)
        return Request(tuple(rollout.messages), task, seed_of(self._seed, *where))

    async def _turn(
        self, env: Environment, rollout: Rollout, generation: Generation, turn: int
    ) -> bool:
        """Take a response and let the environment reply; whether the episode is over."""
        if generation.stop == "error":
            if turn and generation.overflow:
                rollout.stop = "length"  # its own talk filled the context: judged as it stands
                rollout.messages.pop()
                return True
            cause = Cause.INPUT if generation.overflow else Cause.INTERNAL
            rollout.stop = "error"
            rollout.verdict = Unscored(cause, f"no response: {generation.error}")
            return True
        rollout.respond(generation)
        if env.max_turns == 1:
            return True
        loop = asyncio.get_running_loop()
        try:
            answer = await loop.run_in_executor(
                self._threads, call_judging, env.reply, rollout.task, rollout.messages
            )
        except NotImplementedError:
            raise  # there's no environment yet
        except (Exception, SystemExit) as error:  # as in Environment.step: nobody's wrong answer
            rollout.verdict = raised(f"the reply of {env.name} raised", error)
            return True
        if answer is not None and turn + 1 < env.max_turns:
            rollout.messages.append({"role": "user", "content": answer})
            return False
        if answer is not None:
            rollout.stop = "turns"
        return True

    async def _close(self, env: Environment, rollout: Rollout) -> None:
        """See to the verdict. Waits while too many others wait for theirs."""
        if self._broken is not None:
            raise self._broken
        if rollout.verdict is not None:
            self._record(rollout)
            return
        judge = self._judges.get(id(env))
        if judge is None:
            judge = self._judges[id(env)] = EpisodeJudge(env, self._threads, self._cache)
        began = time.monotonic()
        verdict = judge(rollout.task, rollout.messages)
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


def _generation(response: str | Generation) -> Generation:
    return response if isinstance(response, Generation) else Generation(response)


def _stream(policy: Policy, requests: Sequence[Request]) -> Iterator[list[tuple[int, Generation]]]:
    """Yield a policy's answers with the places of their requests."""
    if _streams(policy):
        left = set(range(len(requests)))
        for batch in cast(StreamPolicy, policy).stream(requests):
            _check(name_of(policy), [answer for _, answer in batch], len(batch))
            for place, _ in batch:
                if place not in left:
                    raise PolicyError(
                        f"The policy {name_of(policy)!r} answered request {place} of {len(requests)}, which isn't "
                        f"there or had an answer."
                    )
                left.remove(place)
            yield [(place, _generation(answer)) for place, answer in batch]
        if left:
            raise PolicyError(
                f"The policy {name_of(policy)!r} left {len(left)} requests unanswered."
            )
        return
    responses = policy.respond(requests)
    if inspect.isawaitable(responses):  # `async def respond`: this is the policy's own thread
        responses = asyncio.run(_awaited(responses))
    _check(name_of(policy), responses, len(requests))
    yield list(enumerate(map(_generation, responses)))


async def _awaited(responses: Awaitable[Sequence[str | Generation]]) -> Sequence[str | Generation]:
    return await responses


def _streams(policy: Policy) -> bool:
    """Return True if it has a `stream` of its own: not where a subclass has another `respond`, nor by delegation."""
    for cls in type(policy).__mro__:
        if "respond" in vars(cls) or "stream" in vars(cls):
            return "stream" in vars(cls)
    return False


def _window(policy: Policy) -> int:
    """Return how many requests a policy gets at once; asked each time, since it may change its mind."""
    size: int = getattr(policy, "window", None) or getattr(policy, "batch_size", None) or _BATCH
    return size


def _check(name: str, found: Sequence[str | Generation], asked: int) -> None:
    if len(found) != asked:
        raise PolicyError(f"The policy {name!r} gave {len(found)} responses for {asked} requests.")
    for one in found:
        if not isinstance(one, str | Generation):
            raise PolicyError(
                f"The policy {name!r} gave a {type(one).__name__}; a response is a str or a "
                f"rlvr.policies.base.Generation."
            )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
