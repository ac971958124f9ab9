"""`score`: judge a batch, in order, completely, by a deadline.

Each verification takes the cheapest lane that can decide it: `settle` in the caller's thread, otherwise
a worker of the pool, or the event loop for an `async def verify`. A composite is taken apart, and
each part takes its own lane.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from rlvr.core.compose import Composite, Plan
from rlvr.core.errors import CannotScore, OptionError, ResponseError, TaskError
from rlvr.core.faults import checked, raised
from rlvr.core.task import Task, content_text
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.core.verifier import Verifier, a_verifier, seen_by
from rlvr.scoring import lanes
from rlvr.scoring.prints import judging

if TYPE_CHECKING:
    from rlvr.scoring.pool import Pool

_GRACE_S = 0.05  # an item whose limit equals the batch's deadline gets its whole time
_SETTLED = 200_000
"""The longest response in characters that `settle` sees, which bounds the time in the caller's thread."""


def score(
    tasks: Sequence[Task],
    responses: Sequence[str | Transcript],
    verifier: Verifier,
    *,
    deadline_s: float | None = None,
    limit_s: float | None = None,
    pool: Pool | None = None,
) -> list[Verdict]:
    """Judge each response to the task at the same position::

        task = rlvr.Task("6 times 7?", "42")
        right, wrong = rlvr.score([task, task], ["\\\\boxed{42}", "\\\\boxed{43}"], rlvr.Math())
        right.reward  # 1.0

    Args:
        tasks: N tasks.
        responses: N responses, or transcripts of episodes.
        verifier: judges all of them.
        deadline_s: seconds for the whole call. Items without a verdict by then are `Unscored(timeout)`.
            By default it waits for every item, and each is bounded by `limit_s`.
        limit_s: seconds that one verification may run from when it begins running
            (default: `verifier.limit_s`). After that, only this item is ended: with the status `limit` if the
            response was the reason, otherwise `Unscored`.
        pool: the worker pool (default: this process's).

    Returns:
        N verdicts in the same order. Never raises because of a response. Thread-safe.
    """
    _check(tasks, responses, verifier)
    lanes.new_batch()
    until = _until(deadline_s)
    if len(tasks) == 1 and deadline_s is None:
        only = submit(tasks[0], responses[0], verifier, limit_s=limit_s, pool=pool, wait=True)
        return [only.result() if isinstance(only, Future) else only]
    verdicts: list[Verdict | Future[Verdict]] = []
    try:
        for task, response in zip(tasks, responses, strict=True):
            if time.monotonic() > until:
                break
            verdict = submit(task, response, verifier, limit_s=limit_s, pool=pool, block=False)
            verdicts.append(verdict)
            if isinstance(verdict, Future):
                (pool or lanes.default_pool()).wait_for_room(_left(until))
        futures = [verdict for verdict in verdicts if isinstance(verdict, Future)]
        # The last is judged last, or nearly: waiting for it first wakes this thread once, not for each verdict.
        with contextlib.suppress(TimeoutError):
            for future in reversed(futures):
                future.result(_left(until))
        return _at_deadline(verdicts, len(tasks), deadline_s)
    finally:
        _cancel(verdicts)


async def ascore(
    tasks: Sequence[Task],
    responses: Sequence[str | Transcript],
    verifier: Verifier,
    *,
    deadline_s: float | None = None,
    limit_s: float | None = None,
    pool: Pool | None = None,
) -> list[Verdict]:
    """Judge like `score`, without blocking the event loop::

        verdicts = await rlvr.ascore(tasks, responses, rlvr.Math())

    The arguments are `score`'s.
    """
    import asyncio  # its import takes as long as a hundred verdicts, and `score` needs none of it

    pending: asyncio.Future[Verdict] | None = None
    _check(tasks, responses, verifier)
    lanes.new_batch()
    until = _until(deadline_s)
    verdicts: list[Verdict | Future[Verdict]] = []
    try:
        for task, response in zip(tasks, responses, strict=True):
            if time.monotonic() > until:
                break
            verdict = submit(task, response, verifier, limit_s=limit_s, pool=pool, block=False)
            verdicts.append(verdict)
            if len(verdicts) % 64 == 0:
                await asyncio.sleep(0)
            if isinstance(verdict, Future):
                while time.monotonic() <= until:
                    if (pool or lanes.default_pool()).wait_for_room(0):
                        break
                    await asyncio.sleep(0.01)
        # The last is judged last, or nearly: then one future is wrapped, and not each of them.
        for future in reversed(verdicts):
            if isinstance(future, Future) and not future.done():
                pending = asyncio.wrap_future(future)
                await asyncio.wait([pending], timeout=_left(until))
                if not pending.done():
                    break
        return _at_deadline(verdicts, len(tasks), deadline_s)
    finally:
        _cancel(verdicts)
        if pending is not None:
            pending.cancel()  # otherwise a late verdict would call a loop that is closed by then


def submit(
    task: Task,
    response: str | Transcript,
    verifier: Verifier,
    *,
    limit_s: float | None = None,
    pool: Pool | None = None,
    block: bool = True,
    wait: bool = False,
) -> Verdict | Future[Verdict]:
    """Return the verdict if it can be decided at once, otherwise its future, which never raises.

    Cancelling the future removes a waiting job from the pool's queue. `block` is `Pool.submit`'s.
    With `wait`, the pool's verdict is awaited here, which is quicker than waiting for its future.
    """
    if not isinstance(response, str | Transcript):
        raise ResponseError(f"A response is a str, not {type(response).__name__}.")
    if isinstance(verifier, Composite):
        return _Driver(verifier, task, response, limit_s, pool, block).advance(None)
    seen = seen_by(verifier, task, response)
    try:
        with judging():
            settled = verifier.settle(task, seen) if _size(seen) <= _SETTLED else None
    except CannotScore as error:
        return raised(verifier.name, error)
    except Exception:
        # `settle` is a shortcut. A worker has its own stack and limit, and can tell whose fault it is.
        settled = None
    if settled is not None:
        return checked(verifier.name, settled)
    if verifier.is_async:
        from rlvr.scoring.event_loop import on_the_loop

        return on_the_loop(verifier, task, seen, limit_s)
    pool = pool or lanes.default_pool()
    if wait:
        return pool.judge(verifier, task, seen, limit_s)
    return pool.submit(verifier, task, seen, limit_s, block)


def _size(seen: str | Transcript) -> int:
    """Return the number of characters."""
    if isinstance(seen, str):
        return len(seen)
    calls = (call for message in seen.messages for call in message.get("tool_calls") or ())
    return sum(len(content_text(message)) for message in seen.messages) + sum(
        map(_call_size, calls)
    )


def _call_size(call: Any) -> int:
    function = call.get("function") if isinstance(call, Mapping) else None
    arguments = function.get("arguments") if isinstance(function, Mapping) else None
    # Some servers give an object, whose text isn't made here: it goes to a worker.
    return len(arguments) if isinstance(arguments, str) else 0 if not arguments else _SETTLED


class _Driver:
    """Runs a composite's plan: submits the parts that it asks for, and goes on when all are judged."""

    def __init__(
        self,
        verifier: Composite,
        task: Task,
        response: str | Transcript,
        limit_s: float | None,
        pool: Pool | None,
        block: bool,
    ) -> None:
        self._name = verifier.name
        self._plan: Plan = verifier.plan()
        self._submit: Callable[[Verifier, bool], Verdict | Future[Verdict]] = lambda part, block: (
            submit(task, response, part, limit_s=limit_s, pool=pool, block=block)
        )
        self._block = block
        self._result: Future[Verdict] | None = None
        self._waiting: list[Verdict | Future[Verdict]] = []

    def advance(self, verdicts: list[Verdict] | None) -> Verdict | Future[Verdict]:
        """Go on until the plan ends or a part's verdict has to be awaited."""
        while True:
            try:
                wanted = next(self._plan) if verdicts is None else self._plan.send(verdicts)
            except StopIteration as stop:
                return self._finish(checked(self._name, stop.value))
            except Exception as error:
                return self._finish(raised(f"{self._name} raised", error))
            parts: list[Verdict | Future[Verdict]] = []
            try:
                for part in wanted:
                    parts.append(self._submit(part, self._block))
            except Exception as error:
                _cancel(parts)
                if self._result is None:
                    raise
                # In a callback, nobody catches an exception, and a caller waits for the result.
                return self._finish(raised(self._name, error))
            missing = sum(isinstance(part, Future) for part in parts)
            if missing:
                return self._wait(parts, missing)
            verdicts = [part for part in parts if not isinstance(part, Future)]

    def _wait(self, parts: list[Verdict | Future[Verdict]], missing: int) -> Future[Verdict]:
        self._block = False  # the rest runs in callbacks, in threads that others need
        self._waiting = parts
        result = self._result
        if result is None:
            result = self._result = Future()
            result.add_done_callback(self._done)
        elif result.cancelled():
            _cancel(parts)
        left = [missing]  # only the thread that takes the last one goes on

        def arrived(_: Future[Verdict]) -> None:
            left[0] -= 1
            if left[0] == 0 and not result.cancelled():
                self.advance([p.result() if isinstance(p, Future) else p for p in parts])

        callback = _serialised(arrived)
        for part in parts:
            if isinstance(part, Future):
                part.add_done_callback(callback)
        return result

    def _done(self, result: Future[Verdict]) -> None:
        if result.cancelled():
            _cancel(self._waiting)

    def _finish(self, verdict: Verdict) -> Verdict | Future[Verdict]:
        result = self._result
        if result is None:
            return verdict
        if result.set_running_or_notify_cancel():
            result.set_result(verdict)
        return result


def _serialised(callback: Callable[[Any], None]) -> Callable[[Any], None]:
    """Wrap `callback` so that several threads can call it: one call at a time, in any order."""
    lock = threading.RLock()

    def guarded(argument: Any) -> None:
        with lock:
            callback(argument)

    return guarded


def _check(
    tasks: Sequence[Task], responses: Sequence[str | Transcript], verifier: Verifier
) -> None:
    """Check the arguments before anything is begun, so that nothing is left behind in the queue."""
    a_verifier(verifier)
    if isinstance(tasks, Task) or isinstance(responses, str):
        raise OptionError(
            "score takes a list of tasks and a list of responses: [task], [response]."
        )
    if len(tasks) != len(responses):
        raise OptionError(
            f"score takes a response for each task, not {len(responses)} for {len(tasks)}."
        )
    for task, response in zip(tasks, responses, strict=True):
        if not isinstance(task, Task):
            raise TaskError(f"A task is an rlvr.Task, not {task!r:.80}.")
        if not isinstance(response, str | Transcript):
            raise ResponseError(f"A response is a str, not {type(response).__name__}.")


def _until(deadline_s: float | None) -> float:
    """Return the deadline on `time.monotonic`'s clock."""
    return math.inf if deadline_s is None else time.monotonic() + deadline_s + _GRACE_S


def _left(until: float) -> float | None:
    """Return the seconds left, as waiting functions take them: None without a deadline, at least 0, and bounded."""
    if until == math.inf:
        return None
    return min(max(0.0, until - time.monotonic()), threading.TIMEOUT_MAX)


def _at_deadline(
    verdicts: list[Verdict | Future[Verdict]], wanted: int, deadline_s: float | None
) -> list[Verdict]:
    late = Unscored(Cause.TIMEOUT, f"not judged within the deadline of {deadline_s} s")
    judged = [
        verdict if not isinstance(verdict, Future) else verdict.result() if verdict.done() else late
        for verdict in verdicts
    ]
    return judged + [late] * (wanted - len(judged))


def _cancel(verdicts: list[Verdict | Future[Verdict]]) -> None:
    """Cancel the futures that aren't done, since nobody waits for them any more."""
    for verdict in verdicts:
        if isinstance(verdict, Future):
            verdict.cancel()
