"""A workspace: pid 1 of a set of namespaces that lasts an episode. It holds a shell, a Python and their files.

It does one thing at a time: a command, a cell, or something with files. Between calls all processes in it stand still, so
that hundreds of open workspaces cost no processor. It never reads a file of the model's itself: what it does with files it
does in a fork, with the model's rights.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from typing import Any

from . import deliveries, kernel, room, supervise
from .cells import MOST_FDS, MOST_MESSAGE, close, memory
from .files import read
from .groups import Meters
from .meter import FIRST_LOOK_S, SLOWEST_LOOK_S, CallMeter
from .sessions import BashSession, LastingProgram, NotebookSession

_GRACE_S = 2.0  # from an interrupt to the end
_START_S = 30.0  # of a session
_KILL_S = 60.0  # until all that was killed is gone
_MOST_ROUNDS = 20  # of killing all but one
_SESSIONS: dict[str, type[LastingProgram]] = {"shell": BashSession, "python": NotebookSession}


def main(control: socket.socket, last_pid: int) -> None:
    """Do what the broker says until it hangs up.

    Args:
        control: the socket to it.
        last_pid: unused: a workspace's pids go on.
    """
    kernel.become_deaf()
    workspace = _Workspace(control)
    while True:
        data, fds, _, _ = socket.recv_fds(control, MOST_MESSAGE, MOST_FDS)
        if not data:
            os._exit(0)
        outgoing: list[int] = []
        try:
            reply = workspace.act(json.loads(data), list(fds), outgoing)
        except Exception as error:
            reply = {"trouble": repr(error)[:2000]}
        socket.send_fds(control, [json.dumps(reply).encode()], outgoing)
        close([*fds, *outgoing])


class _Workspace:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._meters = Meters([])
        self._limits: dict[str, Any] = {}
        self._uid: int | None = None
        self._folder = "/"
        self._where = "/"  # of the shell, when it was last seen
        self._kernel_before = 0
        self._number = 0
        self._sessions: dict[str, LastingProgram] = {}

    def act(self, message: dict[str, Any], fds: list[int], outgoing: list[int]) -> dict[str, Any]:
        """Do one thing. Descriptors to send along go to `outgoing`."""
        name = message["do"]
        if name == "open":
            self._open(message, fds)
            return {}
        if name in _SESSIONS:
            return self._call(name, message, fds, outgoing)
        content = os.memfd_create("delivery")
        outgoing.append(content)
        return deliveries.act(message, fds, content, self._uid, self._folder)

    def _open(self, message: dict[str, Any], fds: list[int]) -> None:
        self._limits, self._uid = message["limits"], message["uid"]
        self._meters = Meters([os.dup(fd) for fd in fds])
        self._folder = self._where = message["folders"][0]
        os.environ.clear()
        os.environ.update(message["environment"])
        limits = self._limits
        room.build(message["folders"], int(limits["disk_mb"]), int(limits["files"]), self._uid)
        os.umask(0o022)
        self._kernel_before = self._meters.kernel_memory()

    # ---------------------------------------------------------------- calls

    def _call(
        self, name: str, message: dict[str, Any], fds: list[int], outgoing: list[int]
    ) -> dict[str, Any]:
        self._number += 1
        limits = {**self._limits, "wall_s": message["wall_s"]}
        text, *stdin = (read(fd) for fd in fds)
        place = "/dev/null"
        if stdin:
            try:
                place = deliveries.place_input(stdin[0], self._uid)
            except OSError as error:  # its folders are full
                outgoing += [
                    memory(b"standard input: %s\n" % os.strerror(error.errno or 0).encode()),
                    memory(b""),
                ]
                return {
                    "status": 1,
                    "limit": None,
                    "wall": 0.0,
                    "cut": 0,
                    "interrupted": False,
                    "ended": "",
                    "others_ended": [],
                }
        # One that the last call killed is replaced before it is asked, also if it hasn't ended yet.
        for program in self._sessions.values():
            if supervise.is_dying(program.pid):
                poll = select.poll()
                poll.register(program.handle, select.POLLIN)
                poll.poll(_KILL_S * 1000)
        self._reap()
        gone = self._bury(None)
        _signal_all(signal.SIGCONT)
        session = self._sessions.get(name) or self._started(name)
        meter = CallMeter(limits, self._meters, self._kernel_before)
        session.ask(self._number, text, place)
        status, limit, interrupted = self._until_end(session, meter)
        if session.code is None and status is None:
            self._end_all(None if limit == "memory" else session)
        _signal_all(signal.SIGSTOP)
        session.output.drain(1 << 10)
        head, tail, cut = session.output.take()
        for text in (head, tail):
            outgoing.append(memory(text))
        if stdin:
            deliveries.remove(place)
        self._reap()
        if session.code is not None:
            status = session.code if session.code >= 0 else None
        reply = {
            "status": status if limit is None else None,
            "limit": limit,
            "wall": time.monotonic() - meter.began,
            "cut": cut,
            "interrupted": interrupted,
            "ended": self._ending(session),
            "others_ended": gone + self._bury(session),
        }
        if name == "shell":
            self._look_where(session)
        return reply

    def _started(self, name: str) -> LastingProgram:
        try:
            return self._start(name)
        except OSError:
            # What else runs here may have left no room: processes and memory are the workspace's.
            self._end_all(None)
            return self._start(name)

    def _start(self, name: str) -> LastingProgram:
        kind = _SESSIONS[name]
        folder = self._where if name == "shell" and os.path.isdir(self._where) else self._folder
        session = kind(folder, {**self._limits, "spare": self._spare()}, self._uid)
        self._sessions[name] = session
        if name == "shell":
            # What it says at its start is nothing of the model's.
            session.ask(0, b"export -n PS1 PS2; __rlvr() { return ${1:-0}; }", "/dev/null")
            waiting = select.poll()
            waiting.register(session.status, select.POLLIN)
            waiting.register(session.handle, select.POLLIN)
            deadline = time.monotonic() + _START_S
            while session.said(0) is None:
                waiting.poll(1000)
                self._reap()
                if session.code is not None or time.monotonic() > deadline:
                    self._forget(session)
                    raise OSError("the shell didn't start")
            session.output.drain()
            session.output.take()
        return session

    def _spare(self) -> int:
        """Count the processes that are attributed to the model's user and aren't its own, if all workspaces share one."""
        return 0 if self._uid is not None else 4096

    def _until_end(
        self, session: LastingProgram, meter: CallMeter
    ) -> tuple[int | None, str | None, bool]:
        """Wait for the end of a call; returns its status, the limit that it went over and if it was interrupted."""
        poll = select.poll()
        poll.register(self._control, 0)
        for program in self._sessions.values():
            poll.register(program.output.fd, select.POLLIN)
        poll.register(session.status, select.POLLIN)
        poll.register(session.handle, select.POLLIN)
        limit, over = None, 0.0
        pause = FIRST_LOOK_S
        look = time.monotonic() + pause
        while True:
            if session.send_more():
                poll.register(session.input, select.POLLOUT)
            elif limit is None:
                try:
                    poll.unregister(session.input)
                except KeyError:
                    pass
            ready = dict(poll.poll(max(0.0, look - time.monotonic()) * 1000))
            if self._control.fileno() in ready:
                os._exit(0)  # nobody waits for this any more
            for program in self._sessions.values():
                if program.output.fd in ready:
                    program.output.drain()
                    if not ready[program.output.fd] & select.POLLIN:
                        poll.unregister(program.output.fd)
            if session.status in ready:
                status = session.said(self._number)
                if status is not None:
                    # What it has left running is looked at once more: a bomb may have a short fuse.
                    if limit is None and (over_all := meter.passed_by_all()):
                        return None, over_all, False
                    return status, limit, limit is not None
                if not ready[session.status] & select.POLLIN:
                    poll.unregister(session.status)
            if session.handle in ready:
                self._reap()
                return None, limit, False
            now = time.monotonic()
            if now < look:
                continue
            self._reap()
            if limit is None:
                limit = meter.passed(session.output.total)
                pause = min(pause * 1.5, SLOWEST_LOOK_S, max(meter.left(), 0.001))
                if limit in ("memory", "processes"):
                    return None, limit, False
                if limit is not None:
                    over = now + _GRACE_S
                    try:
                        os.killpg(session.pid, signal.SIGINT)
                    except ProcessLookupError:
                        pass
                    session.interrupted(self._number)
            elif now >= over:
                return None, limit, False
            look = now + pause

    def _ending(self, session: LastingProgram) -> str:
        """Return how a session ended, if it did, and forget it."""
        if session.code is None:
            return ""
        self._forget(session)
        if session.code < 0:
            return "signal %d" % -session.code
        return "exit status %d" % session.code

    def _bury(self, session: LastingProgram | None) -> list[str]:
        """Forget the other sessions that have ended; returns their names."""
        ended = [program for program in self._sessions.values() if program.code is not None]
        for program in ended:
            self._forget(program)
        return [program.name for program in ended if program is not session]

    def _forget(self, session: LastingProgram) -> None:
        if self._sessions.get(session.name) is session:
            del self._sessions[session.name]
            session.close()

    def _end_all(self, session: LastingProgram | None) -> None:
        """Kill all processes, but the other session if only one is to blame."""
        kept = [
            program.pid for program in self._sessions.values() if session and program is not session
        ]
        deadline = time.monotonic() + _KILL_S
        rounds = 0
        while True:
            _signal_all(signal.SIGSTOP)  # nobody forks from here on, unless a death wakes it up
            self._reap()
            left = [int(pid) for pid in supervise.others() if int(pid) not in kept]
            if not left:
                return
            if time.monotonic() > deadline:
                raise RuntimeError("processes that can't be killed")
            rounds += 1
            if not kept or rounds > _MOST_ROUNDS:
                kept = []
                _signal_all(signal.SIGKILL)  # all at once: none is left to fork
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.001)

    def _reap(self) -> bool:
        """Take note of the processes that have ended; returns whether a session is among them."""
        session_ended = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return session_ended
            if not pid:
                return session_ended
            for program in self._sessions.values():
                if program.pid == pid:
                    program.code = os.waitstatus_to_exitcode(status)
                    session_ended = True

    def _look_where(self, session: LastingProgram) -> None:
        if session.code is None:
            try:
                self._where = os.readlink("/proc/%d/cwd" % session.pid)
            except OSError:
                pass


def _signal_all(number: int) -> None:
    """Send a signal to every process here but this one."""
    try:
        os.kill(-1, number)
    except ProcessLookupError:
        pass
