"""Whether right answers are judged well within their time, or would be refused on a slower machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from rlvr import scoring
from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.registry import fail, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, columns, full, shown
from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.verdict import Verdict
from rlvr.sandboxes.base import Limits
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.reference import Reference

_PART = 3  # machines differ by as much, and one that is busy does from itself
_TIMES = ("wall_s", "cpu_s", "compile_s")


@probe("truth")
def limits_have_room(subject: Subject) -> Finding:
    """A right answer needs less than a third of its time."""
    if not subject.solved or not subject.by_verifier:
        return nothing("there's no right answer that its verifier alone judges")
    verdicts = subject.judge(*columns(subject.solved))
    right = [pair for pair, v in zip(subject.solved, verdicts, strict=True) if full(v)]
    if not right:
        return nothing("no reference earns full reward (see gold)")
    missed = [pair for pair, v in zip(right, _hurried(subject, right), strict=True) if not full(v)]
    # Once more, one at a time: another process may have had the machine.
    wrong = [
        f"{task.id}: {shown(verdict)}"
        for task, said in missed
        for verdict in _hurried(subject, [(task, said)])
        if not full(verdict)
    ]
    if wrong:
        return fail(
            f"{len(wrong)} of {len(right)} right answers take more than a third of their time",
            wrong,
            "A machine that is slower, or busy, refuses what is right: raise limit_s, or the limits of "
            'these tasks ("limits" in a code task\'s reference).',
        )
    return ok(f"{len(right)} right answers are right in a third of their time as well")


def _hurried(subject: Subject, pairs: Sequence[tuple[Task, str]]) -> list[Verdict]:
    verifier = subject.env.verifier
    code = next(iter(subject.leaves(Code)), None)
    tasks = [task if code is None else _hasty(task, code) for task, _ in pairs]
    limit = verifier.limit_s / _PART
    return scoring.score(tasks, columns(pairs)[1], verifier, limit_s=limit)


def _hasty(task: Task, code: Code) -> Task:
    """With a third of the time that its programs may take, where it's a task of code."""
    limits = code.limits if isinstance(code.limits, Limits) else None
    try:
        allowed = Reference.of(task.reference, code.language, limits).limits
    except CannotScore:
        return task
    assert isinstance(task.reference, Mapping)
    less = {name: getattr(allowed, name) / _PART for name in _TIMES}
    given = task.reference.get("limits") or {}
    return dataclasses.replace(task, reference={**task.reference, "limits": {**given, **less}})
