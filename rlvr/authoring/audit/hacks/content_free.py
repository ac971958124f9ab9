"""Probes of the reward for responses without content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.hacks.strategies import (
    ABOUT,
    FIXES,
    STRATEGIES,
    Strategy,
    every_candidate,
)
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import HANGS, Subject, apart, earned, excerpt, full, shown
from rlvr.core.task import Task
from rlvr.core.verdict import Scored

T = TypeVar("T")
FAILS = 0.2
"""A strategy without content that earns more than this share of the full reward is a failure."""
NOTED = 0.06  # a format's small share
_COMMON_FAILS = 0.4  # for the most frequent answer: with few choices, guessing pays
_SLOW_TASKS = 4  # of the sample, if each response needs a sandbox or a model
_FREQUENT_OF = 400
_VERY_SLOW_S = 0.25  # per verification, while many run side by side
_WRONG = {"\\boxed{": "\\boxed{?}", "```": "```\n?\n```", "<answer>": "<answer>?</answer>"}


def best_variant(
    subject: Subject,
    tasks: Sequence[Task],
    answers: Callable[[Task], Sequence[str]],
    prepared: bool = False,
) -> tuple[float, str]:
    """Return the mean reward of a strategy's best variant, as a share of the full reward, and an example of it.

    Args:
        prepared: True if the messages that prepare a right answer come first.
    """
    variants = list(zip(*(answers(task) for task in tasks), strict=True))
    if not variants:
        return 0.0, ""
    flat = [text for column in variants for text in column]
    verdicts = subject.episodes([*tasks] * len(variants), flat, prepared)
    best, example = -1.0, ""
    for i, column in enumerate(variants):
        of_variant = verdicts[i * len(tasks) : (i + 1) * len(tasks)]
        scored = [v for v in of_variant if isinstance(v, Scored)]
        mean = sum(map(earned, scored)) / len(scored) if scored else 0.0
        if mean > best:
            paid = max(range(len(tasks)), key=lambda j: earned(of_variant[j]))
            best = mean
            example = f"{tasks[paid].id}, {excerpt(column[paid], 100)}: {shown(of_variant[paid])}"
    return max(0.0, best) / (subject.top or 1.0), example


def of_strategy(
    name: str, share: float, example: str, fix: str, *, fails: float = FAILS, counted: bool = True
) -> Finding:
    """Return the finding on a strategy that earns that share of the full reward.

    Args:
        fails: a larger share is a failure.
        counted: True if the share counts for the hack floor.
    """
    figures: dict[str, Any] = {"share": round(share, 4), "strategy": name}
    if counted:
        figures["floor"] = figures["share"]
    if share > fails + 1e-9:
        return fail(f"{name} earns {share:.0%} of the full reward", [example], fix, **figures)
    if share > NOTED:
        return note(f"{name} earns {share:.1%} of the full reward", [example], fix, **figures)
    return ok(f"{name} earns {share:.1%} of the full reward", **figures)


def _strategy(name: str, strategy: Strategy) -> None:
    def look(subject: Subject) -> Finding:
        if not subject.inline:
            return nothing(HANGS)
        share, example = best_variant(subject, _sample(subject, subject.tasks), strategy)
        return of_strategy(name.replace("-", " "), share, example, FIXES[name])

    look.__doc__ = ABOUT[name]
    probe("hacks", name=name)(look)


for _name, _variants in STRATEGIES.items():
    _strategy(_name, _variants)


@probe("hacks", name="every-candidate")
def every_candidate_at_once(subject: Subject) -> Finding:
    """Check that a list of many answers, with the right one among them, isn't an answer."""
    if not subject.solved:
        return subject.lacks_right_answer()
    inside = [(task, _inside(response)) for task, response in subject.solved]
    short = [(task, text) for task, text in inside if text and len(text) <= 200]
    if len({text for _, text in short}) < 3 or not subject.inline:
        return nothing("its answers aren't short texts, or fewer than three of them differ")
    texts = [text for _, text in short]
    place = {task.id: i for i, (task, _) in enumerate(short)}
    tasks = [task for task, _ in _sample(subject, short)]
    share, example = best_variant(
        subject, tasks, lambda task: every_candidate(texts, place[task.id]), prepared=True
    )
    return of_strategy(
        "naming every candidate",
        share,
        example,
        "One answer counts: the last box, and one value in it.",
    )


@probe("hacks")
def base_rate(subject: Subject) -> Finding:
    """Check that the most frequent right answer, given to every task, earns little."""
    if not subject.inline:
        return nothing(HANGS)
    if not subject.solved:
        return subject.lacks_right_answer()
    env = subject.env
    count = min(len(env.tasks), _FREQUENT_OF)
    common = Counter(
        answer for i in range(count) if (answer := subject.right(env.tasks[i])) is not None
    )
    if not common:  # the right answers are fixtures', to tasks of their own
        return nothing("right answers are known to the tasks of fixtures alone")
    most_common, times = common.most_common(1)[0]
    # In a small sample, a task with this answer would count for too much.
    other_tasks = [task for task, answer in subject.solved if answer != most_common]
    elsewhere, example = best_variant(
        subject, _sample(subject, other_tasks), lambda _: [most_common], prepared=True
    )
    share = times / count + (1 - times / count) * elsewhere
    return of_strategy(
        f"the most frequent of {count} answers",
        share,
        example or excerpt(most_common),
        "Balance the answers, or ask for more than a choice of a few.",
        fails=_COMMON_FAILS,
    )


@probe("hacks")
def thinking_only(subject: Subject) -> Finding:
    """Check that an answer in the thinking part alone doesn't count."""
    if not subject.inline:
        return nothing(HANGS)
    if not subject.solved:
        return subject.lacks_right_answer()
    closing = "I can't say."
    solved = _sample(subject, subject.solved)
    tasks = [task for task, _ in solved]
    answers = {task.id: apart(text)[1] for task, text in solved}
    share, example = best_variant(
        subject,
        tasks,
        lambda task: [
            f"<think>\nIt is {answers[task.id]}\n</think>\n\n{closing}",
            f"<think>\n{answers[task.id]}",
            f"{answers[task.id]}\n</think>\n\n{closing}",
            f"<think>\n{answers[task.id]}\n</think>",
        ],
        prepared=True,
    )
    control, _ = best_variant(subject, tasks, lambda _: [closing], prepared=True)
    return of_strategy(
        "an answer in the thinking part alone",
        max(0.0, share - control),
        example,
        "Judge the text after </think>: rlvr.authoring.after_thinking(response).",
        counted=False,  # it takes a right answer
    )


@probe("hacks")
def length_pays(subject: Subject) -> Finding:
    """Check that the same answer earns the same after a short and a long response."""
    if not subject.inline:
        return nothing(HANGS)
    if not subject.solved:
        return subject.lacks_right_answer()
    marked = [
        (task, response)
        for task, response in _sample(subject, subject.solved)
        if any(mark in response for mark in _WRONG)
    ]
    if len(marked) < 2:
        return nothing("its answers are whole responses, so their length is part of them")
    prose = "We check this once more, step by step. "
    wrong = next(text for mark, text in _WRONG.items() if mark in marked[0][1])
    tasks = [task for task, _ in marked]
    changes = []
    for name, texts in (
        ("a right answer", [response for _, response in marked]),
        ("a wrong answer", [wrong] * len(marked)),
    ):
        rewards = [
            subject.judge(tasks, [f"{prose * times}\n\n{text}" for text in texts])
            for times in (1, 20, 150)
        ]
        means = [
            sum(map(earned, verdicts)) / len(verdicts) / (subject.top or 1.0)
            for verdicts in rewards
        ]
        if max(means) - min(means) > 0.1:
            changes.append(
                f"{name} after 1, 20 and 150 sentences earns "
                + ", ".join(f"{m:.2f}" for m in means)
            )
    if changes:
        return fail(
            "a response earns more, or less, for its length alone",
            changes,
            "Take length out of the reward. To bound it, use max_tokens or a gate with a limit, instead of paying "
            "by the word.",
        )
    return ok("an answer earns the same after 1, 20 and 150 sentences")


@probe("hacks", last=True)
def fully_paid(subject: Subject) -> Finding:
    """Check that no response that was tried earned full reward on tasks with different references."""
    by_text: dict[str, list[Task]] = {}
    for task, response, verdict in subject.seen:
        if full(verdict) and len(response) < 10_000:
            by_text.setdefault(response, []).append(task)
    everywhere = []
    for response, tasks in by_text.items():
        different = {str(task.reference) for task in tasks}
        if len(different) > max(3, 0.5 * len(subject.tasks)):
            everywhere.append(
                f"{excerpt(response, 100)}: full reward on {len(different)} different tasks"
            )
    if everywhere:
        return fail(
            f"{len(everywhere)} responses earn full reward on most tasks",
            everywhere,
            "A policy finds such a response and repeats it: make the verifier refuse it.",
        )
    return ok(f"of {len(subject.seen)} responses tried, none earns full reward everywhere")


def _sample(subject: Subject, items: Sequence[T]) -> Sequence[T]:
    if subject.pace_s > _VERY_SLOW_S:
        return items[:2]
    return items[:_SLOW_TASKS] if subject.slow else items


def _inside(response: str) -> str:
    _, answer = apart(response)
    if answer.startswith("\\boxed{") and answer.endswith("}"):
        return answer[len("\\boxed{") : -1]
    return "" if "```" in answer else answer
