"""A few bytes of memory that a worker shares with its scorer: its phase, and when it began to judge.

They stay readable after the worker was killed, which is when the scorer needs them.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import time

PHASES: tuple[str | None, ...] = (None, "loading", "begun", "reference", "response")
"""None: the worker hasn't received the job. "loading": it loads the verifier, which isn't on the
clock. "begun": it judges, and hasn't announced a text; the others are
`rlvr.core.blame`'s."""

_CLOCKS = struct.Struct("<dd")
_CLOCKS_AT = 8  # aligned, so that each number is written whole
_SIZE = _CLOCKS_AT + _CLOCKS.size


class Page:
    """The shared bytes, on both sides: `create` in the scorer, `Page(descriptor)` in the worker."""

    def __init__(self, descriptor: int) -> None:
        self._bytes = mmap.mmap(descriptor, _SIZE)

    @classmethod
    def create(cls) -> tuple[Page, int]:
        """Make a page and the descriptor by which a worker maps it."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("rlvr-page", os.MFD_CLOEXEC)
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, _SIZE)
        return cls(descriptor), descriptor

    @property
    def phase(self) -> str | None:
        """The phase that the worker announced last."""
        return PHASES[self._bytes[0]]

    @phase.setter
    def phase(self, phase: str | None) -> None:
        self._bytes[0] = PHASES.index(phase)

    def begin(self) -> None:
        """Start the clock: the worker judges from here on."""
        _CLOCKS.pack_into(self._bytes, _CLOCKS_AT, time.monotonic(), time.process_time())
        self.phase = "begun"

    @property
    def begun(self) -> tuple[float, float]:
        """The time when it began, on the monotonic clock, and the processor time used by then, in seconds."""
        at, cpu = _CLOCKS.unpack_from(self._bytes, _CLOCKS_AT)
        return at, cpu
