"""The messages between the scorer, the template process and the workers.

Jobs and verdicts are pickles behind a four-byte length. The lifecycle messages between scorer and
template have a fixed size, because file descriptors ride on them.
"""

from __future__ import annotations

import socket
import struct
from collections import OrderedDict
from typing import TypeVar

LIFECYCLE = struct.Struct("<cii")
"""(what, pid, wait status): SPAWN and KILL go to the template, SPAWNED and EXITED come back.

PRINTS goes there too: the number is the length of the destination's path in bytes, which follows."""
SPAWN, KILL, PRINTS, SPAWNED, EXITED = b"S", b"K", b"P", b"s", b"x"

_LENGTH = struct.Struct("<I")
_KEPT_VERIFIERS = 64

Kept = TypeVar("Kept")


class LastUsed(OrderedDict[int, Kept]):
    """The verifiers that a worker keeps, by number: the most recently used ones.

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


def frame(payload: bytes) -> bytes:
    """Prefix `payload` with its length."""
    return _LENGTH.pack(len(payload)) + payload


def receive(sock: socket.socket) -> bytes | None:
    """Receive one whole payload from a blocking socket, or None if the other side is gone."""
    head = _exactly(sock, _LENGTH.size)
    return None if head is None else _exactly(sock, _LENGTH.unpack(head)[0])


def split(buffer: bytearray) -> bytes | None:
    """Remove the first whole payload from `buffer` and return it, or None if it isn't complete yet."""
    if len(buffer) < _LENGTH.size:
        return None
    end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
    if len(buffer) < end:
        return None
    payload = bytes(memoryview(buffer)[_LENGTH.size : end])
    del buffer[:end]
    return payload


def _exactly(sock: socket.socket, size: int) -> bytes | None:
    data = sock.recv(size)
    if len(data) == size:
        return data
    parts = bytearray(data)
    while len(parts) < size:
        data = sock.recv(min(size - len(parts), 1 << 20))
        if not data:
            return None
        parts += data
    return bytes(parts)
