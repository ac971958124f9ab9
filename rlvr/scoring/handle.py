"""The scorer's end of one worker."""

from __future__ import annotations

import mmap
import os
import pickle
import socket
import struct
import tempfile
import time

from rlvr.core.verdict import Verdict
from rlvr.scoring import wire
from rlvr.scoring.job import Job


class WorkerHandle:
    """One worker as the scorer sees it: the socket, the shared byte, the job it has."""

    def __init__(self, sock: socket.socket, phase: mmap.mmap) -> None:
        self.socket = sock
        self.pid = 0
        self.job: Job | None = None
        self.deadline = float("inf")
        self.gone = False
        self._phase = phase
        self._buffer = bytearray()
        self._verifiers: set[int] = set()
        self._cpu_before = 0.0

    @classmethod
    def open(cls) -> tuple[WorkerHandle, list[int]]:
        """A handle, and the descriptors for the worker: its socket and the shared byte."""
        ours, theirs = socket.socketpair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 5, 0))
        shared = _shared_byte()
        return cls(ours, mmap.mmap(shared, 1)), [theirs.detach(), shared]

    def give(self, job: Job) -> None:
        """Send it a job; the clock starts now."""
        packed = job.packed
        known = packed.key in self._verifiers
        payload = packed.lean if known else packed.full()
        self._verifiers.add(packed.key)
        self.job = job
        job.attempts += 1
        self._phase[0] = 0
        self._cpu_before = self._cpu()
        self.deadline = time.monotonic() + job.limit_s
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
        verdict: Verdict = pickle.loads(payload)
        return verdict

    @property
    def phase(self) -> str | None:
        """What it said it was working on last; see `rlvr.core.blame`."""
        return wire.PHASES[self._phase[0]]

    def cpu_seconds(self) -> float:
        """Processor time it spent since it got its job."""
        return self._cpu() - self._cpu_before

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def _cpu(self) -> float:
        # clock_getcpuclockid(3) isn't in Python's library; its value is fixed by the kernel's ABI.
        try:
            return time.clock_gettime((~self.pid << 3) | 2)
        except OSError:  # ended already
            return 0.0


def _shared_byte() -> int:
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("rlvr-phase", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            fd = os.dup(file.fileno())
    os.ftruncate(fd, 1)
    return fd
