"""The output of a call: the head and the tail of what came, however much that was."""

from __future__ import annotations

import os

_CHUNK = 1 << 16


class Capture:
    """Reads a pipe and keeps the first and the last bytes.

    Attributes:
        total: how many bytes came since the last `take`.
        fd: the pipe's end, which doesn't block.
    """

    def __init__(self, fd: int, keep: int) -> None:
        self.fd = fd
        self.total = 0
        self._keep = keep  # of each end
        self._head = bytearray()
        self._tail = bytearray()

    def drain(self, most: int = 16) -> bool:
        """Read what is there, in at most so many pieces; returns whether it was all."""
        for _ in range(most):
            try:
                data = os.read(self.fd, _CHUNK)
            except BlockingIOError:
                return True
            if not data:
                return True
            self.total += len(data)
            room = self._keep - len(self._head)
            if room > 0:
                self._head += data[:room]
                data = data[room:]
            if data:
                self._tail += data[-self._keep :]
                del self._tail[: -self._keep]
        return False

    def take(self) -> tuple[bytes, bytes, int]:
        """Return the head, the tail and how many bytes between them weren't kept; begin anew."""
        head, tail = bytes(self._head), bytes(self._tail)
        cut = self.total - len(head) - len(tail)
        self._head.clear()
        self._tail.clear()
        self.total = 0
        return head, tail, cut
