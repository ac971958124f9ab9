"""This process's worker pool and event loop, for verifications that `settle` can't decide."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from rlvr.core.faults import checked, raised
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring.pool import Pool
from rlvr.scoring.prints import judging

_lock = threading.RLock()
_pool: Pool | None = None
_loop: asyncio.AbstractEventLoop | None = None


def default_pool() -> Pool:
    """Return this process's pool, which is made at the first call. `RLVR_WORKERS` sets its size."""
    global _pool
    with _lock:
        if _pool is None:
            wanted = os.environ.get("RLVR_WORKERS", "")
            _pool = Pool(int(wanted) if wanted.isascii() and wanted.isdigit() else None)
        return _pool


def close() -> None:
    """Close this process's pool and loop. Called at exit; the next `score` makes new ones.

    Waiting and running verifications become `Unscored`.
    """
    global _pool, _loop
    with _lock:
        pool, _pool = _pool, None
        loop, _loop = _loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(_end(loop), loop)
    if pool is not None:
        pool.close()


def on_the_loop(
    verifier: Verifier, task: Task, response: str | Transcript, limit_s: float | None
) -> Future[Verdict]:
    """Run an async verifier on the loop; its time limit ends it there. The future never raises."""
    limit = verifier.limit_s if limit_s is None else limit_s
    with _lock:  # before `close` or after it, not in between
        return asyncio.run_coroutine_threadsafe(
            _verify(verifier, task, response, limit), _the_loop()
        )


async def _verify(
    verifier: Verifier, task: Task, response: str | Transcript, limit_s: float
) -> Verdict:
    judging = asyncio.ensure_future(_judged(verifier, task, response))
    try:
        # Not `asyncio.timeout`, which would wait for a verifier that refuses to be cancelled.
        await asyncio.wait({judging}, timeout=limit_s)
    except asyncio.CancelledError:
        judging.cancel()
        return Unscored(Cause.INTERNAL, f"{verifier.name} was cancelled: scoring was closed")
    if judging.done():
        return judging.result()
    judging.cancel()
    return Unscored(Cause.TIMEOUT, f"{verifier.name} took over {limit_s:g} s")


async def _judged(verifier: Verifier, task: Task, response: str | Transcript) -> Verdict:
    try:
        with judging():  # the coroutines that it awaits are in the same context, and no others are
            verdict = await verifier.verify(task, response)  # type: ignore[misc]
        return checked(verifier.name, verdict)
    except BaseException as error:  # a SystemExit would end the loop and everything that runs on it
        return raised(f"{verifier.name} raised", error)


async def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Stop the loop once every verification on it has its verdict."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=1.0)
    loop.call_soon(loop.stop)


def serialised(callback: Callable[[Any], None]) -> Callable[[Any], None]:
    """Wrap `callback` so that several threads can call it: one call at a time, in any order."""
    lock = threading.RLock()

    def guarded(argument: Any) -> None:
        with lock:
            callback(argument)

    return guarded


def _the_loop() -> asyncio.AbstractEventLoop:
    global _loop
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=[_loop], name="rlvr-async", daemon=True).start()
        return _loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.closing(loop):
        loop.run_forever()


def _forked() -> None:
    """Forget the pool and loop in a forked child, where they belong to the parent."""
    global _pool, _loop, _lock
    _lock = threading.RLock()
    _pool = _loop = None


atexit.register(close)
os.register_at_fork(after_in_child=_forked)
