"""An episode's author object, and the commands in which its methods are called."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import inspect
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeAlias

from rlvr.core.calls import Baton, Calls, MethodCall
from rlvr.core.episode import Episode, share

_CLOSE_S = 10.0
"""Most seconds of a `close`, and of all of them together at the end of the process."""

_Command: TypeAlias = tuple[Callable[[], Coroutine[Any, Any, Any]], Future[Any]]


class Actor:
    """Runs commands of one episode, one after another.

    A command is a coroutine that awaits calls of the author's methods and nothing else. It needs no loop: it goes on in
    whichever thread a call ends in, so that a turn takes one change of threads there and one back.

    Args:
        deadline_s: most seconds of each call of an author's method.
    """

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self.played: Any = None
        self._calls = Calls(self._ended)
        self._commands: deque[_Command] = deque()
        self._idle = Baton()  # taken by the thread that runs a command
        self._running: tuple[Coroutine[Any, Any, Any], Future[Any]] | None = None
        self._unclosed = Baton()
        self._closing: Future[None] = Future()
        self._interrupted = self._closed = False

    # ------------------------------------------------------------------ in a command

    async def make(self, factory: Callable[[], Any], kept: Episode) -> None:
        """Make the author's object, with what `kept` has: the conversation, the children and the policy."""
        _open.add(self)
        _watch_sigterm()
        self.played = await self._call(factory)
        share(kept, self.played)
        if hasattr(self.played, "bind"):
            self.played.bind(self._call)

    async def open(self) -> None:
        """Call the object's `open`."""
        await self._made(self.played.open)

    async def reply(self, message: Any) -> Any:
        """Call the object's `reply`."""
        return await self._made(self.played.reply, message)

    async def outcome(self) -> Any:
        """Call the object's `outcome`."""
        return await self._made(self.played.outcome)

    async def _made(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call; an object that calls by itself makes one for each of its parts."""
        if getattr(self.played, "calls_by_itself", False):
            return await method(*arguments)
        return await self._call(method, *arguments)

    async def close(self) -> None:
        """Call the object's `close`, once."""
        if self._closed:
            return
        self._closed = True
        _open.discard(self)
        try:
            if self.played is not None:
                until = time.monotonic() + min(self.deadline_s, _CLOSE_S)

                def call(method: Callable[[], Any]) -> MethodCall:
                    awaits = inspect.iscoroutinefunction(method)
                    return MethodCall(method, until, awaits, may_stop=False)

                if getattr(self.played, "calls_by_itself", False):
                    self.played.bind(call)
                    await self.played.close()
                else:
                    await call(self.played.close)
        finally:
            self.played = None
            self._calls.release()

    def _call(self, method: Callable[..., Any], *arguments: Any) -> MethodCall:
        """Return a call, to be awaited. It raises `CallTimeoutError`, and whatever the method raises."""
        bound = functools.partial(method, *arguments)
        until = time.monotonic() + self.deadline_s
        return MethodCall(bound, until, inspect.iscoroutinefunction(method))

    async def _shut(self) -> None:
        with contextlib.suppress(Exception, SystemExit):  # nobody is left who could be told
            await self.close()

    # ------------------------------------------------------------------ from any thread

    def run(self, command: Callable[[], Coroutine[Any, Any, Any]]) -> Future[Any]:
        """Run a command after those before it, and return its future. Once the episode is closed, it has an exception."""
        future: Future[Any] = Future()
        self._commands.append((command, future))
        self._run_next()
        return future

    def close_soon(self) -> Future[None]:
        """Stop what runs, and close."""
        if self._unclosed.take():
            self._interrupted = True
            self._commands.append((self._shut, self._closing))
            self._interrupt()
            self._run_next()
        return self._closing

    def _interrupt(self) -> None:
        call = self._calls.call
        if call is not None and call.may_stop:
            self._calls.stop(call, asyncio.CancelledError())

    def _run_next(self) -> None:
        while self._commands and self._idle.take():
            try:
                command, future = self._commands.popleft()
            except IndexError:  # another thread has run it meanwhile
                self._idle.put_back()
                continue
            if not future.set_running_or_notify_cancel():
                self._idle.put_back()
            elif (self._interrupted or self._closed) and future is not self._closing:
                future.set_exception(RuntimeError("the episode was closed"))
                self._idle.put_back()
            else:
                self._running = command(), future
                self._go_on(None, None)

    def _ended(self, call: MethodCall, result: Any, error: BaseException | None) -> None:
        if error is None and inspect.isawaitable(result):  # of a method that is no `async def`
            self._start(MethodCall(lambda: result, call.until, True, call.may_stop))
        else:
            self._go_on(result, error)
        self._run_next()

    def _start(self, call: MethodCall) -> None:
        self._calls.start(call)
        if self._interrupted:  # while the command was between two calls
            self._interrupt()

    def _go_on(self, result: Any, error: BaseException | None) -> None:
        """Run the command to its next call or its end."""
        assert self._running is not None
        coroutine, future = self._running
        failure: BaseException | None = None
        try:
            call = coroutine.send(result) if error is None else coroutine.throw(error)
        except StopIteration as stop:
            result = stop.value
        except asyncio.CancelledError:
            failure = RuntimeError("the episode was closed")
        except BaseException as raised:
            failure = raised
        else:
            self._start(call)
            return
        # The coroutine holds the episode, which is closed when nobody else does.
        self._running = None
        del coroutine, error
        future.set_result(result) if failure is None else future.set_exception(failure)
        del failure  # its traceback does, too
        self._idle.put_back()


_open: set[Actor] = set()
_signal_set = False


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
