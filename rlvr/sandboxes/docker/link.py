"""The link to a jail in a container: the raw stream of an attached container, taken apart."""

from __future__ import annotations

import contextlib
import math
import os
import select
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable

from rlvr.core.errors import JailError

CHUNK = 1 << 18
STDERR = 2
HEADER = struct.Struct(">BxxxI")  # which output, how many bytes
LAST_WORDS = 4096  # bytes of standard error that are kept, to say why a jail ended
# What may arrive while a request is still being sent; past it something in there isn't the runner.
FLOOD = 256 << 20


class Frames:
    """Docker's two outputs, told apart: `feed` gives standard output, `stderr` keeps the other's end."""

    def __init__(self) -> None:
        self.stderr = bytearray()
        self._header = bytearray()
        self._left = 0  # bytes of the frame that are still to come
        self._output = 0

    def feed(self, data: bytes, out: bytearray) -> None:
        """Append what `data` holds of standard output to `out`. Frames may be cut anywhere."""
        view = memoryview(data)
        while view:
            if self._left == 0:
                missing = HEADER.size - len(self._header)
                self._header += view[:missing]
                view = view[missing:]
                if len(self._header) == HEADER.size:
                    self._output, self._left = HEADER.unpack(self._header)
                    self._header.clear()
                continue
            part = view[: self._left]
            view = view[len(part) :]
            self._left -= len(part)
            if self._output == STDERR:
                self.stderr += part
                del self.stderr[:-LAST_WORDS]
            else:
                out += part


class DockerLink:
    """A `Link` over the socket of an attached container.

    Args:
        connection: attached to its stdin, stdout and stderr.
        ended: says how the container ended, if that can be known; asked when it hung up.
        remove: makes sure that the container is gone; in bounded time, raising nothing.
    """

    def __init__(
        self, connection: socket.socket, ended: Callable[[], str], remove: Callable[[], None]
    ) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._ended = ended
        self._remove = remove
        self._owner = os.getpid()
        self._frames = Frames()
        self._using = threading.Lock()
        self._sending = threading.Lock()  # if another thread receives
        self._closing = threading.Lock()
        self._closed = self._removed = False
        _links.add(self)

    def exchange(self, data: bytes, wanted: int, deadline: float) -> bytes:
        """Send all of `data` while receiving `wanted` bytes or more; see `Link`. Raises `JailError`."""
        with self._using:
            self._check_open()
            out = bytearray()
            view = memoryview(data)
            poll = select.poll()
            while view or len(out) < wanted:
                poll.register(self._connection, select.POLLIN | (select.POLLOUT if view else 0))
                left = deadline - time.monotonic()
                if left <= 0:
                    raise JailError(f"The jail didn't answer in time.{self._last_words()}")
                # A wait may be long, but poll's milliseconds are an int of C.
                ready = poll.poll(min(math.ceil(left * 1000), 3_600_000))
                if not ready:
                    continue
                if ready[0][1] & ~select.POLLOUT:
                    self._receive(out)
                    if len(out) > wanted + FLOOD:
                        raise JailError("The jail sends far more than it was asked for.")
                # Where it's broken, there may be something left to receive, and then the end.
                if view and ready[0][1] & select.POLLOUT:
                    with contextlib.suppress(BlockingIOError, ConnectionError):
                        view = view[self._connection.send(view[: 4 * CHUNK]) :]
            return bytes(out)

    def send(self, data: bytes, deadline: float) -> None:
        """See `Link`. Raises `JailError`."""
        with self._sending:
            self._check_open()
            view = memoryview(data)
            poll = select.poll()
            poll.register(self._connection, select.POLLOUT)
            while view:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise JailError(f"The jail takes nothing in.{self._last_words()}")
                poll.poll(min(math.ceil(left * 1000), 3_600_000))
                try:
                    view = view[self._connection.send(view[: 4 * CHUNK]) :]
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise JailError(f"The jail hung up: {error}.") from None

    def receive(self) -> bytes:
        """See `Link`. Raises `JailError`."""
        with self._using:
            self._check_open()
            out = bytearray()
            poll = select.poll()
            poll.register(self._connection, select.POLLIN)
            while not out:
                poll.poll()
                self._receive(out)
            return bytes(out)

    def _check_open(self) -> None:
        if self._closed or self._owner != os.getpid():
            raise JailError("This jail is closed, or belongs to the process that forked this one.")

    def _receive(self, out: bytearray) -> None:
        try:
            chunk = self._connection.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if chunk:
            self._frames.feed(chunk, out)
        elif self._closed:
            raise JailError("The jail was closed.")
        else:
            raise JailError(f"The jail hung up{self._ended()}.{self._last_words()}")

    def _last_words(self) -> str:
        words = bytes(self._frames.stderr).decode("utf-8", "replace").strip()
        return f" Its last words: {words}" if words else ""

    def close(self) -> None:
        """Hang up, and make sure that the container is gone; see `Link`."""
        if self._owner != os.getpid():
            return
        self._closed = True
        # A thread that waits in `exchange` returns, and the container's stdin ends.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        with self._using, self._sending:
            self._connection.close()
        with self._closing:
            if not self._removed:
                self._remove()
                self._removed = True

    def abandon(self) -> None:
        """In a forked child: let go of the connection, or the parent's death would go unnoticed."""
        self._connection.close()


_links: weakref.WeakSet[DockerLink] = weakref.WeakSet()


def _abandon_all() -> None:
    for link in list(_links):
        link.abandon()
    _links.clear()


os.register_at_fork(after_in_child=_abandon_all)
