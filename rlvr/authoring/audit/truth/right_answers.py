"""Probes of right answers: they earn full reward in each format and in good time, and those of other tasks don't."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from rlvr import scoring
from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.playing import in_order
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import Subject, apart, columns, excerpt, full, shown
from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.sandboxes.base import Limits
from rlvr.testing.fixtures import task_of
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.reference import Reference

T = TypeVar("T")
_PART = 3  # machines differ by this factor, and so do a busy and an idle machine
_TIMES = ("wall_s", "cpu_s", "compile_s")


@probe("truth")
def gold(subject: Subject) -> Finding:
    """Check that the reference itself earns full reward."""
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
            [f"{task.id}: {task.reference!r}" for task in subject.right_as_text],
            "Use str(reference), in the tasks or in the comparison.",
        )
    solved = [(task, answer) for task, answer in subject.solved if task in subject.tasks]
    if not solved:
        return subject.lacks_right_answer()
    verdicts = subject.judge(*columns(solved))
    wrong = [
        f"{task.id}, {excerpt(answer)}: {shown(verdict)}"
        for (task, answer), verdict in zip(solved, verdicts, strict=True)
        if not full(verdict)
    ]
    broken = sum(isinstance(v, Unscored) and v.cause is Cause.GOLD for v in verdicts)
    unanswered = [task.id for task in subject.tasks if subject.right(task) is None]
    figures = {
        "gold": len(solved),
        "failed": len(wrong),
        "unreadable": broken + len(unanswered),
    }
    if wrong:
        return fail(
            f"{len(wrong)} of {len(solved)} references don't earn full reward",
            wrong,
            "Fix those rows or leave them out. If all fail, the reference and the verifier don't fit "
            "(a type, a format), and no model can ever be right.",
            **figures,
        )
    if unanswered:
        return note(
            f"{len(solved)} references earn full reward; of {len(unanswered)} no right answer is known",
            unanswered,
            "Check if they are broken. A reference that can't be read is unscored, and costs its share only.",
            **figures,
        )
    return ok(f"all {len(solved)} references earn full reward", **figures)


@probe("truth", last=True)
def right_answers_known(subject: Subject) -> Finding:
    """Check that a response with full reward is known; without one, most probes have nothing to look at."""
    if subject.solved:
        return ok(f"right answers to {len(subject.solved)} tasks are known")
    blind = f"{subject.unanswered} probes had nothing to look at"
    right = [v for fixture, v in subject.fixture_verdicts if fixture.kind == "right"]
    if any(map(full, right)):
        return note(
            f"right answers are known by {len(right)} fixtures of several turns alone: {blind}",
            fix="Check the environment's own tests for what the audit can't see here.",
        )
    return fail(
        f"no response is known that earns full reward: {blind}",
        fix="Give the verifier demonstrate=…, a function that makes a right response from a task "
        "(@rlvr.verifier(demonstrate=…), or a method of rlvr.Verifier), or give the environment a fixture of "
        "the kind right. A reward that nothing earns looks the same.",
    )


@probe("truth")
def own_judge(subject: Subject) -> Finding:
    """Check that a `judge` of the environment's own tells right episodes from others, the same way each time."""
    if subject.by_verifier:
        return nothing("its verdicts are its verifier's")
    right = [
        (task, fixture.turns)
        for fixture, verdict in subject.fixture_verdicts
        if fixture.kind == "right"
        and full(verdict)
        and isinstance(task := task_of(subject.env, fixture), Task)
    ]
    right = right or [(task, (answer,)) for task, answer in subject.solved]
    if not right:
        return subject.lacks_right_answer()
    wrong = []
    for (task, turns), (other_task, other_turns) in zip(right, _rotated(right), strict=True):
        first, again = (subject.play(task, in_order(turns)).unrewarded for _ in range(2))
        if first != again:
            wrong.append(f"{task.id}: {shown(first)}, then {shown(again)}")
        for name, texts in (
            ("with empty messages", [""] * len(turns)),
            ("with its messages in the prompt's words", [task.text] * len(turns)),
            ("with the messages right for another task", other_turns if other_task.reference != task.reference else ()),
        ):  # fmt: skip
            if texts and full(verdict := subject.play(task, in_order(texts)).unrewarded):
                wrong.append(f"{task.id} {name}: {shown(verdict)}")
    if wrong:
        return fail(
            f"`judge` pays episodes that solve nothing, or changes its mind, {len(wrong)} times",
            wrong,
            "`judge` looks at the whole conversation: compare the outcome with the task's reference, and keep no "
            "state between calls.",
        )
    return ok(f"`judge` tells {len(right)} right episodes from others")


@probe("truth")
def right_in_every_format(subject: Subject) -> Finding:
    """Check that a right answer stays right after a thought, among prose, with other white space."""
    if not subject.solved:
        return subject.lacks_right_answer()
    wrong: dict[str, list[str]] = defaultdict(list)
    cases = [
        (name, task, text) for task, answer in subject.solved[:8] for name, text in _formats(answer)
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
            "Let rlvr find the answer: `@rlvr.verifier` gets the content of the last box after the thinking "
            "part. A verifier of your own begins with rlvr.authoring.find_answer(response).",
        )
    return ok(
        f"{len(cases)} right answers in {len({name for name, *_ in cases})} formats are right"
    )


@probe("truth")
def anothers_answer(subject: Subject) -> Finding:
    """Check that another task's right answer is wrong here."""
    pairs = [
        (task, answer, other_task)
        for (task, right), (other_task, answer) in zip(
            subject.solved, _rotated(subject.solved), strict=True
        )
        if task.reference != other_task.reference and answer != right
    ]
    if not subject.solved:
        return subject.lacks_right_answer()
    if len(pairs) < 2:
        return nothing("there are no two tasks with right answers that differ")
    verdicts = subject.judge([task for task, *_ in pairs], [answer for _, answer, _ in pairs])
    paid = [
        f"{task.id} with the answer of {other_task.id}, {excerpt(answer)}: {shown(verdict)}"
        for (task, answer, other_task), verdict in zip(pairs, verdicts, strict=True)
        if full(verdict)
    ]
    share = len(paid) / len(pairs)
    if share > 0.5:
        return fail(
            f"{len(paid)} of {len(pairs)} right answers to other tasks earn full reward here",
            paid,
            "The verifier judges the form of an answer, without this task's reference.",
            share=share,
        )
    if paid:
        return note(f"{len(paid)} of {len(pairs)} right answers to other tasks are right here too", paid,
                    "Fine if several answers are right; otherwise check these.", share=share)  # fmt: skip
    return ok(f"{len(pairs)} right answers to other tasks earn no full reward", share=0.0)


@probe("truth")
def fixtures(subject: Subject) -> Finding:
    """Check that the author's fixtures earn what their author says."""
    declared = subject.env.fixtures
    if not declared:
        return nothing("it has no fixtures: `fixtures=` takes responses whose reward you know")
    # A fixture of a task of another split can't be judged here.
    judged = [
        (fixture, verdict)
        for fixture, verdict in subject.fixture_verdicts
        if not (isinstance(verdict, Unscored) and verdict.cause is Cause.INPUT)
    ]
    if not judged:
        return fail(
            f"none of {len(declared)} fixtures can be judged",
            [shown(verdict) for _, verdict in subject.fixture_verdicts],
            'Give fixtures a task of their own ("prompt" and "reference").',
        )
    wrong = [
        f"{fixture.kind}, {excerpt(' / '.join(fixture.texts))}: {shown(verdict)}, not {fixture.expected}"
        for fixture, verdict in judged
        if not fixture.holds(verdict)
    ]
    if wrong:
        return fail(
            f"{len(wrong)} of {len(judged)} fixtures don't hold",
            wrong,
            "Either the verifier has changed, or the fixture is wrong: decide which.",
        )
    kinds = sorted({fixture.kind for fixture, _ in judged})
    return ok(f"{len(judged)} fixtures hold ({', '.join(kinds)})")


@probe("truth")
def limits_have_room(subject: Subject) -> Finding:
    """Check that a right answer needs less than a third of its time."""
    if not subject.solved:
        return subject.lacks_right_answer()
    if not subject.by_verifier:
        return nothing("its verdicts are its own `judge`'s, which has no limit")
    verdicts = subject.judge(*columns(subject.solved))
    right = [pair for pair, v in zip(subject.solved, verdicts, strict=True) if full(v)]
    if not right:
        return nothing("no right answer earns full reward (see gold)")
    missed = [pair for pair, v in zip(right, _hurried(subject, right), strict=True) if not full(v)]
    # Again, one at a time: another process may have used the machine.
    wrong = [
        f"{task.id}: {shown(verdict)}"
        for pair in missed
        for task in pair[:1]
        for verdict in _hurried(subject, [pair])
        if not full(verdict)
    ]
    if wrong:
        return fail(
            f"{len(wrong)} of {len(right)} right answers take more than a third of their time",
            wrong,
            "A slower or busy machine refuses right answers: raise limit_s, or the limits of these tasks "
            '("limits" in a code task\'s reference).',
        )
    return ok(f"{len(right)} right answers are right in a third of their time, too")


def _formats(response: str) -> Iterator[tuple[str, str]]:
    """Yield a right response with the text that models write around it."""
    thought, answer = apart(response)
    if not thought:
        yield (
            "after a thought",
            f"<think>\nCould it be \\boxed{{0}}? No.\n</think>\n\n{response}",
        )
        yield (
            "after a thought whose beginning the template wrote",
            f"Let me see.\n</think>\n\n{response}",
        )
    for name, text in _around(answer):
        yield name, f"{thought}{text}"


def _around(answer: str) -> Iterator[tuple[str, str]]:
    yield "with white space around it", f"\n{answer}\n\n"
    # Only an answer with marks can be told from the prose around it.
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


def _rotated(items: list[T]) -> list[T]:
    return [*items[1:], *items[:1]]


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
    seen = [
        subject.judged(task, response) for task, response in pairs
    ]  # an episode's, if it has one
    return scoring.score(tasks, seen, verifier, limit_s=limit)


def _hasty(task: Task, code: Code) -> Task:
    """Return a code task with a third of the time for its programs; other tasks are returned unchanged."""
    limits = code.limits if isinstance(code.limits, Limits) else None
    try:
        allowed = Reference.of(task.reference, code.language, limits).limits
    except CannotScore:
        return task
    assert isinstance(task.reference, Mapping)
    hurried_limits = {name: getattr(allowed, name) / _PART for name in _TIMES}
    limits_given = task.reference.get("limits") or {}
    return dataclasses.replace(
        task, reference={**task.reference, "limits": {**limits_given, **hurried_limits}}
    )
