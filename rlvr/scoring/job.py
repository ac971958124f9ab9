"""A job for a worker, and the verdict on it where its worker doesn't return."""

from __future__ import annotations

import os
import pickle
import sys
import threading
from concurrent.futures import Future
from typing import Any

import cloudpickle

from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Status, Unscored, Verdict, refused
from rlvr.core.verifier import Verifier
from rlvr.scoring.worker import RETIRED

LOAD_S = 120.0
"""How long a worker may take to load a verifier, which imports its module, in seconds."""

_RETRIES = 1  # of a job whose worker died or starved, which may not be the job's doing
_STARVED = 0.9  # a worker that got less of its time on a processor than this didn't hang: it waited


class Packed:
    """A job as bytes, in two forms: for a worker that has the verifier already, and for one that hasn't."""

    __slots__ = ("key", "lean", "response", "task", "verifier_blob")

    def __init__(self, key: int, blob: bytes, task: Task, response: str) -> None:
        self.key = key
        self.verifier_blob = blob
        self.task = task
        self.response = response
        self.lean = pickle.dumps((key, None, task, response), protocol=5)

    def full(self) -> bytes:
        """With the verifier itself."""
        return pickle.dumps((self.key, self.verifier_blob, self.task, self.response), protocol=5)


class Packer:
    """Pickles verifiers once and numbers them, so that workers keep them between jobs."""

    _kept = 256

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, tuple[Verifier, int, bytes, dict[str, Any]]] = {}
        self._keys = 0

    def pack(self, verifier: Verifier, task: Task, response: str) -> Packed:
        """Raises whatever pickling raises."""
        verifier.before_sending()
        known = self._known.get(id(verifier))
        if known is None or not _same(known[3], vars(verifier)):
            # cloudpickle: a verifier defined in __main__ or a notebook has no module to import.
            # The path goes along: it may have grown since the workers were forked.
            state = dict(vars(verifier))
            path = [entry for entry in map(os.fspath, sys.path) if os.path.isabs(entry)]
            blob = pickle.dumps((path, cloudpickle.dumps(verifier)), protocol=5)
            with self._lock:
                if len(self._known) >= self._kept:
                    self._known.pop(next(iter(self._known)))
                self._keys += 1
                known = self._known[id(verifier)] = (verifier, self._keys, blob, state)
        return Packed(known[1], known[2], task, response)


def _same(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether no attribute was set since: `part.name = …` must reach the workers too."""
    return len(before) == len(now) and all(
        now.get(name, before) is value for name, value in before.items()
    )


class Job:
    """One verification: its bytes, its time limit in seconds, and the future of its verdict."""

    __slots__ = ("_begun", "attempts", "future", "limit_s", "name", "packed")

    def __init__(self, verifier: Verifier, packed: Packed, limit_s: float | None) -> None:
        self.name = verifier.name
        self.packed = packed
        self.limit_s = float(verifier.limit_s if limit_s is None else limit_s)
        self.attempts = 0
        self.future: Future[Verdict] = Future()
        self._begun = False

    def begin(self) -> bool:
        """Whether to run it: False where its future was cancelled while it waited."""
        self._begun = self._begun or self.future.set_running_or_notify_cancel()
        return self._begun


def killed(job: Job, cpu_s: float, phase: str | None) -> Verdict | None:
    """The verdict on a job whose worker overstayed; None where it should be tried again.

    A worker that spent its time on a processor hung on what it was working on. One that mostly
    waited for a processor says nothing about the response.
    """
    if phase == "loading":
        return Unscored(
            Cause.TIMEOUT,
            f"loading {job.name} in a worker took over {LOAD_S:g} s: what its module imports is too "
            f"slow, or never ends",
        )
    limit = f"{job.limit_s:g} s"
    if cpu_s < _STARVED * job.limit_s:
        if job.attempts <= _RETRIES:
            return None
        return Unscored(
            Cause.TIMEOUT,
            f"{job.name} took over {limit} twice, but got a processor for {cpu_s:.2f} s: "
            f"the machine is overloaded or the verifier waits for something",
        )
    if phase == "response":
        return refused(job.name, Status.LIMIT, f"judging the response took over {limit}")
    if phase == "reference":
        return Unscored(Cause.GOLD, f"{job.name}: reading the reference took over {limit}")
    return Unscored(Cause.TIMEOUT, f"{job.name} took over {limit}")


def lost(job: Job, status: int, phase: str | None) -> Verdict | None:
    """The verdict on a job whose worker died; None where it should be tried again."""
    code = os.waitstatus_to_exitcode(status)
    if code == RETIRED and phase is None:
        job.attempts -= 1  # it had left when the job came
        return None
    if job.attempts <= _RETRIES:
        return None
    how = f"signal {-code}" if code < 0 else f"exit status {code}"
    if phase == "response":
        return refused(job.name, Status.LIMIT, f"judging the response ended its worker ({how})")
    if phase == "reference":
        return Unscored(Cause.GOLD, f"reading the reference ended the worker ({how})")
    return Unscored(Cause.INTERNAL, f"{job.name} ended its worker ({how}), twice")


def orphaned(job: Job) -> Verdict | None:
    """The verdict on a job whose template died; None where it should be tried again."""
    if job.attempts <= _RETRIES:
        return None
    return Unscored(
        Cause.INTERNAL, f"the scoring pool's template process ended twice while {job.name} ran"
    )
