"""Run one untrusted child to its end, within limits, and say how it ended. Runs in a cell's pid 1."""

from __future__ import annotations

import os
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import Any

from . import filter as seccomp
from . import kernel
from .groups import Meters

_FIRST_LOOK_S, _SLOWEST_LOOK_S = 0.004, 0.04
_WAIT_PER_CPU = 9.0  # seconds of waiting that a second on a processor excuses: a share of a tenth
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")
_MIB = 1 << 20
_MOST_FILES = 256
_FEW_SOCKETS = 32  # more than an ordinary program has open
_SOCKET = 2 * 212_992  # bytes: the default size of its buffer, twice for what the kernel adds
_EXITING = 4  # among a process's flags
FAULT = 250  # the child's exit status where it never got as far as the program


class Ending:
    """The end of a child as plain fields, as the broker passes them on."""

    def __init__(self, code: int, limit: str | None, wall: float, cpu: float, peak: int) -> None:
        self.status = code if code >= 0 else None
        self.signal = -code if code < 0 else None
        self.limit = limit
        self.wall = wall
        self.cpu = cpu
        self.memory = peak / _MIB


def run(
    action: Callable[[], None],
    limits: dict[str, Any],
    uid: int | None,
    output: list[int],
    trouble: int,
    meters: Meters,
) -> Ending:
    """Fork, lock the child down, have it run `action`, wait, kill all that's left of it.

    Args:
        action: runs in the child and never returns, or execs.
        limits: the fields of `Limits`, "address_space" (bytes, 0 for none), and "patience": times
            `wall_s` that it has at most on the clock. Time that it waits for a processor isn't its own: so
            `wall_s` ends a child that sleeps and `cpu_s` one that computes, also on a busy machine. What a
            child uses bounds what it may wait, since it can make itself wait beside a busy neighbour.
        uid: a user and group id of the program's own; None where this user may have one alone.
        output: the descriptors whose files may not grow past `output_kb`.
        trouble: a descriptor where the child says what went wrong before the program began.
        meters: what this cell's control group has used.
    """
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            lock_down(limits, uid)
            action()
        except BaseException as error:
            os.write(trouble, repr(error).encode("utf-8", "replace")[:2000])
        finally:
            os._exit(FAULT)
    watch = _Watch(limits, output, meters)
    limit = watch.until_end(pid, began)
    if limit is not None:
        _kill(pid)
    wall = time.monotonic() - began
    _kill(-1)
    code, cpu, peak, left = _reap(pid)
    cpu = max(cpu, watch.cpu, watch.group_cpu())
    limit = limit or watch.afterwards(code, cpu, peak, left)
    return Ending(code, limit, wall, cpu, max(peak, watch.peak))


def lock_down(limits: dict[str, Any], uid: int | None) -> None:
    """Session, limits, user, capabilities, system calls: in the order in which each still can be set."""
    os.setpgid(0, 0)
    _raise_oom_score()
    cpu = int(limits["cpu_s"]) + 1
    for number, soft, hard in [*_rlimits(limits), (resource.RLIMIT_CPU, cpu, cpu + 1)]:
        most = resource.getrlimit(number)[1]  # not to be raised, as an ordinary user
        if most != resource.RLIM_INFINITY:
            soft, hard = (
                most if limit == resource.RLIM_INFINITY else min(limit, most)
                for limit in (soft, hard)
            )
        resource.setrlimit(number, (soft, hard))
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    else:
        # The cell has no privilege over other users' processes here: it looks into those of its own.
        kernel.dumpable(True)
    kernel.drop_capabilities()
    seccomp.FOR_PROGRAMS.install()


def _rlimits(limits: dict[str, Any]) -> list[tuple[int, int, int]]:
    wanted = [
        # Not 0: a kernel that pipes them to a program on the host does so all the same. 1 it takes for none.
        (resource.RLIMIT_CORE, 1),
        # One limit for all files, what is printed among them.
        (
            resource.RLIMIT_FSIZE,
            max(int(limits["file_mb"] * _MIB), int(limits["output_kb"] * 1024)),
        ),
        (resource.RLIMIT_NOFILE, _MOST_FILES),
        # A little more than is allowed, so that a program that asks for too many is seen to have them.
        (resource.RLIMIT_NPROC, int(limits["processes"]) + 2 + limits["spare"]),
        (resource.RLIMIT_MEMLOCK, 0),
        # Bounded by the memory limit. A finite one would be reserved for each thread of a C program.
        (resource.RLIMIT_STACK, resource.RLIM_INFINITY),
        (resource.RLIMIT_MSGQUEUE, 0),
    ]
    if limits["address_space"]:
        wanted.append((resource.RLIMIT_AS, limits["address_space"]))
    return [(number, most, most) for number, most in wanted]


def _raise_oom_score() -> None:
    """Out of memory, the kernel should take the program, not the runner."""
    try:
        fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
        os.write(fd, b"1000")
        os.close(fd)
    except OSError:
        pass  # hidden here; the memory limit is watched all the same


class _Watch:
    """Looks at all processes of the cell from time to time."""

    def __init__(self, limits: dict[str, Any], output: list[int], meters: Meters) -> None:
        self._meters = meters
        # The cell is in its own group: what it uses itself isn't the program's.
        self._cpu_before = meters.cpu() - time.process_time()
        self._kernel_before = meters.kernel_memory()
        self._wall = float(limits["wall_s"])
        self._most_wait = (limits["patience"] - 1) * self._wall
        self._most_cpu = float(limits["cpu_s"])
        self._memory = limits["memory_mb"] * _MIB
        self._processes = int(limits["processes"])
        self._output = output
        self._slowest = limits.get("look_s", _SLOWEST_LOOK_S)
        self._most_output = int(limits["output_kb"] * 1024)
        self._seen: dict[str, float] = {}
        self.cpu, self.peak = 0.0, 0

    def until_end(self, pid: int, began: float) -> str | None:
        """Wait until `pid` ends (None) or a limit is passed (its name)."""
        deadline = began + self._wall
        handle = os.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            pause = _FIRST_LOOK_S
            while True:
                left = deadline - time.monotonic()
                if poll.poll(max(0.0, min(pause, left)) * 1000):
                    return None
                if left <= pause:
                    if time.monotonic() >= deadline:
                        if passed := self._passed():
                            return passed
                        waited = min(self._most_wait, _WAIT_PER_CPU * self.cpu)
                        waited = min(waited, _longest_wait()) if waited else 0.0
                        # A little more each time: it may wait again.
                        if began + self._wall + waited <= deadline + _FIRST_LOOK_S:
                            return "wall"
                        deadline = began + self._wall + waited
                    continue
                passed = self._passed()
                if passed:
                    return passed
                pause = min(pause * 1.5, self._slowest)
        finally:
            os.close(handle)

    def _passed(self) -> str | None:
        cpu, memory, unseen = 0.0, 0, 0
        pids = others()
        for pid in pids:
            try:
                with open("/proc/%s/stat" % pid, "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # ended meanwhile
            own, waited_for = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
            cpu += (own + waited_for) / _TICK
            self._seen[pid] = own / _TICK
            memory += int(fields[21]) * _PAGE
            if fields[0] == b"Z" and int(fields[17]) > 1:
                unseen += held_by_threads(pid)
        if len(pids) > self._processes:
            return "processes"
        if self._meters.counts_memory:
            unseen += max(0, self._meters.kernel_memory() - self._kernel_before)
        else:
            unseen += held_by_the_kernel(pids)
        if memory + unseen > self._memory:
            memory = shared_out(pids, memory)
        memory += unseen
        self.peak = max(self.peak, memory)
        # CPU time of unreaped children is lost, except what was sampled.
        self.cpu = max(self.cpu, cpu, sum(self._seen.values()), self.group_cpu())
        if memory > self._memory:
            return "memory"
        if self.cpu >= self._most_cpu:
            return "cpu"
        return self._flooded()

    def group_cpu(self) -> float:
        """Return the seconds of processor time that the group has used without this process; 0 without a group."""
        if not self._meters.counts_cpu:
            return 0.0
        return max(0.0, self._meters.cpu() - time.process_time() - self._cpu_before)

    def _flooded(self) -> str | None:
        over = any(os.fstat(fd).st_size > self._most_output for fd in self._output)
        return "output" if over else None

    def afterwards(self, code: int, cpu: float, peak: int, left: int) -> str | None:
        """Return the limit that ended it, where it ended by itself or by the kernel's hand."""
        if self._flooded():
            return "output"
        if code == -signal.SIGXFSZ:
            return "file size"
        if code == -signal.SIGXCPU or cpu > self._most_cpu:
            return "cpu"
        if peak > self._memory:
            return "memory"
        # What it had started when it ended, zombies included. Several forks that fail at once count for
        # each other, so a bomb may be stopped a little below the limit.
        if left > self._processes or (code != 0 and 4 * left >= 3 * self._processes > 6):
            return "processes"
        return None


def is_dying(pid: int) -> bool:
    """Return whether a process has been killed, though it may not have ended yet."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return True
    return bool(int(fields[6]) & _EXITING or int(fields[28]) & 1 << (signal.SIGKILL - 1))


def others() -> list[str]:
    """Return the pids in this namespace, but this process's."""
    return [name for name in os.listdir("/proc") if name.isdigit() and name != "1"]


def _longest_wait() -> float:
    """Return the most seconds that a thread here was ready to run and had no processor.

    Threads that have ended don't count. 0 if the kernel doesn't tell.
    """
    longest = 0
    for pid in others():
        try:
            for thread in os.listdir("/proc/%s/task" % pid):
                with open("/proc/%s/task/%s/schedstat" % (pid, thread), "rb") as file:
                    longest = max(longest, int(file.read().split()[1]))
        except (OSError, IndexError, ValueError):
            continue  # ended meanwhile
    return longest / 1e9


def held_by_threads(pid: str) -> int:
    """Return the memory of a process whose first thread has ended: only the others tell."""
    try:
        for thread in os.listdir("/proc/%s/task" % pid):
            with open("/proc/%s/task/%s/statm" % (pid, thread), "rb") as file:
                pages = int(file.read().split()[1])
            if pages:
                return pages * _PAGE
    except OSError:
        pass  # ended meanwhile
    return 0


def held_by_the_kernel(pids: list[str]) -> int:
    """Estimate the memory that the kernel holds for processes: page tables, and what their sockets can hold."""
    tables = 0
    sockets = set()
    for pid in pids:
        status: dict[bytes, bytes] = {}
        try:
            with open("/proc/%s/status" % pid, "rb") as file:
                status = dict(line.split(b":", 1) for line in file)
            tables += int(status[b"VmPTE"].split()[0]) * 1024
            for name in os.listdir("/proc/%s/fd" % pid):
                link = os.readlink("/proc/%s/fd/%s" % (pid, name))
                if link.startswith("socket:"):
                    sockets.add(link)
        except PermissionError:
            # Without capabilities it is the program, which has closed itself to such looks.
            if int(status[b"CapEff"], 16) == 0:
                sockets |= {"%s %s" % (pid, i) for i in range(_MOST_FILES)}
        except (OSError, KeyError):
            continue  # ended meanwhile
    return tables + max(0, len(sockets) - _FEW_SOCKETS) * _SOCKET


def shared_out(pids: list[str], memory: int) -> int:
    """Memory with each shared page counted once, where the kernel tells; forks share most of theirs."""
    total = 0
    for pid in pids:
        try:
            with open("/proc/%s/smaps_rollup" % pid, "rb") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith(b"Pss:"))
        except PermissionError:
            return memory
        except OSError:
            continue  # ended meanwhile
    return total * 1024


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _reap(main: int) -> tuple[int, float, int, int]:
    """Wait for every child, the orphans among them.

    Returns `main`'s exit code, processor time in seconds, peak memory in bytes, and how many others
    there were.
    """
    code, cpu, peak, orphans = -signal.SIGKILL, 0.0, 0, 0
    while True:
        try:
            pid, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return code, cpu, peak, orphans
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss * 1024)
        if pid == main:
            code = os.waitstatus_to_exitcode(status)
        else:
            orphans += 1
