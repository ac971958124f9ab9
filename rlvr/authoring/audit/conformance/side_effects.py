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
from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.probe_registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject
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
    """What 20 verifications left: of each leaf that's judged in a worker, by name, `MeasuredVerifier`'s details;
    and the files that are new, in its temporary folder and in the working directory."""

    details: dict[str, list[dict[str, Any]]]
    temporary: list[str]
    beside: list[str]


@functools.lru_cache(maxsize=1)  # three probes look at it, of one subject after the other
def _traces(subject: Subject) -> _Traces:
    subject.hang_budget.check()
    task, said = _solved(subject)
    tasks, texts = [task] * 20, [said, "\\boxed{0}", said, task.text] * 5
    details: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        before, cwd = os.environ.get("TMPDIR"), set(os.listdir())
        os.environ["TMPDIR"] = folder
        try:
            for leaf in leaves(subject.env.verifier):
                if not leaf.is_async:
                    measured = MeasuredVerifier(leaf, settle=False)
                    with Pool(workers=1) as pool:
                        seen = score(tasks, texts, measured, pool=pool, deadline_s=_WAIT_S)
                    details[leaf.name] = [
                        v.detail for v in seen if isinstance(v, Scored) and v.detail
                    ]
        finally:
            os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
        return _Traces(details, sorted(os.listdir(folder)), sorted(set(os.listdir()) - cwd))


def _solved(subject: Subject) -> tuple[Task, str]:
    return next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))


@probe("conformance")
def nothing_left(subject: Subject) -> Finding:
    """Verification leaves no file, process or open descriptor behind."""
    if not Path("/proc/self/fd").exists():
        return nothing(
            "descriptors and processes are counted by /proc, which this system doesn't have"
        )
    traces = _traces(subject)
    left = []
    for name, details in traces.details.items():
        if details and details[-1]["children"]:
            left.append(f"{name}: {details[-1]['children']} processes still run")
        if any(detail["moved"] for detail in details):
            left.append(f"{name}: another working directory")
        if len(details) > 10:
            for what, key in (("threads", "threads"), ("descriptors", "open")):
                more = details[-1][key] - details[4][key]
                if more > 5:
                    left.append(f"{name}: {more} {what}")
    if len(traces.temporary) > 2:
        left.append(f"{len(traces.temporary)} temporary files, such as {traces.temporary[0]}")
    if len(traces.beside) > 2:
        left.append(
            f"{len(traces.beside)} files in the working directory, such as {traces.beside[0]}"
        )
    if left:
        return fail(
            f"20 verifications leave behind: {left[0]}",
            left,
            "Close and remove what a verification opens: `with tempfile.TemporaryDirectory()`, "
            "`subprocess.run(…, timeout=…)`, `with open(…)`; start no thread, and leave os.chdir alone.",
        )
    if not traces.details:
        return nothing("its verifier is async: what its sandbox leaves is that sandbox's to check")
    return ok("20 verifications leave nothing behind")


@probe("conformance")
def task_unchanged(subject: Subject) -> Finding:
    """Verification leaves the task as it is."""
    if not subject.inline:
        return nothing("its `settle` hangs (see settling)")
    changed = [
        name
        for name, details in _traces(subject).details.items()
        if any(detail["changed"] for detail in details)
    ]
    task, said = _solved(subject)
    for leaf in (one for one in leaves(subject.env.verifier) if one.is_async):
        copied = copy.deepcopy(task)  # judged in this process, so that it shows
        score([copied] * 3, [said, "\\boxed{0}", "x"], leaf)
        if fingerprint(copied) != fingerprint(task):
            changed.append(leaf.name)
    if changed:
        return fail(
            "a verification changes the task's reference or metadata",
            [f"{name} changes {task.id}" for name in changed],
            "Work on a copy (sorted(…), list(…), dict(…)): the task is shared by all who judge it.",
        )
    return ok("a task is the same after its verification")


@probe("conformance")
def quiet(subject: Subject) -> Finding:
    """Verification prints nothing."""
    printed = {
        name: max((detail["printed"] for detail in details), default=0)
        for name, details in _traces(subject).details.items()
    }
    lines = [
        f"{name} prints {most:,} characters in a verification"
        for name, most in sorted(printed.items(), key=lambda item: -item[1])
        if most > 0
    ]
    if not lines:
        return ok("a verification prints nothing")
    fix = "Put what's worth knowing into the verdict: rlvr.Scored(…, feedback=…, detail={…})."
    if max(printed.values()) > _NOISE:
        return fail(lines[0], lines, fix)
    return note(lines[0], lines, fix)


@probe("conformance")
def flat_memory(subject: Subject) -> Finding:
    """Verification doesn't fill its process's memory."""
    sync = [leaf for leaf in leaves(subject.env.verifier) if not leaf.is_async]
    if not sync:
        return nothing("its verifier is async, and runs in this process")
    if not Path("/proc/self/statm").exists():
        return nothing("memory is measured by /proc, which this system doesn't have")
    task, said = next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))
    grown = []
    for leaf in sync:
        # Each differs, and is long enough for a cache of them to be seen.
        texts = [f"attempt {i}: {'and then ' * 2000}\n{said}" for i in range(_REPEATS)]
        with Pool(workers=1) as pool:
            half = score(
                [task] * 60,
                texts[:60],
                MeasuredVerifier(leaf, settle=False),
                pool=pool,
                deadline_s=20,
            )
            rest = score(
                [task] * (_REPEATS - 60),
                texts[60:],
                MeasuredVerifier(leaf, settle=False),
                pool=pool,
                deadline_s=20,
            )
        seen = [v.detail["resident"] for v in (*half, *rest) if isinstance(v, Scored) and v.detail]
        if len(seen) < 100:
            return nothing(f"only {len(seen)} verifications came back in time: too few to tell")
        middle, growth = seen[len(seen) // 4], seen[-1] - seen[len(seen) // 4]
        if growth > _GROWTH:
            grown.append(
                f"{leaf.name}: from {middle >> 20} MB to {seen[-1] >> 20} MB in "
                f"{len(seen) - len(seen) // 4} verifications of 18 kB each"
            )
    if grown:
        return fail(
            "memory grows with every response",
            grown,
            "Keep nothing of a response after its verdict; bound what is cached (functools.lru_cache "
            "with a maxsize, by reference rather than by response).",
        )
    return ok(f"{_REPEATS} verifications in one process: memory stays flat")
