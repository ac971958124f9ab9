"""The report of the tests' process to the broker: a file that is read however the process ends."""

from __future__ import annotations

import json
import mmap
import os

# The first byte: where the tests were when they ended. The second: if the solution has answered anything.
PREPARING, WAITING, TESTING, DONE = b"P", b"W", b"T", b"D"
ANSWERED = b"A"
# Why a solution can't be asked any more, if it's only that its side of the channel was closed.
HUNG_UP = "it ended"
HEAD = 16
_MOST_SAID = 2000  # characters of one message
_MOST_BYTES = 1 << 19  # of all entries; what comes after that is told without its message


class TestReport:
    """The file: 16 bytes of state, then a line of JSON for each thing to tell."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._end = HEAD
        os.ftruncate(fd, HEAD)
        self._head = mmap.mmap(fd, HEAD)  # so that a note costs no system call
        self.state(PREPARING)

    def state(self, value: bytes) -> None:
        """Write the state of the tests."""
        self._head[0:1] = value

    @property
    def is_preparing(self) -> bool:
        """True if the tests haven't heard from the solution yet."""
        return self._head[0:1] == PREPARING

    @property
    def is_answered(self) -> bool:
        """True if `answered` was called."""
        return self._head[1:2] == ANSWERED

    def answered(self) -> None:
        """Note that the solution has answered: from now on, it may be the reason for a failure of the tests."""
        self._head[1:2] = ANSWERED

    def close(self) -> None:
        """No more notes."""
        self._head.close()

    def add(self, key: str, message: str, **more: bool) -> None:
        """Write an entry. Its message may be the solution's own and is cut, so that no solution can fill the file."""
        shown = message[:_MOST_SAID] if self._end < _MOST_BYTES else ""
        line = json.dumps({**more, key: shown}).encode() + b"\n"
        self._end += os.pwrite(self._fd, line, self._end)
