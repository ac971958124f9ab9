"""A few bytes of memory that a worker shares with its scorer: the job it is at, its phase, and when it began to judge.

They stay readable after the worker was killed, which is when the scorer needs them. In the other direction they say
which jobs the scorer has taken back.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
import time

PHASES: tuple[str | None, ...] = (None, "loading", "begun", "reference", "response")
"""None: the worker hasn't received a job. "loading": it loads the verifier, which isn't on the
clock. "begun": it judges, and hasn't announced a text; the others are
`rlvr.core.blame`'s."""

_CLOCKS = struct.Struct("<dd")
_RANGE = struct.Struct("<QQ")
_NUMBER = struct.Struct("<Q")
_CLOCKS_AT, _NUMBER_AT, _RANGE_AT = 8, 24, 32  # aligned, so that each number is written whole
_SIZE = _RANGE_AT + _RANGE.size


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

    # ------------------------------------------------------------------ what the worker writes

    def load(self, number: int) -> None:
        """Announce that the worker is at job `number`, and loads its verifier."""
        self.phase = (
            "loading"  # first: the job before was judged, and its phase isn't the next one's
        )
        _NUMBER.pack_into(self._bytes, _NUMBER_AT, number)

    def begin(self) -> float:
        """Start the clock: the worker judges from here on. Returns the time."""
        now = time.monotonic()
        _CLOCKS.pack_into(self._bytes, _CLOCKS_AT, now, time.process_time())
        self.phase = "begun"
        return now

    @property
    def phase(self) -> str | None:
        """The phase that the worker announced last."""
        return PHASES[self._bytes[0]]

    @phase.setter
    def phase(self, phase: str | None) -> None:
        self._bytes[0] = PHASES.index(phase)

    @property
    def number(self) -> int:
        """The job that the worker is at, or was at last; 0 before the first."""
        number: int = _NUMBER.unpack_from(self._bytes, _NUMBER_AT)[0]
        return number

    @property
    def begun(self) -> tuple[float, float]:
        """The time when it began, on the monotonic clock, and the processor time used by then, in seconds."""
        at, cpu = _CLOCKS.unpack_from(self._bytes, _CLOCKS_AT)
        return at, cpu

    # ------------------------------------------------------------------ what the scorer writes

    def take_back(self, after: int, last: int) -> None:
        """Tell the worker to pass over the jobs from `after + 1` to `last`."""
        _RANGE.pack_into(self._bytes, _RANGE_AT, after, last)

    def is_taken_back(self, number: int) -> bool:
        """Tell whether the worker should pass over the job."""
        after, last = _RANGE.unpack_from(self._bytes, _RANGE_AT)
        return bool(after < number <= last)
