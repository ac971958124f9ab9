"""A job for a worker, and the verdict on a job whose worker doesn't return."""

from __future__ import annotations

import math
import os
import pickle
from collections.abc import Callable
from concurrent.futures import Future

from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Status, Unscored, Verdict, refused
from rlvr.core.verifier import Verifier
from rlvr.scoring.pickles import Pickled
from rlvr.scoring.worker import RETIRED

LOAD_S = 120.0
"""Seconds that a worker may take to load a verifier, which imports its module."""

_RETRIES = 1  # retries of a job whose worker died or starved, since the job may not be the reason
_STARVED = 0.9  # below this share of its limit on a processor, a worker didn't hang: it waited


class Job(Future[Verdict]):
    """One verification, as the future of its verdict.

    Attributes:
        name: the verifier's.
        pickled: the verifier's pickle.
        payload: the task and the response, pickled.
        imports: modules for workers to import.
        limit_s: seconds that it may take.
        attempts: how often it was begun in a worker that then died or was killed.
        waiting: True while it is in the pool's queue and hasn't been cancelled.
    """

    def __init__(
        self,
        verifier: Verifier,
        pickled: Pickled,
        task: Task,
        response: str | Transcript,
        limit_s: float | None,
        on_cancel: Callable[[Job], None],
    ) -> None:
        super().__init__()
        self.name = verifier.name
        self.pickled = pickled
        self.payload = pickle.dumps((task, response), protocol=5)
        self.limit_s = float(verifier.limit_s if limit_s is None else limit_s)
        self.imports = tuple(map(str, verifier.worker_imports))
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
