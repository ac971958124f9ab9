"""An episode's author object, and the one task in which its methods are called."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeAlias

from rlvr.core.calls import Calls, CallTimeoutError, shared_loop

_CLOSE_S = 10.0
"""Most seconds of a `close`, and of all of them together at the end of the process."""

_REFUSING_S = (
    1.0  # an async method that doesn't end when it's cancelled is left alone after so many seconds
)


_Command: TypeAlias = tuple[Callable[[], Any], Callable[[BaseException], Any], Future[Any]]


def _raised(error: BaseException) -> None:
    """Return nothing: nobody waits for the result of closing."""


class Actor:
    """Runs commands of one episode one after the other, in one task of the shared loop.

    Args:
        deadline_s: most seconds of each call of an author's method.
    """

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._calls = Calls()
        self.played: Any = None
        self._commands: asyncio.Queue[_Command] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._running: Future[Any] | None = None
        self._given_up: Callable[[BaseException], Any] = _raised
        self._closing: Future[None] | None = None
        self._lock = threading.Lock()
        self._closed = False

    # ------------------------------------------------------------------ in the task

    async def make(self, factory: Callable[[], Any], messages: list[Any]) -> None:
        """Make the author's object, which reads the conversation in `messages`."""
        self.played = await self._call(factory)
        self.played.conversation = messages
        if hasattr(self.played, "bind"):
            self.played.bind(self._call)

    async def open(self) -> None:
        """Call the object's `open`."""
        await self._call(self.played.open)

    async def reply(self, message: Any) -> Any:
        """Call the object's `reply`."""
        if getattr(self.played, "calls_by_itself", False):
            return await self.played.reply(message)
        return await self._call(self.played.reply, message)

    async def outcome(self) -> Any:
        """Call the object's `outcome`."""
        return await self._call(self.played.outcome)

    async def close(self) -> None:
        """Call the object's `close`, once."""
        if self._closed:
            return
        self._closed = True
        _open.discard(self)
        try:
            if self.played is not None:
                deadline = min(self.deadline_s, _CLOSE_S)
                await self._call(self.played.close, deadline_s=deadline)
        finally:
            self.played = None
            self._calls.release()

    async def _call(
        self, method: Callable[..., Any], *arguments: Any, deadline_s: float | None = None
    ) -> Any:
        deadline = self.deadline_s if deadline_s is None else deadline_s
        loop = asyncio.get_running_loop()
        refusing = loop.call_later(deadline + _REFUSING_S, self._abandon)
        try:
            return await self._calls.call(method, *arguments, deadline_s=deadline)
        finally:
            refusing.cancel()

    def _abandon(self) -> None:
        """Leave a method alone that swallows its cancellation: its caller waits no longer, and another task closes."""
        running, self._running = self._running, None
        self._task = None
        if running is not None and not running.done():
            running.set_result(self._given_up(CallTimeoutError()))
        self._calls = Calls()
        asyncio.get_running_loop().create_task(self._shut())

    async def _serve(self) -> None:
        me = asyncio.current_task()
        assert me is not None
        while not self._closed:
            command, given_up, future = await self._next()
            if not future.set_running_or_notify_cancel():
                continue
            self._running, self._given_up = future, given_up
            result: Any = None
            error: BaseException | None = None
            try:
                result = await command()
            except asyncio.CancelledError:
                me.uncancel()
                error = RuntimeError("the episode was closed")
            except BaseException as raised:
                error = raised
            if self._task is not me:  # abandoned meanwhile
                if not future.done():
                    future.set_exception(RuntimeError("the episode was closed"))
                return
            self._running = None
            if not future.done():
                future.set_result(result) if error is None else future.set_exception(error)
            # They hold the episode, which is closed when nobody else does.
            del command, given_up, future, result, error
            self._given_up = _raised
        self._drain()

    async def _next(self) -> _Command:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                return await self._commands.get()

    async def _shut(self) -> None:
        with contextlib.suppress(Exception, SystemExit):  # nobody is left who could be told
            await self.close()
        self._drain()

    def _drain(self) -> None:
        """Answer the commands that came too late: nobody may wait for them for ever."""
        while not self._commands.empty():
            *_, future = self._commands.get_nowait()
            if future.done():
                continue
            if future is self._closing:
                future.set_result(None)
            else:
                future.set_exception(RuntimeError("the episode was closed"))

    # ------------------------------------------------------------------ from any thread

    def run(
        self,
        command: Callable[[], Coroutine[Any, Any, Any]],
        given_up: Callable[[BaseException], Any],
    ) -> Future[Any]:
        """Run a command after those before it, and return its future.

        Args:
            command: makes the coroutine.
            given_up: returns the result where an author's method neither ends nor lets itself be cancelled.
        """
        future: Future[Any] = Future()
        _register(self)
        shared_loop().call_soon_threadsafe(self._put, command, given_up, future)
        return future

    def close_soon(self) -> Future[None]:
        """Cancel what runs, and close."""
        with self._lock:
            if self._closing is not None:
                return self._closing
            self._closing = Future()
        if self._closed or self not in _open:  # over, or not begun
            self._closing.set_result(None)
        else:
            with contextlib.suppress(RuntimeError):
                shared_loop().call_soon_threadsafe(self._interrupt)
        return self._closing

    def _put(
        self,
        command: Callable[[], Any],
        given_up: Callable[[BaseException], Any],
        future: Future[Any],
    ) -> None:
        self._commands.put_nowait((command, given_up, future))
        if self._task is None and not self._closed:
            self._task = asyncio.get_running_loop().create_task(self._serve())
        elif self._closed and not future.done():
            future.set_exception(RuntimeError("the episode was closed"))

    def _interrupt(self) -> None:
        closing = self._closing
        assert closing is not None
        if self._closed:
            if not closing.done():
                closing.set_result(None)
            return
        if self._running is not None and self._task is not None:
            self._task.cancel()
        self._put(self._shut, _raised, closing)


_open: set[Actor] = set()
_signal_set = False


def _register(actor: Actor) -> None:
    _open.add(actor)
    _watch_sigterm()


def close_all(within_s: float = _CLOSE_S) -> None:
    """Close all episodes of this process."""
    until = time.monotonic() + within_s
    for closing in [actor.close_soon() for actor in list(_open)]:
        with contextlib.suppress(Exception):
            closing.result(max(0.0, until - time.monotonic()))


def _watch_sigterm() -> None:
    """Close the episodes before SIGTERM ends the process, unless the program has a handler of its own."""
    global _signal_set
    if _signal_set or threading.current_thread() is not threading.main_thread():
        return
    _signal_set = True
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, _: Any) -> None:
    close_all()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _forked() -> None:
    """Forget the episodes in a forked child: they are the parent's."""
    _open.clear()


atexit.register(close_all)
os.register_at_fork(after_in_child=_forked)
