"""Run an episode's methods: sync ones in one thread of its own, async ones in one task of a shared loop.

Objects such as a connection to SQLite belong to a thread, and those of anyio to a task; so all calls of an episode
have the same two. A call that exceeds its deadline is cancelled if it is async. A thread can't be stopped: the episode
goes on in a new one, and the old one ends when its call does.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import os
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

from rlvr.core import author_context

_MOST_FREE = 64  # threads without an episode that are kept for the next


class CallTimeoutError(Exception):
    """A call took longer than its deadline."""


class Calls:
    """Runs the methods of one episode. Use it in one task of the shared loop."""

    def __init__(self) -> None:
        self._thread: _Thread | None = None

    async def call(self, method: Callable[..., Any], /, *arguments: Any, deadline_s: float) -> Any:
        """Return the method's result.

        Raises `CallTimeoutError` after the deadline, and whatever the method raises.
        """
        if not inspect.iscoroutinefunction(method):
            result = await self._in_thread(functools.partial(method, *arguments), deadline_s)
            if not inspect.isawaitable(result):
                return result
        else:
            result = method(*arguments)
        try:
            async with asyncio.timeout(deadline_s) as deadline:
                with author_context.context():
                    return await result
        except TimeoutError:
            if deadline.expired():
                raise CallTimeoutError from None
            raise

    async def _in_thread(self, call: Callable[[], Any], deadline_s: float) -> Any:
        thread = self._thread or _Thread.free()
        self._thread = None  # until the call returns
        outcome: asyncio.Future[tuple[Any, BaseException | None]] = (
            asyncio.get_running_loop().create_future()
        )
        thread.run(call, outcome)
        try:
            async with asyncio.timeout(deadline_s):
                result, error = await outcome
        except TimeoutError:
            thread.end()
            raise CallTimeoutError from None
        except BaseException:
            thread.end()
            raise
        self._thread = thread
        if error is not None:
            raise error
        return result

    def release(self) -> None:
        """Give the thread back to the others."""
        if self._thread is not None:
            self._thread.release()
            self._thread = None


class _Thread:
    """A daemon thread that runs one call after another. A process doesn't wait for it at its end."""

    _free: queue.SimpleQueue[_Thread] = queue.SimpleQueue()

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="rlvr-episode", daemon=True).start()

    @classmethod
    def free(cls) -> _Thread:
        """Return a thread that no episode has."""
        try:
            return cls._free.get_nowait()
        except queue.Empty:
            return cls()

    def run(
        self,
        call: Callable[[], Any],
        outcome: asyncio.Future[tuple[Any, BaseException | None]],
    ) -> None:
        """Run a call and set its result, or what it raised, as the outcome."""
        self._calls.put(functools.partial(_run, call, outcome))

    def release(self) -> None:
        """Keep the thread for another episode, or end it if there are enough."""
        if self._free.qsize() < _MOST_FREE:
            self._free.put(self)
        else:
            self.end()

    def end(self) -> None:
        """End the thread after its present call."""
        self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # it holds the episode


def _run(
    call: Callable[[], Any], outcome: asyncio.Future[tuple[Any, BaseException | None]]
) -> None:
    result, error = None, None
    try:
        with author_context.context():
            result = call()
    except BaseException as raised:
        error = raised

    def settle() -> None:
        if not outcome.done():
            outcome.set_result((result, error))

    with contextlib.suppress(RuntimeError):  # the loop is closed at the end of the process
        outcome.get_loop().call_soon_threadsafe(settle)


def in_free_thread(call: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Run an author's function in a thread that no episode has, and return its future."""
    future: Future[Any] = Future()
    thread = _Thread.free()

    def run() -> None:
        try:
            with author_context.context():
                result = call(*arguments)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        thread.release()

    future.set_running_or_notify_cancel()
    thread._calls.put(run)
    return future


_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def shared_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of all episodes in this process, which runs in a daemon thread."""
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="rlvr-episodes", daemon=True).start()
        return _loop


def on_shared_loop(coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
    """Run a coroutine on the shared loop, from any thread."""
    return asyncio.run_coroutine_threadsafe(coroutine, shared_loop())


def _forked() -> None:
    """Forget the loop and the threads in a forked child, where they don't run."""
    global _loop, _lock
    _lock = threading.Lock()
    _loop = None
    _Thread._free = queue.SimpleQueue()


os.register_at_fork(after_in_child=_forked)
