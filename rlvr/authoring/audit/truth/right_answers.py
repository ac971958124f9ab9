"""Probes that right answers earn full reward, in each format and in good time, and another task's don't."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rlvr import scoring
from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.probe_registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, apart, columns, excerpt, full, shown
from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.sandboxes.base import Limits
from rlvr.testing.fixtures import judge_fixtures
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.reference import Reference

_NO_ORACLE = "its verifier can't make a right answer from a reference: @rlvr.verifier(demonstrate=…) tells it how"
_PART = 3  # machines differ by as much, and one that is busy does from itself
_TIMES = ("wall_s", "cpu_s", "compile_s")


@probe("truth")
def gold(subject: Subject) -> Finding:
    """The reference itself earns full reward."""
    missing = [task.id for task in subject.tasks if _empty(task.reference)]
    if missing:
        return fail(
            f"{len(missing)} of {len(subject.tasks)} references are empty",
            missing,
            "Leave such rows out: with an empty reference there's nothing to be right about.",
        )
    if not subject.solved and subject.right_as_text:
        task = subject.right_as_text[0]
        return fail(
            f"no answer is right: references are of the type {type(task.reference).__name__}, and "
            "answers are text",
            [f"{one.id}: {one.reference!r}" for one in subject.right_as_text],
            "str(reference) where the tasks are made, or where they're compared.",
        )
    if not subject.solved:
        return nothing(_NO_ORACLE)
    tasks = [task for task, _ in subject.solved]
    verdicts = subject.judge(tasks, [said for _, said in subject.solved])
    wrong = [
        f"{task.id}, {excerpt(said)}: {shown(verdict)}"
        for (task, said), verdict in zip(subject.solved, verdicts, strict=True)
        if not full(verdict)
    ]
    broken = sum(isinstance(v, Unscored) and v.cause is Cause.GOLD for v in verdicts)
    without = len(subject.tasks) - len(tasks)
    counted = {"gold": len(tasks), "failed": len(wrong), "unreadable": broken + without}
    if wrong:
        return fail(
            f"{len(wrong)} of {len(tasks)} references don't earn full reward",
            wrong,
            "Mend or leave out those rows; where all fail, the reference and the verifier don't fit "
            "(a type, a format), and no model can ever be right.",
            **counted,
        )
    if without:
        return note(
            f"{len(tasks)} references earn full reward; {without} can't be answered from",
            [task.id for task in subject.tasks if subject.right(task) is None],
            "Look whether they're broken; what can't be read is unscored, and costs only its share.",
            **counted,
        )
    return ok(f"all {len(tasks)} references earn full reward", **counted)


@probe("truth")
def right_in_every_format(subject: Subject) -> Finding:
    """A right answer stays right after a thought, among prose, with other white space."""
    if not subject.solved:
        return nothing(_NO_ORACLE)
    wrong: dict[str, list[str]] = defaultdict(list)
    cases = [
        (name, task, text) for task, said in subject.solved[:8] for name, text in _formats(said)
    ]
    plain = dict(
        zip((t.id for t, _ in subject.solved), subject.judge(*columns(subject.solved)), strict=True)
    )
    verdicts = subject.judge([task for _, task, _ in cases], [text for *_, text in cases])
    for (name, task, text), verdict in zip(cases, verdicts, strict=True):
        if full(plain[task.id]) and not full(verdict):
            wrong[name].append(f"{name}, {task.id} {excerpt(text)}: {shown(verdict)}")
    if wrong:
        return fail(
            f"right answers are refused {', '.join(wrong)}",
            itertools.chain.from_iterable(lines[:2] for lines in wrong.values()),
            "Let rlvr find the answer: `@rlvr.verifier` hands over what stands in the last box, after "
            "the thinking part. A verifier of your own begins with "
            "rlvr.verifiers.extraction.find_answer(response).",
        )
    return ok(
        f"{len(cases)} right answers in {len({name for name, *_ in cases})} formats are right"
    )


@probe("truth")
def anothers_answer(subject: Subject) -> Finding:
    """Another task's right answer is wrong here."""
    pairs = [
        (task, said, other)
        for (task, _), (other, said) in zip(subject.solved, _rotated(subject.solved), strict=True)
        if task.reference != other.reference and said != subject.right(task)
    ]
    if len(pairs) < 2:
        return nothing("there are no two tasks with right answers that differ")
    verdicts = subject.judge([task for task, *_ in pairs], [said for _, said, _ in pairs])
    paid = [
        f"{task.id} with the answer of {other.id}, {excerpt(said)}: {shown(verdict)}"
        for (task, said, other), verdict in zip(pairs, verdicts, strict=True)
        if full(verdict)
    ]
    share = len(paid) / len(pairs)
    if share > 0.5:
        return fail(
            f"{len(paid)} of {len(pairs)} right answers to other tasks earn full reward here",
            paid,
            "The verifier judges the form of an answer, and not against this task's reference.",
            share=share,
        )
    if paid:
        return note(f"{len(paid)} of {len(pairs)} right answers to other tasks are right here too", paid,
                    "Fine where several answers are right; else look at these.", share=share)  # fmt: skip
    return ok(f"{len(pairs)} right answers to other tasks earn no full reward", share=0.0)


@probe("truth")
def fixtures(subject: Subject) -> Finding:
    """The author's fixtures earn what their author says."""
    chosen = subject.env.fixtures
    if not chosen:
        return nothing(
            "it has no fixtures: `fixtures=` takes responses that you know the reward of"
        )
    verdicts = judge_fixtures(subject.env)
    # A fixture whose task is another split's says nothing here.
    here = [
        (one, verdict)
        for one, verdict in zip(chosen, verdicts, strict=True)
        if not (isinstance(verdict, Unscored) and verdict.cause is Cause.INPUT)
    ]
    if not here:
        return fail(
            f"none of {len(chosen)} fixtures can be judged",
            [shown(verdict) for verdict in verdicts],
            'Give fixtures a task of their own ("prompt" and "reference").',
        )
    wrong = [
        f"{one.kind}, {excerpt(' / '.join(one.turns))}: {shown(verdict)}, not {one.expected}"
        for one, verdict in here
        if not one.holds(verdict)
    ]
    if wrong:
        return fail(
            f"{len(wrong)} of {len(here)} fixtures don't hold",
            wrong,
            "Either the verifier has changed its mind, or the fixture is wrong: decide which.",
        )
    kinds = sorted({one.kind for one, _ in here})
    return ok(f"{len(here)} fixtures hold ({', '.join(kinds)})")


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


def _formats(said: str) -> Iterator[tuple[str, str]]:
    """A right answer among what models write around it."""
    thought, answer = apart(said)
    if not thought:
        yield "after a thought", f"<think>\nCould it be \\boxed{{0}}? No.\n</think>\n\n{said}"
        yield (
            "after a thought whose beginning the template wrote",
            f"Let me see.\n</think>\n\n{said}",
        )
    for name, text in _around(answer):
        yield name, f"{thought}{text}"


def _around(answer: str) -> Iterator[tuple[str, str]]:
    yield "with white space around it", f"\n{answer}\n\n"
    # What is marked can be told from the prose around it.
    if "\\boxed{" in answer or "```" in answer or answer.startswith("<answer>"):
        yield (
            "after prose",
            f"We work it out step by step, with 3 attempts and 7 checks.\n\n{answer}",
        )
        yield "before prose", f"{answer}\n\nI hope this helps."
    if answer.startswith("<answer>"):
        yield "after another answer", f"First <answer>0</answer>. That's wrong.\n\n{answer}"
    if answer.startswith("\\boxed{"):
        yield "in a sentence", f"The answer is {answer}."
        yield "between dollars", f"So it's ${answer}$."
        yield "in bold", f"**{answer}**"
        yield (
            "after another box",
            f"First I thought of \\boxed{{0}}. That's wrong.\n\nIt is {answer}",
        )


def _rotated(solved: list[tuple[Task, str]]) -> list[tuple[Task, str]]:
    return [*solved[1:], *solved[:1]]


def _empty(reference: Any) -> bool:
    return (
        reference is None
        or (isinstance(reference, str | list | dict) and not reference)
        or (isinstance(reference, str) and not reference.strip())
    )


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
