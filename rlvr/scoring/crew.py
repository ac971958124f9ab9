"""A pool's workers and their template: who is idle, who is at which jobs, who is overdue or has ended.

The pool calls everything here under its lock. Methods that judge jobs return them with their verdicts, for `deliver`,
which is called without the lock, since it runs callers' callbacks.
"""

from __future__ import annotations

import contextlib
import math
import selectors
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from rlvr.core.verdict import Verdict
from rlvr.scoring import prints
from rlvr.scoring.handle import WorkerHandle, loaded
from rlvr.scoring.job import Job, killed, lost, orphaned
from rlvr.scoring.job_queue import JobQueue
from rlvr.scoring.parent import TemplateProcess

Judged: TypeAlias = list[tuple[Job, Verdict | bytes]]
"""Jobs with their verdicts; those from workers are pickles, loaded by `deliver`."""


class Crew:
    """The workers of a pool.

    Args:
        size: how many there are.
        memory_mb: the memory that one verification may add.
        queue: where they get jobs, and where the jobs go that a worker didn't finish.

    Attributes:
        template: the template process, once it was started.
        starts: how often a template was started since a worker last was.
        selector: where the dispatcher waits for workers; it sets this.
    """

    selector: selectors.BaseSelector

    def __init__(self, size: int, memory_mb: int, queue: JobQueue) -> None:
        self.template: TemplateProcess | None = None
        self.starts = 0
        self._size = size
        self._memory_mb = memory_mb
        self._queue = queue
        self._prints = ""
        self._modules: dict[str, None] = {}  # that verifiers import when they judge, in order
        self._idle: list[WorkerHandle] = []
        self._coming: deque[WorkerHandle] = deque()  # requested from the template, in order
        self._workers: dict[int, WorkerHandle] = {}  # by pid

    def start(self) -> None:
        """Start a template and request all workers. Raises `OSError`."""
        self._prints = prints.destination()
        self.template = TemplateProcess(self._memory_mb, self._prints, self._modules)
        self.starts += 1
        for _ in range(self._size):
            self._request()

    def expect(self, modules: tuple[str, ...]) -> None:
        """Have workers import a verifier's modules when they start: together that takes as long as for one."""
        new = [module for module in modules if module not in self._modules]
        if new:
            self._modules.update(dict.fromkeys(new))
            if self.template is not None:
                self.template.import_modules(new)

    def has(self, worker: WorkerHandle) -> bool:
        """Tell whether a worker hasn't ended, as far as is known."""
        return self._workers.get(worker.pid) is worker

    def hand_out(self) -> float:
        """Send waiting jobs to idle workers. Returns when one of them is to be looked at."""
        look = math.inf
        while self._queue and self._idle and (jobs := self._queue.take()):
            worker = self._idle.pop()
            worker.give(jobs)
            look = min(look, worker.deadline)
        return look

    def lend(self, job: Job) -> WorkerHandle | None:
        """Give a job to an idle worker that the caller will read, or return None if jobs wait or none is idle."""
        if not self._idle or self._queue or not job.begin():
            return None
        worker = self._idle.pop()
        self._watch(worker, False)
        worker.give([job])
        return worker

    def take_over(self, worker: WorkerHandle) -> Judged:
        """Read a worker's verdicts, and have the dispatcher read those to come."""
        judged = self.read(worker)
        if self.has(worker) and not worker.gone:
            self._watch(worker, True)
        return judged

    def read(self, worker: WorkerHandle) -> Judged:
        """Read the verdicts that have arrived. A worker without other jobs is idle."""
        if not self.has(worker):
            return []  # its end was reported in this same round
        judged = self._settle(worker, worker.read())
        if worker.gone:
            # The template will report how it ended; until then the socket is ignored.
            self._watch(worker, False)
        return judged

    def started(self, pid: int) -> None:
        """Welcome a worker that the template has started."""
        worker = self._coming.popleft()
        worker.pid = pid
        self._workers[pid] = worker
        self._watch(worker, True)
        self._idle.append(worker)
        self.starts = 0

    def ended(self, pid: int, status: int) -> Judged:
        """Replace a worker that died by itself. Its job is tried again once, then judged by how it died."""
        worker = self._workers.get(pid)
        if worker is None:
            return []
        judged = worker.settle(worker.last_word())  # verdicts that it sent before still count
        judged += self._forget(worker, lambda job: lost(job, status, worker.phase))
        self._request()
        return judged

    def end_overdue(self) -> Judged:
        """Kill and replace the workers that exceeded a job's limit, and take the jobs behind a slow one back."""
        now = time.monotonic()
        judged: Judged = []
        for worker in [w for w in self._workers.values() if w.jobs and w.deadline <= now]:
            judged += self._settle(worker, worker.last_word())
            if not worker.jobs or worker.deadline > now:
                continue
            if len(worker.jobs) > 1:
                self._queue.put_back(worker.take_back())
                continue
            if worker.loads() or worker.starves() or worker.reprieve():
                continue
            assert self.template is not None
            cpu_s, phase = worker.cpu_seconds(), worker.phase
            judged += self._forget(worker, lambda job: killed(job, cpu_s, phase))  # noqa: B023
            self.template.kill(worker.pid)
            self._request()
        return judged

    def next_look(self) -> float:
        """Return when `end_overdue` is to be called next, on the monotonic clock."""
        return min((w.deadline for w in self._workers.values() if w.jobs), default=math.inf)

    def orphan(self) -> Judged:
        """Take the jobs of all workers, whose template died: they ended with it."""
        judged: Judged = []
        for worker in reversed(
            list(self._workers.values())
        ):  # the first one's jobs come first again
            judged += self._forget(worker, orphaned)
        return judged

    def disband(self) -> tuple[list[Job], TemplateProcess | None]:
        """Forget all processes. Returns the jobs that they had, and the template; call its `hang_up` without the lock."""
        jobs = [job for worker in self._workers.values() for job in worker.jobs.values()]
        for worker in [*self._workers.values(), *self._coming]:
            worker.close()
        self._workers.clear()
        self._coming.clear()
        self._idle.clear()
        template, self.template = self.template, None
        return jobs, template

    def redirect_prints(self) -> None:
        """Send the workers' prints to the current destination of `rlvr.scoring.prints`."""
        target = prints.destination()
        if self.template is not None and target != self._prints:
            self._prints = target
            self.template.send_prints_to(target)

    def abandon(self) -> None:
        """Release the parent's resources in a forked child, without ending any process."""
        for worker in [*self._workers.values(), *self._coming]:
            worker.close()
        if self.template is not None:
            self.template.abandon()

    def _request(self) -> None:
        assert self.template is not None
        worker, fds = WorkerHandle.open()
        self._coming.append(worker)
        self.template.spawn(fds)

    def _settle(self, worker: WorkerHandle, verdicts: list[tuple[int, bytes]]) -> Judged:
        judged = worker.settle(verdicts)
        if judged and not worker.jobs and not worker.gone:
            self._idle.append(worker)
        return judged

    def _forget(self, worker: WorkerHandle, decide: Callable[[Job], Verdict | None]) -> Judged:
        """Forget a worker that ends. Its job is judged by `decide`, or tried again like the jobs behind it."""
        judged: Judged = []
        if worker.jobs:
            job = worker.job
            verdict = decide(job)
            if verdict is not None:
                judged.append((job, verdict))
            self._queue.put_back(j for j in worker.jobs.values() if j is not job or verdict is None)
            worker.jobs.clear()
        del self._workers[worker.pid]
        if worker in self._idle:
            self._idle.remove(worker)
        self._watch(worker, False)
        worker.close()
        return judged

    def _watch(self, worker: WorkerHandle, watched: bool) -> None:
        """Have the dispatcher read a worker's verdicts, or leave them to another thread."""
        with contextlib.suppress(KeyError, ValueError):  # it is so already
            if watched:
                self.selector.register(worker.socket, selectors.EVENT_READ, worker)
            else:
                self.selector.unregister(worker.socket)


def deliver(judged: Judged) -> None:
    """Give jobs their verdicts."""
    for job, verdict in judged:
        job.set_result(loaded(verdict) if isinstance(verdict, bytes) else verdict)
