"""Watch what a workspace uses during one call. Runs in its pid 1."""

from __future__ import annotations

import os
import time
from typing import Any

from . import supervise
from .groups import Meters

FIRST_LOOK_S, SLOWEST_LOOK_S = 0.004, 0.04
_WAIT_PER_CPU = 9.0  # seconds of waiting that a second on a processor excuses: a share of a tenth
_MIB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


class CallMeter:
    """Looks at all processes of the workspace from time to time.

    Processes outlive calls, so what they had used when the call began isn't the call's.

    Args:
        limits: the fields of `Limits`, and "patience", as `supervise.run` takes them.
        meters: the workspace's control group.
        kernel_before: the bytes that the kernel held for the group when the workspace was empty.

    Attributes:
        cpu: seconds of processor time that the call has used, as far as it was seen.
        peak: bytes of memory, likewise.
    """

    def __init__(self, limits: dict[str, Any], meters: Meters, kernel_before: int) -> None:
        self.began = time.monotonic()
        self.cpu, self.peak = 0.0, 0
        self._limits = limits
        self._meters = meters
        self._kernel_before = kernel_before
        self._group_before = meters.cpu() - time.process_time() if meters.counts_cpu else 0.0
        self._before = {} if meters.counts_cpu else _cpu_by_pid()
        self._seen: dict[str, float] = {}
        self._waited_before = _waits()
        self._deadline = self.began + float(limits["wall_s"])

    def left(self) -> float:
        """Return the seconds until the time on the clock is over."""
        return self._deadline - time.monotonic()

    def passed(self, output: int) -> str | None:
        """Return the limit that the call has gone over; None if there's none.

        Args:
            output: how many bytes it has printed.
        """
        if output > self._limits["output_kb"] * 1024:
            return "output"
        if over := self._used():
            return over
        if self.left() > 0:
            return None
        # Time that it waits for a processor isn't its own, so that a busy machine ends nobody's call.
        wall = float(self._limits["wall_s"])
        waited = min((self._limits["patience"] - 1) * wall, _WAIT_PER_CPU * self.cpu)
        waited = min(waited, self._longest_wait()) if waited else 0.0
        if self.began + wall + waited <= self._deadline + FIRST_LOOK_S:
            return "wall"
        self._deadline = self.began + wall + waited
        return None

    def passed_by_all(self) -> str | None:
        """Return the limit of processes or memory if all that runs here is over it, whichever call began it."""
        over = self._used()
        return over if over in ("processes", "memory") else None

    def _used(self) -> str | None:
        pids = supervise.others()
        if len(pids) > int(self._limits["processes"]):
            return "processes"
        memory = self._memory(pids)
        self.peak = max(self.peak, memory)
        if self._meters.counts_cpu:
            self.cpu = self._meters.cpu() - time.process_time() - self._group_before
        else:
            for pid, cpu in _cpu_by_pid().items():
                self._seen[pid] = cpu - self._before.get(pid, 0.0)
            self.cpu = max(self.cpu, sum(self._seen.values()))
        if memory > self._limits["memory_mb"] * _MIB:
            return "memory"
        if self.cpu >= self._limits["cpu_s"]:
            return "cpu"
        return None

    def _memory(self, pids: list[str]) -> int:
        memory, unseen = 0, 0
        for pid in pids:
            fields = _stat(pid)
            if fields is None:
                continue
            memory += int(fields[21]) * _PAGE
            if fields[0] == b"Z" and int(fields[17]) > 1:
                unseen += supervise.held_by_threads(pid)
        if self._meters.counts_memory:
            unseen += max(0, self._meters.kernel_memory() - self._kernel_before)
        else:
            unseen += supervise.held_by_the_kernel(pids)
        if memory + unseen > self._limits["memory_mb"] * _MIB:
            memory = supervise.shared_out(pids, memory)
        return memory + unseen

    def _longest_wait(self) -> float:
        before = self._waited_before
        return (
            max((now - before.get(thread, 0) for thread, now in _waits().items()), default=0) / 1e9
        )


def _stat(pid: str) -> list[bytes] | None:
    try:
        with open("/proc/%s/stat" % pid, "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None  # ended meanwhile


def _cpu_by_pid() -> dict[str, float]:
    """Return the seconds of processor time of each process, with those of the children that it has waited for."""
    used = {}
    for pid in supervise.others():
        fields = _stat(pid)
        if fields is not None:
            used[pid] = sum(map(int, fields[11:15])) / _TICK
    return used


def _waits() -> dict[str, int]:
    """Return the nanoseconds that each thread was ready to run and had no processor."""
    waits = {}
    for pid in supervise.others():
        try:
            for thread in os.listdir("/proc/%s/task" % pid):
                with open("/proc/%s/task/%s/schedstat" % (pid, thread), "rb") as file:
                    waits[thread] = int(file.read().split()[1])
        except (OSError, IndexError, ValueError):
            continue  # ended meanwhile
    return waits
