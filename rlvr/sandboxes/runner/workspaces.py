"""The broker of a jail of workspaces: pid 1. Many workspaces live in it at the same time, each in a cell of its own.

A frame of the host names its workspace and its call, and so does the answer. What one workspace does holds up no other.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import sys
import time
from typing import Any

from . import frames, jail, kernel, workspace, zygote
from .cells import MOST_FDS, MOST_MESSAGE, CellProcess, close, has_many_users, memory, new_uid
from .files import read
from .groups import Groups, ProcessGroup, machine_oom_kills

_GRACE_S = 150.0  # beyond what a call's own limits add up to: to end all of it, on a busy machine
_LONGEST_S = 2e6  # poll(2) counts in milliseconds and 31 bits
_NAMESPACES = zygote.NEW | kernel.NEWNET
_CHUNK = 1 << 20


def main() -> None:
    """Serve the host on descriptors 0 and 1 until it hangs up; then everything in the jail ends."""
    link_in, link_out, cells = zygote.start(-1, workspace.main, _NAMESPACES)
    groups = Groups()
    jail.furnish(files=False)
    _Workspaces(cells, link_in, link_out, groups).serve()


class _Workspace(CellProcess):
    """One workspace, from the broker's side."""

    def __init__(self, control: socket.socket, pid: int, group: ProcessGroup | None) -> None:
        super().__init__(control, pid, group)
        self.call: int | None = None  # the one that is under way
        self.deadline = 0.0
        self.kills = 0

    def oom_kill(self) -> str:
        """Return who used up the memory if the kernel has killed something since the last call: "itself", "others"."""
        if self.group is None:
            return ""
        kills, full = self.group.oom_kills()
        killed, self.kills = kills > self.kills, kills
        if not killed:
            return ""
        return "itself" if full else "others"


class _Workspaces:
    def __init__(self, zygote: socket.socket, link_in: int, link_out: int, groups: Groups) -> None:
        self._zygote = zygote
        self._in, self._out = link_in, link_out
        self._groups = groups
        self._many_users = has_many_users()
        self._path = os.environ.get("PATH", "/usr/bin:/bin")
        self._all: dict[int, _Workspace] = {}
        self._data = bytearray()
        self._machine_kills = machine_oom_kills()

    def serve(self) -> None:
        """Pass frames to the workspaces and their replies back."""
        poll = select.poll()
        poll.register(self._in, select.POLLIN)
        self._poll = poll
        while True:
            deadline = min(
                (w.deadline for w in self._all.values() if w.call is not None), default=0.0
            )
            wait = (
                min(max(0.0, deadline - time.monotonic()), _LONGEST_S) * 1000 if deadline else None
            )
            ready = dict(poll.poll(wait))
            if self._in in ready:
                self._receive()
            by_control = {w.control.fileno(): number for number, w in self._all.items()}
            for fd in ready:
                if fd in by_control:
                    self._reply(by_control[fd])
            now = time.monotonic()
            for number, entry in list(self._all.items()):
                if entry.call is not None and now > entry.deadline:
                    self._fail(number, "a workspace did not answer in time")

    def _receive(self) -> None:
        data = os.read(self._in, _CHUNK)
        if not data:
            os._exit(0)
        self._data += data
        while len(self._data) >= (wanted := frames.needed(self._data)):
            header, blobs = frames.unpacked(self._data[:wanted])
            del self._data[:wanted]
            self._do(header, blobs)

    def _do(self, header: dict[str, Any], blobs: list[bytes]) -> None:
        action, call = header["do"], header["call"]
        if action == "hello":
            frames.send(self._out, {"call": call, **self._hello(header)})
            return
        number = header["workspace"]
        entry = self._all.get(number)
        if action == "close":
            if entry is not None:
                self._fail(number, "the workspace was closed")
            frames.send(self._out, {"call": call})
            return
        try:
            if action == "open":
                entry = self._open(number, header)
            elif entry is None:
                raise OSError("it has ended")
            elif entry.call is not None:
                raise OSError("it does something else")
        except OSError as error:
            frames.send(self._out, {"call": call, "fault": "no workspace: %s" % error})
            return
        entry.call = call
        entry.deadline = time.monotonic() + min(header.get("most_s", 0.0) + _GRACE_S, _LONGEST_S)
        fds = [memory(blob) for blob in blobs]
        meters = entry.group.meters if action == "open" and entry.group else []
        entry.send(header, [*fds, *meters])
        close(fds)

    def _hello(self, header: dict[str, Any]) -> dict[str, Any]:
        return {
            "python": sys.version.split()[0],
            "tools": {tool: shutil.which(tool) is not None for tool in header["tools"]},
            "packages": jail.packages(sys.path),
            "about": {
                "counted": self._groups.controllers,
                "not counted because": self._groups.missing,
            },
        }

    def _open(self, number: int, header: dict[str, Any]) -> _Workspace:
        entry = _Workspace.start(self._zygote, self._groups)
        limits = header["limits"]
        if entry.group is not None:
            room = int((limits["memory_mb"] + limits["disk_mb"]) * (1 << 20))
            entry.group.allow(room, 2 * int(limits["processes"]) + 32)
        header["uid"] = new_uid() if self._many_users else None
        header["environment"] = {
            "PATH": self._path,
            "HOME": header["folders"][0],
            "USER": "agent",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "OPENBLAS_NUM_THREADS": "1",
            **header["environment"],
        }
        self._all[number] = entry
        self._poll.register(entry.control, select.POLLIN)
        return entry

    def _reply(self, number: int) -> None:
        entry = self._all[number]
        try:
            data, fds, _, _ = socket.recv_fds(entry.control, MOST_MESSAGE, MOST_FDS)
        except OSError:
            data, fds = b"", []
        if not data:
            self._fail(number, "a workspace ended")
            return
        reply = json.loads(data)
        blobs = [read(fd) for fd in fds]
        close(list(fds))
        call, entry.call = entry.call, None
        killed = entry.oom_kill()
        if "trouble" in reply:
            self._drop(number)
            reply = {"fault": "a workspace failed: %s" % reply["trouble"]}
        elif killed == "others":
            self._drop(number)
            reply = {"fault": "the kernel killed something because others used up the memory"}
        elif killed and reply.get("limit", "") is None:
            reply["limit"], reply["status"] = "memory", None
        frames.send(self._out, {"call": call, **reply}, [] if "fault" in reply else blobs)

    def _fail(self, number: int, why: str) -> None:
        call = self._all[number].call
        self._drop(number)
        if call is not None:
            frames.send(self._out, {"call": call, "fault": why})

    def _drop(self, number: int) -> None:
        entry = self._all.pop(number)
        self._poll.unregister(entry.control)
        entry.end()
