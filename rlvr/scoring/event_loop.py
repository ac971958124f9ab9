"""This process's event loop, for verifiers whose `verify` is a coroutine.

A module of its own, since asyncio's import takes as long as a hundred verdicts: it is imported with the first such
verifier.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from concurrent.futures import Future

from rlvr.core.faults import checked, raised
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring.prints import judging

_lock = threading.RLock()
_loop: asyncio.AbstractEventLoop | None = None


def on_the_loop(
    verifier: Verifier, task: Task, response: str | Transcript, limit_s: float | None
) -> Future[Verdict]:
    """Run an async verifier on the loop; its time limit ends it there. The future never raises."""
    limit = verifier.limit_s if limit_s is None else limit_s
    with _lock:  # before `close` or after it, not in between
        return asyncio.run_coroutine_threadsafe(
            _verify(verifier, task, response, limit), _the_loop()
        )


def close() -> None:
    """End the loop; its verifications become `Unscored`. The next one makes a new loop."""
    global _loop
    with _lock:
        loop, _loop = _loop, None
        if loop is not None:
            asyncio.run_coroutine_threadsafe(_end(loop), loop)


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
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=1.0)
    loop.call_soon(loop.stop)


def _the_loop() -> asyncio.AbstractEventLoop:
    global _loop
    if _loop is None:
        _loop = asyncio.new_event_loop()
        threading.Thread(target=_run, args=[_loop], name="rlvr-async", daemon=True).start()
    return _loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    with contextlib.closing(loop):
        loop.run_forever()


def _forked() -> None:
    """Forget the loop in a forked child, where it belongs to the parent."""
    global _loop, _lock
    _lock = threading.RLock()
    _loop = None


os.register_at_fork(after_in_child=_forked)
