"""Whether an async verifier lets others run while it waits."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future, wait

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.registry import fail, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject
from rlvr.core.compose import leaves
from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring import submit

_GAP_S = 0.2
_WAIT_S = 10.0


class _Beat(Verifier):
    """Wakes up every 10 ms until it's stopped; its verdict's detail has the longest `gap` in seconds."""

    name = "beat"
    is_async = True

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.limit_s = 2 * _WAIT_S

    async def verify(self, task: Task, response: str) -> Verdict:
        longest, last = 0.0, time.monotonic()
        until = last + _WAIT_S
        while not self.stopped.is_set() and last < until:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        return Scored(0.0, Status.INCORRECT, {}, "", {"gap": longest})


@probe("conformance")
def event_loop(subject: Subject) -> Finding:
    """An async verifier doesn't block the event loop that all of them share."""
    parts = [leaf for leaf in leaves(subject.env.verifier) if leaf.is_async]
    if not parts:
        return nothing("its verifier isn't async")
    task, said = next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))
    gaps = []
    for leaf in parts:
        beat = _Beat()
        beating = submit(task, "", beat)
        waited = [submit(task, said, leaf) for _ in range(3)]
        wait([one for one in waited if isinstance(one, Future)], _WAIT_S)
        beat.stopped.set()
        verdict = beating.result() if isinstance(beating, Future) else beating
        if isinstance(verdict, Scored) and verdict.detail["gap"] > _GAP_S:
            gaps.append(f"{leaf.name} lets nobody else run for {verdict.detail['gap']:.1f} s")
    if gaps:
        return fail(
            "an async verifier blocks the event loop, and with it every other verification",
            gaps,
            "Await what takes long (httpx.AsyncClient, asyncio.sleep), and put the rest into a plain "
            "`def`, which runs in a worker; asyncio.to_thread does for a library that blocks.",
        )
    return ok("while it waits, others run")
