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
_LAST_S = 1.0  # that tests have when the solution is over its time
_TOO_LONG = {"limit": "wall", "status": None, "signal": 9}


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
        """Run the tests, which are the first blob; the others are the solution's files."""
        tests, *sources = blobs
        limits = header["limits"]
        near, far = socket.socketpair()
        opened = [os.memfd_create("report"), near.detach(), far.detach(), memory(tests)]
        report, ours, theirs, tests_fd = opened
        try:
            handed = [ours, *map(memory, sources)]
            opened += handed[1:]
            serving = {"do": "serve", "sources": header["files"], "limits": limits}
            output = solution.begin(serving, [b""], tuple(handed))
            opened += output
            judged = self._by_the_bench if header["simple"] else self._by_itself
            hung_up = opened[1:3]
            opened[1:3] = []
            verdict = judged((theirs, report, tests_fd), header["test_limits"], hung_up, solution)
            written = read(report)
            entries = [json.loads(line) for line in written[HEAD:].splitlines()]
            ended: dict[str, Any] = {}
            if verdict["limit"] or not all(entry.get("passed") for entry in entries):
                # How the solution ended says which limit it hit, if any. Its tests have hung up.
                ended, received = self._cells.last_word(solution, 1.0)
                opened += received
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
        self, fds: tuple[int, int, int], limits: dict[str, Any], hang_up: list[int], solution: Cell
    ) -> dict[str, Any]:
        """Run the tests in a process of their own, and return how it ended."""
        self._judge = judge = self._cells.build(self._judge, {}, limits)
        judge.for_tests = True
        alone = {**limits, "wall_s": limits["wall_s"] * limits["patience"], "patience": 1.0}
        received = judge.begin({"do": "judge", "limits": alone}, [b""], fds)
        close(hang_up)
        try:
            if not self._is_over(judge.control, limits, solution):
                judge.end()
                self._judge = None
                return _TOO_LONG
            reply, more = self._cells.reply(judge, _GRACE_S)
        finally:
            close(received)
        close(more)
        return reply

    def _by_the_bench(
        self, fds: tuple[int, int, int], limits: dict[str, Any], hang_up: list[int], solution: Cell
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
            if not self._is_over(bench.line, limits, solution, bench.cell.control):
                self._dismiss()
                return _TOO_LONG
            state = bench.line.recv(1)
            if state == UPSET:
                self._dismiss()
            if state in (CALM, UPSET):
                return {"limit": None, "status": 0, "signal": None}
        except OSError:
            pass
        # It has ended, by a limit or by the kernel's hand; or had ended before, which says nothing of these tests.
        try:
            reply, received = self._cells.reply(bench.cell, _GRACE_S)
            close(received)
            if not read(fds[1]):
                raise Fault("the tests' process ended before it had begun with them")
            return reply
        finally:
            self._dismiss()

    def _is_over(
        self,
        line: socket.socket,
        limits: dict[str, Any],
        solution: Cell,
        *other_lines: socket.socket,
    ) -> bool:
        """Tell whether tests end in time, by `line` or the others.

        They have as long as the solution and a little more. It has more time where others kept it from a processor,
        which only its own cell knows: as long as that lets it run, the tests go on as well.
        """
        ends = [line, *other_lines]
        if self._cells.wait(_polled(ends), limits["wall_s"]):
            return True
        more = (limits["patience"] - 1) * limits["wall_s"]
        if self._cells.wait(_polled([*ends, solution.control]), more):
            return self._cells.wait(_polled(ends), _LAST_S)
        return False

    def _start(self, limits: dict[str, Any]) -> None:
        self._dismiss()
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        endless = {**limits, "wall_s": _FOR_EVER_S, "cpu_s": _FOR_EVER_S, "look_s": 0.25}
        cell = self._cells.build(None, {}, limits)
        cell.for_tests = True
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

    @property
    def is_there(self) -> bool:
        """True if it has neither ended nor sent anything unasked."""
        return not _polled([self.line, self.cell.control]).poll(0)


def _polled(ends: list[socket.socket]) -> select.poll:
    """Return a poll object that waits for a message or the end of any of them."""
    poll = select.poll()
    for end in ends:
        poll.register(end, select.POLLIN)
    return poll
