"""The scorer's end of one worker."""

from __future__ import annotations

import pickle
import socket
import struct
import time
from typing import Any

from rlvr.core.faults import checked, raised
from rlvr.core.verdict import Verdict
from rlvr.scoring import wire
from rlvr.scoring.job import LOAD_S, Job
from rlvr.scoring.page import Page

_REPRIEVE_S = 1.0
_LOOK_S = 0.25  # how often a worker that loads a verifier is looked at
_PATIENCE = 20.0  # a worker that waits for a processor gets up to this many times its limit
_USED = 0.95  # this share of its limit on a processor counts as all of it: clocks are coarse


class WorkerHandle:
    """One worker as the scorer sees it: the socket, the shared page, the job it has."""

    def __init__(self, sock: socket.socket, page: Page) -> None:
        self.socket = sock
        self.pid = 0
        self.job: Job | None = None
        self.deadline = float("inf")
        self.gone = False
        self._page = page
        self._buffer = bytearray()
        self._verifiers: wire.LastUsed[None] = wire.LastUsed()
        self._reprieved = False
        self._given = 0.0
        self._began = 0.0
        self._cpu_before = 0.0

    @classmethod
    def open(cls) -> tuple[WorkerHandle, list[int]]:
        """Make a handle and the worker's descriptors: its socket and the shared page."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 5, 0))
        page, shared = Page.create()
        return cls(ours, page), [theirs.detach(), shared]

    def give(self, job: Job) -> None:
        """Send it a job. Its clock starts when the worker has loaded the verifier."""
        packed = job.packed
        known = packed.key in self._verifiers
        payload = packed.lean if known else packed.full()
        self._verifiers.use(packed.key, None)
        self.job = job
        job.attempts += 1
        self._page.phase = None
        self._reprieved = False
        self._cpu_before = self._cpu()
        self._given = self._began = time.monotonic()
        self.deadline = self._given + job.limit_s
        try:
            self.socket.sendall(wire.frame(payload))
        except OSError:
            self.gone = True  # the template reports its end, and the job is tried again

    def read(self) -> Verdict | None:
        """Return the verdict if it has arrived whole, otherwise None. Sets `gone` if the worker closed its socket."""
        try:
            data = self.socket.recv(1 << 18, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        if not data:
            self.gone = True
            return None
        self._buffer += data
        payload = wire.split(self._buffer)
        if payload is None:
            return None
        try:
            verdict: Any = pickle.loads(payload)
        except Exception as error:  # its detail holds an object that only a worker can load
            return raised("the verdict doesn't load in the scorer's process", error)
        return checked("the worker", verdict)

    def last_word(self) -> Verdict | None:
        """Return a verdict that arrived before the deadline or the worker's end and wasn't read in time.

        That happens if another thread of this process keeps the interpreter for
        seconds, or if the process was stopped for a while.
        """
        while True:
            before = len(self._buffer)
            verdict = self.read()
            if verdict is not None or len(self._buffer) <= before:
                return verdict

    def loads(self) -> bool:
        """Extend the deadline of a worker that was only loading the verifier. Returns True if it was.

        The first job of a verifier imports its libraries (such as torch), and that isn't judging.
        """
        assert self.job is not None
        now = time.monotonic()
        if self.phase is None:
            return False
        if self.phase == "loading":
            self.deadline = min(now + _LOOK_S, self._given + LOAD_S)
        else:
            self._began, self._cpu_before = self._page.begun
            self.deadline = self._began + self.job.limit_s
        return self.deadline > now

    def starves(self) -> bool:
        """Extend the deadline of a worker that waits for a processor. Returns True if it does.

        A verdict must not depend on the machine's other work. A sleeping worker gets no
        extension, nor does one that has used its limit on a processor.
        """
        assert self.job is not None
        now = time.monotonic()
        end = self._began + _PATIENCE * self.job.limit_s
        missing = self.job.limit_s - self.cpu_seconds()
        if missing <= (1 - _USED) * self.job.limit_s or now >= end or not self._runnable():
            return False
        self.deadline = min(end, now + missing)
        return True

    def reprieve(self) -> bool:
        """Extend the deadline once per job if a verdict has partly arrived. Returns True if it was extended."""
        if self._reprieved or not self._buffer:
            return False
        self._reprieved = True
        self.deadline = time.monotonic() + _REPRIEVE_S
        return True

    @property
    def phase(self) -> str | None:
        """The phase that the worker announced last; see `rlvr.scoring.page`."""
        return self._page.phase

    def cpu_seconds(self) -> float:
        """Return the processor time that it spent on its job, in seconds."""
        return self._cpu() - self._cpu_before

    def close(self) -> None:
        """Close the socket, which ends the worker."""
        self.socket.close()

    def _runnable(self) -> bool:
        """Tell whether its main thread is on a processor or waits for one. Always False except on Linux."""
        try:
            with open(f"/proc/{self.pid}/stat", "rb") as stat:
                return stat.read().rpartition(b")")[2].split()[0] == b"R"
        except (OSError, IndexError):
            return False

    def _cpu(self) -> float:
        # clock_getcpuclockid(3) isn't in Python's library; its value is fixed by the kernel's ABI.
        try:
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:  # ended already
            return 0.0
