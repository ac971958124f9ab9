"""A job for a worker, and the verdict on a job whose worker doesn't return."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import sys
import threading
import time
import types
from collections import ChainMap
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import cloudpickle

from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Status, Unscored, Verdict, refused
from rlvr.core.verifier import Verifier
from rlvr.scoring.worker import RETIRED

LOAD_S = 120.0
"""Seconds that a worker may take to load a verifier, which imports its module."""

_RETRIES = 1  # retries of a job whose worker died or starved, since the job may not be the reason
_STARVED = 0.9  # below this share of its limit on a processor, a worker didn't hang: it waited


class Packed:
    """A job as bytes, in two forms: with the verifier, and without it for workers that have it already."""

    __slots__ = ("key", "lean", "response", "task", "verifier_blob")

    def __init__(self, key: int, blob: bytes, task: Task, response: str | Transcript) -> None:
        self.key = key
        self.verifier_blob = blob
        self.task = task
        self.response = response
        self.lean = pickle.dumps((key, None, task, response), protocol=5)

    def full(self) -> bytes:
        """Return the form that includes the verifier."""
        return pickle.dumps((self.key, self.verifier_blob, self.task, self.response), protocol=5)


def new_batch() -> None:
    """Compare each verifier with its pickle again before it judges, since its globals may have changed."""
    global _batch
    _batch = next(_batches)


_batches = itertools.count(1)
_batch = 0
_BY_VALUE = (b"_make_function", b"_make_skeleton_class")
_SHARE = 20  # outside of a batch, comparing takes at most a twentieth of the time


@dataclass(slots=True)
class _Pickled:
    """A verifier's pickle.

    Attributes:
        key: the number under which workers keep it.
        state: the verifier's attributes at that time.
        may_change: True if it holds an author's code, with the globals that this code uses, or containers.
        cost_s: seconds that pickling took.
        compared: the time of the last comparison with the verifier.
        batch: the batch of that comparison.
    """

    verifier: Verifier
    key: int
    blob: bytes
    state: dict[str, Any]
    may_change: bool
    cost_s: float
    compared: float
    batch: int

    def is_due(self) -> bool:
        """Tell whether globals or containers may have changed since the last comparison."""
        if not self.may_change:
            return False
        since = time.monotonic() - self.compared
        return self.batch != _batch or since > _SHARE * self.cost_s


class Packer:
    """Pickles verifiers and numbers them, so that workers keep them between jobs.

    A function is pickled with the globals that it uses. If one of them changes, in place or not, the pickle
    does, and the workers get the new one.
    """

    _kept = 256

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, _Pickled] = {}
        self._keys = 0

    def pack(self, verifier: Verifier, task: Task, response: str | Transcript) -> Packed:
        """Pickle a job. Raises whatever pickling raises."""
        verifier.before_sending()
        known = self._known.get(id(verifier))
        if known is None or not _same(known.state, vars(verifier)) or known.is_due():
            known = self._pickled(verifier, known)
        return Packed(known.key, known.blob, task, response)

    def _pickled(self, verifier: Verifier, known: _Pickled | None) -> _Pickled:
        begun = time.monotonic()
        state = dict(vars(verifier))
        # The path goes along: it may have grown since the workers were forked.
        path = [entry for entry in map(os.fspath, sys.path) if os.path.isabs(entry)]
        blob = pickle.dumps((path, _dumped(verifier)), protocol=5)
        now = time.monotonic()
        may_change = any(mark in blob for mark in _BY_VALUE) or any(
            isinstance(value, list | dict | set | bytearray) for value in state.values()
        )
        with self._lock:
            if known is not None and known.blob == blob:
                key = known.key
            else:
                self._keys += 1
                key = self._keys
            if known is None and len(self._known) >= self._kept:
                self._known.pop(next(iter(self._known)))
            pickled = _Pickled(verifier, key, blob, state, may_change, now - begun, now, _batch)
            self._known[id(verifier)] = pickled
        return pickled


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle's, for verifiers from `__main__` or a notebook; code keeps the name of its file.

    cloudpickle 3.1.3 calls each file `<dynamic-code>`, and an author's exception would name that.
    """

    dispatch_table = ChainMap(
        {types.CodeType: lambda code: _code_with_file(code)}, cloudpickle.Pickler.dispatch_table
    )


def _code_with_file(code: types.CodeType) -> tuple[Any, tuple[Any, ...]]:
    make, arguments = cloudpickle.Pickler.dispatch_table[types.CodeType](code)
    return make, tuple(
        code.co_filename if argument == "<dynamic-code>" else argument for argument in arguments
    )


def _dumped(verifier: Verifier) -> bytes:
    with io.BytesIO() as file:
        _Pickler(file, protocol=cloudpickle.DEFAULT_PROTOCOL).dump(verifier)
        return file.getvalue()


def _same(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Tell whether no attribute was set in between: `part.name = …` must reach the workers too."""
    return len(before) == len(now) and all(
        now.get(name, before) is value for name, value in before.items()
    )


class Job:
    """One verification: its bytes, its time limit in seconds, and the future of its verdict.

    `waiting` is True while the job is in the pool's queue and hasn't been cancelled.
    """

    __slots__ = ("_begun", "attempts", "future", "limit_s", "name", "packed", "waiting")

    def __init__(self, verifier: Verifier, packed: Packed, limit_s: float | None) -> None:
        self.name = verifier.name
        self.packed = packed
        self.limit_s = float(verifier.limit_s if limit_s is None else limit_s)
        self.attempts = 0
        self.future: Future[Verdict] = Future()
        self.waiting = False
        self._begun = False

    def begin(self) -> bool:
        """Mark it as running. Returns False if its future was cancelled while it waited."""
        self._begun = self._begun or self.future.set_running_or_notify_cancel()
        return self._begun


def killed(job: Job, cpu_s: float, phase: str | None) -> Verdict | None:
    """Return the verdict on a job whose worker exceeded its deadline; None to try it again.

    A worker that used its time on a processor hung on the text that it was working on. If it mostly
    waited for a processor, that says nothing about the response.
    """
    if phase == "loading":
        return Unscored(
            Cause.TIMEOUT,
            f"loading {job.name} in a worker took over {LOAD_S:g} s: the imports of its module are too "
            f"slow, or never end",
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
    """Return the verdict on a job whose worker died; None to try it again."""
    code = os.waitstatus_to_exitcode(status)
    if code == RETIRED and phase is None:
        job.attempts -= 1  # it had exited before the job arrived
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
    """Return the verdict on a job whose template died; None to try it again."""
    if job.attempts <= _RETRIES:
        return None
    return Unscored(
        Cause.INTERNAL, f"the scoring pool's template process ended twice while {job.name} ran"
    )
