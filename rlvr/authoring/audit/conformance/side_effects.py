"""Probes of the traces that verification leaves: files, processes, threads, memory, output, a changed task."""

from __future__ import annotations

import copy
import functools
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr.authoring.audit.conformance.measured_verifier import MeasuredVerifier, fingerprint
from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import HANGS, Subject
from rlvr.core.compose import leaves
from rlvr.core.task import Task
from rlvr.core.verdict import Scored
from rlvr.scoring import Pool, score

_NOISE = 200  # characters of one verification
_WAIT_S = 20.0
_GROWTH = 8 << 20
_REPEATS = 240


@dataclass(frozen=True)
class _Traces:
    """The traces of 20 verifications.

    Attributes:
        details: of `MeasuredVerifier`, by the name of each part that runs in a worker.
        temporary: new files in the temporary folder.
        beside: new files in the working directory.
    """

    details: dict[str, list[dict[str, Any]]]
    temporary: list[str]
    beside: list[str]


@functools.lru_cache(maxsize=1)  # three probes look at one subject
def _traces(subject: Subject) -> _Traces:
    subject.hang_budget.check()
    task, right = _solved(subject)
    tasks, texts = [task] * 20, [right, "\\boxed{0}", right, task.text] * 5
    details: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        before, cwd = os.environ.get("TMPDIR"), set(os.listdir())
        os.environ["TMPDIR"] = folder
        try:
            for leaf in leaves(subject.env.verifier):
                if not leaf.is_async:
                    measured = MeasuredVerifier(leaf, settle=False)
                    with Pool(workers=1) as pool:
                        verdicts = score(tasks, texts, measured, pool=pool, deadline_s=_WAIT_S)
                    details[leaf.name] = [
                        v.detail for v in verdicts if isinstance(v, Scored) and v.detail
                    ]
        finally:
            os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
        return _Traces(details, sorted(os.listdir(folder)), sorted(set(os.listdir()) - cwd))


def _solved(subject: Subject) -> tuple[Task, str]:
    return next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))


@probe("conformance")
def nothing_left(subject: Subject) -> Finding:
    """Check that verification leaves no file, process or open descriptor behind."""
    if not Path("/proc/self/fd").exists():
        return nothing(
            "descriptors and processes are counted by /proc, which this system doesn't have"
        )
    measured = _traces(subject)
    lines = []
    for name, details in measured.details.items():
        if details and details[-1]["children"]:
            lines.append(f"{name}: {details[-1]['children']} processes still run")
        if any(detail["moved"] for detail in details):
            lines.append(f"{name}: another working directory")
        if len(details) > 10:
            for noun, key in (("threads", "threads"), ("descriptors", "open")):
                growth = details[-1][key] - details[4][key]
                if growth > 5:
                    lines.append(f"{name}: {growth} {noun}")
    if len(measured.temporary) > 2:
        lines.append(f"{len(measured.temporary)} temporary files, such as {measured.temporary[0]}")
    if len(measured.beside) > 2:
        lines.append(
            f"{len(measured.beside)} files in the working directory, such as {measured.beside[0]}"
        )
    if lines:
        return fail(
            f"20 verifications leave behind: {lines[0]}",
            lines,
            "Close and remove everything that a verification opens (`with tempfile.TemporaryDirectory()`, "
            "`subprocess.run(…, timeout=…)`, `with open(…)`). Start no thread, and don't call os.chdir.",
        )
    if not measured.details:
        return nothing("its verifier is async, and a sandbox checks its own traces")
    return ok("20 verifications leave nothing behind")


@probe("conformance")
def task_unchanged(subject: Subject) -> Finding:
    """Check that verification doesn't change the task."""
    if not subject.inline:
        return nothing(HANGS)
    changed = [
        name
        for name, details in _traces(subject).details.items()
        if any(detail["changed"] for detail in details)
    ]
    task, right = _solved(subject)
    for leaf in filter(lambda leaf: leaf.is_async, leaves(subject.env.verifier)):
        copied = copy.deepcopy(task)  # judged in this process, where a change shows
        score([copied] * 3, [right, "\\boxed{0}", "x"], leaf)
        if fingerprint(copied) != fingerprint(task):
            changed.append(leaf.name)
    if changed:
        return fail(
            "a verification changes the task's reference or metadata",
            [f"{name} changes {task.id}" for name in changed],
            "Work on a copy (sorted(…), list(…), dict(…)): the task is shared by all verifications.",
        )
    return ok("a task is the same after a verification")


@probe("conformance")
def quiet(subject: Subject) -> Finding:
    """Check that verification prints nothing."""
    printed = {
        name: max((detail["printed"] for detail in details), default=0)
        for name, details in _traces(subject).details.items()
    }
    lines = [
        f"{name} prints {characters:,} characters per verification"
        for name, characters in sorted(printed.items(), key=lambda item: -item[1])
        if characters > 0
    ]
    if not lines:
        return ok("a verification prints nothing")
    fix = (
        "Put information into the verdict: rlvr.Scored(…, feedback=…, detail={…}). With RLVR_PRINTS=stderr the audit "
        "shows what is printed."
    )
    if max(printed.values()) > _NOISE:
        return fail(lines[0], lines, fix)
    return note(lines[0], lines, fix)


@probe("conformance")
def flat_memory(subject: Subject) -> Finding:
    """Check that memory doesn't grow with the number of verifications."""
    sync = [leaf for leaf in leaves(subject.env.verifier) if not leaf.is_async]
    if not sync:
        return nothing("its verifier is async, and runs in this process")
    if not Path("/proc/self/statm").exists():
        return nothing("memory is measured by /proc, which this system doesn't have")
    task, right = next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))
    grown = []
    for leaf in sync:
        # Each differs and is so long that a cache of them shows.
        texts = [f"attempt {i}: {'and then ' * 2000}\n{right}" for i in range(_REPEATS)]
        with Pool(workers=1) as pool:
            first = score(
                [task] * 60,
                texts[:60],
                MeasuredVerifier(leaf, settle=False),
                pool=pool,
                deadline_s=20,
            )
            later = score(
                [task] * (_REPEATS - 60),
                texts[60:],
                MeasuredVerifier(leaf, settle=False),
                pool=pool,
                deadline_s=20,
            )
        resident = [
            v.detail["resident"] for v in (*first, *later) if isinstance(v, Scored) and v.detail
        ]
        if len(resident) < 100:
            return nothing(f"only {len(resident)} verifications came back in time: too few to tell")
        middle, growth = resident[len(resident) // 4], resident[-1] - resident[len(resident) // 4]
        if growth > _GROWTH:
            grown.append(
                f"{leaf.name}: from {middle >> 20} MB to {resident[-1] >> 20} MB in "
                f"{len(resident) - len(resident) // 4} verifications of 18 kB each"
            )
    if grown:
        return fail(
            "memory grows with every response",
            grown,
            "Keep nothing of a response after its verdict, and bound caches (functools.lru_cache with a maxsize, by "
            "reference instead of response).",
        )
    return ok(f"{_REPEATS} verifications in one process: memory stays flat")
