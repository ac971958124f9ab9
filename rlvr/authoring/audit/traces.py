"""What verification leaves behind: files, processes, threads, noise, a changed task."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.measured import Measured, fingerprint
from rlvr.authoring.audit.registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject
from rlvr.core.task import Task
from rlvr.core.verdict import Scored
from rlvr.scoring import Pool, score
from rlvr.verifiers.compose import leaves

_NOISE = 200  # characters of one verification
_WAIT_S = 20.0


@probe("conformance")
def nothing_left(subject: Subject) -> Finding:
    """Verification leaves no file, process or open descriptor behind."""
    if not Path("/proc/self/fd").exists():
        return nothing(
            "descriptors and processes are counted by /proc, which this system doesn't have"
        )
    subject.patience.check()
    task, said = next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))
    tasks, texts = [task] * 20, [said, "\\boxed{0}", said, task.text] * 5
    sync = [leaf for leaf in leaves(subject.env.verifier) if not leaf.is_async]
    left = []
    with tempfile.TemporaryDirectory() as folder:
        before, cwd = os.environ.get("TMPDIR"), set(os.listdir())
        os.environ["TMPDIR"] = folder
        try:
            for leaf in sync:
                with Pool(workers=1) as pool:
                    seen = score(
                        tasks, texts, Measured(leaf, settle=False), pool=pool, deadline_s=_WAIT_S
                    )
                details = [v.detail for v in seen if isinstance(v, Scored) and v.detail]
                if details and details[-1]["children"]:
                    left.append(f"{leaf.name}: {details[-1]['children']} processes still run")
                if len(details) > 10 and details[-1]["threads"] - details[4]["threads"] > 5:
                    left.append(
                        f"{leaf.name}: {details[-1]['threads'] - details[4]['threads']} threads"
                    )
                if any(detail["moved"] for detail in details):
                    left.append(f"{leaf.name}: another working directory")
                if len(details) > 10 and details[-1]["open"] - details[4]["open"] > 5:
                    left.append(
                        f"{leaf.name}: {details[-1]['open'] - details[4]['open']} descriptors"
                    )
        finally:
            os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
        files = sorted(os.listdir(folder))
        if len(files) > 2:
            left.append(f"{len(files)} temporary files, such as {files[0]}")
        new = sorted(set(os.listdir()) - cwd)
        if len(new) > 2:
            left.append(f"{len(new)} files in the working directory, such as {new[0]}")
    if left:
        return fail(
            f"20 verifications leave behind: {left[0]}",
            left,
            "Close and remove what a verification opens: `with tempfile.TemporaryDirectory()`, "
            "`subprocess.run(…, timeout=…)`, `with open(…)`; start no thread, and leave os.chdir alone.",
        )
    if not sync:
        return nothing("its verifier is async: what its sandbox leaves is that sandbox's to check")
    return ok("20 verifications leave nothing behind")


@probe("conformance")
def task_unchanged(subject: Subject) -> Finding:
    """Verification leaves the task as it is."""
    if not subject.inline:
        return nothing("its `settle` hangs (see settling)")
    subject.patience.check()
    task, said = next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))
    texts = [said, "\\boxed{0}", "x"]
    changed = []
    for leaf in leaves(subject.env.verifier):
        if leaf.is_async:  # in this process, so that it shows
            copies = [Task(task.prompt, task.reference, task.id, task.metadata) for _ in texts]
            before = fingerprint(task)
            score(copies, texts, leaf)
            wrong = any(fingerprint(copy) != before for copy in copies)
        else:
            seen = score(
                [task] * len(texts), texts, Measured(leaf, settle=False), deadline_s=_WAIT_S
            )
            wrong = any(v.detail.get("changed") for v in seen if isinstance(v, Scored))
        if wrong:
            changed.append(f"{leaf.name} changes {task.id}")
    if changed:
        return fail(
            "a verification changes the task's reference or metadata",
            changed,
            "Work on a copy (sorted(…), list(…), dict(…)): the task is shared by all who judge it.",
        )
    return ok("a task is the same after its verification")


@probe("conformance")
def quiet(subject: Subject) -> Finding:
    """Verification prints nothing."""
    subject.patience.check()
    task, said = next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))
    texts = [said, "\\boxed{0}", "x"]
    loud = []
    for leaf in (one for one in leaves(subject.env.verifier) if not one.is_async):
        seen = score([task] * len(texts), texts, Measured(leaf, settle=False), deadline_s=_WAIT_S)
        most = max((v.detail.get("printed", 0) for v in seen if isinstance(v, Scored)), default=0)
        if most > 0:
            loud.append((most, f"{leaf.name} prints {most:,} characters in a verification"))
    if not loud:
        return ok("a verification prints nothing")
    most, lines = max(loud)[0], [line for _, line in loud]
    mend = "Put what's worth knowing into the verdict: rlvr.Scored(…, feedback=…, detail={…})."
    if most > _NOISE:
        return fail(lines[0], lines, mend)
    return note(lines[0], lines, mend)
