"""Whether the right earns full reward and the wrong doesn't."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.perturb import changed_answers, kept_answers
from rlvr.authoring.audit.registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, apart, columns, earned, excerpt, full, shown
from rlvr.authoring.fixtures import judge_fixtures
from rlvr.core.task import Task
from rlvr.core.tasks import GeneratedTaskSet
from rlvr.core.verdict import Cause, Scored, Unscored

_LOADED = 20_000
_GENERATED = 400
_NEARLY = 0.5  # of the full reward, for answers that just miss
_NO_ORACLE = "its verifier can't make a right answer from a reference: @rlvr.verifier(demonstrate=…) tells it how"


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
def equal_forms(subject: Subject) -> Finding:
    """A right answer stays right in other forms of the same value."""
    return _forms(
        subject,
        kept_answers,
        lambda verdict: not full(verdict),
        "refused",
        "A reward that hangs on how a value is written teaches its spelling: compare values "
        "(rlvr.Math()), or say in the prompt which form is asked for.",
    )


@probe("truth")
def changed_answers_lose(subject: Subject) -> Finding:
    """A right answer that is changed a little is wrong."""
    found = _forms(
        subject,
        changed_answers,
        full,
        "paid in full",
        "Compare the whole answer: no `in`, no prefix, no set of letters, no tolerance wider than "
        "the task's.",
    )
    mean = found.figures.get("mean", 0.0)
    if mean > _NEARLY:
        return note(
            f"right answers that are changed a little earn {mean:.0%} of the full reward on average",
            mend="Partial credit that's nearly all of it leaves little to learn: pay less for a miss.",
            mean=mean,
        )
    return found


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
def contradictions(subject: Subject) -> Finding:
    """No prompt stands there twice with different references."""
    tasks = subject.env.tasks
    count = min(len(tasks), _GENERATED if isinstance(tasks, GeneratedTaskSet) else _LOADED)
    first: dict[str, Task] = {}
    against, twice = [], 0
    for task in itertools.islice(tasks, count):
        other = first.setdefault(" ".join(task.text.split()), task)
        # The metadata may belong to the problem (a database, a shop that tools ask).
        if other is not task and other.metadata == task.metadata:
            twice += 1
            if other.reference != task.reference:
                against.append(
                    f"{other.id} and {task.id}, {excerpt(task.text, 120)}: "
                    f"{excerpt(str(other.reference))} and {excerpt(str(task.reference))}"
                )
    if against:
        return fail(
            f"{len(against)} prompts stand there twice with different references",
            against,
            "One of them is wrong, or the prompt lacks what tells them apart.",
        )
    if twice > 0.05 * count:
        return note(
            f"{twice} of {count} prompts stand there more than once", mend="rlvr data decontaminate"
        )
    return ok(f"{count} prompts: none has two references")


def _forms(
    subject: Subject,
    make: Callable[[Subject], Iterator[tuple[str, bool, Task, str]]],
    is_wrong: Callable[[Any], bool],
    what: str,
    mend: str,
) -> Finding:
    """Judge the forms of the right answers that `make` yields: (what was done, whether it's certain, …)."""
    cases = list(itertools.islice(make(subject), 400))
    if not cases:
        return nothing("nothing is known of how its answers may be written")
    verdicts = subject.judge([task for *_, task, _ in cases], [text for *_, text in cases])
    wrong: dict[str, list[str]] = defaultdict(list)
    tried: dict[str, int] = defaultdict(int)
    certain = {name: sure for name, sure, *_ in cases}
    for (name, _, task, text), verdict in zip(cases, verdicts, strict=True):
        if isinstance(verdict, Scored):
            tried[name] += 1
            if is_wrong(verdict):
                wrong[name].append(f"{name}, {task.id} {excerpt(text)}: {shown(verdict)}")
    total, bad = sum(tried.values()), sum(map(len, wrong.values()))
    evidence = list(itertools.chain.from_iterable(lines[:2] for lines in wrong.values()))
    # One of a kind may be right by chance, or by the task: a third of a kind is the verifier.
    failed = [n for n in wrong if certain[n] and len(wrong[n]) > max(1, 0.3 * tried[n])]
    if failed:
        return fail(
            f"{what} though they shouldn't be: {', '.join(failed)} ({bad} of {total})",
            evidence,
            mend,
        )
    if wrong:
        return note(f"{bad} of {total} are {what}: {', '.join(wrong)}", evidence, mend)
    mean = sum(map(earned, verdicts)) / len(verdicts) / (subject.top or 1.0)
    return ok(f"{total} forms of {len(tried)} kinds: none is {what}", mean=round(mean, 4))


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
