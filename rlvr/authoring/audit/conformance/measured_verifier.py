"""A verifier that judges with another in a worker, and says what became of the worker and the task."""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
import time

from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Unscored, Verdict
from rlvr.core.verifier import Verifier


class MeasuredVerifier(Verifier):
    """Judges with another verifier in a worker, and says how the worker is then.

    The verdict's detail: `seconds`, `resident` (bytes), `open` (descriptors), `children`, `threads`,
    `moved` (the working directory is another), `printed` (characters) and `changed` (the task).
    """

    name = "measured"

    def __init__(self, inner: Verifier, settle: bool) -> None:
        self._inner = inner
        self._settle = settle
        self.limit_s = max(5.0, inner.limit_s)

    def verify(self, task: Task, response: str) -> Verdict:
        """The inner verdict's status, with the time it took and what the process holds in its detail."""
        before, folder, said = fingerprint(task), os.getcwd(), _Counter()
        begun = time.process_time()  # not the wall's: other workers may have the processor
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            verdict = self._inner.settle(task, response) if self._settle else None
            if verdict is None and not self._settle:
                judged = self._inner.verify(task, response)
                assert isinstance(judged, Scored | Unscored)
        detail = {
            "seconds": time.process_time() - begun,
            "resident": _resident(),
            "open": len(os.listdir("/proc/self/fd")),
            "children": _children(),
            "threads": threading.active_count(),
            "moved": os.getcwd() != folder,
            "printed": said.characters,
            "changed": fingerprint(task) != before,
        }
        os.chdir(folder)
        return Scored(0.0, Status.INCORRECT, {}, "", detail)


class _Counter(io.TextIOBase):
    """Counts what's written to it."""

    characters = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.characters += len(text)
        return len(text)


def fingerprint(task: Task) -> str:
    """All that's in a task, as text."""
    return json.dumps(task.to_json(), sort_keys=True, default=repr)


def _resident() -> int:
    with open("/proc/self/statm", "rb") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _children() -> int:
    with open(f"/proc/self/task/{os.getpid()}/children") as children:
        return len(children.read().split())
