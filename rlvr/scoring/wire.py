"""What the scorer, the template process and the workers say to one another.

Jobs and verdicts are pickles behind a four-byte length. The lifecycle messages between scorer and
template have a fixed size, because file descriptors ride on them.
"""

from __future__ import annotations

import socket
import struct

LIFECYCLE = struct.Struct("<cii")
"""(what, pid, wait status): SPAWN and KILL go to the template, SPAWNED and EXITED come back."""
SPAWN, KILL, SPAWNED, EXITED = b"S", b"K", b"s", b"x"

PHASES: tuple[str | None, ...] = (None, "reference", "response")
"""A worker writes the index of what it works on into one shared byte; see `rlvr.core.blame`."""

_LENGTH = struct.Struct("<I")


def frame(payload: bytes) -> bytes:
    """`payload` behind its length."""
    return _LENGTH.pack(len(payload)) + payload


def receive(sock: socket.socket) -> bytes | None:
    """One whole payload from a blocking socket, or None where the other side is gone."""
    head = _exactly(sock, _LENGTH.size)
    return None if head is None else _exactly(sock, _LENGTH.unpack(head)[0])


def split(buffer: bytearray) -> bytes | None:
    """Take the first whole payload off `buffer`, or None where it isn't whole yet."""
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
