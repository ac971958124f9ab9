"""Run an episode's methods: sync ones in one thread of its own, async ones in one task of a shared loop.

Objects such as a connection to SQLite belong to a thread, and those of anyio to a task; so all calls of an episode
have the same two. One watch ends the calls that exceed their deadlines: an async one is cancelled. A thread can't be
stopped, nor a task that swallows its cancellation: the episode goes on in a new one, and the old one ends when its call
does.

No lock is held here: a signal's handler or a finalizer may run in the middle of any line, and call the same functions.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any

from rlvr.core import author_context

_MOST_FREE = 64  # threads without an episode that are kept for the next
_REFUSING_S = (
    1.0  # an async method that doesn't end when it's cancelled is left alone after so many seconds
)
_LOOK_S = 3600.0


class CallTimeoutError(Exception):
    """A call took longer than its deadline."""


class Baton:
    """Something that one thread at a time has."""

    def __init__(self) -> None:
        self._left = [None]

    def take(self) -> bool:
        """Return whether it is the caller's now. False if somebody has it."""
        try:
            self._left.pop()  # atomic
        except IndexError:
            return False
        return True

    def put_back(self) -> None:
        """Let somebody else take it."""
        self._left.append(None)


class MethodCall:
    """A call of an author's method, which a command of an `Actor` awaits.

    It ends once: with the method's result or exception, or with the reason for which it was stopped.

    Args:
        until: its deadline, on `time.monotonic()`'s clock.
        awaits: True if the method is async.
        may_stop: False if the method goes on to its end or its deadline although the episode is closed.
    """

    def __init__(
        self, method: Callable[[], Any], until: float, awaits: bool, may_stop: bool = True
    ) -> None:
        self.method, self.until, self.awaits, self.may_stop = method, until, awaits, may_stop
        self.stopped: BaseException | None = None
        self.over = False
        self.end = Baton()
        self.calls: Calls | None = None

    def __await__(self) -> Generator[MethodCall, Any, Any]:
        return (yield self)


class Calls:
    """Makes the calls of one episode, one after another.

    Args:
        ended: called with each call, its result and its exception, in the thread in which it ends.
    """

    def __init__(self, ended: Callable[[MethodCall, Any, BaseException | None], None]) -> None:
        self.call: MethodCall | None = None
        self._ended = ended
        self._thread: _Thread | None = None
        self._task: _Task | None = None

    def start(self, call: MethodCall) -> None:
        """Begin a call."""
        call.calls, self.call = self, call
        _watch.add(call)
        try:
            if call.awaits:
                self._task = self._task or _Task()
                self._task.run(call)
            else:
                self._thread = self._thread or _Thread.free()
                self._thread.run(functools.partial(_run, call))
        except BaseException as error:  # no thread can be started
            self.end(call, None, error)

    def stop(self, call: MethodCall, reason: BaseException) -> None:
        """End a call for a reason. An async one is cancelled, and left alone if it is stopped again."""
        task = self._task
        if call.awaits and call.stopped is None and task is not None:
            call.stopped, call.until = reason, time.monotonic() + _REFUSING_S
            _watch.add(call)
            task.cancel(call)
        elif call.end.take():
            if call.awaits:
                self._task = None
            elif self._thread is not None:
                self._thread.end()
                self._thread = None
            self._tell(call, None, call.stopped or reason)

    def end(self, call: MethodCall, result: Any, error: BaseException | None) -> None:
        """Pass on how a call ended, unless it was left alone before."""
        if call.end.take():
            if isinstance(error, asyncio.CancelledError):
                error = call.stopped or _cancelled(error)
            self._tell(call, result, error)
        else:
            _forget(result)

    def release(self) -> None:
        """Give the thread back to the others, and end the task."""
        if self._thread is not None:
            self._thread.release()
        if self._task is not None:
            self._task.end()
        self._thread = self._task = None

    def _tell(self, call: MethodCall, result: Any, error: BaseException | None) -> None:
        call.over, self.call = True, None
        _watch.forget(call)
        self._ended(call, result, error)


def _run(call: MethodCall) -> None:
    result, error = None, None
    try:
        with author_context.context():
            result = call.method()
    except BaseException as raised:
        error = raised
    assert call.calls is not None
    call.calls.end(call, result, error)
    del error  # its traceback holds this frame, and the episode


def _forget(result: Any) -> None:
    """Spare a coroutine that nobody will await the warning about it."""
    if inspect.iscoroutine(result):
        result.close()


def _cancelled(error: BaseException) -> Exception:
    """Return the exception of a method in which something of its own was cancelled."""
    return RuntimeError("it was cancelled from within").with_traceback(error.__traceback__)


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

    def run(self, call: Callable[[], None]) -> None:
        """Run a call."""
        self._calls.put(call)

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


class _Task:
    """A task of the shared loop that awaits one call after another."""

    def __init__(self) -> None:
        self._loop = shared_loop()
        self._next: asyncio.Future[MethodCall | None] = self._loop.create_future()
        self._task: asyncio.Task[None] | None = None
        self._present: MethodCall | None = None

    def run(self, call: MethodCall) -> None:
        """Await a call."""
        self._loop.call_soon_threadsafe(self._put, call)

    def cancel(self, call: MethodCall) -> None:
        """Cancel a call, unless it ends before."""
        self._loop.call_soon_threadsafe(self._cancel, call)

    def end(self) -> None:
        """End the task."""
        self._loop.call_soon_threadsafe(self._put, None)

    def _put(self, call: MethodCall | None) -> None:
        if self._next.done():  # the task hasn't taken the one before, or is over
            if self._task is not None and not self._task.done():
                self._loop.call_soon(self._put, call)
            return
        self._next.set_result(call)
        if self._task is None:
            self._task = self._loop.create_task(self._work())

    def _cancel(self, call: MethodCall) -> None:
        if self._present is call and self._task is not None:  # not between two calls
            self._task.cancel()

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        while (call := await self._next) is not None:
            self._next = self._loop.create_future()
            self._present = call
            awaitable = result = error = None
            try:
                awaitable = call.method()
                if call.stopped is not None:  # before it began
                    _forget(awaitable)
                    raise asyncio.CancelledError
                with author_context.context():
                    result = await awaitable
            except BaseException as raised:
                error = raised
            self._present = None
            while task.cancelling():
                task.uncancel()
            if call.over:  # it was left alone, and so was this task
                return
            assert call.calls is not None
            call.calls.end(call, result, error)
            del call, awaitable, result, error  # they hold the episode


class _Watch:
    """A thread that stops calls at their deadlines."""

    def __init__(self) -> None:
        self._calls: set[MethodCall] = set()
        self._next = math.inf
        self._news: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._unstarted = Baton()

    def add(self, call: MethodCall) -> None:
        """Stop a call at its deadline."""
        self._calls.add(call)
        if call.until < self._next:
            self._news.put(None)
            if self._unstarted.take():
                threading.Thread(target=self._work, name="rlvr-deadlines", daemon=True).start()

    def forget(self, call: MethodCall) -> None:
        """Leave a call alone."""
        self._calls.discard(call)

    def _work(self) -> None:
        while True:
            self._next = math.inf  # so that a call that is added meanwhile wakes this thread
            self._next = following = self._stop_late()
            wait = min(_LOOK_S, max(0.0, following - time.monotonic()))
            with contextlib.suppress(queue.Empty):
                self._news.get(timeout=wait)

    def _stop_late(self) -> float:
        """Stop the calls that are late, and return the next deadline of the others."""
        now = time.monotonic()
        for call in list(self._calls):
            if call.over:  # it ended while somebody stopped it, which put it back
                self._calls.discard(call)
            elif call.until <= now:
                assert call.calls is not None
                call.calls.stop(call, CallTimeoutError())
        return min((call.until for call in list(self._calls)), default=math.inf)


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
    thread.run(run)
    return future


_lock = threading.RLock()
_loop: asyncio.AbstractEventLoop | None = None
_watch = _Watch()


def shared_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of all episodes in this process, which runs in a daemon thread."""
    global _loop
    if _loop is None:
        with _lock:
            if _loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="rlvr-episodes", daemon=True).start()
                _loop = loop
    return _loop


def _forked() -> None:
    """Forget the loop and the threads in a forked child, where they don't run."""
    global _loop, _lock, _watch
    _lock = threading.RLock()
    _loop = None
    _watch = _Watch()
    _Thread._free = queue.SimpleQueue()


os.register_at_fork(after_in_child=_forked)
