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
_SHARED_S = 0.05  # so long a worker may be at one job while others wait behind it
_PATIENCE = 20.0  # a worker that waits for a processor gets up to this many times its limit
_USED = 0.95  # this share of its limit on a processor counts as all of it: clocks are coarse


class WorkerHandle:
    """One worker as the scorer sees it: the socket, the shared page, the jobs that it has.

    Attributes:
        jobs: the jobs without a verdict by number, in the order in which the worker takes them.
        deadline: when the dispatcher looks at the worker, which is a job's limit at the latest.
        gone: True if its socket is closed.
    """

    def __init__(self, sock: socket.socket, page: Page) -> None:
        self.socket = sock
        self.pid = 0
        self.jobs: dict[int, Job] = {}
        self.deadline = float("inf")
        self.gone = False
        self._page = page
        self._inbox = wire.Inbox(sock)
        self._last = 0  # number of the last job that was given
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

    def give(self, jobs: list[Job]) -> None:
        """Send jobs to it, in one message. A job's clock starts when the worker has loaded its verifier."""
        frames = []
        for job in jobs:
            key = job.pickled.key
            if key not in self._verifiers:
                frames.append(wire.frame(0, key, job.pickled.blob))
            self._verifiers.use(key, None)
            self._last += 1
            self.jobs[self._last] = job
            frames.append(wire.frame(self._last, key, job.payload))
        self._start_clock()
        try:
            self.socket.sendall(b"".join(frames))
        except OSError:
            self.gone = True  # the template reports its end, and the jobs are tried again

    def read(self) -> list[tuple[int, bytes]]:
        """Return the verdicts that have arrived whole, by the jobs' numbers. Sets `gone` if the socket is closed."""
        try:
            self.gone = not self._inbox.receive(socket.MSG_DONTWAIT) or self.gone
        except BlockingIOError:
            return []
        except OSError:
            self.gone = True
        verdicts = []
        while (frame := self._inbox.take()) is not None:
            job = self.jobs.get(frame.number)
            if job is not None:  # otherwise it was taken back, and another worker has it
                job.pickled.took(frame.extra / 1e6)
                verdicts.append((frame.number, frame.payload))
        return verdicts

    def last_word(self) -> list[tuple[int, bytes]]:
        """Return the verdicts that arrived before the deadline or the worker's end and weren't read in time.

        That happens if another thread of this process keeps the interpreter for
        seconds, or if the process was stopped for a while.
        """
        verdicts = []
        while True:
            before = len(self._inbox)
            new = self.read()
            verdicts += new
            if not new and len(self._inbox) <= before:
                return verdicts

    def settle(self, verdicts: list[tuple[int, bytes]]) -> list[tuple[Job, Verdict | bytes]]:
        """Take jobs that have their verdict off this worker. The next job's clock starts."""
        judged: list[tuple[Job, Verdict | bytes]] = []
        judged += [(self.jobs.pop(number), verdict) for number, verdict in verdicts]
        if judged and self.jobs:
            self._start_clock()
        return judged

    def take_back(self) -> list[Job]:
        """Leave it the job that it is at, and return the others, whose turn may not come for long."""
        at = self._page.number
        kept = at if at in self.jobs else next(iter(self.jobs))
        self._page.take_back(kept, self._last)
        rest = [job for number, job in self.jobs.items() if number != kept]
        self.jobs = {kept: self.jobs[kept]}
        self._start_clock()
        return rest

    def loads(self) -> bool:
        """Extend the deadline of a worker that was only loading the verifier. Returns True if it was.

        The first job of a verifier imports its libraries (such as torch), and that isn't judging.
        """
        now = time.monotonic()
        phase = self.phase
        if phase is None:
            return False
        if phase == "loading":
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
        now = time.monotonic()
        limit_s = self.job.limit_s
        end = self._began + _PATIENCE * limit_s
        missing = limit_s - self.cpu_seconds()
        if missing <= (1 - _USED) * limit_s or now >= end or not self._runnable():
            return False
        self.deadline = min(end, now + missing)
        return True

    def reprieve(self) -> bool:
        """Extend the deadline once per job if a verdict has partly arrived. Returns True if it was extended."""
        if self._reprieved or not len(self._inbox):
            return False
        self._reprieved = True
        self.deadline = time.monotonic() + _REPRIEVE_S
        return True

    @property
    def job(self) -> Job:
        """The job that it is at, or has to begin with."""
        return self.jobs.get(self._page.number) or next(iter(self.jobs.values()))

    @property
    def phase(self) -> str | None:
        """The phase of its job that the worker announced last; None if it hasn't received the job."""
        return self._page.phase if self._page.number in self.jobs else None

    def cpu_seconds(self) -> float:
        """Return the processor time that it spent on its job, in seconds."""
        return self._cpu() - self._cpu_before

    def close(self) -> None:
        """Close the socket, which ends the worker."""
        self.socket.close()

    def _start_clock(self) -> None:
        self._reprieved = False
        self._cpu_before = self._cpu()
        self._given = self._began = time.monotonic()
        limit_s = next(iter(self.jobs.values())).limit_s
        self.deadline = self._given + (limit_s if len(self.jobs) == 1 else min(limit_s, _SHARED_S))

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


def loaded(payload: bytes) -> Verdict:
    """Return a verdict from a worker's pickle."""
    try:
        verdict: Any = pickle.loads(payload)
    except Exception as error:  # its detail holds an object that only a worker can load
        return raised("the verdict doesn't load in the scorer's process", error)
    return checked("the worker", verdict)
