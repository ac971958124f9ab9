"""The scorer's end of the template process: start it, request and kill workers, end it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterable

from rlvr.scoring import wire

_CHANGE_S = 1.0  # so long a change of the prints' destination is waited for


class TemplateProcess:
    """A running template process; see `rlvr.scoring.template`.

    Args:
        memory_mb: the memory that one of its workers may add while it judges.
        prints: the destination of its workers' prints; see `rlvr.scoring.prints`.
        modules: the modules to import before it starts workers.

    Raises `OSError` if it can't be started.
    """

    def __init__(self, memory_mb: int, prints: str, modules: Iterable[str]) -> None:
        settings = {
            "parent": os.getpid(),
            "path": [os.path.abspath(p) for p in sys.path],
            "memory_mb": memory_mb,
            "prints": prints,
            "modules": list(modules),
        }
        from rlvr.core.files import fill_standard_descriptors  # imports urllib

        fill_standard_descriptors()
        self.control, theirs = socket.socketpair()
        try:
            # -P: a stray json.py in the working directory must not be imported
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "rlvr.scoring.template", str(theirs.fileno())],
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=_environment(),
            )
        except OSError:
            self.control.close()
            raise
        finally:
            theirs.close()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(json.dumps(settings).encode() + b"\n")

    def spawn(self, fds: list[int]) -> None:
        """Request a worker with these descriptors, which are closed here. `read` reports its start."""
        try:
            # If the template is gone, `read` notices it, and another one is started.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                message = wire.LIFECYCLE.pack(wire.SPAWN, 0, 0)
                socket.send_fds(self.control, [message], fds)
        finally:
            for fd in fds:
                os.close(fd)

    def kill(self, pid: int) -> None:
        """Request the end of a worker."""
        with contextlib.suppress(OSError):
            self.control.sendall(wire.LIFECYCLE.pack(wire.KILL, pid, 0))

    def send_prints_to(self, target: str) -> None:
        """Change the destination of the workers' prints, before the next job prints."""
        changed, closed_then = os.pipe()
        try:
            self._send(wire.PRINTS, os.fsencode(target), closed_then)
            os.close(closed_then)
            select.select([changed], [], [], _CHANGE_S)
        finally:
            os.close(changed)

    def import_modules(self, modules: Iterable[str]) -> None:
        """Import modules that the workers started from here on will need."""
        self._send(wire.IMPORT, ",".join(modules).encode())

    def _send(self, kind: bytes, text: bytes, *fds: int) -> None:
        with contextlib.suppress(OSError):
            socket.send_fds(self.control, [wire.LIFECYCLE.pack(kind, 0, len(text))], fds)
            self.control.sendall(text)

    def read(self) -> tuple[bytes, int, int] | None:
        """Read its next message: SPAWNED or EXITED, the pid, the wait status. None if it is gone."""
        try:
            message = self.control.recv(wire.LIFECYCLE.size, socket.MSG_WAITALL)
        except OSError:  # reset: it ended before it read all our messages
            return None
        if len(message) < wire.LIFECYCLE.size:
            return None
        kind, pid, status = wire.LIFECYCLE.unpack(message)
        return kind, pid, status

    def hang_up(self) -> None:
        """End the template, which ends its workers, too."""
        # A fork of this process may hold the socket too, so closing it alone isn't noticed.
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_RDWR)
        self.control.close()
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def abandon(self) -> None:
        """Release it in a forked child, without ending it: it belongs to the parent."""
        self.control.close()
        self._process.returncode = 0  # not this process's child: nothing to wait for


def _environment() -> dict[str, str]:
    """Return the environment, with one thread per numeric library: threads and fork don't mix."""
    single = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    package_root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        **dict.fromkeys(single, "1"),
        "PYTHONPATH": os.pathsep.join(p for p in (package_root, path) if p),
    }
