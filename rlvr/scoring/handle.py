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
_PATIENCE = 20.0  # a worker that waits for a processor gets up to so many times its limit
_USED = 0.95  # of its limit on a processor, which is all of it but for the clocks' grain


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
        """A handle, and the descriptors for the worker: its socket and the shared page."""
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
            self.gone = True  # its end is reported by the template, and the job tried again

    def read(self) -> Verdict | None:
        """The verdict, where it has come whole. Sets `gone` where the worker hung up."""
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
        except Exception as error:  # its detail holds something that only a worker can load
            return raised("the verdict doesn't load in the scorer's process", error)
        return checked("the worker", verdict)

    def last_word(self) -> Verdict | None:
        """What it has said at its deadline or its end: the verdict, where we were late to read it.

        That happens: another thread of this process may keep the interpreter to itself for
        seconds, or the process was stopped for a while.
        """
        while True:
            before = len(self._buffer)
            verdict = self.read()
            if verdict is not None or len(self._buffer) <= before:
                return verdict

    def loads(self) -> bool:
        """At its deadline: whether it has more time, since what it did so far was to load the verifier.

        The first job of a verifier imports what that needs (torch, say), and that isn't judging.
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
        """At its deadline: whether it has more time, since it could run and isn't let.

        A verdict must not depend on what else the machine does. A worker that sleeps has no such
        claim, and neither has one that used its limit on a processor.
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
        """Once for each job: a little more time for a verdict that is on its way, half read."""
        if self._reprieved or not self._buffer:
            return False
        self._reprieved = True
        self.deadline = time.monotonic() + _REPRIEVE_S
        return True

    @property
    def phase(self) -> str | None:
        """What it said it was working on last; see `rlvr.scoring.page`."""
        return self._page.phase

    def cpu_seconds(self) -> float:
        """Processor time it spent on its job."""
        return self._cpu() - self._cpu_before

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _runnable(self) -> bool:
        """Whether its main thread is on a processor or waits for one. Linux alone tells."""
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
