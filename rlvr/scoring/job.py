"""A job for a worker, and the verdict on a job whose worker doesn't return."""

from __future__ import annotations

import io
import itertools
import math
import operator
import os
import pickle
import sys
import threading
import time
import types
from collections import ChainMap
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import cloudpickle

from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Status, Unscored, Verdict, refused
from rlvr.core.verifier import Verifier
from rlvr.scoring.watching import Watched, watched
from rlvr.scoring.worker import RETIRED

LOAD_S = 120.0
"""Seconds that a worker may take to load a verifier, which imports its module."""

_RETRIES = 1  # retries of a job whose worker died or starved, since the job may not be the reason
_STARVED = 0.9  # below this share of its limit on a processor, a worker didn't hang: it waited


def new_batch() -> None:
    """Compare each verifier with its pickle again before it judges, since its globals may have changed."""
    global _batch
    _batch = next(_batches)


_batches = itertools.count(1)
_batch = 0
_SHARE = 20  # outside of a batch, comparing takes at most a twentieth of the time


@dataclass(slots=True)
class Pickled:
    """A verifier's pickle.

    Attributes:
        key: the number under which workers keep it.
        state: the verifier's attributes at that time.
        watched: what may change it; see `rlvr.scoring.watching`. None if that can only be seen by pickling again.
        cost_s: seconds that pickling took.
        compared: the time of the last comparison with the verifier.
        batch: the batch of that comparison.
        expected_s: seconds that a verification is expected to take; infinite until one was measured.
    """

    verifier: Verifier
    key: int
    blob: bytes
    state: dict[str, Any]
    watched: Watched | None
    cost_s: float
    compared: float
    batch: int
    expected_s: float = math.inf

    def is_due(self) -> bool:
        """Tell whether globals or containers may have changed since the last comparison."""
        if self.watched is not None:
            return self.watched.has_changed()
        since = time.monotonic() - self.compared
        return self.batch != _batch or since > _SHARE * self.cost_s

    def took(self, seconds: float) -> None:
        """Learn from a verification: at once that they are slow, by and by that they are quick."""
        quicker = self.expected_s if self.expected_s < math.inf else seconds
        self.expected_s = max(seconds, 0.8 * quicker + 0.2 * seconds)


class Packer:
    """Pickles verifiers and numbers them, so that workers keep them between jobs.

    A function is pickled with the globals that it uses. If one of them changes, in place or not, the pickle
    does, and the workers get the new one.
    """

    _kept = 256

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, Pickled] = {}
        self._keys = 0

    def pack(self, verifier: Verifier) -> Pickled:
        """Pickle a verifier, or return its pickle if nothing has changed. Raises whatever pickling raises."""
        verifier.before_sending()
        known = self._known.get(id(verifier))
        if known is None or not _same(known.state, vars(verifier)) or known.is_due():
            known = self._pickled(verifier, known)
        return known

    def _pickled(self, verifier: Verifier, known: Pickled | None) -> Pickled:
        begun = time.monotonic()
        state = dict(vars(verifier))
        # The path goes along: it may have grown since the workers were forked.
        path = [entry for entry in map(os.fspath, sys.path) if os.path.isabs(entry)]
        blob = pickle.dumps((path, _dumped(verifier)), protocol=5)
        now = time.monotonic()
        with self._lock:
            if known is not None and known.blob == blob:
                key, expected_s = known.key, known.expected_s
            else:
                self._keys += 1
                key, expected_s = self._keys, math.inf
            if known is None and len(self._known) >= self._kept:
                self._known.pop(next(iter(self._known)))
            pickled = Pickled(
                verifier,
                key,
                blob,
                state,
                watched(verifier, blob),
                now - begun,
                now,
                _batch,
                expected_s,
            )
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
    return before.keys() == now.keys() and all(map(operator.is_, before.values(), now.values()))


class Job(Future[Verdict]):
    """One verification, as the future of its verdict.

    Attributes:
        name: the verifier's.
        pickled: the verifier's pickle.
        payload: the task and the response, pickled.
        limit_s: seconds that it may take.
        attempts: how often it was begun in a worker that then died or was killed.
        waiting: True while it is in the pool's queue and hasn't been cancelled.
    """

    def __init__(
        self,
        verifier: Verifier,
        pickled: Pickled,
        task: Task,
        response: str,
        limit_s: float | None,
        on_cancel: Callable[[Job], None],
    ) -> None:
        super().__init__()
        self.name = verifier.name
        self.pickled = pickled
        self.payload = pickle.dumps((task, response), protocol=5)
        self.limit_s = float(verifier.limit_s if limit_s is None else limit_s)
        self.attempts = 0
        self.waiting = False
        self._begun = False
        self._on_cancel = on_cancel

    @property
    def expected_s(self) -> float:
        """The seconds that it is expected to take; infinite if that isn't known."""
        return math.inf if self.attempts else self.pickled.expected_s

    def begin(self) -> bool:
        """Mark it as running. Returns False if it was cancelled while it waited."""
        self._begun = self._begun or self.set_running_or_notify_cancel()
        return self._begun

    def cancel(self) -> bool:
        """Cancel it, as long as no worker has it."""
        cancelled = super().cancel()
        if cancelled:
            self._on_cancel(self)
        return cancelled


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
    job.attempts += 1
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
    """Return the verdict on a job whose worker died while it was at it, or before; None to try it again."""
    code = os.waitstatus_to_exitcode(status)
    if code == RETIRED and phase is None:
        return None  # it had exited before the job arrived
    job.attempts += 1
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
    job.attempts += 1
    if job.attempts <= _RETRIES:
        return None
    return Unscored(
        Cause.INTERNAL, f"the scoring pool's template process ended twice while {job.name} ran"
    )
