"""The answers of a synchronous policy: checked, in parts if it streams, and in batches of what waits."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import cast

from rlvr.policies.base import (
    AsyncPolicy,
    Generation,
    Policy,
    PolicyError,
    Request,
    StreamPolicy,
    name_of,
)

_WINDOW = 64


def window_of(policy: Policy) -> int:
    """Return how many requests a policy gets at once; asked each time, since it may change its mind."""
    size: int = getattr(policy, "window", None) or getattr(policy, "batch_size", None) or _WINDOW
    return size


def as_generation(response: str | Generation) -> Generation:
    """Return a response as a `Generation`."""
    return response if isinstance(response, Generation) else Generation(response)


def check_responses(name: str, responses: Sequence[str | Generation], asked: int) -> None:
    """Raise `PolicyError` unless there is one response of the right type to each of `asked` requests."""
    if isinstance(responses, str | Generation) or not hasattr(responses, "__len__"):
        raise PolicyError(
            f"The policy {name!r} gave a {type(responses).__name__} for {asked} requests: it returns a list with a "
            f"response for each."
        )
    if len(responses) != asked:
        raise PolicyError(
            f"The policy {name!r} gave {len(responses)} responses for {asked} requests."
        )
    for response in responses:
        if not isinstance(response, str | Generation):
            raise PolicyError(
                f"The policy {name!r} gave a {type(response).__name__}; a response is a str or a "
                f"rlvr.policies.base.Generation."
            )


async def generation_of(policy: AsyncPolicy, request: Request) -> Generation:
    """Return an asynchronous policy's response to one request. Raises `PolicyError`."""
    responses = await policy.generate(request, 1)
    check_responses(name_of(policy), responses, 1)
    return as_generation(responses[0])


def stream_of(
    policy: Policy, requests: Sequence[Request]
) -> Iterator[list[tuple[int, Generation]]]:
    """Yield a policy's answers with the places of their requests. Raises `PolicyError` if they aren't one for each."""
    if _streams(policy):
        left = set(range(len(requests)))
        for batch in cast(StreamPolicy, policy).stream(requests):
            check_responses(name_of(policy), [answer for _, answer in batch], len(batch))
            for place, _ in batch:
                if place not in left:
                    raise PolicyError(
                        f"The policy {name_of(policy)!r} answered request {place} of {len(requests)}, which isn't "
                        f"there or had an answer."
                    )
                left.remove(place)
            yield [(place, as_generation(answer)) for place, answer in batch]
        if left:
            raise PolicyError(
                f"The policy {name_of(policy)!r} left {len(left)} requests unanswered."
            )
        return
    responses = policy.respond(requests)
    if inspect.isawaitable(responses):  # `async def respond`: this is the policy's own thread
        responses = asyncio.run(_awaited(responses))
    check_responses(name_of(policy), responses, len(requests))
    yield list(enumerate(map(as_generation, responses)))


class Batcher:
    """Takes single requests to a synchronous policy from any thread: what waits while it answers is the next batch.

    Args:
        policy: the policy.
        run: runs a function in the thread in which the policy is called; by default in one of its own.
    """

    def __init__(
        self, policy: Policy, run: Callable[[Callable[[], None]], object] | None = None
    ) -> None:
        self._policy = policy
        self._run = run or _in_a_thread
        self._waiting: deque[tuple[Request, Future[Generation]]] = deque()
        self._lock = threading.Lock()
        self._is_running = False

    def submit(self, request: Request) -> Future[Generation]:
        """Return the future of the response; it has the exception that the policy raised for its batch."""
        future: Future[Generation] = Future()
        with self._lock:
            self._waiting.append((request, future))
            if self._is_running:
                return future
            self._is_running = True
        self._run(self._answer_all)
        return future

    def _answer_all(self) -> None:
        while True:
            with self._lock:
                count = min(len(self._waiting), max(1, window_of(self._policy)))
                batch = [self._waiting.popleft() for _ in range(count)]
                if not batch:
                    self._is_running = False
                    return
            batch = [item for item in batch if item[1].set_running_or_notify_cancel()]
            if batch:
                self._answer(batch)

    def _answer(self, batch: Sequence[tuple[Request, Future[Generation]]]) -> None:
        try:
            for answers in stream_of(self._policy, [request for request, _ in batch]):
                for place, generation in answers:
                    batch[place][1].set_result(generation)
        except BaseException as error:  # those that wait must be told, whatever it is
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)


def _in_a_thread(function: Callable[[], None]) -> None:
    threading.Thread(target=function, name="rlvr-partner", daemon=True).start()


async def _awaited(responses: Awaitable[Sequence[str | Generation]]) -> Sequence[str | Generation]:
    return await responses


def _streams(policy: Policy) -> bool:
    """Return True if it has a `stream` of its own: not where a subclass has another `respond`, nor by delegation."""
    for cls in type(policy).__mro__:
        if "respond" in vars(cls) or "stream" in vars(cls):
            return "stream" in vars(cls)
    return False
