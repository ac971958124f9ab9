"""The pool of killable, pre-warmed workers that every synchronous verification runs in.

One item's way: `submit` puts a job in the queue and, where a worker is idle, hands it over in the
caller's own thread. One dispatcher thread reads answers, hands idle workers the next job, and
watches deadlines. A job's clock starts when a worker gets it, not when it's queued. A worker that
overstays is killed and replaced; that costs its one item.

    scorer's process                     template ──fork──> worker
    submit ──job──────────────────────────────────────────>  verify
    dispatcher <──────────────────────────verdict──────────
               ──spawn, kill──> template    (knows its workers, reaps them, ends with the scorer)

No SIGALRM, no multiprocessing: it works off the main thread, in a daemonic process, and in a script
without `if __name__ == "__main__"`.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import Any

import gymnasium

from rlvr.core.errors import PoolError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring import wire
from rlvr.scoring.handle import WorkerHandle
from rlvr.scoring.job import Job, Packer, killed, lost

_STARTS = 3  # how often in a row the template may die before the pool gives up


class Pool:
    """Worker processes that judge.

    Args:
        workers: how many; by default one for each processor this process may use.
        memory_mb: what one worker may grow by before its verification runs out of memory.
        max_queued: `submit` blocks while more jobs than this wait.

    Threads may share it. A process forked from this one must make its own.
    """

    def __init__(
        self, workers: int | None = None, memory_mb: int = 1024, max_queued: int = 4096
    ) -> None:
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
        self._template: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._wake_out, self._wake_in = socket.socketpair()
        self._wake_in.setblocking(False)
        self._next_look = 0.0  # when the dispatcher looks at deadlines again

    # ------------------------------------------------------------------ what callers use

    def start(self) -> Pool:
        """Start template and workers now rather than at the first job. Returns at once."""
        with self._lock:
            self._ensure_started()
        return self

    def submit(
        self, verifier: Verifier, task: Task, response: str, limit_s: float | None = None
    ) -> Future[Verdict]:
        """Have a worker verify. The future gets a verdict, whatever happens, and never an exception.

        Args:
            limit_s: seconds it may run, `verifier.limit_s` by default.

        Blocks while the queue is full. Cancelling the future takes a job that waits out of the queue.
        """
        try:
            job = Job(verifier, self._packer.pack(verifier, task, response), limit_s)
        except Exception as error:
            return _done(
                Unscored(
                    Cause.INTERNAL,
                    f"{verifier.name} or its task can't be sent to a worker: "
                    f"{type(error).__name__}: {error!s:.300}",
                )
            )
        with self._lock:
            self._ensure_started()
            # The dispatcher makes the room, so it can't wait for it (when a callback submits).
            while (
                len(self._queue) >= self.max_queued
                and not self._closed
                and threading.current_thread() is not self._thread
            ):
                self._room.wait()
            if self._closed:
                raise PoolError("The scoring pool is closed.")
            self._queue.append(job)
            self._hand_out()
        return job.future

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
            thread.join(timeout=5)
        self._hang_up()
        self._wake_out.close()
        self._wake_in.close()

    def abandon(self) -> None:
        """In a child forked from the pool's process: let go of what is the parent's, ending nothing."""
        self._closed = True
        handles = [*self._workers.values(), *self._coming]
        for sock in [self._control, self._wake_in, self._wake_out, *(h.socket for h in handles)]:
            if sock is not None:
                sock.close()
        if self._template is not None:
            self._template.returncode = 0  # not this process's child: nothing to wait for

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ under the lock

    def _ensure_started(self) -> None:
        if self._closed:
            raise PoolError("The scoring pool is closed.")
        if self._thread is None:
            self._start_template()
            self._thread = threading.Thread(target=self._dispatch, name="rlvr-scoring", daemon=True)
            self._thread.start()

    def _start_template(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._template = subprocess.Popen(
                [sys.executable, "-m", "rlvr.scoring.template", str(theirs.fileno())],
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                env=_template_environment(),
            )
        settings = {"path": [os.path.abspath(p) for p in sys.path], "memory_mb": self.memory_mb}
        assert self._template.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._template.stdin as stdin:
            stdin.write(json.dumps(settings).encode() + b"\n")
        self._control = ours
        self._starts += 1
        for _ in range(self.size):
            self._spawn()

    def _spawn(self) -> None:
        handle, fds = WorkerHandle.open()
        self._coming.append(handle)
        assert self._control is not None
        try:
            socket.send_fds(self._control, [wire.LIFECYCLE.pack(wire.SPAWN, 0, 0)], fds)
        except OSError:
            pass  # the template is gone; the dispatcher sees that too and starts another
        finally:
            for fd in fds:
                os.close(fd)

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
                why = f"the scoring pool failed: {type(error).__name__}: {error}"
        with self._lock:
            self._thread = None  # the next submit starts afresh
        self._give_up(why)
        if not self._closed:
            self._hang_up()

    def _serve(self) -> str:
        """Work until the pool closes or can't go on; returns why."""
        assert self._control is not None
        self._selector.register(self._wake_out, selectors.EVENT_READ, self._on_wake)
        self._selector.register(self._control, selectors.EVENT_READ, self._on_control)
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
                    (w.deadline for w in self._workers.values() if w.job), default=float("inf")
                )
            for job, verdict in overdue:
                job.future.set_result(verdict)
            if overdue:
                continue  # whoever waited may have submitted more
            wait = None if self._next_look == float("inf") else max(0.0, self._next_look - now)
            for key, _ in self._selector.select(wait):
                if isinstance(key.data, WorkerHandle):
                    self._on_worker(key.data)
                else:
                    key.data()

    def _on_wake(self) -> None:
        self._wake_out.recv(4096)

    def _on_worker(self, worker: WorkerHandle) -> None:
        """A worker answered, or hung up."""
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

    def _on_control(self) -> None:
        """The template says that a worker started or ended, or is gone itself."""
        assert self._control is not None
        message = self._control.recv(wire.LIFECYCLE.size, socket.MSG_WAITALL)
        if len(message) < wire.LIFECYCLE.size:
            self._template_died()
            return
        what, pid, status = wire.LIFECYCLE.unpack(message)
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
        verdict = worker.read()  # what it said before it went still counts
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
            job = self._forget(worker)
            assert job is not None
            assert self._control is not None
            verdict = killed(job, worker.cpu_seconds(), worker.phase)
            with contextlib.suppress(OSError):
                self._control.sendall(wire.LIFECYCLE.pack(wire.KILL, worker.pid, 0))
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
        assert self._control is not None
        self._selector.unregister(self._control)
        with self._lock:
            jobs = [job for w in list(self._workers.values()) if (job := self._forget(w))]
            self._queue.extendleft(jobs)
            self._let_go()
            if self._closed:
                return
        self._hang_up()
        gymnasium.logger.warn("rlvr: the scoring pool's template process ended; starting another.")
        with self._lock:
            self._start_template()
            self._selector.register(self._control, selectors.EVENT_READ, self._on_control)

    def _let_go(self) -> None:
        """Under the lock: forget all workers."""
        for worker in [*self._workers.values(), *self._coming]:
            worker.close()
        self._workers.clear()
        self._coming.clear()
        self._idle.clear()

    def _give_up(self, why: str) -> None:
        """Nothing more will be judged: everything that waits gets to know."""
        with self._lock:
            running = [w.job for w in self._workers.values() if w.job is not None]
            jobs = [*self._queue, *running]
            self._queue.clear()
            self._let_go()
            self._starts = 0
            self._room.notify_all()
        for job in jobs:
            if job.begin():
                job.future.set_result(Unscored(Cause.INTERNAL, why))

    def _hang_up(self) -> None:
        """End the template, which takes its workers along."""
        if self._control is not None:
            self._control.close()
        if self._template is not None:
            try:
                self._template.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._template.kill()
                self._template.wait()


def _template_environment() -> dict[str, str]:
    """One thread for each numeric library: threads and fork don't mix, and workers are the parallelism."""
    single = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    package_root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        **dict.fromkeys(single, "1"),
        "PYTHONPATH": os.pathsep.join(p for p in (package_root, path) if p),
    }


def usable_processors() -> int:
    """How many processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _done(verdict: Verdict) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(verdict)
    return future
