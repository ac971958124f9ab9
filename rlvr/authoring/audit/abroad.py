"""The verifier in another process: another folder, another hash seed, another time zone."""

from __future__ import annotations

from pathlib import Path

from rlvr.authoring.audit import elsewhere
from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.registry import fail, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, excerpt, shown
from rlvr.core.compose import leaves
from rlvr.core.errors import RlvrError
from rlvr.core.verdict import Unscored
from rlvr.verifiers.function import FunctionVerifier

_TASKS = 6


@probe("conformance")
def verdicts_elsewhere(subject: Subject) -> Finding:
    """A trainer's process on another machine gives the same verdicts."""
    parts = leaves(subject.env.verifier)
    if not subject.by_verifier or not any(_own(part) for part in parts):
        return nothing("its verifier is rlvr's own")
    if any(part.is_async for part in parts):
        return nothing("its verifier is async")
    relative = [v for v in subject.options.values() if isinstance(v, str) and Path(v).exists()]
    if relative or not subject.solved:
        return nothing("it was given a path of this folder, or can't make right answers")
    items = subject.solved[:_TASKS]
    items = [*items, *((task, "\\boxed{0}") for task, _ in items[:2])]
    tasks, texts = [task for task, _ in items], [said for _, said in items]
    here = subject.judge(tasks, texts)
    try:
        there = elsewhere.rewards_in_another_process(subject.env.verifier, tasks, texts)
    except RlvrError as error:
        return fail("it can't be asked in another process", [str(error)], _MEND)
    changed = [
        f"{task.id}, {excerpt(said)}: {shown(verdict)} here, {other} there"
        for (task, said), verdict, other in zip(items, here, there, strict=True)
        if not isinstance(verdict, Unscored) and other != f"{verdict.reward:g}"
    ]
    if changed:
        return fail(
            f"{len(changed)} of {len(items)} verdicts are others in another process, started in another "
            "folder with another hash seed and time zone",
            changed,
            _MEND,
        )
    return ok(f"{len(items)} verdicts are the same in another process, folder and time zone")


_MEND = (
    "Find files from __file__ or importlib.resources rather than from the working directory, sort "
    "sets, and take nothing from the clock, the environment's variables or hash(…)."
)


def _own(part: object) -> bool:
    return isinstance(part, FunctionVerifier) or not type(part).__module__.startswith("rlvr.")
