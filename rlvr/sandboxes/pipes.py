"""`PipeLink`: the link to a jail that is a child process, over its standard input and output."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence

from rlvr.core.errors import JailError
from rlvr.core.files import fill_standard_descriptors

_MOST_STDERR = 4096
_PIPE_BYTES = 1 << 20
_END_S = 5.0
_LOOK_S = 1.0  # how often to look whether it has been closed


class PipeLink:
    """A `Link` to a process.

    Args:
        command: its command line. It gets a last argument more: a descriptor to write its
            pid to, as JSON with "child-pid" (the option `--info-fd` of bwrap).
        prefix: a command that runs the rest of its command line.
        gone: called once the process has ended.
    """

    def __init__(
        self,
        command: Sequence[str],
        prefix: Sequence[str] = (),
        gone: Callable[[], None] | None = None,
    ) -> None:
        self._gone = gone
        fill_standard_descriptors()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the link)
        info, tell = os.pipe()
        self._info = info
        self._lock = threading.Lock()
        self._in_use = threading.Lock()  # the pipes, or the one from the jail
        self._sending = threading.Lock()  # the pipe to the jail, if another thread receives
        self._closed = False
        try:
            # Not --die-with-parent: that ties a jail to the thread which starts it. It ends when its
            # standard input does, and the kernel sees to that, whatever becomes of this process.
            self._process = subprocess.Popen(
                [*prefix, command[0], "--info-fd", str(tell), *command[1:]],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                bufsize=0,
                pass_fds=[tell],
                start_new_session=True,
            )
        except BaseException:
            os.close(info)
            self._stderr.close()
            raise
        finally:
            os.close(tell)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        for fd in (self._in, self._out):
            os.set_blocking(fd, False)
            with contextlib.suppress(OSError):  # where users may not have larger ones
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def exchange(self, data: bytes, wanted: int, deadline: float) -> bytes:
        """See `Link`."""
        with self._in_use:
            return self._exchange(data, wanted, deadline)

    def _exchange(self, data: bytes, wanted: int, deadline: float) -> bytes:
        poll = select.poll()
        poll.register(self._out, select.POLLIN)
        left = memoryview(data)
        got = bytearray()
        if left:
            poll.register(self._in, select.POLLOUT)
        while left or len(got) < wanted:
            if self._closed:
                raise JailError("The jail was closed.")
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise JailError("The jail did not answer in time.")
            for fd, _ in poll.poll(min(left_s, _LOOK_S) * 1000):
                if fd == self._out:
                    got += self._received()
                else:
                    left = left[self._sent(left) :]
                    if not left:
                        poll.unregister(self._in)
        return bytes(got)

    def send(self, data: bytes, deadline: float) -> None:
        """See `Link`."""
        with self._sending:
            poll = select.poll()
            poll.register(self._in, select.POLLOUT)
            left = memoryview(data)
            while left:
                if self._closed:
                    raise JailError("The jail was closed.")
                left = left[self._sent(left) :]
                left_s = deadline - time.monotonic()
                if left and left_s <= 0:
                    raise JailError("The jail takes nothing in.")
                if left:
                    poll.poll(min(left_s, _LOOK_S) * 1000)

    def receive(self) -> bytes:
        """See `Link`."""
        with self._in_use:
            poll = select.poll()
            poll.register(self._out, select.POLLIN)
            while not self._closed:
                if poll.poll() and (data := self._received()):
                    return data
            raise JailError("The jail was closed.")

    def close(self) -> None:
        """See `Link`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._kill()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._gone is not None:
            self._gone()
        # Who is in `exchange` sees the pipes end. Only then may their numbers become other files'.
        with self._in_use, self._sending:
            self.abandon()

    def abandon(self) -> None:
        """See `Link`."""
        self._closed = True
        for pipe in (self._process.stdin, self._process.stdout, self._stderr):
            assert pipe is not None
            pipe.close()
        # Once: another file may have its number by the time at which a fork abandons what is closed already.
        info, self._info = self._info, -1
        if info >= 0:
            os.close(info)
        self._process.returncode = self._process.returncode or 0  # a fork isn't its parent

    def _kill(self) -> None:
        """End the jail's pid 1, and with it all that is in the jail."""
        pid = self._process.pid  # its own, dead or alive, until it is waited for
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                os.set_blocking(self._info, False)
                os.kill(int(json.loads(os.read(self._info, 4096))["child-pid"]), signal.SIGKILL)
                return
        # Until it leaves this group, pid 1 waits for a word of bwrap's, for ever if bwrap was killed before.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def _received(self) -> bytes:
        try:
            data = os.read(self._out, 1 << 20)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise JailError(f"The jail hung up: {error}.") from None
        if not data:
            raise JailError(f"The jail ended. {self._said()}".strip())
        return data

    def _sent(self, data: memoryview) -> int:
        try:
            return os.write(self._in, data[: 1 << 20])
        except BlockingIOError:
            return 0
        except OSError:
            raise JailError(f"The jail ended. {self._said()}".strip()) from None

    def _said(self) -> str:
        """Return the end of what it wrote on standard error."""
        size = os.fstat(self._stderr.fileno()).st_size
        end = os.pread(self._stderr.fileno(), _MOST_STDERR, max(0, size - _MOST_STDERR))
        return end.decode("utf-8", "replace").strip()
