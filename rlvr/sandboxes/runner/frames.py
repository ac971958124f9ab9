"""Messages between host and broker: a header as JSON, then raw bytes.

    length of header, number of blobs (u32 each) · length of each blob (u64) · header · blobs

JSON, not pickle or marshal: the host must be able to read what a broken jail sends.
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

_START = struct.Struct("<II")
_LENGTH = struct.Struct("<Q")
MOST_HEADER = 1 << 24
MOST_BLOBS = 1 << 16
MOST_BYTES = 1 << 32


class FrameError(Exception):
    """The bytes that came aren't a frame."""


def packed(header: dict[str, Any], blobs: list[bytes] | tuple[bytes, ...] = ()) -> bytes:
    """Return a whole frame."""
    text = json.dumps(header).encode()
    lengths = b"".join(_LENGTH.pack(len(blob)) for blob in blobs)
    return b"".join((_START.pack(len(text), len(blobs)), lengths, text, *blobs))


def needed(data: bytes | bytearray) -> int:
    """Return how many bytes the frame at the start of `data` has in all, as far as `data` tells: at least that many."""
    if len(data) < _START.size:
        return _START.size
    header, blobs = (int(number) for number in _START.unpack_from(data))
    if header > MOST_HEADER or blobs > MOST_BLOBS:
        raise FrameError("not a frame")
    at = _START.size + blobs * _LENGTH.size
    if len(data) < at:
        return at
    total = at + header + sum(_lengths(data, blobs))
    if total > MOST_BYTES:
        raise FrameError("a frame of %d bytes" % total)
    return total


def unpacked(data: bytes | bytearray) -> tuple[dict[str, Any], list[bytes]]:
    """Return the header and the blobs of a complete frame."""
    header, blobs = _START.unpack_from(data)
    at = _START.size + blobs * _LENGTH.size
    try:
        fields = json.loads(bytes(data[at : at + header]))
    except ValueError as error:
        raise FrameError("no JSON: %s" % error) from None
    if not isinstance(fields, dict):
        raise FrameError("not a header")
    at += header
    parts = []
    for length in _lengths(data, blobs):
        parts.append(bytes(data[at : at + length]))
        at += length
    return fields, parts


def _lengths(data: bytes | bytearray, blobs: int) -> tuple[int, ...]:
    return struct.unpack_from("<%dQ" % blobs, data, _START.size)


def receive(fd: int) -> tuple[dict[str, Any], list[bytes]] | None:
    """Return the next frame from a blocking descriptor; None where the other side hung up."""
    data = bytearray()
    while len(data) < (wanted := needed(data)):
        got = os.read(fd, wanted - len(data))
        if not got:
            return None
        data += got
    return unpacked(data)


def send(fd: int, header: dict[str, Any], blobs: list[bytes] | tuple[bytes, ...] = ()) -> None:
    """Write a whole frame to a blocking descriptor."""
    left = memoryview(packed(header, blobs))
    while left:
        left = left[os.write(fd, left) :]
