"""The broker: pid 1 of a jail. Takes programs and inputs from the host and sees to them, one at a time.

A frame in, a frame out. Inputs and outputs are files in memory that the broker makes and hands to
a cell as descriptors, so that no program can hold up anybody by not reading or by writing too much.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import sys
import time

from . import cell, frames, kernel, zygote

_GRACE_S = 5.0
_MOST_MESSAGE = 20000
_MIB = 1 << 20


class Fault(Exception):
    """The jail failed, not the program in it."""


def main() -> None:
    """Serve the host on descriptors 0 and 1 until it hangs up; then everything in the jail ends."""
    kernel.undumpable()
    link_in, link_out = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        os.close(link_in)
        os.close(link_out)
        zygote.main(theirs)
    theirs.close()
    broker = _Broker(ours, link_in)
    while True:
        frame = frames.receive(link_in)
        if frame is None:
            os._exit(0)
        try:
            header, blobs = broker.answer(*frame)
        except Fault as error:
            header, blobs = {"fault": str(error)}, []
        frames.send(link_out, header, blobs)


class _Broker:
    def __init__(self, zygote_socket: socket.socket, link: int) -> None:
        self._zygote = zygote_socket
        self._link = link
        self._cell: _Cell | None = None
        self._path = os.environ.get("PATH", "/usr/bin:/bin")
        self._many_users = _has_many_users()
        # Far from any real user, and from those of other jails on the same kernel.
        self._uid = 1_000_000 + int.from_bytes(os.urandom(4), "little") % 2_000_000_000

    def answer(self, header: dict, blobs: list[bytes]) -> tuple[dict, list[bytes]]:
        """Do what a frame asks for."""
        what = header.pop("do")
        if what == "hello":
            return self._hello(header), []
        if what == "open":
            return self._open(header, blobs), []
        if what == "run":
            return self._run(header, blobs)
        if what == "functions":
            return self._functions(header, blobs)
        raise Fault("no such request: %r" % what)

    def _hello(self, header: dict) -> dict:
        tools = {tool: shutil.which(tool, path=self._path) is not None for tool in header["tools"]}
        trial = self._new_cell([], [], header["limits"])
        self._act(
            trial, {"do": "run", "command": ["true"], "args": [], "limits": header["limits"]}, [b""]
        )
        trial.end()  # what fails here would fail every program
        return {"python": sys.version.split()[0], "tools": tools}

    # ---------------------------------------------------------------- programs with standard input

    def _open(self, header: dict, blobs: list[bytes]) -> dict:
        """A new cell with the program in it, compiled where it has to be."""
        self._drop()
        compiler = header["compile"]
        self._cell = self._new_cell(
            header["files"], blobs, header["limits"], bool(compiler), header["environment"]
        )
        if not compiler:
            return {}
        limits = header["compile_limits"]
        reply, made = self._act(
            self._cell, {"do": "compile", "command": compiler, "limits": limits}, [b""]
        )
        said = b"\n".join(_slurp(fd, _MOST_MESSAGE) for fd in (made[1], made[0]))
        _close(made)
        if reply["status"] == 0 and reply["limit"] is None:
            return {}
        self._drop()
        text = said.decode("utf-8", "replace").strip()
        if reply["limit"]:
            text = "compiling went over its limit of %s\n%s" % (reply["limit"], text)
        return {
            "compile_error": text
            or "the compiler ended with %s" % (reply["status"] or reply["signal"])
        }

    def _run(self, header: dict, blobs: list[bytes]) -> tuple[dict, list[bytes]]:
        """One test of the open program. The first blob is standard input, the others are files."""
        if self._cell is None:
            return {"skipped": True}, []
        before = _oom_kills()
        limits = header["limits"]
        reply, made = self._act(self._cell, {**header, "do": "run"}, blobs)
        stdout, stderr, *collected = made
        if reply["signal"] == 9 and reply["limit"] is None and _oom_kills() > before:
            reply["limit"] = "memory"
        if reply.pop("compile_error", False):
            message = _slurp(collected.pop(), _MOST_MESSAGE)[1:]
            reply = {"compile_error": message.decode("utf-8", "replace")}
            os.close(made.pop())
        most = int(limits["output_kb"] * 1024)
        found = [
            _slurp(stdout, most),
            _slurp(stderr, most),
            *(_slurp(fd, 1 << 40) for fd in collected),
        ]
        _close(made)
        return reply, found

    def _act(self, cell: _Cell, message: dict, blobs: list[bytes]) -> tuple[dict, list[int]]:
        """Have a cell do one thing: its reply, and descriptors of stdout, stderr and what it made."""
        output = cell.begin(message, blobs)
        reply, made = self._reply(cell, message["limits"]["wall_s"] + _GRACE_S)
        return reply, [*output, *made]

    # ---------------------------------------------------------------- functions and their tests

    def _functions(self, header: dict, blobs: list[bytes]) -> tuple[dict, list[bytes]]:
        """A solution in one cell, its tests in another, a socket between them.

        The first blob is the tests, the others are the solution's files.
        """
        limits, names = header["limits"], header["files"]
        solution = self._new_cell(names, blobs[1:], limits)
        judge = self._new_cell([], [], limits)
        near, far = socket.socketpair()
        report = os.memfd_create("report")
        opened = [report]
        try:
            tests = _memory(blobs[0])
            opened.append(tests)
            sources = ["/box/" + name for name in names]
            serving = {"do": "serve", "sources": sources, "limits": limits}
            judging = {"do": "judge", "limits": header["test_limits"]}
            output = solution.begin(serving, [b""], [near.fileno()])
            opened += output
            opened += judge.begin(judging, [b""], [report, tests, far.fileno()])
            near.close()
            far.close()
            verdict, made = self._reply(judge, header["test_limits"]["wall_s"] + _GRACE_S)
            opened += made
            written = _slurp(report, 1 << 24)
            reply = {"judge": verdict, "at": written[:2].decode("ascii"), "solution": None}
            entries = [json.loads(line) for line in written[16:].splitlines()]
            if not all(entry.get("passed") for entry in entries) or verdict["limit"]:
                # How the solution ended says which limit it hit, if any. It's told that all is over.
                reply["solution"], made = self._reply(solution, 1.0, patient=False)
                opened += made
            most = int(limits["output_kb"] * 1024)
            return {**reply, "entries": entries}, [_slurp(fd, most) for fd in output]
        finally:
            near.close()
            far.close()
            _close(opened)
            solution.end()
            judge.end()

    # ---------------------------------------------------------------- cells

    def _new_cell(
        self,
        names: list[str],
        blobs: list[bytes],
        limits: dict,
        compiles: bool = False,
        environment: dict = {},
    ) -> _Cell:
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(self._zygote, [b"+"], [far.fileno()])
        far.close()
        said = self._zygote.recv(zygote.PID.size)
        pid = zygote.PID.unpack(said)[0] if said else 0
        if pid <= 0:
            near.close()
            raise Fault("no new cell: %s" % (os.strerror(-pid) if pid else "the zygote ended"))
        self._uid += 1
        message = {
            "uid": self._uid if self._many_users else None,
            "environment": {"PATH": self._path, "HOME": "/tmp", "LANG": "C.UTF-8", **environment},
            "disk_mb": int(limits["disk_mb"]) + (256 if compiles else 0),
            "inodes": int(limits["files"]) + 64,
            "files": names,
            "to_be_compiled": compiles,
        }
        cell = _Cell(near, pid)
        cell.send(message, [_memory(blob) for blob in blobs])
        return cell

    def _drop(self) -> None:
        if self._cell:
            self._cell.end()
            self._cell = None

    def _reply(self, cell: _Cell, seconds: float, patient: bool = True) -> tuple[dict, list[int]]:
        """What a cell answers, with the descriptors it made. Raises `Fault`, or returns nothing where not `patient`."""
        until = time.monotonic() + seconds
        poll = select.poll()
        poll.register(cell.control, select.POLLIN)
        poll.register(self._link, 0)  # a hang-up is told all the same
        while True:
            ready = dict(poll.poll(max(0.0, until - time.monotonic()) * 1000))
            if self._link in ready:
                os._exit(0)  # nobody waits for what is being done here
            if not ready:
                if not patient:
                    return None, []
                raise Fault("a cell did not answer in time")
            message, fds = cell.receive()
            if message is None:
                raise Fault("a cell ended")
            if message:  # an empty one says that it's built
                if "trouble" in message:
                    raise Fault("a cell could not begin: " + message["trouble"])
                return message, fds


class _Cell:
    """The broker's end of a cell."""

    def __init__(self, control: socket.socket, pid: int) -> None:
        self.control = control
        self._pid = pid

    def begin(self, message: dict, blobs: list[bytes], more: tuple | list = ()) -> list[int]:
        """Have it do something with standard input and files; returns descriptors of its output."""
        output = [os.memfd_create("stdout"), os.memfd_create("stderr")]
        stdin, *files = map(_memory, blobs)
        try:
            data = json.dumps(message).encode()
            socket.send_fds(self.control, [data], [stdin, *output, *files, *more])
        except OSError:
            pass  # it ended, which is found when its reply is read
        _close([stdin, *files])
        return output

    def send(self, message: dict, fds: list[int]) -> None:
        try:
            socket.send_fds(self.control, [json.dumps(message).encode()], fds)
        except OSError:
            pass  # likewise
        _close(fds)

    def receive(self) -> tuple[dict | None, list[int]]:
        try:
            data, fds, _, _ = socket.recv_fds(self.control, cell.MOST_MESSAGE, cell.MOST_FDS)
        except OSError:
            return None, []
        return (json.loads(data) if data else None), list(fds)

    def end(self) -> None:
        """Kill it, and with it all that is in its namespaces. The zygote reaps it later, so the pid is still its own."""
        self.control.close()
        try:
            os.kill(self._pid, 9)
        except ProcessLookupError:
            pass


def _memory(data: bytes) -> int:
    """A file in memory with that content."""
    fd = os.memfd_create("input")
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _slurp(fd: int, most: int) -> bytes:
    """A file's content from its start, `most` bytes of it."""
    wanted = min(os.fstat(fd).st_size, most)
    data = bytearray()
    while len(data) < wanted:
        got = os.pread(fd, min(wanted - len(data), 1 << 24), len(data))
        if not got:
            break
        data += got
    return bytes(data)


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def _has_many_users() -> bool:
    """Whether programs can get user ids of their own: not where an ordinary user made the jail."""
    with open("/proc/self/uid_map") as file:
        return any(int(line.split()[2]) > 2_500_000_000 for line in file)


def _oom_kills() -> int:
    """How often the kernel ended a process in this jail because memory was out (control groups 1 and 2)."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(path) as file:
                return next(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
        except (OSError, StopIteration, ValueError):
            continue
    return 0
