"""The pool of killable, pre-warmed workers that every synchronous verification runs in.

One item's way: `submit` puts a job in the queue and, where a worker is idle, hands it over in the
caller's own thread. One dispatcher thread reads answers, hands idle workers the next job, and
watches deadlines. A job's clock starts when a worker has it and has loaded the verifier, not when
it's queued. A worker that overstays is killed and replaced; that costs its one item.

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
from rlvr.scoring.parent import Template

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()  # of this process, for its forks to abandon
_STARTS = 3  # how often in a row the template may die before the pool gives up


class Pool:
    """Worker processes that judge.

    Args:
        workers: how many; by default one for each processor this process may use.
        memory_mb: what one worker may grow by, its verifier loaded, before a verification runs out of memory.
        max_queued: `submit` blocks while more jobs than this wait.

    Threads may share it. A process forked from this one must make its own: there, this one is closed.
    Raises `OptionError` where a number isn't positive.
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
        self._idle: list[WorkerHandle] = []
        self._coming: deque[WorkerHandle] = deque()  # asked of the template, in order
        self._workers: dict[int, WorkerHandle] = {}  # by pid
        self._packer = Packer()
        self._starts = 0
        self._closed = False
        self._template: Template | None = None
        self._prints = ""
        self._thread: threading.Thread | None = None
        fill_standard_descriptors()
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._next_look = 0.0  # when the dispatcher looks at deadlines again
        _pools.add(self)

    # ------------------------------------------------------------------ what callers use

    def start(self) -> Pool:
        """Start template and workers now rather than at the first job. Returns at once."""
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
        """Have a worker verify. The future gets a verdict, whatever happens, and never an exception.

        Args:
            limit_s: seconds it may run, `verifier.limit_s` by default.
            block: wait while the queue is full. Else it's overfilled: for those who may not wait
                (callbacks, event loops) or who `wait_for_room` themselves.

        Cancelling the future takes a job that waits out of the queue. Raises `PoolError` where the
        pool is closed or can't start.
        """
        try:
            job = Job(verifier, self._packer.pack(verifier, task, response), limit_s)
        except Exception as error:
            return _done(
                Unscored(
                    Cause.INTERNAL,
                    f"{verifier.name} or its task can't be sent to a worker: {described(error)}",
                )
            )
        with self._lock:
            self._ensure_started()
            # The dispatcher makes the room, so it can't wait for it (when a callback submits).
            if block and threading.current_thread() is not self._thread:
                self._room.wait_for(self._has_room)
                self._ensure_started()  # the pool may have closed or given up meanwhile
            self._queue.append(job)
            self._hand_out()
        return job.future

    def wait_for_room(self, timeout_s: float | None = None) -> bool:
        """Wait until the queue isn't full, or for `timeout_s` seconds. Returns whether there's room."""
        with self._lock:
            return self._room.wait_for(self._has_room, timeout_s)

    def close(self) -> None:
        """End all processes. Jobs that wait or run become `Unscored`."""
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
            thread.join(timeout=10)  # not for ever: it may be stuck in somebody's callback

    def redirect_prints(self) -> None:
        """Have the workers' prints go where `rlvr.scoring.prints` says by now."""
        with self._lock:
            target = prints.destination()
            if self._template is not None and target != self._prints:
                self._prints = target
                self._template.send_prints_to(target)

    def abandon(self) -> None:
        """In a child forked from the pool's process: let go of what is the parent's, ending nothing."""
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
        self._template = Template(self.memory_mb, self._prints)
        self._starts += 1
        for _ in range(self.size):
            self._spawn()

    def _spawn(self) -> None:
        assert self._template is not None
        handle, fds = WorkerHandle.open()
        self._coming.append(handle)
        self._template.spawn(fds)

    def _hand_out(self) -> None:
        """Give waiting jobs to idle workers."""
        while self._queue and self._idle:
            job = self._queue.popleft()
            if not job.begin():
                continue
            worker = self._idle.pop()
            worker.give(job)
            if worker.deadline < self._next_look:
                self._wake()
        if len(self._queue) < self.max_queued:
            self._room.notify_all()

    def _has_room(self) -> bool:
        """Also where nobody should wait any longer."""
        if len(self._queue) >= self.max_queued:
            self._queue = deque(job for job in self._queue if not job.future.cancelled())
        return len(self._queue) < self.max_queued or self._closed or self._thread is None

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_in.send(b"!")

    # ------------------------------------------------------------------ the dispatcher's thread

    def _dispatch(self) -> None:
        with selectors.DefaultSelector() as selector:
            self._selector = selector
            try:
                why = self._serve()
            except Exception as error:  # a fault of ours must not leave callers waiting for ever
                why = f"the scoring pool failed: {described(error)}"
        self._give_up(why)

    def _serve(self) -> str:
        """Work until the pool closes or can't go on; returns why."""
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
                        f"what they said is on standard error"
                    )
                overdue = self._kill_overdue()
                now = time.monotonic()
                self._next_look = min(
                    (w.deadline for w in self._workers.values() if w.job), default=math.inf
                )
            for job, verdict in overdue:
                job.future.set_result(verdict)
            if overdue:
                continue  # whoever waited may have submitted more
            # The system's call takes at most some weeks.
            wait = None if self._next_look == math.inf else min(3600.0, self._next_look - now)
            for key, _ in self._selector.select(wait):
                if isinstance(key.data, WorkerHandle):
                    self._on_worker(key.data)
                else:
                    key.data()

    def _on_wake(self) -> None:
        self._wake_out.recv(4096)

    def _on_worker(self, worker: WorkerHandle) -> None:
        """A worker answered, or hung up."""
        if self._workers.get(worker.pid) is not worker:
            return  # its end was reported in this same round
        verdict = worker.read()
        if verdict is None:
            if worker.gone:
                # Its template says how it ended; until then it just isn't listened to.
                self._selector.unregister(worker.socket)
            return
        with self._lock:
            job, worker.job = worker.job, None
            self._idle.append(worker)
            self._hand_out()
        if job is not None:
            job.future.set_result(verdict)

    def _on_template(self) -> None:
        """The template says that a worker started or ended, or is gone itself."""
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
        """It died by itself: its job is tried once more elsewhere, then judged by the way it died."""
        verdict = worker.last_word()  # what it said before it went still counts
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
        """Under the lock: end what overstayed its time. Returns what is decided by that."""
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
        """Its workers went with it; their jobs are tried again with another."""
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

    def _let_go(self) -> Template | None:
        """Under the lock: forget all processes. Returns the template, to hang up on outside the lock."""
        for worker in [*self._workers.values(), *self._coming]:
            worker.close()
        self._workers.clear()
        self._coming.clear()
        self._idle.clear()
        gone, self._template = self._template, None
        return gone

    def _give_up(self, why: str) -> None:
        """Nothing more will be judged by this thread: everything that waits gets to know."""
        with self._lock:
            running = [w.job for w in self._workers.values() if w.job is not None]
            jobs = [*self._queue, *running]
            self._queue.clear()
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
    """How many processors this process may run on."""
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
