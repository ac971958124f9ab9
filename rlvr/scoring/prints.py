"""The prints of verifiers, sent to a run's log of bounded size, to standard error, or nowhere.

A verifier prints in a worker, whose descriptors 1 and 2 are a pipe to the template process, or in the scorer's own
process (`settle`, an async `verify`, an environment's reply), where `sys.stdout` and `sys.stderr` are looked after.
Both bring the text to the same destination:

- standard error, if verdicts are asked for directly (`rlvr.score`, `rlvr score`);
- `verifiers.log` in the folder of a run (`rlvr train`, `rlvr eval`) or of a trainer's output;
- nowhere, while an environment is audited;
- whatever `RLVR_PRINTS` names, in any case: `stderr`, or a file.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import selectors
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar, Token
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from rlvr.core import author_context

Result = TypeVar("Result")

STDERR, NOWHERE = "stderr", ""
"""Destinations beside files, whose paths are absolute."""

LOG = "verifiers.log"
MOST_BYTES = 10_000_000
_CUT = b"\n(A log of prints ends at 10 MB.)\n"
_SWITCH = "RLVR_PRINTS"

_runs: list[str] = []  # of the runs under way, the innermost last
_trainer: str | None = None  # of a trainer without a run
_followers: list[Callable[[], None]] = []
_logs: dict[str, Log] = {}
_judging: ContextVar[bool] = ContextVar("rlvr_judging", default=False)


class Log:
    """A file that any number of processes append to, up to `MOST_BYTES`, without this process's keys.

    A print that can't be written is lost.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None

    def write(self, data: bytes) -> None:
        """Append; the file is made by the first print."""
        # Not imported before a verifier prints: the template would take longer to start.
        from rlvr.core.secrets import protect_environment, scrubbed

        protect_environment()
        data = scrubbed(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        with contextlib.suppress(OSError):
            if self._file is None:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
                self._file = os.open(self._path, flags, 0o644)
            room = MOST_BYTES - os.fstat(self._file).st_size
            if room > 0:
                os.write(self._file, data[:room])
                if len(data) >= room:
                    os.write(self._file, _CUT)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def destination() -> str:
    """Return where prints go now: `STDERR`, `NOWHERE`, or the path of a file."""
    switch = os.environ.get(_SWITCH)
    if switch:
        return STDERR if switch == STDERR else os.path.abspath(switch)
    if _runs:
        return _runs[-1]
    return STDERR if _trainer is None else _trainer


@contextlib.contextmanager
def kept_in(folder: str | Path | None) -> Iterator[None]:
    """Keep prints in a run's folder while it is under way; with None, send all of them to standard error."""
    with _sent_to(STDERR if folder is None else os.path.abspath(Path(folder) / LOG)):
        yield


def hidden() -> contextlib.AbstractContextManager[None]:
    """Drop prints meanwhile: thousands of verifications would bury what a command says itself."""
    return _sent_to(NOWHERE)


@contextlib.contextmanager
def _sent_to(target: str) -> Iterator[None]:
    _runs.append(target)
    _tell()
    try:
        yield
    finally:
        _runs.reverse()
        _runs.remove(target)  # the innermost of that name
        _runs.reverse()
        _tell()
        if (log := _logs.pop(target, None)) is not None:
            log.close()
        if not _is_set():
            _unwrap()


def aside(folder: str | Path | None = None) -> None:
    """Keep prints off the terminal for the rest of this process, in a trainer's folder once it is known."""
    global _trainer
    target = NOWHERE if folder is None else os.path.abspath(Path(folder) / LOG)
    if target != _trainer and (_trainer is None or target):
        _trainer = target
        _tell()


def follow(follower: Callable[[], None]) -> None:
    """Have `follower` called whenever the destination may have changed."""
    _followers.append(follower)


class Outlet:
    """The template's end: a pipe that workers print into, read without ever blocking.

    Args:
        selector: of the template's loop, one that takes files too.
        target: the destination until another is set.
    """

    _CHUNK = 65536
    _SAFE = 4096  # bytes that a pipe takes at once where it takes any

    def __init__(self, selector: selectors.BaseSelector, target: str) -> None:
        self._selector = selector
        self._out, self._in = os.pipe()
        os.set_blocking(self._out, False)
        with contextlib.suppress(OSError, AttributeError):  # what the system lets us have
            fcntl.fcntl(self._in, fcntl.F_SETPIPE_SZ, 1 << 20)
        self._target, self._log = target, Log(target)
        self._waits = False  # for room on standard error
        selector.register(self._out, selectors.EVENT_READ)

    def pump(self, ready: set[Any]) -> None:
        """Pass on a chunk, if there is one and it can be passed on."""
        if self._waits and 2 in ready:
            self._wait(False)
        elif self._out in ready:
            self._pass_on(self._CHUNK)

    def set(self, target: str) -> None:
        """Send what is printed from here on to `target`."""
        self.drain()
        self._wait(False)
        self._log.close()
        self._target, self._log = target, Log(target)

    def drain(self, patience_s: float = 0.0) -> None:
        """Pass on what was printed so far, waiting so many seconds at most for a slow reader."""
        size = array.array("i", [0])
        until = time.monotonic() + patience_s
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._out, termios.FIONREAD, size)
            left = size[0]
            while left > 0:
                passed = self._pass_on(left)
                left -= passed
                if passed:
                    continue
                if self._target != STDERR or not _takes_more(2, until - time.monotonic()):
                    return

    def become_worker(self) -> None:
        """In a fork: print into the pipe."""
        os.dup2(self._in, 1)
        os.dup2(self._in, 2)
        self._log.close()
        os.close(self._in)
        os.close(self._out)

    def _pass_on(self, most: int) -> int:
        direct = self._target == STDERR
        if direct and not _takes_more(2):
            self._wait(True)
            return 0
        try:
            data = os.read(self._out, min(most, self._SAFE if direct else self._CHUNK))
        except BlockingIOError:
            return 0
        if direct:
            with contextlib.suppress(OSError):
                os.write(2, data)
        elif self._target != NOWHERE:
            self._log.write(data)
        return len(data)

    def _wait(self, waits: bool) -> None:
        if waits == self._waits:
            return
        self._waits = waits
        self._selector.unregister(self._out if waits else 2)
        if waits:
            self._selector.register(2, selectors.EVENT_WRITE)
        else:
            self._selector.register(self._out, selectors.EVENT_READ)


def _takes_more(descriptor: int, wait_s: float = 0.0) -> bool:
    """Return True if a write of `Outlet._SAFE` bytes wouldn't wait, now or within so many seconds."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(max(0.0, wait_s) * 1000))


class judging:
    """A context in which Python's prints in this process are those of a verifier."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token: Token[bool] = _judging.set(True)
        if _is_set():
            _wrap()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _judging.reset(self._token)


author_context.context = judging


def call_judging(function: Callable[..., Result], *arguments: Any) -> Result:
    """Call an author's function, in whose prints nobody but the author is interested."""
    with judging():
        return function(*arguments)


def _is_set() -> bool:
    return bool(_runs) or _trainer is not None or _SWITCH in os.environ


def _tell() -> None:
    for follower in _followers:
        follower()


class _Split:
    """A standard stream that passes on everything except what is printed while judging."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if not _judging.get() or not isinstance(text, str):
            return int(self._stream.write(text))
        target = destination()
        if target == STDERR:
            with contextlib.suppress(OSError, ValueError):  # nothing of a verifier depends on it
                _inner(sys.stderr).write(text)
        elif target != NOWHERE:
            _logs.setdefault(target, Log(target)).write(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Any:
        return iter(self._stream)


def _inner(stream: Any) -> Any:
    return stream._stream if type(stream) is _Split else stream


def _wrap() -> None:
    # Each time: a progress bar or a test may have put its own stream there meanwhile.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and type(stream) is not _Split:
            setattr(sys, name, _Split(stream))


def _unwrap() -> None:
    for name in ("stdout", "stderr"):
        setattr(sys, name, _inner(getattr(sys, name)))
