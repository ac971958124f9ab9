"""The template process: imports common libraries once, then forks workers from itself in milliseconds.

It never runs a verifier and blocks on its own messages alone, so it can always fulfil
its two duties: reap its workers, and kill them all when the scorer's process has ended in any
way. It has its own session, so that a Ctrl-C in the terminal reaches the scorer alone.

Run as `python -m rlvr.scoring.template FD`, with the settings as one JSON line on stdin.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import json
import os
import selectors
import signal
import socket
import sys
from typing import Any, NoReturn

from rlvr.scoring import wire, worker
from rlvr.scoring.memory import Growth
from rlvr.scoring.page import Page
from rlvr.scoring.prints import Outlet

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until the scorer closes the connection."""
    os.dup2(2, 1)  # prints must not mix with the scorer's own output
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # workers end without flushing
    settings: dict[str, Any] = json.loads(sys.stdin.readline())
    sys.path[:] = settings["path"]
    _import(["cloudpickle", *settings["modules"]])
    control = socket.socket(fileno=int(sys.argv[1]))
    alarm_out, alarm_in = os.pipe()
    os.set_blocking(alarm_in, False)
    os.set_blocking(alarm_out, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(alarm_in, warn_on_full_buffer=False)
    selector = selectors.PollSelector()  # unlike epoll, it accepts standard error that is a file
    selector.register(control, selectors.EVENT_READ)
    selector.register(alarm_out, selectors.EVENT_READ)
    outlet = Outlet(selector, settings["prints"])
    workers: set[int] = set()
    parent: int = settings["parent"]
    try:
        while True:
            ready = {key.fileobj for key, _ in selector.select(timeout=1.0)}
            _drain(alarm_out)
            ended = _reaped()
            workers.difference_update(pid for pid, _ in ended)
            for pid, status in ended:
                control.sendall(wire.LIFECYCLE.pack(wire.EXITED, pid, status))
            if os.getppid() != parent:  # a fork of the scorer may still hold the socket open
                break
            outlet.pump(ready)
            if control in ready and not _serve(control, workers, settings["memory_mb"], outlet):
                break
    except OSError:
        pass  # the scorer closed the connection during a message
    finally:
        for pid in workers:
            _kill(pid)
        outlet.drain(patience_s=1.0)
        os._exit(0)


def _serve(control: socket.socket, workers: set[int], memory_mb: int, outlet: Outlet) -> bool:
    """Answer one message. Returns False if the scorer closed the connection."""
    message, fds, _, _ = socket.recv_fds(control, wire.LIFECYCLE.size, 2)
    if len(message) < wire.LIFECYCLE.size:
        return False
    kind, pid, size = wire.LIFECYCLE.unpack(message)
    if kind in (wire.PRINTS, wire.IMPORT):
        text = control.recv(size, socket.MSG_WAITALL) if size else b""
        if kind == wire.PRINTS:
            outlet.set(os.fsdecode(text))
        else:
            _import(text.decode().split(","))
        for fd in fds:
            os.close(fd)  # which tells the scorer that it is done
        return True
    if kind == wire.KILL:
        if pid in workers:  # not reaped yet, so the pid is still its own
            _kill(pid)
        return True
    template = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become_worker(template, control, fds, memory_mb, outlet)
    _lead_group(pid)
    for fd in fds:
        os.close(fd)
    workers.add(pid)
    control.sendall(wire.LIFECYCLE.pack(wire.SPAWNED, pid, 0))
    return True


def _import(modules: list[str]) -> None:
    worker.import_early(modules)
    # Each worker collects its garbage before it loads a verifier: not through all these modules, which stay.
    gc.freeze()


def _become_worker(
    template: int, control: socket.socket, fds: list[int], memory_mb: int, outlet: Outlet
) -> NoReturn:
    status = 1
    try:
        _lead_group(0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != template:
                os._exit(1)
        control.close()
        outlet.become_worker()
        jobs = socket.socket(fileno=fds[0])
        page = Page(fds[1])
        os.close(fds[1])
        status = worker.serve(jobs, page, Growth(memory_mb))
    finally:
        os._exit(status)


def _lead_group(pid: int) -> None:
    """Make the worker the leader of a process group, so that its children end with it.

    Called on both sides of the fork, since either may be the first to need it.
    """
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)


def _kill(worker: int) -> None:
    """Kill a worker and its children. Call it before the worker is reaped: later, the pid may be another's."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker, signal.SIGKILL)


def _reaped() -> list[tuple[int, int]]:
    """Reap the workers that ended, with their wait status, and kill their children."""
    gone: list[tuple[int, int]] = []
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return gone
            _kill(ended.si_pid)
            gone.append(os.waitpid(ended.si_pid, 0))
        except ChildProcessError:
            return gone


def _drain(fd: int) -> None:
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass


if __name__ == "__main__":
    main()
