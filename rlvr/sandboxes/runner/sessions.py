"""The two programs of a workspace that last from call to call: a bash and a Python. Started in its pid 1."""

from __future__ import annotations

import fcntl
import os
import shlex
from typing import Any

from . import filter as seccomp
from . import kernel, notebook, supervise
from .capture import Capture
from .files import keep_only

_KEEP = 16 << 10  # bytes of each end of a call's output
_STATUS, _REQUESTS = 9, 8  # descriptors, in the session
_PIPE_BYTES = 1 << 20
_SET_PIPE_SIZE = 1031
_BASH = ["bash", "--noprofile", "--norc", "--noediting", "-i", "+m", "+H", "+o", "history"]
_TELL = "{ builtin printf '%%d %%d\\0' %d %s >&9; } 2>/dev/null"  # whatever is traced then isn't the call's


class LastingProgram:
    """One of them, while it lives.

    Attributes:
        pid: its process, also the number of its group.
        handle: a descriptor that is readable once the process has ended.
        output: what it and its children print.
        status: a pipe where it says how a call ended.
        code: its exit code, once it has ended: negative for a signal.
    """

    name = ""

    def __init__(self, folder: str, limits: dict[str, Any], uid: int | None) -> None:
        self.code: int | None = None
        requests, self._input = os.pipe()
        self.status, status = os.pipe()
        printed, output = os.pipe()
        trouble, trouble_end = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                supervise.lock_down(_lasting(limits), uid)
                seccomp.FOR_SESSIONS.install()
                null = os.open("/dev/null", os.O_RDONLY)
                # Out of the way of those that they will be.
                ends = (requests, status, output, trouble_end, null)
                high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in ends]
                self._begin(high[0], high[1], high[2], high[3], high[4], folder)
            except BaseException as error:
                os.write(trouble_end, repr(error).encode("utf-8", "replace")[:2000])
            finally:
                os._exit(supervise.FAULT)
        for fd in (requests, status, output, trouble_end):
            os.close(fd)
        # Its end is closed once the session has begun.
        wrong = os.read(trouble, 4096)
        os.close(trouble)
        self.handle = os.pidfd_open(self.pid)
        for fd in (self._input, self.status, printed):
            os.set_blocking(fd, False)
        self.output = Capture(printed, _KEEP)
        self._left = b""
        self._said = b""
        if wrong:
            self.close()
            raise OSError("a session couldn't begin: " + wrong.decode("utf-8", "replace"))

    def _begin(
        self, requests: int, status: int, output: int, trouble_end: int, null: int, folder: str
    ) -> None:
        raise NotImplementedError

    def _request(self, number: int, text: bytes, stdin: str) -> bytes:
        raise NotImplementedError

    def ask(self, number: int, text: bytes, stdin: str) -> None:
        """Have it do something. What doesn't fit into the pipe is sent by `send_more`."""
        self._left = self._request(number, text, stdin)
        self.send_more()

    def send_more(self) -> bool:
        """Send what is left of a request; returns whether something still is."""
        try:
            while self._left:
                self._left = self._left[os.write(self._input, self._left) :]
        except BlockingIOError:
            pass
        except OSError:  # it has ended
            self._left = b""
        return bool(self._left)

    @property
    def input(self) -> int:
        """The descriptor of `send_more`."""
        return self._input

    def interrupted(self, number: int) -> None:
        """Ask for a sign of life after an interrupt."""

    def said(self, number: int) -> int | None:
        """Return the status of a call if the session has said it."""
        try:
            data = os.read(self.status, 4096)
        except BlockingIOError:
            return None
        self._said = (self._said + data)[-4096:]
        *lines, self._said = self._said.split(b"\0")
        for line in lines:
            words = line.split()
            # The model can write here, too: nothing but two numbers means anything.
            plain = len(words) == 2 and all(w.isdigit() and len(w) < 12 for w in words)
            if plain and int(words[0]) == number:
                return int(words[1]) & 0xFF
        return None

    def close(self) -> None:
        """Let go of its descriptors; it is dead."""
        for fd in (self._input, self.status, self.output.fd, self.handle):
            os.close(fd)


class BashSession(LastingProgram):
    """A bash that is fed through a pipe.

    It is interactive, so that an interrupt ends the command and not the shell; it has no terminal and no job control.
    """

    name = "shell"

    def _begin(
        self, requests: int, status: int, output: int, trouble_end: int, null: int, folder: str
    ) -> None:
        _enter(folder)
        for fd, place in ((requests, 0), (output, 1), (output, 2), (status, _STATUS)):
            os.dup2(fd, place)
        os.dup2(trouble_end, 30)
        keep_only([_STATUS, 30])
        os.set_inheritable(30, False)
        os.environ["PS1"] = os.environ["PS2"] = ""
        try:
            os.execvp(_BASH[0], _BASH)
        except OSError as error:
            os.write(30, repr(error).encode())

    def _request(self, number: int, text: bytes, stdin: str) -> bytes:
        command = shlex.quote(text.decode("utf-8", "surrogateescape"))
        # A line, not a loop: `break` has nothing to break. `$?` is what the last call left. The empty line comes first
        # since bash 5.2 misreads the line after an `eval` that ended within quotes.
        line = "\n{ __rlvr $__rlvr_status; } 2>/dev/null; eval %s <%s 9>&-; { __rlvr_status=$?; } 2>/dev/null; %s\n"
        line %= command, stdin, _TELL % (number, "$__rlvr_status")
        return line.encode("utf-8", "surrogateescape")

    def interrupted(self, number: int) -> None:
        """See `LastingProgram`."""
        self._left += ("__rlvr_status=130; %s\n" % (_TELL % (number, "130"))).encode()
        self.send_more()


class NotebookSession(LastingProgram):
    """A Python interpreter, a fork of the warm one."""

    name = "python"

    def _begin(
        self, requests: int, status: int, output: int, trouble_end: int, null: int, folder: str
    ) -> None:
        _enter(folder)
        for fd, place in (
            (null, 0),
            (output, 1),
            (output, 2),
            (requests, _REQUESTS),
            (status, _STATUS),
        ):
            os.dup2(fd, place)
        keep_only([_REQUESTS, _STATUS])
        for fd in (_REQUESTS, _STATUS):
            os.set_inheritable(fd, False)
        kernel.dumpable(True)
        notebook.main(_REQUESTS, _STATUS)

    def _request(self, number: int, text: bytes, stdin: str) -> bytes:
        return notebook.request(number, text)


def _enter(folder: str) -> None:
    try:
        os.chdir(folder)
    except OSError:  # the model's code has closed it to itself
        os.chdir("/")


def _lasting(limits: dict[str, Any]) -> dict[str, Any]:
    """Return limits for a process that outlives a call: `CallMeter` counts the processor time of each call."""
    return {**limits, "cpu_s": 10**6}
