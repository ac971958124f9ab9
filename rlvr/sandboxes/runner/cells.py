"""The broker's end of the cells: getting them, handing them things to do, hearing how that ended."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
from typing import Any

MOST_MESSAGE = 1 << 17
MOST_FDS = 250
PID = struct.Struct("<i")
_LONGEST_S = 2e6  # poll(2) counts in milliseconds and 31 bits


class Fault(Exception):
    """The jail failed, not the program in it."""


class Cell:
    """One cell. `usable` says whether it may serve another program."""

    def __init__(self, control: socket.socket, pid: int) -> None:
        self.control = control
        self.awaited = 0  # replies
        self.usable = True
        self._pid = pid

    def begin(
        self, message: dict[str, Any], blobs: list[bytes], more: tuple[int, ...] = ()
    ) -> list[int]:
        """Have it do something with standard input and files; returns descriptors of its stdout and stderr."""
        output = [os.memfd_create("stdout"), os.memfd_create("stderr")]
        stdin, *files = map(memory, blobs)
        self.send(message, [stdin, *output, *files, *more])
        self.awaited += 1
        close([stdin, *files])
        return output

    def send(self, message: dict[str, Any], fds: list[int]) -> None:
        """A message, with descriptors."""
        try:
            socket.send_fds(self.control, [json.dumps(message).encode()], fds)
        except OSError:
            self.usable = False  # it has ended, which is found when its reply is read

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        """A reply and the descriptors that came along. Raises `Fault`."""
        try:
            data, fds, _, _ = socket.recv_fds(self.control, MOST_MESSAGE, MOST_FDS)
        except OSError:
            data, fds = b"", []
        if not data:
            self.usable = False
            raise Fault("a cell ended")
        message = json.loads(data)
        self.awaited -= 1
        if message["limit"] is not None or "trouble" in message:
            self.usable = False
        if "trouble" in message:
            close(list(fds))
            raise Fault("a cell could not begin: " + message["trouble"])
        return message, list(fds)

    def end(self) -> None:
        """Kill it, and with it all that is in its namespaces. The zygote reaps it later, so the pid is still its own."""
        self.control.close()
        try:
            os.kill(self._pid, 9)
        except ProcessLookupError:
            pass


class Cells:
    """Makes cells and waits for them.

    Args:
        zygote: the socket to it.
        link: the descriptor that the host speaks on; when it hangs up, so does everything here.
    """

    def __init__(self, zygote: socket.socket, link: int) -> None:
        self._zygote = zygote
        self._link = link
        self._path = os.environ.get("PATH", "/usr/bin:/bin")
        self._many_users = _has_many_users()
        # Far from any real user, and from those of other jails on the same kernel.
        self._uid = 1_000_000 + int.from_bytes(os.urandom(4), "little") % 2_000_000_000

    def build(
        self,
        kept: Cell | None,
        files: dict[str, bytes],
        limits: dict[str, Any],
        compiles: bool = False,
        environment: dict[str, Any] | None = None,
    ) -> Cell:
        """A cell with these files in it: the one that's kept, where it can be used again, else a new one."""
        if kept is None or not self._is_idle(kept):
            if kept is not None:
                kept.end()
            kept = self._new()
        self._uid += 1
        message = {
            "do": "build",
            "uid": self._uid if self._many_users else None,
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
        kept.send(message, fds)
        close(fds)
        return kept

    def reply(self, cell: Cell, seconds: float) -> tuple[dict[str, Any], list[int]]:
        """What a cell answers. Raises `Fault` where it ends or stays silent."""
        if not self._answers(cell, seconds):
            cell.usable = False
            raise Fault("a cell did not answer in time")
        return cell.receive()

    def last_word(self, cell: Cell, seconds: float) -> tuple[dict[str, Any], list[int]]:
        """What a cell answers, if anything, once what it does has lost its purpose."""
        return cell.receive() if self._answers(cell, seconds) else ({}, [])

    def wait(self, poll: select.poll, seconds: float) -> bool:
        """Whether any of what is polled answers in time."""
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
        """Whether all it was told to do is done, and nothing of it went over a limit."""
        try:
            while cell.usable and cell.awaited:
                message, made = self.last_word(cell, 0.2)
                close(made)
                if not message:
                    return False
        except Fault:
            return False
        return cell.usable

    def _new(self) -> Cell:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        said = b""
        try:
            socket.send_fds(self._zygote, [b"+"], [far.fileno()])
            said = self._zygote.recv(PID.size)
        except OSError:
            pass
        far.close()
        pid = PID.unpack(said)[0] if said else 0
        if pid <= 0:
            near.close()
            raise Fault("no new cell: %s" % (os.strerror(-pid) if pid else "the zygote ended"))
        return Cell(near, pid)


def memory(data: bytes) -> int:
    """A file in memory with that content."""
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


def _has_many_users() -> bool:
    """Whether programs can get user ids of their own: not where an ordinary user made the jail."""
    with open("/proc/self/uid_map") as file:
        return any(int(line.split()[2]) > 2_500_000_000 for line in file)
