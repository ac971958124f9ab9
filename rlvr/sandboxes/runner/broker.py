"""The broker: pid 1 of a jail. Takes programs and inputs from the host and sees to them, one at a time.

A frame in, a frame out. Inputs and outputs are files in memory that the broker makes and hands to
a cell as descriptors, so that no program can hold up anybody by not reading or by writing too much.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any

from . import frames, jail, zygote
from .cells import Cell, Cells, Fault, close
from .files import read
from .groups import Groups
from .tests import Tests

_GRACE_S = 5.0
_MOST_MESSAGE = 20000
_KIB = 1 << 10


def main() -> None:
    """Serve the host on descriptors 0 and 1 until it hangs up; then everything in the jail ends."""
    last_pid = jail.last_pid()
    link_in, link_out, cells = zygote.start(last_pid)
    if last_pid >= 0:
        os.close(last_pid)
    groups = Groups()
    about = {
        "pids restart": last_pid >= 0,
        "counted": groups.controllers,
        "not counted because": groups.missing,
        "files shared because": jail.furnish(),
    }
    broker = _Broker(Cells(cells, link_in, groups), about)
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
    def __init__(self, cells: Cells, about: dict[str, Any]) -> None:
        self._cells = cells
        self._about = about
        self._cell: Cell | None = None  # programs and solutions, one after the other
        self._tests = Tests(cells)
        self._compiles = False  # whether what was opened last can be run

    def answer(
        self, header: dict[str, Any], blobs: list[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Do what a frame asks for."""
        request = header.pop("do")
        if request == "hello":
            return self._hello(header), []
        if request == "open":
            return self._open(header, blobs), []
        if request == "run":
            return self._run(header, blobs)
        if request == "functions":
            self._cell = self._cells.build(self._cell, {}, header["limits"])
            return self._tests.run(self._cell, header, blobs)
        raise Fault("no such request: %r" % request)

    def _hello(self, header: dict[str, Any]) -> dict[str, Any]:
        tools = {tool: shutil.which(tool) is not None for tool in header["tools"]}
        limits = header["limits"]
        # What fails here would fail every program.
        self._cell = self._cells.build(None, {}, limits)
        trial = {"do": "run", "command": ["true"], "limits": limits}
        reply, descriptors = self._act(self._cell, trial, [b"", b"[]"])
        close(descriptors)
        if reply["status"] != 0:
            raise Fault("a trial run ended with %s" % reply)
        self._tests.warm_up(limits)
        packages = jail.packages(sys.path)
        return {
            "python": sys.version.split()[0],
            "tools": tools,
            "packages": packages,
            "about": self._about,
        }

    def _act(
        self, cell: Cell, message: dict[str, Any], blobs: list[bytes]
    ) -> tuple[dict[str, Any], list[int]]:
        """Have a cell do one thing: its reply, and descriptors of stdout, stderr and what it made."""
        output = cell.begin(message, blobs)
        limits = message["limits"]
        seconds = limits["wall_s"] * limits["patience"] + _GRACE_S
        reply, descriptors = self._cells.reply(cell, seconds)
        return reply, [*output, *descriptors]

    # ---------------------------------------------------------------- programs with standard input

    def _open(self, header: dict[str, Any], blobs: list[bytes]) -> dict[str, Any]:
        """Put a program into a cell, and compile it where it has to be."""
        compiler, limits = header["compile"], header["limits"]
        files = dict(zip(header["files"], blobs))
        self._compiles = False
        self._cell = self._cells.build(
            self._cell, files, limits, bool(compiler), header["environment"]
        )
        if compiler:
            message = {"do": "compile", "command": compiler, "limits": header["compile_limits"]}
            reply, descriptors = self._act(self._cell, message, [b""])
            printed = b"\n".join(read(fd, _MOST_MESSAGE) for fd in (descriptors[1], descriptors[0]))
            close(descriptors)
            if reply["status"] != 0 or reply["limit"] is not None:
                return {"compile_error": _compile_error(reply, printed)}
        self._compiles = True
        return {}

    def _run(
        self, header: dict[str, Any], blobs: list[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """One test of the open program. The first blob is standard input, the others are files."""
        if self._cell is None or not self._compiles:
            return {"skipped": True}, []
        limits, args = header["limits"], header.pop("args")
        stdin, *files = blobs
        message = {**header, "do": "run"}
        reply, descriptors = self._act(
            self._cell, message, [stdin, json.dumps(args).encode(), *files]
        )
        stdout, stderr, *files_back = descriptors
        if reply.pop("compile_error", False):
            message_of = read(files_back[-1], _MOST_MESSAGE)[1:]
            reply, files_back = {"compile_error": message_of.decode("utf-8", "replace")}, []
        most = int(limits["output_kb"] * _KIB)
        output = [read(stdout, most), read(stderr, most), *map(read, files_back)]
        close(descriptors)
        return reply, output


def _compile_error(reply: dict[str, Any], printed: bytes) -> str:
    text = printed.decode("utf-8", "replace").strip()
    if reply["limit"]:
        return "compiling went over its limit of %s\n%s" % (reply["limit"], text)
    return text or "the compiler ended with %s" % (reply["status"] or reply["signal"])
