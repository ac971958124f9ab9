"""Control groups: one per cell, so that what a program uses is counted by the kernel, whatever it does to hide it.

The jail's own group is at `/sys/fs/cgroup`, either one folder (version 2) or one per controller (version 1). In it,
each cell gets a group of its own. Without them, `supervise` counts what `/proc` shows, which is less: children that
live for milliseconds, and memory that the kernel holds for a program, are missed.
"""

from __future__ import annotations

import os

from . import kernel

_PLACE = "/sys/fs/cgroup"
_FIRST_VERSION = ("cpuacct", "memory", "pids", "cpu")
_OTHERS_MEMORY = (
    128 << 20
)  # in a cell's group beside its program's: the cell, output, the kernel's own


class Groups:
    """The groups of one jail, found when it starts."""

    def __init__(self) -> None:
        self._folders: dict[str, int] = {}  # by controller; "" for all of version 2
        self._ended: list[str] = []
        self.missing = ""  # why there are none
        try:
            self._find()
        except OSError as error:
            self.missing = str(error)

    @property
    def controllers(self) -> list[str]:
        """Return what is counted by group: "cpu", "memory", "pids"."""
        if "" not in self._folders:
            kinds = {"cpuacct": "cpu", "memory": "memory", "pids": "pids"}
            return [kinds[name] for name in self._folders if name in kinds]
        enabled = _read(self._folders[""], "cgroup.subtree_control").split()
        return ["cpu", *(name for name in ("memory", "pids") if name in enabled)]

    def make(self, pid: int) -> ProcessGroup | None:
        """Make a group and move a process into it; None if there are no groups here."""
        if not self._folders:
            return None
        self._sweep()
        name = "cell-" + os.urandom(6).hex()
        for folder in self._folders.values():
            os.mkdir(name, dir_fd=folder)
            _write(folder, name + "/cgroup.procs", str(pid))
        return ProcessGroup(self._folders, name, self._ended)

    def _find(self) -> None:
        if os.path.exists(_PLACE + "/cgroup.controllers"):
            _writable(_PLACE)
            folder = os.open(_PLACE, os.O_PATH | os.O_DIRECTORY)
            # In version 2, a group that has groups holds no process itself: as Docker makes it, it does.
            if pids := _read(folder, "cgroup.procs").split():
                os.mkdir("runner", dir_fd=folder)
                for pid in pids:
                    _write(folder, "runner/cgroup.procs", pid)
            for name in ("memory", "pids", "cpu"):
                try:
                    _write(folder, "cgroup.subtree_control", "+" + name)
                except OSError:
                    pass  # not delegated
            self._folders[""] = folder
            return
        for name in _FIRST_VERSION:
            place = "%s/%s" % (_PLACE, name)
            if os.path.exists(place + "/cgroup.procs"):
                _writable(place)
                self._folders[name] = os.open(place, os.O_PATH | os.O_DIRECTORY)
        if not self._folders:
            self.missing = "none is delegated to the jail"

    def _sweep(self) -> None:
        """Remove the groups of cells that have ended."""
        for name in self._ended[:]:
            try:
                for folder in self._folders.values():
                    try:
                        os.rmdir(name, dir_fd=folder)
                    except FileNotFoundError:
                        pass
            except OSError:
                continue  # its last process is still ending
            self._ended.remove(name)


class ProcessGroup:
    """One cell's group.

    Attributes:
        meters: descriptors for `Meters`, which the cell reads.
    """

    def __init__(self, folders: dict[str, int], name: str, ended: list[str]) -> None:
        self._folders, self._name, self._ended = folders, name, ended
        self._most = ("", "")
        self.meters = self._opened("cpuacct", "cpuacct.usage") or self._opened("", "cpu.stat")
        if self.meters:
            memory = self._opened("memory", "memory.kmem.usage_in_bytes")
            self.meters += memory or self._opened("", "memory.stat")

    def allow(self, memory: int, processes: int) -> None:
        """Set the group's own limits, beyond those that `supervise` watches: bytes, and processes or threads."""
        most = str(memory + _OTHERS_MEMORY), str(processes)
        if most == self._most:
            return
        self._most = most
        self._set("memory", "memory.limit_in_bytes", most[0])
        self._set("pids", "pids.max", most[1])
        self._set("", "memory.max", most[0])
        self._set("", "memory.swap.max", "0")
        self._set("", "pids.max", most[1])

    def oom_kills(self) -> tuple[int, bool]:
        """Return how many of its processes the kernel has killed for lack of memory, and if its own limit was hit."""
        kills = _field(self._get("memory", "memory.oom_control"), "oom_kill")
        if "memory" in self._folders:
            return kills, int(self._get("memory", "memory.failcnt") or 0) > 0
        events = self._get("", "memory.events")
        return _field(events, "oom_kill"), _field(self._get("", "memory.events.local"), "oom") > 0

    def end(self) -> None:
        """Let go of it. It is removed when its last process has ended."""
        for fd in self.meters:
            os.close(fd)
        self.meters = []
        self._ended.append(self._name)

    def _opened(self, controller: str, file: str) -> list[int]:
        if controller not in self._folders:
            return []
        try:
            path = "%s/%s" % (self._name, file)
            return [os.open(path, os.O_RDONLY, dir_fd=self._folders[controller])]
        except FileNotFoundError:
            return []

    def _get(self, controller: str, file: str) -> str:
        try:
            return _read(self._folders[controller], "%s/%s" % (self._name, file))
        except (KeyError, FileNotFoundError):
            return ""

    def _set(self, controller: str, file: str, value: str) -> None:
        if controller in self._folders:
            try:
                _write(self._folders[controller], "%s/%s" % (self._name, file), value)
            except OSError:
                pass  # that controller isn't delegated, or more is in use than the new limit


class Meters:
    """The use that a cell's group has counted, read in the cell. All zero without a group."""

    def __init__(self, fds: list[int]) -> None:
        self._fds = fds
        self.counts_cpu = bool(fds)
        self.counts_memory = len(fds) > 1

    def cpu(self) -> float:
        """Return the seconds of processor time of the group, by this process and all others that ever were in it."""
        if not self._fds:
            return 0.0
        text = os.pread(self._fds[0], 4096, 0).decode()
        return _field(text, "usage_usec") / 1e6 if " " in text else int(text) / 1e9

    def kernel_memory(self) -> int:
        """Return the bytes that the kernel holds for the group: page tables, pipes, sockets, files' names."""
        if not self.counts_memory:
            return 0
        text = os.pread(self._fds[1], 16384, 0).decode()
        return _field(text, "kernel") + _field(text, "sock") if " " in text else int(text)


def machine_oom_kills() -> int:
    """Return how many processes this machine has killed because memory was out; 0 if the kernel doesn't tell."""
    try:
        with open("/proc/vmstat") as file:
            return _field(file.read(), "oom_kill")
    except OSError:
        return 0


def _field(text: str, name: str) -> int:
    return next(
        (int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " ")), 0
    )


def _read(folder: int, path: str) -> str:
    fd = os.open(path, os.O_RDONLY, dir_fd=folder)
    try:
        return os.read(fd, 1 << 16).decode()
    finally:
        os.close(fd)


def _write(folder: int, path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY, dir_fd=folder)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _writable(place: str) -> None:
    """Make a mount writable that Docker hands to containers for reading alone."""
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        kernel.mount(
            "", place, kernel.REMOUNT | kernel.BIND | kernel.NOSUID | kernel.NODEV | kernel.NOEXEC
        )
