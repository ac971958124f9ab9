"""The messages between the scorer, the template process and the workers.

To a worker go verifiers and jobs, back come verdicts: pickles behind a header. The lifecycle messages between
scorer and template have a fixed size, because file descriptors ride on them.
"""

from __future__ import annotations

import socket
import struct
from collections import OrderedDict
from typing import NamedTuple, TypeVar

LIFECYCLE = struct.Struct("<cii")
"""(what, pid, wait status): SPAWN and KILL go to the template, SPAWNED and EXITED come back.

PRINTS and IMPORT go there too: the number is the length of what follows in bytes, the destination's path, or modules
separated by commas."""
SPAWN, KILL, PRINTS, IMPORT, SPAWNED, EXITED = b"S", b"K", b"P", b"I", b"s", b"x"

_HEADER = struct.Struct("<IQQ")
_KEPT_VERIFIERS = 64

Kept = TypeVar("Kept")


class Frame(NamedTuple):
    """One message on a worker's socket.

    Attributes:
        number: of the job, counted per worker from 1. 0: the payload is a verifier.
        extra: to the worker, the verifier's key; back, the microseconds that judging took.
    """

    number: int
    extra: int
    payload: bytes


class LastUsed(OrderedDict[int, Kept]):
    """The verifiers that a worker keeps, by key: the most recently used ones.

    Scorer and worker each have one and use it in the same order, so the scorer knows which
    verifiers a worker still has. Without a bound, a program that makes a verifier per batch
    would fill its workers' memory, and the next response would be blamed for it.
    """

    def use(self, key: int, value: Kept) -> None:
        """Store it as the most recently used."""
        self[key] = value
        self.move_to_end(key)
        while len(self) > _KEPT_VERIFIERS:
            self.popitem(last=False)


def frame(number: int, extra: int, payload: bytes) -> bytes:
    """Return a frame's bytes."""
    return _HEADER.pack(len(payload), number, extra) + payload


class Inbox:
    """The frames that arrive on a socket, put together from their pieces."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()

    def __len__(self) -> int:
        """Return the bytes that arrived of frames that aren't taken yet."""
        return len(self._buffer)

    def receive(self, flags: int = 0) -> bool:
        """Read once from the socket. Returns False if the other side is gone. Raises what `recv` raises."""
        data = self._socket.recv(1 << 16, flags)
        self._buffer += data
        return bool(data)

    def take(self) -> Frame | None:
        """Remove the first whole frame, or return None if none is complete yet."""
        if len(self._buffer) < _HEADER.size:
            return None
        size, number, extra = _HEADER.unpack_from(self._buffer)
        end = _HEADER.size + size
        if len(self._buffer) < end:
            return None
        payload = bytes(memoryview(self._buffer)[_HEADER.size : end])
        del self._buffer[:end]
        return Frame(number, extra, payload)
