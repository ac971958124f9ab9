"""A cell: pid 1 of the fresh namespaces that one program gets, from its first file to its last test.

It holds the program's files and gets inputs as descriptors, one test at a time. It has never seen
another program, nor an expected output; it ends when the broker hangs up.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import stat

from . import kernel, python, supervise
from .solution import serve
from .testing import judge

PROGRAM, SCRATCH, SHARED_MEMORY = "/box", "/tmp", "/dev/shm"
_FLAGS = kernel.NOSUID | kernel.NODEV
MOST_MESSAGE = 1 << 17
MOST_FDS = 250


def main(control: socket.socket) -> None:
    """Serve the broker until it hangs up. The first message has the program's files."""
    for number in range(1, signal.NSIG):
        # A pid 1 is deaf to all signals from its own namespace for which it has no handler.
        if signal.getsignal(number) not in (signal.SIG_DFL, None):
            signal.signal(number, signal.SIG_DFL)
    kernel.undumpable()
    message, fds = receive(control)
    cell = _Cell(message, control.fileno())
    cell.build(message["files"], fds, message["to_be_compiled"])
    control.send(b"{}")
    while True:
        message, fds = receive(control)
        if not message:
            os._exit(0)
        made: list[int] = []
        reply = cell.act(message, fds, made)
        socket.send_fds(control, [json.dumps(reply).encode()], made)
        for fd in (*fds, *made):
            os.close(fd)


def receive(control: socket.socket) -> tuple[dict, list[int]]:
    """A message and its descriptors; an empty one where the broker hung up."""
    data, fds, _, _ = socket.recv_fds(control, MOST_MESSAGE, MOST_FDS)
    return (json.loads(data) if data else {}), list(fds)


class _Cell:
    def __init__(self, message: dict, control: int) -> None:
        self._uid = message["uid"]
        self._environment = message["environment"]
        self._tmpfs = "size=%dm,nr_inodes=%d," % (message["disk_mb"], message["inodes"])
        self._control = control
        self._compiled = os.memfd_create("compiled")

    def build(self, names: list[str], fds: list[int], to_be_compiled: bool) -> None:
        """Mount the file systems and write the program's files."""
        kernel.mount("", "/", kernel.REC | kernel.PRIVATE)
        # Where this user may have one id alone, that's the program's too, and it isn't told apart by it.
        group = "" if self._uid is None else ",gid=%d" % os.getgid()
        _hide("/sys")
        _hide("/dev/mqueue")
        kernel.mount("tmpfs", PROGRAM, _FLAGS, self._tmpfs + "mode=755")
        self._fresh(SCRATCH)
        if os.path.isdir(SHARED_MEMORY):
            self._fresh(SHARED_MEMORY)
        kernel.mount("proc", "/proc", _FLAGS | kernel.NOEXEC, "hidepid=2,subset=pid" + group)
        for name, fd in zip(names, fds):
            _copy_in(os.path.join(PROGRAM, name), fd, 0o444)
        if not to_be_compiled:
            self._seal()
        os.environ.clear()
        os.environ.update(self._environment)
        os.chdir(SCRATCH)

    def act(self, message: dict, fds: list[int], made: list[int]) -> dict:
        """Compile, run, serve calls or judge; returns how that ended."""
        what = message["do"]
        limits = message["limits"]
        limits["spare"] = self._spare(what, limits)
        stdin, stdout, stderr, *others = fds
        for name, fd in zip(message.get("files", ()), others):
            _copy_in(os.path.join(SCRATCH, name), fd, 0o666)
        trouble, told = os.pipe()

        def prepared(action):
            def start() -> None:
                # `trouble` is kept until the program begins, then closed by exec or by us.
                os.dup2(stdin, 0)
                os.dup2(stdout, 1)
                os.dup2(stderr, 2)
                action()

            return start

        if what == "compile":
            os.chmod(PROGRAM, 0o777)
            action = self._exec(message["command"], PROGRAM, told)
        elif what == "run" and message["command"] is None:
            action = self._python(message, told)
        elif what == "run":
            action = self._exec(message["command"], SCRATCH, told)
        elif what == "serve":
            action = self._with_channel(others[-1], told, serve, message)
        else:
            action = self._with_channel(others[-1], told, judge, others[0], others[1])
        ending = supervise.run(prepared(action), limits, self._uid, [stdout, stderr], told)
        os.close(told)
        wrong = os.read(trouble, 4096)
        os.close(trouble)
        reply = dict(vars(ending))
        if wrong:
            reply["trouble"] = wrong.decode("utf-8", "replace")
        if what == "compile":
            os.chmod(PROGRAM, 0o755)
            self._seal()
        reply["refused"] = self._collect(message.get("collect", ()), message, made)
        if what == "run" and message["command"] is None and self._compile_error():
            reply["compile_error"] = True
            made.append(os.dup(self._compiled))
        self._sweep()
        return reply

    def _spare(self, what: str, limits: dict) -> int:
        """Processes that count as the program's and aren't, where it shares the runner's user id."""
        if self._uid is not None:
            return 0
        return 8 if what == "run" else 8 + int(limits["processes"])

    # ---------------------------------------------------------------- in the child, locked down

    def _exec(self, command: list[str], where: str, told: int):
        def action() -> None:
            os.chdir(where)
            keep_only([told])
            os.set_inheritable(told, False)
            try:
                os.execvpe(command[0], command, self._environment)
            except OSError as error:  # what it compiled to can't be run: the program's own fault
                os.write(2, ("%s: %s\n" % (command[0], error.strerror)).encode())
                os._exit(126)

        return action

    def _python(self, message: dict, told: int):
        def action() -> None:
            python.run(PROGRAM + "/" + message["file"], message["args"], self._compiled, told)

        return action

    def _with_channel(self, channel: int, told: int, work, *arguments):
        def action() -> None:
            work(channel, told, *arguments)

        return action

    # ---------------------------------------------------------------- between tests

    def _compile_error(self) -> bool:
        return os.pread(self._compiled, 1, 0) == b"E"

    def _collect(self, names: list[str], message: dict, made: list[int]) -> dict:
        """Bring back plain files as descriptors; say of the others why not."""
        refused = {}
        for name in names:
            copy = os.memfd_create("collected")
            why = _copy_out(
                os.path.join(SCRATCH, name), copy, int(message["limits"]["file_mb"] * (1 << 20))
            )
            if why:
                refused[name] = why
                os.close(copy)
            else:
                made.append(copy)
        return refused

    def _seal(self) -> None:
        """From here on no test can change the program."""
        kernel.mount("tmpfs", PROGRAM, kernel.REMOUNT | kernel.RDONLY | _FLAGS)

    def _fresh(self, where: str) -> None:
        kernel.mount("tmpfs", where, _FLAGS, self._tmpfs + "mode=1777")

    def _sweep(self) -> None:
        """A test leaves no file for the next one."""
        for where in (SCRATCH, SHARED_MEMORY):
            if os.path.isdir(where) and os.listdir(where):
                os.chdir("/")
                kernel.unmount(where)
                self._fresh(where)
                os.chdir(SCRATCH)


def keep_only(fds: list[int]) -> None:
    """Close every descriptor but standard ones and these."""
    first = 3
    for fd in sorted(fds):
        os.closerange(first, fd)
        first = fd + 1
    os.closerange(first, 4096)


def _hide(where: str) -> None:
    if os.path.isdir(where):
        kernel.mount("tmpfs", where, _FLAGS | kernel.RDONLY, "size=4k,nr_inodes=1,mode=755")


def _copy_in(path: str, fd: int, mode: int) -> None:
    size = os.fstat(fd).st_size
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.fchmod(target, mode)
        done = 0
        while done < size:
            sent = os.sendfile(target, fd, done, size - done)
            if not sent:
                break
            done += sent
    finally:
        os.close(target)


def _copy_out(path: str, copy: int, most: int) -> str:
    """Copy a plain file of the program's; or say why not. Opens nothing that could wait or lead elsewhere."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        return os.strerror(error.errno)
    try:
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            return "not a plain file"
        if about.st_nlink != 1:
            return "it has more than one name"
        if about.st_size > most:
            return "larger than its limit"
        done = 0
        while done < about.st_size:
            sent = os.sendfile(copy, fd, done, about.st_size - done)
            if not sent:
                break
            done += sent
        return ""
    finally:
        os.close(fd)
