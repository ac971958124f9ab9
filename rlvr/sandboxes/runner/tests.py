"""The broker's part in function tests: a solution in one cell, its tests in another, a socket between them.

Tests that can leave nothing behind (the host says which these are) are judged one after the other by a process
that stays; others get a process each.
"""

from __future__ import annotations

import json
import os
import select
import socket
from typing import Any

from .cells import Cell, Cells, Fault, close, memory
from .files import read
from .report import HEAD
from .testing import CALM, UPSET

_GRACE_S = 5.0
_KIB = 1 << 10
_FOR_EVER_S = 1e8


class Tests:
    """Runs them. Nothing that a model wrote runs in the cells that are kept here."""

    def __init__(self, cells: Cells) -> None:
        self._cells = cells
        self._judge: Cell | None = None  # a process for each solution's tests
        self._bench: _Bench | None = None  # one process for those of many

    def warm_up(self, limits: dict[str, Any]) -> None:
        """Have the process that stays start."""
        self._start(limits)

    def run(
        self, solution: Cell, header: dict[str, Any], blobs: list[bytes]
    ) -> tuple[dict[str, Any], list[bytes]]:
        """What came of the tests, which are the first blob; the others are the solution's files."""
        tests, *sources = blobs
        limits = header["limits"]
        near, far = socket.socketpair()
        opened = [os.memfd_create("report"), near.detach(), far.detach(), memory(tests)]
        report, ours, theirs, told = opened
        try:
            handed = [ours, *map(memory, sources)]
            opened += handed[1:]
            serving = {"do": "serve", "sources": header["files"], "limits": limits}
            output = solution.begin(serving, [b""], tuple(handed))
            opened += output
            judged = self._by_the_bench if header["simple"] else self._by_itself
            hung_up = opened[1:3]
            opened[1:3] = []
            verdict = judged((theirs, report, told), header["test_limits"], hung_up)
            written = read(report)
            entries = [json.loads(line) for line in written[HEAD:].splitlines()]
            ended: dict[str, Any] = {}
            if verdict["limit"] or not all(entry.get("passed") for entry in entries):
                # How the solution ended says which limit it hit, if any. Its tests have hung up.
                ended, made = self._cells.last_word(solution, 1.0)
                opened += made
            reply = {"judge": verdict, "solution": ended, "entries": entries}
            most = int(limits["output_kb"] * _KIB)
            printed = [read(fd, most) for fd in output]
            return {**reply, "at": written[:2].decode("ascii")}, printed
        except BaseException:
            solution.usable = False
            raise
        finally:
            close(opened)

    def _by_itself(
        self, fds: tuple[int, int, int], limits: dict[str, Any], hang_up: list[int]
    ) -> dict[str, Any]:
        """Judge in a process of their own: how that ended."""
        self._judge = judge = self._cells.build(self._judge, {}, limits)
        made = judge.begin({"do": "judge", "limits": limits}, [b""], fds)
        close(hang_up)
        try:
            reply, more = self._cells.reply(judge, limits["wall_s"] + _GRACE_S)
        finally:
            close(made)
        close(more)
        return reply

    def _by_the_bench(
        self, fds: tuple[int, int, int], limits: dict[str, Any], hang_up: list[int]
    ) -> dict[str, Any]:
        """Judge in the process that stays, which is replaced where it may have been upset."""
        if self._bench is None or not self._bench.is_there:
            self._start(limits)
        bench = self._bench
        assert bench is not None
        try:
            try:
                socket.send_fds(bench.line, [b"+"], list(fds))
            finally:
                close(hang_up)
            if not self._cells.wait(bench.poll(), limits["wall_s"]):
                self._dismiss()
                return {"limit": "wall", "status": None, "signal": 9}
            said = bench.line.recv(1)
            if said == UPSET:
                self._dismiss()
            if said in (CALM, UPSET):
                return {"limit": None, "status": 0, "signal": None}
        except OSError:
            pass
        # It has ended, by a limit or by the kernel's hand; or had ended before, which says nothing of these tests.
        try:
            reply, made = self._cells.reply(bench.cell, _GRACE_S)
            close(made)
            if not read(fds[1]):
                raise Fault("the tests' process ended before it had begun with them")
            return reply
        finally:
            self._dismiss()

    def _start(self, limits: dict[str, Any]) -> None:
        self._dismiss()
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        endless = {**limits, "wall_s": _FOR_EVER_S, "cpu_s": _FOR_EVER_S, "look_s": 0.25}
        cell = self._cells.build(None, {}, limits)
        close(cell.begin({"do": "judge many", "limits": endless}, [b""], (far.fileno(),)))
        far.close()
        self._bench = _Bench(cell, near)

    def _dismiss(self) -> None:
        if self._bench is not None:
            self._bench.cell.end()
            self._bench.line.close()
        self._bench = None


class _Bench:
    """The process that judges many, its cell and the line to it."""

    def __init__(self, cell: Cell, line: socket.socket) -> None:
        self.cell = cell
        self.line = line

    def poll(self) -> select.poll:
        """What to wait for: that it says something, or ends."""
        poll = select.poll()
        poll.register(self.line, select.POLLIN)
        poll.register(self.cell.control, select.POLLIN)
        return poll

    @property
    def is_there(self) -> bool:
        """Whether it neither ended nor said anything unasked."""
        return not self.poll().poll(0)
