"""A cell: pid 1 of a set of namespaces, which one program has to itself, from its first file to its last test.

It puts the program's files in place and starts its tests, one at a time. It never reads a payload: files,
inputs and arguments are descriptors that pass through, so nothing of one program is in its memory when it
forks for the next. Between programs all processes are gone, all files are, and the user is another. Where a
program went over a limit, the broker doesn't use its cell again.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

from . import kernel, python, supervise
from .cells import MOST_FDS, MOST_MESSAGE
from .files import copy_in, copy_out, keep_only, read
from .groups import Meters
from .solution import serve
from .testing import judge, judge_many

PROGRAM, SCRATCH = "/box", "/tmp"
_WRITABLE = ("/dev/shm", SCRATCH)  # in the order in which they are mounted
_FLAGS = kernel.NOSUID | kernel.NODEV
_MIB = 1 << 20
_FEWEST_DIGITS = sys.int_info.str_digits_check_threshold


def main(control: socket.socket, last_pid: int) -> None:
    """Do what the broker says until it hangs up.

    Args:
        last_pid: the file that sets the namespace's last pid; -1 if there is none.
    """
    kernel.become_deaf()
    cell = _Cell(last_pid)
    while True:
        data, fds, _, _ = socket.recv_fds(control, MOST_MESSAGE, MOST_FDS)
        if not data:
            os._exit(0)
        message = json.loads(data)
        if message["do"] == "build":
            cell.build(message, list(fds))
        else:
            collected: list[int] = []
            reply = cell.act(message, list(fds), collected)
            socket.send_fds(control, [json.dumps(reply).encode()], collected)
            fds = [*fds, *collected]
        for fd in fds:
            os.close(fd)


class _Cell:
    def __init__(self, last_pid: int) -> None:
        self._last_pid = last_pid
        self._meters = Meters([])
        self._tmpfs = ""
        self._compiled = -1
        self._uid: int | None = None
        self._placed = False
        self._environment: dict[str, Any] = {}
        self._untouched: dict[str, Any] = {}

    def build(self, message: dict[str, Any], fds: list[int]) -> None:
        """Mount fresh file systems and write a program's files."""
        first, before = not self._tmpfs, self._tmpfs
        self._uid = message["uid"]
        if first:
            self._meters = Meters([os.dup(fd) for fd in fds[len(fds) - message["meters"] :]])
        self._tmpfs = "size=%dm,nr_inodes=%d," % (message["disk_mb"], message["inodes"])
        if first:
            self._hide_the_jail()
        elif supervise.others():
            raise RuntimeError("something of the last program is still there")
        self._place(message["files"], fds, message["to_be_compiled"])
        # After the program's folder, always: programs can see in which order file systems were mounted.
        if self._tmpfs != before or message["files"]:
            self._refresh(mounted=not first)
        # Its tests share the code that the first of them compiles.
        if self._compiled >= 0:
            os.close(self._compiled)
        self._compiled = os.memfd_create("compiled")
        if message["environment"] != self._environment:
            self._environment = message["environment"]
            os.environ.clear()
            os.environ.update(self._environment)
        os.chdir(SCRATCH)

    def act(self, message: dict[str, Any], fds: list[int], collected: list[int]) -> dict[str, Any]:
        """Compile, run, serve calls or judge; returns how that ended. Descriptors to send along go to `made`."""
        self._begin_anew()
        limits = message["limits"]
        limits["spare"] = self._spare(message["do"], limits)
        stdin, stdout, stderr, *extra = fds
        for name, fd in zip(message.get("files", ()), extra[1:]):
            copy_in(os.path.join(SCRATCH, name), fd, 0o666)
        trouble, trouble_end = os.pipe()

        def begin() -> None:
            os.dup2(stdin, 0)
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            self._begin(message, extra, trouble_end)

        if message["do"] == "compile":
            os.chmod(PROGRAM, 0o777)
        ending = supervise.run(
            begin, limits, self._uid, [stdout, stderr], trouble_end, self._meters
        )
        os.close(trouble_end)
        wrong = os.read(trouble, 4096)
        os.close(trouble)
        reply = {**vars(ending), "pids_go_on": self._last_pid < 0}
        if wrong:
            reply["trouble"] = wrong.decode("utf-8", "replace")
        if message["do"] == "compile":
            os.chmod(PROGRAM, 0o755)
            self._seal()
        reply["refused"] = self._collect(message.get("collect", ()), limits, collected)
        if os.pread(self._compiled, 1, 0) == python.FAILED:
            reply["compile_error"] = True
            collected.append(os.dup(self._compiled))
        self._sweep()
        return reply

    def _begin(self, message: dict[str, Any], fds: list[int], trouble: int) -> None:
        """In the child, locked down: become the program. `trouble` is for what goes wrong before that."""
        action = message["do"]
        # Tests are their author's, and may need to write whatever they expect.
        digits = max(_FEWEST_DIGITS, int(message["limits"]["int_digits"]))
        sys.set_int_max_str_digits(0 if action.startswith("judge") else digits)
        if action == "compile":
            self._exec(message["command"], PROGRAM, trouble)
        elif action == "run":
            args = json.loads(read(fds[0]))
            if message["command"] is None:
                python.run(os.path.join(PROGRAM, message["file"]), args, self._compiled)
            self._exec([*message["command"], *args], SCRATCH, trouble)
        elif action == "serve":
            serve(fds[0], [(name, read(fd)) for name, fd in zip(message["sources"], fds[1:])])
        elif action == "judge":
            judge(*fds)
        elif action == "judge many":
            judge_many(fds[0])

    def _exec(self, command: list[str], where: str, trouble: int) -> None:
        os.chdir(where)
        keep_only([trouble])
        os.set_inheritable(trouble, False)
        try:
            os.execvp(command[0], command)
        except OSError as error:  # what it compiled to can't be run: the program's own fault
            os.write(2, ("%s: %s\n" % (command[0], error.strerror)).encode())
            os._exit(126)

    def _spare(self, action: str, limits: dict[str, Any]) -> int:
        """Count the processes that are attributed to the program and aren't its own, if it shares the runner's user id."""
        if self._uid is not None:
            return 0
        return 8 if action == "run" else 8 + int(limits["processes"])

    # ---------------------------------------------------------------- file systems

    def _hide_the_jail(self) -> None:
        kernel.mount("", "/", kernel.REC | kernel.PRIVATE)
        self._mount_proc()

    def _mount_proc(self) -> None:
        # Where this user has one id alone, it's the program's too, and can't tell the two apart.
        group = "" if self._uid is None else ",gid=%d" % os.getgid()
        kernel.mount("proc", "/proc", _FLAGS | kernel.NOEXEC, "hidepid=2,subset=pid" + group)

    def _place(self, names: list[str], fds: list[int], to_be_compiled: bool) -> None:
        """Write the program's files, and nothing else is where they are."""
        if self._placed:
            os.chdir("/")
            kernel.unmount(PROGRAM)
        self._placed = bool(names)
        if not names:
            return
        kernel.mount("tmpfs", PROGRAM, _FLAGS, self._tmpfs + "mode=755")
        for name, fd in zip(names, fds):
            copy_in(os.path.join(PROGRAM, name), fd, 0o444)
        if not to_be_compiled:
            self._seal()

    def _seal(self) -> None:
        """Make the program's files read-only: from here on no test can change them."""
        kernel.mount("tmpfs", PROGRAM, kernel.REMOUNT | kernel.RDONLY | _FLAGS)

    def _refresh(self, mounted: bool) -> None:
        """Mount the folders that a program may write to."""
        os.chdir("/")
        for where in _WRITABLE:
            if mounted:
                kernel.unmount(where)
            kernel.mount("tmpfs", where, _FLAGS, self._tmpfs + "mode=1777")
        os.chdir(SCRATCH)

    def _begin_anew(self) -> None:
        """Have the next program see what the first one saw: no pid that tells how many were before it, and no time."""
        if self._last_pid >= 0:
            os.pwrite(self._last_pid, b"1", 0)
        if self._placed:
            sealed = os.statvfs(PROGRAM).f_flag & os.ST_RDONLY
            if sealed:
                kernel.mount("tmpfs", PROGRAM, kernel.REMOUNT | _FLAGS)
            for folder, _, names in os.walk(PROGRAM):
                for name in (*names, "."):
                    os.utime(os.path.join(folder, name), follow_symlinks=False)
            if sealed:
                self._seal()
        try:
            os.utime("/proc")
        except PermissionError:  # an ordinary user's jail
            kernel.unmount("/proc")
            self._mount_proc()
        for where in _WRITABLE:
            os.utime(where)
            self._untouched[where] = _state(where)

    def _collect(
        self, names: list[str], limits: dict[str, Any], collected: list[int]
    ) -> dict[str, Any]:
        """Bring back plain files as descriptors; say of the others why not."""
        refused = {}
        # What a file has as holes takes no space until it's copied, so the copies are counted.
        left = int(limits["disk_mb"] * _MIB)
        for name in names:
            copy = os.memfd_create("collected")
            most = min(int(limits["file_mb"] * _MIB), left)
            why = copy_out(os.path.join(SCRATCH, name), copy, most)
            if why:
                refused[name] = why
                os.close(copy)
            else:
                left -= os.fstat(copy).st_size
                collected.append(copy)
        return refused

    def _sweep(self) -> None:
        """Remove a test's files and anything written on the folders themselves."""
        if any(_state(where) != self._untouched[where] for where in _WRITABLE):
            self._refresh(mounted=True)


def _state(folder: str) -> tuple[float, ...]:
    """Differs once anything in a folder, or of it, was changed: entries, mode, owner, times, attributes."""
    now = os.stat(folder)
    return now.st_mode, now.st_uid, now.st_nlink, now.st_size, now.st_mtime_ns, now.st_ctime_ns
