"""The pool of killable, pre-warmed workers that every synchronous verification runs in.

`submit` puts a job in the queue and, if a worker is idle, sends it there in the
caller's own thread. One dispatcher thread reads verdicts, sends idle workers the next jobs, and
watches deadlines. A job's clock starts when a worker has received it and loaded the verifier, not when
it is queued. A worker that exceeds its deadline is killed and replaced, which costs one item.

    scorer's process                     template ──fork──> worker
    submit ──jobs─────────────────────────────────────────>  verify
    dispatcher <──────────────────────────verdicts─────────
               ──spawn, kill──> template    (knows its workers, reaps them, ends with the scorer)

A message holds several jobs if they are known to be quick. Limits and blame are a job's own all the same: the worker
says on a shared page which one it is at, and those behind a slow one are taken back and go to another worker.

No SIGALRM, no multiprocessing: it works off the main thread, in a daemonic process, and in a script
without `if __name__ == "__main__"`.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import selectors
import socket
import threading
import time
import weakref
from concurrent.futures import Future
from typing import Any

from rlvr.core.errors import OptionError, PoolError
from rlvr.core.faults import described
from rlvr.core.gymnasium_ids import warn
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring import prints, wire
from rlvr.scoring.crew import Crew, Judged, deliver
from rlvr.scoring.handle import WorkerHandle
from rlvr.scoring.job import Job
from rlvr.scoring.job_queue import JobQueue
from rlvr.scoring.pickles import Packer

_pools: weakref.WeakSet[Pool] = weakref.WeakSet()  # of this process, for its forks to abandon
_STARTS = 3  # how often in a row the template may die before the pool gives up
_ALONE_S = 0.01  # so long a caller waits for its worker alone; then the dispatcher looks after both


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
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._queue = JobQueue(max_queued, self.size)
        self._crew = Crew(self.size, memory_mb, self._queue)
        self._packer = Packer()
        self._closed = False
        self._thread: threading.Thread | None = None
        from rlvr.core.files import fill_standard_descriptors  # imports urllib

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
        response: str | Transcript,
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
            job = self._job(verifier, task, response, limit_s)
        except Exception as error:
            return _done(_unsendable(verifier, error))
        with self._lock:
            self._crew.expect(job.imports)
            self._ensure_started()
            # The dispatcher makes the room, so it can't wait for it (when a callback submits).
            if block and threading.current_thread() is not self._thread:
                self._room.wait_for(self._has_room)
                self._ensure_started()  # the pool may have closed or given up meanwhile
            self._queue.add(job)
            self._hand_out()
        return job

    def judge(
        self,
        verifier: Verifier,
        task: Task,
        response: str | Transcript,
        limit_s: float | None = None,
    ) -> Verdict:
        """Return `submit(…).result()`, sooner: this thread waits for the worker itself, if one is idle.

        Two threads that wake each other take longer than a quick verification does.
        """
        try:
            job = self._job(verifier, task, response, limit_s)
        except Exception as error:
            return _unsendable(verifier, error)
        with self._lock:
            self._crew.expect(job.imports)
            self._ensure_started()
            worker = self._crew.lend(job)
        if worker is None:
            waiting = self.submit(verifier, task, response, limit_s)
            try:
                return waiting.result()
            finally:
                waiting.cancel()  # if the caller was interrupted
        try:
            _wait_for(worker.socket, _ALONE_S)
        finally:
            with self._lock:
                judged = self._crew.take_over(worker)
                self._hand_out()
                if worker.jobs and worker.deadline < self._next_look:
                    self._wake()
            deliver(judged)
        return job.result()

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
            self._crew.redirect_prints()

    def abandon(self) -> None:
        """Release the parent's resources in a forked child, without ending any process."""
        self._lock = threading.Lock()  # another thread may have held it when the process forked
        self._room = threading.Condition(self._lock)
        self._closed = True
        for sock in (self._wake_in, self._wake_out):
            sock.close()
        self._crew.abandon()

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
                self._crew.start()
                thread.start()
            except (OSError, RuntimeError) as error:
                _, gone = self._crew.disband()
                if gone is not None:
                    gone.hang_up()
                raise PoolError(f"The scoring pool can't start its processes: {error}") from error
            self._thread = thread

    def _job(
        self, verifier: Verifier, task: Task, response: str | Transcript, limit_s: float | None
    ) -> Job:
        pickled = self._packer.pack(verifier)
        return Job(verifier, pickled, task, response, limit_s, self._on_cancel)

    def _hand_out(self) -> None:
        """Send waiting jobs to idle workers."""
        if self._crew.hand_out() < self._next_look:
            self._wake()
        if self._queue.is_low():
            self._room.notify_all()

    def _has_room(self) -> bool:
        """Tell whether a job may be queued, or nobody should wait any longer."""
        return self._queue.has_room() or self._closed or self._thread is None

    def _on_cancel(self, job: Job) -> None:
        with self._lock:
            if self._queue.count_cancelled(job):
                self._room.notify_all()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):
            self._wake_in.send(b"!")

    # ------------------------------------------------------------------ the dispatcher's thread

    def _dispatch(self) -> None:
        with selectors.DefaultSelector() as selector:
            self._selector = self._crew.selector = selector
            try:
                why = self._serve()
            except Exception as error:  # a bug here must not leave callers waiting for ever
                why = f"the scoring pool failed: {described(error)}"
        self._give_up(why)

    def _serve(self) -> str:
        """Work until the pool closes or can't go on. Returns the reason."""
        self._selector.register(self._wake_out, selectors.EVENT_READ, self._on_wake)
        self._watch_template()
        while True:
            with self._lock:
                if self._closed:
                    return "the scoring pool was closed"
                if self._crew.starts > _STARTS:
                    return (
                        f"the scoring pool's processes ended {_STARTS} times while they started; "
                        f"their messages are on standard error"
                    )
                judged = self._crew.end_overdue()
                self._crew.hand_out()
                now, look = time.monotonic(), self._crew.next_look()
                # A look that was planned stays planned: then the next job needn't wake this thread.
                self._next_look = min(look, self._next_look) if self._next_look > now else look
            deliver(judged)
            if judged:
                continue  # their callers may have submitted more
            # The system call takes a limited number of seconds.
            wait = None if self._next_look == math.inf else min(3600.0, self._next_look - now)
            for key, _ in self._selector.select(wait):
                if isinstance(key.data, WorkerHandle):
                    with self._lock:
                        judged = self._crew.read(key.data)
                        self._hand_out()
                    deliver(judged)
                else:
                    key.data()

    def _on_wake(self) -> None:
        self._wake_out.recv(4096)

    def _watch_template(self) -> None:
        assert self._crew.template is not None
        control = self._crew.template.control
        self._selector.register(control, selectors.EVENT_READ, self._on_template)

    def _on_template(self) -> None:
        """Handle the start or end of a worker, as the template reports it, or the template's own end."""
        assert self._crew.template is not None
        message = self._crew.template.read()
        if message is None:
            self._restart_template()
            return
        kind, pid, status = message
        judged: Judged = []
        with self._lock:
            if kind == wire.SPAWNED:
                self._crew.started(pid)
            else:
                judged = self._crew.ended(pid, status)
            self._hand_out()
        deliver(judged)

    def _restart_template(self) -> None:
        """Start another template. The workers ended with the old one; their jobs are tried again."""
        assert self._crew.template is not None
        self._selector.unregister(self._crew.template.control)
        with self._lock:
            judged = self._crew.orphan()
            _, gone = self._crew.disband()
        deliver(judged)
        if gone is not None:
            gone.hang_up()
        with contextlib.suppress(Warning):  # where warnings are errors
            warn("rlvr: the scoring pool's template process ended; starting another.")
        with self._lock:
            if not self._closed:
                self._crew.start()
                self._watch_template()

    def _give_up(self, why: str) -> None:
        """End this thread's work: every waiting and running job becomes `Unscored`."""
        with self._lock:
            jobs, gone = self._crew.disband()
            jobs += self._queue.clear()
            self._crew.starts = 0
            self._thread = None  # the next submit starts afresh
            self._room.notify_all()
            if self._closed:
                self._wake_out.close()
                self._wake_in.close()
        deliver([(job, Unscored(Cause.INTERNAL, why)) for job in jobs if job.begin()])
        if gone is not None:
            gone.hang_up()


def usable_processors() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _unsendable(verifier: Verifier, error: Exception) -> Verdict:
    return Unscored(
        Cause.INTERNAL,
        f"{verifier.name} or its task can't be sent to a worker: {described(error)}. Make what "
        f"can't be sent (a lock, a connection) inside the verifier's function, or judge in this "
        f"process with inline=True.",
    )


def _wait_for(sock: socket.socket, seconds: float) -> None:
    """Wait until a socket has something to read, or is closed."""
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    poll.poll(1000 * seconds)


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
