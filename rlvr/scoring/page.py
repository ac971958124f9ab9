"""What a worker writes where its scorer can read it, also when the worker can't answer any more.

A few bytes of memory that both share: what the worker is working on, and when it began to. They
stay readable after the worker was killed, which is when they're needed.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import time

PHASES: tuple[str | None, ...] = (None, "loading", "begun", "reference", "response")
"""None: it hasn't taken the job up. "loading": it imports what the verifier needs, which is on
nobody's clock. "begun": it judges, and hasn't said whose text it is working on; the others are
`rlvr.core.blame`'s."""

_CLOCKS = struct.Struct("<dd")
_CLOCKS_AT = 8  # aligned, so that each number is written whole
_SIZE = _CLOCKS_AT + _CLOCKS.size


class Page:
    """The shared bytes, on either side: `create` in the scorer, `Page(descriptor)` in the worker."""

    def __init__(self, descriptor: int) -> None:
        self._bytes = mmap.mmap(descriptor, _SIZE)

    @classmethod
    def create(cls) -> tuple[Page, int]:
        """A page, and the descriptor by which a worker maps it."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("rlvr-page", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, _SIZE)
        return cls(descriptor), descriptor

    @property
    def phase(self) -> str | None:
        """What the worker said it was working on last."""
        return PHASES[self._bytes[0]]

    @phase.setter
    def phase(self, phase: str | None) -> None:
        self._bytes[0] = PHASES.index(phase)

    def begin(self) -> None:
        """The worker: from here on it judges, and its clock runs."""
        _CLOCKS.pack_into(self._bytes, _CLOCKS_AT, time.monotonic(), time.process_time())
        self.phase = "begun"

    @property
    def begun(self) -> tuple[float, float]:
        """When it began, on the monotonic clock, and the processor time it had used by then, in seconds."""
        at, cpu = _CLOCKS.unpack_from(self._bytes, _CLOCKS_AT)
        return at, cpu
