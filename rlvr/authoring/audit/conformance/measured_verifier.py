"""`MeasuredVerifier`: a wrapper that runs a verifier in a worker and measures the worker and the task."""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
import time
from typing import Any

from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Unscored, Verdict
from rlvr.core.verifier import Verifier


class MeasuredVerifier(Verifier):
    """Call another verifier in a worker and measure the worker afterwards.

    The verdict's detail has `seconds`, `resident` (bytes), `open` (descriptors), `children`, `threads`,
    `moved` (the working directory changed), `printed` (characters) and `changed` (the task).
    """

    name = "measured"

    def __init__(self, inner: Verifier, settle: bool) -> None:
        self._inner = inner
        self._settle = settle
        self.sees = inner.sees
        self.limit_s = max(5.0, inner.limit_s)

    def verify(self, task: Task, response: Any) -> Verdict:
        """Return a verdict whose detail has the measurements."""
        before, folder, printed = fingerprint(task), os.getcwd(), _Counter()
        start = time.process_time()  # no wall time: other workers may have the processor
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            verdict = self._inner.settle(task, response) if self._settle else None
            if verdict is None and not self._settle:
                checked = self._inner.verify(task, response)
                assert isinstance(checked, Scored | Unscored)
        detail = {
            "seconds": time.process_time() - start,
            "resident": _resident(),
            "open": len(os.listdir("/proc/self/fd")),
            "children": _children(),
            "threads": threading.active_count(),
            "moved": os.getcwd() != folder,
            "printed": printed.characters,
            "changed": fingerprint(task) != before,
        }
        os.chdir(folder)
        return Scored(0.0, Status.INCORRECT, {}, "", detail)


class _Counter(io.TextIOBase):
    """A stream that counts the characters written to it."""

    characters = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.characters += len(text)
        return len(text)


def fingerprint(task: Task) -> str:
    """Return a whole task as text."""
    return json.dumps(task.to_json(), sort_keys=True, default=repr)


def _resident() -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _children() -> int:
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        return len(children.read().split())
