"""The work of a worker: one verification after another, until the scorer closes the connection."""

from __future__ import annotations

import contextlib
import importlib
import pickle
import socket
import sys
import time
from collections.abc import Iterable
from typing import Any

from rlvr.core import blame
from rlvr.core.errors import CannotScore
from rlvr.core.faults import checked, described, raised
from rlvr.core.task import Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict, refused
from rlvr.core.verifier import Verifier, seen_by
from rlvr.scoring import wire
from rlvr.scoring.memory import Growth
from rlvr.scoring.page import Page

RETIRED = 0
"""The exit status of a worker that ended itself after its share of jobs."""

_NOT_OF_A_TEXT = (CannotScore, OSError, ImportError)
"""Exceptions that no response can be the reason for."""

_ORDINARY = ("\\boxed{0}", "The answer is 0.", "```\n0\n```")

_TOGETHER_S = (
    0.001  # verdicts of quick jobs that came together are sent together, and wait at most this long
)
_NEVER = 1 << 40  # microseconds
_JOBS_PER_WORKER = 50_000  # SymPy's caches and the heap's fragments go with the process


def serve(jobs: socket.socket, page: Page, growth: Growth) -> int:
    """Answer jobs until the scorer closes the connection or this worker has done its share."""
    inbox = wire.Inbox(jobs)
    verifiers: wire.LastUsed[Any] = wire.LastUsed()
    verdicts: list[bytes] = []  # to be sent together
    since = 0.0  # when the first of them was reached
    done = 0

    def now_working_on(text: str) -> None:
        page.phase = text

    blame.listen(now_working_on)
    while True:
        frame = inbox.take()
        if verdicts and (frame is None or time.monotonic() - since > _TOGETHER_S):
            jobs.sendall(b"".join(verdicts))
            verdicts.clear()
        if frame is None:
            if done >= _JOBS_PER_WORKER or not inbox.receive():
                return RETIRED
            continue
        number, key, payload = frame
        if number == 0:
            verifiers.use(key, payload)
            continue
        verifiers.use(key, verifiers[key])
        if page.is_taken_back(number):
            continue
        page.load(number)
        verdict, unharmed = _answer(key, payload, verifiers, page, growth)
        now = time.monotonic()
        since = since if verdicts else now
        microseconds = min(max(0, int(1e6 * (now - page.begun[0]))), _NEVER)
        verdicts.append(wire.frame(number, microseconds, _pickled(verdict)))
        done += 1
        if not unharmed:
            jobs.sendall(b"".join(verdicts))
            return RETIRED


def _answer(
    key: int, payload: bytes, verifiers: wire.LastUsed[Any], page: Page, growth: Growth
) -> tuple[Verdict, bool]:
    """Return the verdict, and whether this worker is fit for another job."""
    try:
        verifier = _verifier(key, verifiers, growth)
        task, response = pickle.loads(payload)
    except Exception as error:
        page.begin()
        return raised("the verifier or task doesn't load in a worker", error), True
    page.begin()
    try:
        verdict: Any = verifier.verify(task, response)
    except (MemoryError, RecursionError) as error:
        return _exhausted(verifier.name, error, page.phase), False
    except Exception as error:
        if page.phase == "response" and not isinstance(error, _NOT_OF_A_TEXT):
            return _blamed(verifier, task, response, error, page), True
        return raised(f"{verifier.name} raised", error), True
    except BaseException as error:  # also SystemExit: some libraries end the process they are in
        return raised(f"{verifier.name} raised", error), True
    return checked(verifier.name, verdict), True


def _verifier(key: int, verifiers: wire.LastUsed[Any], growth: Growth) -> Verifier:
    """Return the verifier of that key; until it has loaded, its bytes are kept and loaded again."""
    kept = verifiers[key]
    if isinstance(kept, bytes):
        with growth.uncounted():
            path, pickled = pickle.loads(kept)
            sys.path += [entry for entry in path if entry not in sys.path]
            verifiers[key] = kept = pickle.loads(pickled)
            import_early(kept.worker_imports)
    verifier: Verifier = kept
    return verifier


def import_early(modules: Iterable[str]) -> None:
    """Import modules that verifications need, while nobody's clock runs."""
    for module in modules:
        # This only saves time: a verifier that needs the module will report the error itself.
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def _blamed(
    verifier: Verifier, task: Task, response: str | Transcript, error: Exception, page: Page
) -> Verdict:
    """Return the verdict on a response over which a verifier raised an exception.

    The response is to blame if the exception comes again and ordinary answers to the same task are judged:
    then neither the task nor the machine can be the reason. Otherwise nothing is known, and it is unscored.
    """
    try:
        return checked(verifier.name, verifier.verify(task, response))
    except Exception as again:
        unscored = raised(f"{verifier.name} raised", again)
        if type(again) is not type(error):
            return unscored
    page.phase = "begun"
    try:
        with blame.unheard():  # the time of ordinary answers isn't attributed to the response
            right = verifier.demonstrate(task)
            ordinary = _ORDINARY if right is None else (right, *_ORDINARY)
            scored = all(
                isinstance(verifier.verify(task, seen_by(verifier, task, answer)), Scored)
                for answer in ordinary
            )
    except Exception:
        scored = False
    if not scored:
        return unscored
    feedback = f"judging the response raised {type(error).__name__}, which other answers don't"
    return refused(verifier.name, Status.UNPARSABLE, feedback, raised=described(error))


def _exhausted(name: str, error: BaseException, phase: str | None) -> Verdict:
    resource = "memory" if isinstance(error, MemoryError) else "stack"
    if phase == "response":
        return refused(name, Status.LIMIT, f"judging the response ran out of {resource}")
    if phase == "reference":
        return Unscored(Cause.GOLD, f"reading the reference ran out of {resource}")
    return Unscored(Cause.INTERNAL, f"{name} ran out of {resource}")


def _pickled(verdict: Verdict) -> bytes:
    try:
        return pickle.dumps(verdict, protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps(raised("the verdict can't be pickled", error))
