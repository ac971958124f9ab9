"""The jobs that wait for a worker. The pool calls everything here under its lock."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from rlvr.scoring.job import Job

_SHARE_S = 0.002  # jobs that together should take at most this long go to a worker in one message
_SHARE_BYTES = 1 << 16  # less than a socket holds, so that sending them never waits
_SHARE = 64


class JobQueue:
    """A queue of jobs, some of which were cancelled while they waited.

    Args:
        most: a queue of this many has no room.
        workers: the number that shares it.
    """

    def __init__(self, most: int, workers: int) -> None:
        self._most = most
        self._workers = workers
        self._jobs: deque[Job] = deque()
        self._cancelled = 0  # jobs in the queue whose caller has cancelled them

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """Put a job at the end."""
        job.waiting = True
        self._jobs.append(job)

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Put jobs that have begun already back at the front, in their order."""
        self._jobs.extendleft(reversed(list(jobs)))

    def take(self) -> list[Job]:
        """Remove the jobs that one worker should get: several if all of them are known to be quick.

        A message costs more than a quick verification does, so jobs share one. A job that is slow, unknown or was
        tried before is alone, so that none waits behind it.
        """
        jobs: list[Job] = []
        seconds, size = 0.0, 0
        most = min(_SHARE, len(self._jobs) // self._workers + 1)
        while self._jobs and len(jobs) < most:
            job = self._jobs[0]
            seconds += job.expected_s
            size += len(job.payload)
            if jobs and (seconds > _SHARE_S or size > _SHARE_BYTES):
                break
            self._jobs.popleft()
            if job.begin():
                jobs.append(job)
            else:
                self._cancelled -= not job.waiting  # counted already
            job.waiting = False
        return jobs

    def has_room(self) -> bool:
        """Tell whether another job may be added."""
        # Each queued job asks this, so it must not cost as much as the queue is long: cancelled jobs are
        # removed only when they are half of it.
        if self._cancelled and 2 * self._cancelled >= len(self._jobs) >= self._most:
            self._drop_cancelled()
        return len(self._jobs) - self._cancelled < self._most

    def is_low(self) -> bool:
        """Tell whether callers that wait for room should be woken: not for each job, which would cost a switch each."""
        return 4 * (len(self._jobs) - self._cancelled) <= 3 * self._most

    def count_cancelled(self, job: Job) -> bool:
        """Count a job that was cancelled. Returns False if it wasn't waiting here."""
        waited, job.waiting = job.waiting, False
        self._cancelled += waited
        return waited

    def clear(self) -> list[Job]:
        """Remove and return all."""
        jobs = list(self._jobs)
        for job in jobs:
            job.waiting = False
        self._jobs.clear()
        self._cancelled = 0
        return jobs

    def _drop_cancelled(self) -> None:
        kept: deque[Job] = deque()
        for job in self._jobs:
            if job.cancelled():
                job.waiting = False
            else:
                kept.append(job)
        self._jobs = kept
        self._cancelled = 0
