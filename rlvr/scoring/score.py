"""`score`: verdicts for a batch, in order, complete, by a deadline.

Each verification takes the cheapest lane that can decide it: `settle` in the caller's thread, else
a worker of the pool, else (an `async def verify`) the event loop. A composite is taken apart, and
each part goes its own way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait

from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring import lanes
from rlvr.scoring.pool import Pool
from rlvr.verifiers.compose import Composite, Plan

_GRACE_S = 0.05  # so that an item which may run just as long as the batch gets its whole time


def score(
    tasks: Sequence[Task],
    responses: Sequence[str],
    verifier: Verifier,
    *,
    deadline_s: float | None = None,
    limit_s: float | None = None,
    pool: Pool | None = None,
) -> list[Verdict]:
    """Judge each response to the task beside it.

    Args:
        tasks: N tasks.
        responses: N responses.
        verifier: of all of them.
        deadline_s: seconds for the whole call. What has no verdict by then is `Unscored(timeout)`.
            By default it waits for every item, and each is bounded by `limit_s`.
        limit_s: seconds that one verification may run from when it begins running;
            `verifier.limit_s` by default. Past it the item alone is ended: `limit` where the
            response was the reason, `Unscored` where it wasn't.
        pool: of this process by default.

    Returns:
        N verdicts in the order given. Never raises on account of a response. From any thread.
    """
    until = None if deadline_s is None else time.monotonic() + deadline_s + _GRACE_S
    verdicts: list[Verdict | Future[Verdict]] = [
        submit(task, response, verifier, limit_s=limit_s, pool=pool)
        for task, response in zip(tasks, responses, strict=True)
    ]
    pending = [one for one in verdicts if isinstance(one, Future)]
    if pending:
        wait(pending, None if until is None else max(0.0, until - time.monotonic()))
    return [_at_deadline(one, deadline_s) for one in verdicts]


async def ascore(
    tasks: Sequence[Task],
    responses: Sequence[str],
    verifier: Verifier,
    *,
    deadline_s: float | None = None,
    limit_s: float | None = None,
    pool: Pool | None = None,
) -> list[Verdict]:
    """`score` for asyncio: the loop runs on while workers judge."""
    verdicts: list[Verdict | Future[Verdict]] = []
    for task, response in zip(tasks, responses, strict=True):
        verdicts.append(submit(task, response, verifier, limit_s=limit_s, pool=pool))
        if len(verdicts) % 64 == 0:
            await asyncio.sleep(0)
    pending = [asyncio.wrap_future(one) for one in verdicts if isinstance(one, Future)]
    if pending:
        await asyncio.wait(pending, timeout=None if deadline_s is None else deadline_s + _GRACE_S)
    return [_at_deadline(one, deadline_s) for one in verdicts]


def submit(
    task: Task,
    response: str,
    verifier: Verifier,
    *,
    limit_s: float | None = None,
    pool: Pool | None = None,
) -> Verdict | Future[Verdict]:
    """One verdict where it can be had at once, else the future of one. The future never raises."""
    if not isinstance(response, str):
        raise TypeError(f"A response is a str, not {type(response).__name__}.")
    if isinstance(verifier, Composite):
        return _Driver(verifier, task, response, limit_s, pool).advance(None)
    try:
        settled = verifier.settle(task, response)
    except CannotScore as fault:
        return Unscored(fault.cause, fault.message)
    except Exception as error:
        return Unscored(
            Cause.INTERNAL, f"{verifier.name} raised: {type(error).__name__}: {error!s:.500}"
        )
    if settled is not None:
        return settled
    if verifier.is_async:
        return lanes.on_the_loop(verifier, task, response, limit_s)
    return (pool or lanes.default_pool()).submit(verifier, task, response, limit_s)


class _Driver:
    """Runs a composite's plan: asks for what it needs, and goes on when all of that is there."""

    def __init__(
        self,
        verifier: Composite,
        task: Task,
        response: str,
        limit_s: float | None,
        pool: Pool | None,
    ) -> None:
        self._name = verifier.name
        self._plan: Plan = verifier.plan()
        self._submit: Callable[[Verifier], Verdict | Future[Verdict]] = lambda part: submit(
            task, response, part, limit_s=limit_s, pool=pool
        )
        self._result: Future[Verdict] | None = None

    def advance(self, verdicts: list[Verdict] | None) -> Verdict | Future[Verdict]:
        """Go on until the end or until something has to be waited for."""
        while True:
            try:
                wanted = next(self._plan) if verdicts is None else self._plan.send(verdicts)
            except StopIteration as stop:
                return self._finish(stop.value)
            except Exception as error:
                return self._finish(
                    Unscored(Cause.INTERNAL, f"{self._name}: {type(error).__name__}: {error}")
                )
            parts = [self._submit(part) for part in wanted]
            waited = [part for part in parts if isinstance(part, Future)]
            if waited:
                return self._wait(parts, len(waited))
            verdicts = [part for part in parts if not isinstance(part, Future)]

    def _wait(self, parts: list[Verdict | Future[Verdict]], missing: int) -> Future[Verdict]:
        if self._result is None:
            self._result = Future()
            self._result.set_running_or_notify_cancel()
        left = [missing]  # only the thread that takes the last one goes on

        def arrived(_: Future[Verdict]) -> None:
            left[0] -= 1
            if left[0] == 0:
                self.advance([p.result() if isinstance(p, Future) else p for p in parts])

        lock = lanes.serialised(arrived)
        for part in parts:
            if isinstance(part, Future):
                part.add_done_callback(lock)
        return self._result

    def _finish(self, verdict: object) -> Verdict | Future[Verdict]:
        if not isinstance(verdict, Scored | Unscored):
            verdict = Unscored(Cause.INTERNAL, f"{self._name} returned {verdict!r:.100}")
        result = self._result
        if result is None:
            return verdict
        result.set_result(verdict)
        return result


def _at_deadline(one: Verdict | Future[Verdict], deadline_s: float | None) -> Verdict:
    if not isinstance(one, Future):
        return one
    if one.done() and not one.cancelled():
        return one.result()
    one.cancel()
    return Unscored(Cause.TIMEOUT, f"not judged within the deadline of {deadline_s:g} s")
