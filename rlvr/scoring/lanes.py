"""Where verifications run when they can't be settled in place: this process's pool and its event loop."""

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
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring.pool import Pool
from rlvr.scoring.prints import judging

_lock = threading.RLock()
_pool: Pool | None = None
_loop: asyncio.AbstractEventLoop | None = None


def default_pool() -> Pool:
    """The pool of this process, made when first needed. `RLVR_WORKERS` sets its size."""
    global _pool
    with _lock:
        if _pool is None:
            wanted = os.environ.get("RLVR_WORKERS", "")
            _pool = Pool(int(wanted) if wanted.isascii() and wanted.isdigit() else None)
        return _pool


def close() -> None:
    """End this process's pool and loop. Called at exit; the next `score` makes new ones.

    What waits or runs becomes `Unscored`.
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
    verifier: Verifier, task: Task, response: str, limit_s: float | None
) -> Future[Verdict]:
    """Run an async verifier on the loop; its time limit ends it there. The future never raises."""
    limit = verifier.limit_s if limit_s is None else limit_s
    with _lock:  # before `close` or after it, not in between
        return asyncio.run_coroutine_threadsafe(
            _verify(verifier, task, response, limit), _the_loop()
        )


async def _verify(verifier: Verifier, task: Task, response: str, limit_s: float) -> Verdict:
    judging = asyncio.ensure_future(_judged(verifier, task, response))
    try:
        # Not `asyncio.timeout`: a verifier that won't be cancelled isn't waited for.
        await asyncio.wait({judging}, timeout=limit_s)
    except asyncio.CancelledError:
        judging.cancel()
        return Unscored(Cause.INTERNAL, f"{verifier.name} was cancelled: scoring was closed")
    if judging.done():
        return judging.result()
    judging.cancel()
    return Unscored(Cause.TIMEOUT, f"{verifier.name} took over {limit_s:g} s")


async def _judged(verifier: Verifier, task: Task, response: str) -> Verdict:
    try:
        with judging():  # what it awaits is in the same context, and nothing else is
            verdict = await verifier.verify(task, response)  # type: ignore[misc]
        return checked(verifier.name, verdict)
    except BaseException as error:  # a SystemExit would end the loop, and all that is on it
        return raised(f"{verifier.name} raised", error)


async def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Stop the loop once everything on it has had its verdict."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=1.0)
    loop.call_soon(loop.stop)


def serialised(callback: Callable[[Any], None]) -> Callable[[Any], None]:
    """`callback` made safe to be called from several threads: one at a time, in some order."""
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
    """In a forked child, pool and loop are the parent's: forget them."""
    global _pool, _loop, _lock
    _lock = threading.RLock()
    _pool = _loop = None


atexit.register(close)
os.register_at_fork(after_in_child=_forked)
