"""Where verifications run when they can't be settled in place: this process's pool and its event loop."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring.pool import Pool

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
    """End this process's pool and loop. Called at exit; the next `score` makes new ones."""
    global _pool, _loop
    with _lock:
        pool, _pool = _pool, None
        loop, _loop = _loop, None
    if pool is not None:
        pool.close()
    if loop is not None:
        loop.call_soon_threadsafe(loop.stop)


def on_the_loop(
    verifier: Verifier, task: Task, response: str, limit_s: float | None
) -> Future[Verdict]:
    """Run an async verifier on the loop; its time limit ends it there."""
    limit = verifier.limit_s if limit_s is None else limit_s
    return asyncio.run_coroutine_threadsafe(_verify(verifier, task, response, limit), _the_loop())


async def _verify(verifier: Verifier, task: Task, response: str, limit_s: float) -> Verdict:
    verdict: Any
    try:
        async with asyncio.timeout(limit_s):
            verdict = await verifier.verify(task, response)  # type: ignore[misc]
    except TimeoutError:
        return Unscored(Cause.TIMEOUT, f"{verifier.name} took over {limit_s:g} s")
    except CannotScore as fault:
        return Unscored(fault.cause, fault.message)
    except Exception as error:
        return Unscored(
            Cause.INTERNAL, f"{verifier.name} raised: {type(error).__name__}: {error!s:.500}"
        )
    if not isinstance(verdict, Scored | Unscored):
        return Unscored(
            Cause.INTERNAL, f"{verifier.name} returned {type(verdict).__name__}, not a verdict"
        )
    return verdict


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
            threading.Thread(target=_loop.run_forever, name="rlvr-async", daemon=True).start()
        return _loop


def _forked() -> None:
    """In a forked child, pool and loop are the parent's: forget them."""
    global _pool, _loop, _lock
    _lock = threading.RLock()
    if _pool is not None:
        _pool.abandon()
    _pool = _loop = None


atexit.register(close)
os.register_at_fork(after_in_child=_forked)
