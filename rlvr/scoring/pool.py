"""The pool of killable, pre-warmed workers that every synchronous verification runs in.

`submit` puts a job in the queue and, if a worker is idle, sends it there in the
caller's own thread. One dispatcher thread reads verdicts, sends idle workers the next job, and
watches deadlines. A job's clock starts when a worker has received it and loaded the verifier, not when
it is queued. A worker that exceeds its deadline is killed and replaced, which costs one item.

    scorer's process                     template ──fork──> worker
    submit ──job──────────────────────────────────────────>  verify
    dispatcher <──────────────────────────verdict──────────
               ──spawn, kill──> template    (knows its workers, reaps them, ends with the scorer)

No SIGALRM, no multiprocessing: it works off the main thread, in a daemonic process, and in a script
without `if __name__ == "__main__"`.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import socket
import threading
import time
import weakref
from collections import deque
from concurrent.futures import Future
from typing import Any

import gymnasium

from rlvr.core.errors import OptionError, PoolError
from rlvr.core.faults import described
from rlvr.core.files import fill_standard_descriptors
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring import prints, wire
from rlvr.scoring.handle import WorkerHandle
from rlvr.scoring.job import Job, Packer, killed, lost, orphaned
from rlvr.scoring.parent import TemplateProcess

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()  # of this process, for its forks to abandon
_STARTS = 3  # how often in a row the template may die before the pool gives up


class Pool:
    """Worker processes that judge.

    Args:
        workers: the number of processes (default: one per processor that this process may use).
        memory_mb: the memory that one verification may add to a worker whose verifier is loaded.
        max_queued: `submit` blocks while more jobs than this wait.

    Thread-safe. A process forked from this one must make its own pool: in the child, this one is closed.
    Raises `OptionError` if a number isn't positive.
    """

    def __init__(
        self, workers: int | None = None, memory_mb: int = 1024, max_queued: int = 4096
    ) -> None:
        for name, number in (
            ("workers", workers or 1),
            ("memory_mb", memory_mb),
            ("max_queued", max_queued),
        ):
            if number < 1:
                raise OptionError(f"{name} must be at least 1, not {number}.")
        self.size = workers or usable_processors()
        self.memory_mb = memory_mb
        self.max_queued = max_queued
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._queue: deque[Job] = deque()
        self._cancelled = 0  # jobs in the queue whose caller has cancelled them
        self._idle: list[WorkerHandle] = []
        self._coming: deque[WorkerHandle] = deque()  # requested from the template, in order
        self._workers: dict[int, WorkerHandle] = {}  # by pid
        self._packer = Packer()
        self._starts = 0
        self._closed = False
        self._template: TemplateProcess | None = None
        self._prints = ""
        self._thread: threading.Thread | None = None
        fill_standard_descriptors()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._next_look = 0.0  # when the dispatcher looks at deadlines again
        _pools.add(self)

    # ------------------------------------------------------------------ what callers use

    def start(self) -> Pool:
        """Start the processes now rather than at the first job. Returns at once."""
        with self._lock:
            self._ensure_started()
        return self

    def submit(
        self,
        verifier: Verifier,
        task: Task,
        response: str,
        limit_s: float | None = None,
        block: bool = True,
    ) -> Future[Verdict]:
        """Verify in a worker. The future always gets a verdict, never an exception.

        Args:
            limit_s: seconds it may run (default: `verifier.limit_s`).
            block: wait while the queue is full. With False the queue may exceed its limit: for callers that
                can't wait (callbacks, event loops) or that call `wait_for_room` themselves.

        Cancelling the future removes a waiting job from the queue. Raises `PoolError` if the
        pool is closed or can't start.
        """
        try:
            job = Job(verifier, self._packer.pack(verifier, task, response), limit_s)
        except Exception as error:
            return _done(
                Unscored(
                    Cause.INTERNAL,
                    f"{verifier.name} or its task can't be sent to a worker: {described(error)}. Make what "
                    f"can't be sent (a lock, a connection) inside the verifier's function, or judge in this "
                    f"process with inline=True.",
                )
            )
        with self._lock:
            self._ensure_started()
            # The dispatcher makes the room, so it can't wait for it (when a callback submits).
            if block and threading.current_thread() is not self._thread:
                self._room.wait_for(self._has_room)
                self._ensure_started()  # the pool may have closed or given up meanwhile
            job.waiting = True
            self._queue.append(job)
            self._hand_out()
        job.future.add_done_callback(lambda _: self._on_done(job))
        return job.future

    def wait_for_room(self, timeout_s: float | None = None) -> bool:
        """Wait until the queue isn't full, for at most `timeout_s` seconds. Returns True if there's room."""
        with self._lock:
            return self._room.wait_for(self._has_room, timeout_s)

    def close(self) -> None:
        """End all processes. Waiting and running jobs become `Unscored`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._room.notify_all()
            thread = self._thread
            if thread is not None:
                self._wake()
        if thread is None:
            self._wake_out.close()
            self._wake_in.close()
        elif thread is not threading.current_thread():  # as in a callback
            thread.join(timeout=10)  # not for ever: it may be stuck in a caller's callback

    def redirect_prints(self) -> None:
        """Send the workers' prints to the current destination of `rlvr.scoring.prints`."""
        with self._lock:
            target = prints.destination()
            if self._template is not None and target != self._prints:
                self._prints = target
                self._template.send_prints_to(target)

    def abandon(self) -> None:
        """Release the parent's resources in a forked child, without ending any process."""
        self._lock = threading.Lock()  # another thread may have held it when the process forked
        self._room = threading.Condition(self._lock)
        self._closed = True
        handles = [*self._workers.values(), *self._coming]
        for sock in [self._wake_in, self._wake_out, *(handle.socket for handle in handles)]:
            sock.close()
        if self._template is not None:
            self._template.abandon()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ under the lock

    def _ensure_started(self) -> None:
        if self._closed:
            raise PoolError("The scoring pool is closed.")
        if self._thread is None:
            thread = threading.Thread(target=self._dispatch, name="rlvr-scoring", daemon=True)
            try:
                self._start_template()
                thread.start()
            except (OSError, RuntimeError) as error:
                gone = self._let_go()
                if gone is not None:
                    gone.hang_up()
                raise PoolError(f"The scoring pool can't start its processes: {error}") from error
            self._thread = thread

    def _start_template(self) -> None:
        self._prints = prints.destination()
        self._template = TemplateProcess(self.memory_mb, self._prints)
        self._starts += 1
        for _ in range(self.size):
            self._spawn()

    def _spawn(self) -> None:
        assert self._template is not None
        handle, fds = WorkerHandle.open()
        self._coming.append(handle)
        self._template.spawn(fds)

    def _hand_out(self) -> None:
        """Send waiting jobs to idle workers."""
        while self._queue and self._idle:
            job = self._queue.popleft()
            if not job.begin():
                self._cancelled -= not job.waiting  # counted already
                job.waiting = False
                continue
            job.waiting = False
            worker = self._idle.pop()
            worker.give(job)
            if worker.deadline < self._next_look:
                self._wake()
        if len(self._queue) < self.max_queued:
            self._room.notify_all()

    def _has_room(self) -> bool:
        """Tell whether a job may be queued, or nobody should wait any longer."""
        # Each queued job asks this, so it must not cost as much as the queue is long: cancelled jobs are
        # removed only when they are half of it.
        if self._cancelled and 2 * self._cancelled >= len(self._queue) >= self.max_queued:
            self._drop_cancelled()
        waiting = len(self._queue) - self._cancelled
        return waiting < self.max_queued or self._closed or self._thread is None

    def _drop_cancelled(self) -> None:
        kept: deque[Job] = deque()
        for job in self._queue:
            if job.future.cancelled():
                job.waiting = False
            else:
                kept.append(job)
        self._queue = kept
        self._cancelled = 0

    def _on_done(self, job: Job) -> None:
        """Count a job that was cancelled while it waited in the queue."""
        if job.future.cancelled():
            with self._lock:
                if job.waiting:
                    job.waiting = False
                    self._cancelled += 1
                    self._room.notify_all()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_in.send(b"!")

    # ------------------------------------------------------------------ the dispatcher's thread

    def _dispatch(self) -> None:
        with selectors.DefaultSelector() as selector:
            self._selector = selector
            try:
                why = self._serve()
            except Exception as error:  # a bug here must not leave callers waiting for ever
                why = f"the scoring pool failed: {described(error)}"
        self._give_up(why)

    def _serve(self) -> str:
        """Work until the pool closes or can't go on. Returns the reason."""
        assert self._template is not None
        self._selector.register(self._wake_out, selectors.EVENT_READ, self._on_wake)
        self._selector.register(self._template.control, selectors.EVENT_READ, self._on_template)
        while True:
            with self._lock:
                if self._closed:
                    return "the scoring pool was closed"
                if self._starts > _STARTS:
                    return (
                        f"the scoring pool's processes ended {_STARTS} times while they started; "
                        f"their messages are on standard error"
                    )
                overdue = self._kill_overdue()
                now = time.monotonic()
                self._next_look = min(
                    (w.deadline for w in self._workers.values() if w.job), default=math.inf
                )
            for job, verdict in overdue:
                job.future.set_result(verdict)
            if overdue:
                continue  # their callers may have submitted more
            # The system call takes a limited number of seconds.
            wait = None if self._next_look == math.inf else min(3600.0, self._next_look - now)
            for key, _ in self._selector.select(wait):
                if isinstance(key.data, WorkerHandle):
                    self._on_worker(key.data)
                else:
                    key.data()

    def _on_wake(self) -> None:
        self._wake_out.recv(4096)

    def _on_worker(self, worker: WorkerHandle) -> None:
        """Handle a worker's verdict, or the end of its connection."""
        if self._workers.get(worker.pid) is not worker:
            return  # its end was reported in this same round
        verdict = worker.read()
        if verdict is None:
            if worker.gone:
                # The template will report how it ended; until then the socket is ignored.
                self._selector.unregister(worker.socket)
            return
        with self._lock:
            job, worker.job = worker.job, None
            self._idle.append(worker)
            self._hand_out()
        if job is not None:
            job.future.set_result(verdict)

    def _on_template(self) -> None:
        """Handle the start or end of a worker, as the template reports it, or the template's own end."""
        assert self._template is not None
        message = self._template.read()
        if message is None:
            self._template_died()
            return
        what, pid, status = message
        if what == wire.SPAWNED:
            with self._lock:
                worker = self._coming.popleft()
                worker.pid = pid
                self._workers[pid] = worker
                self._selector.register(worker.socket, selectors.EVENT_READ, worker)
                self._idle.append(worker)
                self._starts = 0
                self._hand_out()
        elif pid in self._workers:
            self._worker_ended(self._workers[pid], status)

    def _worker_ended(self, worker: WorkerHandle, status: int) -> None:
        """Handle a worker that died by itself: its job is retried once, then judged by how it died."""
        verdict = worker.last_word()  # a verdict that it sent before still counts
        with self._lock:
            job = self._forget(worker)
            self._spawn()
            if job is not None and verdict is None:
                verdict = lost(job, status, worker.phase)
                if verdict is None:
                    self._queue.appendleft(job)
                    self._hand_out()
        if job is not None and verdict is not None:
            job.future.set_result(verdict)
        worker.close()

    def _kill_overdue(self) -> list[tuple[Job, Verdict]]:
        """Kill the workers that exceeded their deadline, under the lock. Returns the jobs that are decided by it."""
        now = time.monotonic()
        decided = []
        for worker in [w for w in self._workers.values() if w.job and w.deadline <= now]:
            verdict = worker.last_word()
            if verdict is None and (worker.loads() or worker.starves() or worker.reprieve()):
                continue
            cpu_s = worker.cpu_seconds()
            job = self._forget(worker)
            assert job is not None
            assert self._template is not None
            verdict = verdict or killed(job, cpu_s, worker.phase)
            self._template.kill(worker.pid)
            self._spawn()
            if verdict is None:
                self._queue.appendleft(job)
            else:
                decided.append((job, verdict))
            worker.close()
        return decided

    def _forget(self, worker: WorkerHandle) -> Job | None:
        del self._workers[worker.pid]
        if worker in self._idle:
            self._idle.remove(worker)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(worker.socket)
        job, worker.job = worker.job, None
        return job

    def _template_died(self) -> None:
        """Start another template. The workers ended with the old one; their jobs are tried again."""
        assert self._template is not None
        self._selector.unregister(self._template.control)
        with self._lock:
            workers = list(self._workers.values())
            orphans = [(job, orphaned(job)) for w in workers if (job := self._forget(w))]
            self._queue.extendleft(job for job, verdict in reversed(orphans) if verdict is None)
            for worker in workers:
                worker.close()
            gone = self._let_go()
        for job, verdict in orphans:
            if verdict is not None:
                job.future.set_result(verdict)
        if gone is not None:
            gone.hang_up()
        with contextlib.suppress(Warning):  # where warnings are errors
            gymnasium.logger.warn(
                "rlvr: the scoring pool's template process ended; starting another."
            )
        with self._lock:
            if not self._closed:
                self._start_template()
                control = self._template.control
                self._selector.register(control, selectors.EVENT_READ, self._on_template)

    def _let_go(self) -> TemplateProcess | None:
        """Forget all processes, under the lock. Returns the template; call its `hang_up` outside the lock."""
        for worker in [*self._workers.values(), *self._coming]:
            worker.close()
        self._workers.clear()
        self._coming.clear()
        self._idle.clear()
        gone, self._template = self._template, None
        return gone

    def _give_up(self, why: str) -> None:
        """End this thread's work: every waiting and running job becomes `Unscored`."""
        with self._lock:
            running = [w.job for w in self._workers.values() if w.job is not None]
            jobs = [*self._queue, *running]
            for job in jobs:
                job.waiting = False
            self._queue.clear()
            self._cancelled = 0
            gone = self._let_go()
            self._starts = 0
            self._thread = None  # the next submit starts afresh
            self._room.notify_all()
            if self._closed:
                self._wake_out.close()
                self._wake_in.close()
        for job in jobs:
            if job.begin():
                job.future.set_result(Unscored(Cause.INTERNAL, why))
        if gone is not None:
            gone.hang_up()


def usable_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _done(verdict: Verdict) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(verdict)
    return future


def _abandon_all() -> None:
    for pool in list(_pools):
        pool.abandon()
    _pools.clear()


def _redirect_all() -> None:
    for pool in list(_pools):
        pool.redirect_prints()


prints.follow(_redirect_all)
os.register_at_fork(after_in_child=_abandon_all)
