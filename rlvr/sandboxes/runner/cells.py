"""The broker's end of the cells: getting them, handing them things to do, hearing how that ended."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
from typing import Any, Self

from .groups import Groups, ProcessGroup, machine_oom_kills

MOST_MESSAGE = 1 << 17
MOST_FDS = 250
PID = struct.Struct("<i")
_LONGEST_S = 2e6  # poll(2) counts in milliseconds and 31 bits


class Fault(Exception):
    """The jail failed, not the program in it."""


class CellProcess:
    """A cell's process, from the broker's side: a clone of the zygote in namespaces of its own.

    Attributes:
        control: the socket to it.
        pid: its pid in the jail.
        group: its control group, if the jail makes any.
    """

    def __init__(self, control: socket.socket, pid: int, group: ProcessGroup | None) -> None:
        self.control = control
        self.pid = pid
        self.group = group

    @classmethod
    def start(cls, zygote: socket.socket, groups: Groups) -> Self:
        """Have the zygote clone itself. Raises `OSError`."""
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        answer = b""
        try:
            socket.send_fds(zygote, [b"+"], [far.fileno()])
            answer = zygote.recv(PID.size)
        except OSError:
            pass
        far.close()
        pid = PID.unpack(answer)[0] if answer else 0
        try:
            if pid <= 0:
                raise OSError(os.strerror(-pid) if pid else "the zygote ended")
            return cls(near, pid, groups.make(pid))
        except OSError:
            near.close()
            raise

    def send(self, message: dict[str, Any], fds: list[int]) -> bool:
        """Send a message, with descriptors. Returns False if it has ended, which is found when its reply is read."""
        try:
            socket.send_fds(self.control, [json.dumps(message).encode()], fds)
        except OSError:
            return False
        return True

    def end(self) -> None:
        """Kill it, and with it all that is in its namespaces. The zygote reaps it later, so the pid is still its own."""
        if self.group is not None:
            self.group.end()
            self.group = None
        self.control.close()
        try:
            os.kill(self.pid, 9)
        except ProcessLookupError:
            pass


class Cell(CellProcess):
    """One cell.

    Attributes:
        usable: whether it may serve another program.
        for_tests: whether the tests of functions run in it, which a program must not be able to end.
    """

    def __init__(self, control: socket.socket, pid: int, group: ProcessGroup | None) -> None:
        super().__init__(control, pid, group)
        self.awaited = 0  # replies
        self.usable = True
        self.for_tests = False
        self._kills = 0
        self._machine_kills = machine_oom_kills()
        self._disk = 0

    def begin(
        self, message: dict[str, Any], blobs: list[bytes], more: tuple[int, ...] = ()
    ) -> list[int]:
        """Have it do something with standard input and files; returns descriptors of its stdout and stderr."""
        self._allow(message["limits"])
        output = [os.memfd_create("stdout"), os.memfd_create("stderr")]
        stdin, *files = map(memory, blobs)
        self.send(message, [stdin, *output, *files, *more])
        self.awaited += 1
        close([stdin, *files])
        return output

    def build(self, message: dict[str, Any], fds: list[int]) -> None:
        """Have it put a program's files in place."""
        # Each of the three folders that a program may fill, and the files that are brought back.
        self._disk = 4 * int(message["disk_mb"]) << 20
        meters = self.group.meters if self.group else []
        self.send({**message, "meters": len(meters)}, [*fds, *meters])

    def _allow(self, limits: dict[str, Any]) -> None:
        if self.group is not None:
            memory = int(limits["memory_mb"] * (1 << 20) + 2 * limits["output_kb"] * 1024)
            self.group.allow(memory + self._disk, 2 * int(limits["processes"]) + 16)

    def send(self, message: dict[str, Any], fds: list[int]) -> bool:
        """See `CellProcess`."""
        self.usable = super().send(message, fds) and self.usable
        return self.usable

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        """Return a reply and the descriptors that came along. Raises `Fault`."""
        try:
            data, fds, _, _ = socket.recv_fds(self.control, MOST_MESSAGE, MOST_FDS)
        except OSError:
            data, fds = b"", []
        if not data:
            self.usable = False
            raise Fault("a cell ended")
        message = json.loads(data)
        self.awaited -= 1
        if message["signal"] == 9 and message["limit"] is None:
            self._see_who_killed(message)
        if message["limit"] is not None or "trouble" in message or message["pids_go_on"]:
            self.usable = False
        if "trouble" in message:
            close(list(fds))
            raise Fault("a cell could not begin: " + message["trouble"])
        return message, list(fds)

    def _see_who_killed(self, message: dict[str, Any]) -> None:
        """Tell a program that used up its memory from one that pays for others. Raises `Fault` for the latter."""
        kills, full = self.group.oom_kills() if self.group else (0, False)
        killed, self._kills = kills > self._kills, kills
        machine_kills = machine_oom_kills()
        elsewhere, self._machine_kills = (
            machine_kills > self._machine_kills,
            machine_kills,
        )
        if killed and (full or not self.for_tests):
            message["limit"] = "memory"
        elif killed or elsewhere:
            self.usable = False
            raise Fault("the kernel killed a program because others used up the memory")
        elif self.for_tests:
            self.usable = False
            raise Fault("something outside killed the tests")


class Cells:
    """Makes cells and waits for them.

    Args:
        zygote: the socket to it.
        link: the descriptor that the host speaks on; when it hangs up, so does everything here.
        groups: the jail's control groups.
    """

    def __init__(self, zygote: socket.socket, link: int, groups: Groups) -> None:
        self._zygote = zygote
        self._groups = groups
        self._link = link
        self._path = os.environ.get("PATH", "/usr/bin:/bin")
        self._many_users = has_many_users()

    def build(
        self,
        kept: Cell | None,
        files: dict[str, bytes],
        limits: dict[str, Any],
        compiles: bool = False,
        environment: dict[str, Any] | None = None,
    ) -> Cell:
        """Return a cell with these files in it: the one that's kept, where it can be used again, else a new one."""
        if kept is None or not self._is_idle(kept):
            if kept is not None:
                kept.end()
            kept = self._new()
        message = {
            "do": "build",
            "uid": new_uid() if self._many_users else None,
            "environment": {
                "PATH": self._path,
                "HOME": "/tmp",
                "LANG": "C.UTF-8",
                # A thread for each of a large machine's processors would be more than a program may have.
                "OPENBLAS_NUM_THREADS": "1",
                **(environment or {}),
            },
            "disk_mb": int(limits["disk_mb"]) + (256 if compiles else 0),
            "inodes": int(limits["files"]) + 64,
            "files": list(files),
            "to_be_compiled": compiles,
        }
        fds = [memory(data) for data in files.values()]
        kept.build(message, fds)
        close(fds)
        return kept

    def reply(self, cell: Cell, seconds: float) -> tuple[dict[str, Any], list[int]]:
        """Return a cell's answer. Raises `Fault` where it ends or stays silent."""
        if not self._answers(cell, seconds):
            cell.usable = False
            raise Fault("a cell did not answer in time")
        return cell.receive()

    def last_word(self, cell: Cell, seconds: float) -> tuple[dict[str, Any], list[int]]:
        """Return a cell's answer, if any, once what it does has lost its purpose."""
        return cell.receive() if self._answers(cell, seconds) else ({}, [])

    def wait(self, poll: select.poll, seconds: float) -> bool:
        """Return whether any of what is polled answers in time."""
        poll.register(self._link, 0)  # a hang-up is told all the same
        ready = dict(poll.poll(min(seconds, _LONGEST_S) * 1000))
        if self._link in ready:
            os._exit(0)  # nobody waits for what is being done here
        return bool(ready)

    def _answers(self, cell: Cell, seconds: float) -> bool:
        poll = select.poll()
        poll.register(cell.control, select.POLLIN)
        return self.wait(poll, seconds)

    def _is_idle(self, cell: Cell) -> bool:
        """Return whether all it was told to do is done, and nothing of it went over a limit."""
        try:
            while cell.usable and cell.awaited:
                message, descriptors = self.last_word(cell, 0.2)
                close(descriptors)
                if not message:
                    return False
        except Fault:
            return False
        return cell.usable

    def _new(self) -> Cell:
        try:
            return Cell.start(self._zygote, self._groups)
        except OSError as error:
            raise Fault("no new cell: %s" % error) from None


def new_uid() -> int:
    """Return a user id far from any real user's, and in no order that would count programs."""
    return 1_000_000 + int.from_bytes(os.urandom(4), "little") % 2_000_000_000


def memory(data: bytes) -> int:
    """Return a file in memory with that content."""
    fd = os.memfd_create("input")
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def close(fds: list[int]) -> None:
    """Close them all."""
    for fd in fds:
        os.close(fd)


def has_many_users() -> bool:
    """Return whether programs can get user ids of their own: not where an ordinary user made the jail."""
    with open("/proc/self/uid_map") as file:
        return any(int(line.split()[2]) > 2_500_000_000 for line in file)
