"""References that a policy contradicts: where its samples agree with one another, and not with the gold."""

from __future__ import annotations

from collections import Counter, defaultdict

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.registry import note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, excerpt
from rlvr.verifiers.math.clean import clean

_SAMPLES = 4  # of a task, under which agreement says little
_AGREE = 0.75


@probe("learnability")
def contradicted_golds(subject: Subject) -> Finding:
    """Where a policy gives one answer again and again, it's seldom another than the reference."""
    answers: dict[str, list[str]] = defaultdict(list)
    solved: set[str] = set()
    references: dict[str, object] = {}
    for row in subject.rollouts:
        verdict = row["verdict"]
        said = verdict.get("detail", {}).get("answer") if verdict["scored"] else None
        if isinstance(said, str):
            answers[row["task"]].append(clean(said) or said)
            references[row["task"]] = row.get("reference")
        if verdict["scored"] and verdict["status"] == "correct":
            solved.add(row["task"])
    asked = {task: said for task, said in answers.items() if len(said) >= _SAMPLES}
    if not asked:
        return nothing(
            f"it takes rollouts whose verdicts name their answer, {_SAMPLES} of a task or more (-k 8)"
        )
    found = []
    for task, said in asked.items():
        answer, times = Counter(said).most_common(1)[0]
        if task not in solved and times >= _AGREE * len(said):
            found.append((times / len(said), task, answer, times, len(said)))
    share = len(found) / len(asked)
    figures = {"tasks": len(asked), "contradicted": sorted(task for _, task, *_ in found)}
    if not found:
        return ok(f"of {len(asked)} tasks none has its reference contradicted", **figures)
    found.sort(key=lambda one: (-one[0], one[1]))
    return note(  # the policy may be wrong just as well
        f"of {len(asked)} tasks {len(found)} ({share:.1%}) have another answer than the reference in most samples",
        [
            f"{task}: {times} of {count} say {excerpt(answer, 60)}, the reference is "
            f"{excerpt(str(references[task]), 60)}"
            for _, task, answer, times, count in found
        ],
        "Look at each: a wrong reference teaches the policy to be wrong. Mend its row or leave it out.",
        **figures,
    )
