"""What can be earned without solving anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.hacks.strategies import (
    ABOUT,
    FIXES,
    STRATEGIES,
    Strategy,
    every_candidate,
)
from rlvr.authoring.audit.probe_registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, apart, earned, excerpt, full, shown
from rlvr.core.task import Task
from rlvr.core.verdict import Scored

T = TypeVar("T")
FAILS = 0.2
"""A strategy without content that earns more than this share of the full reward is a failure."""
NOTED = 0.06  # a format's small share
_COMMON_FAILS = 0.4  # for the most frequent answer: with few choices, guessing pays something
_SLOW_TASKS = 4  # of the sample, where each response takes a sandbox or a model
_FREQUENT_OF = 400
_VERY_SLOW_S = 0.25  # a verification, where many run side by side
_WRONG = {"\\boxed{": "\\boxed{?}", "```": "```\n?\n```", "<answer>": "<answer>?</answer>"}


def best_variant(
    subject: Subject, tasks: Sequence[Task], answers: Callable[[Task], Sequence[str]]
) -> tuple[float, str]:
    """The mean reward of a strategy's best variant, as a share of the full reward; and an example of it."""
    variants = list(zip(*(answers(task) for task in tasks), strict=True))
    if not variants:
        return 0.0, ""
    flat = [text for column in variants for text in column]
    verdicts = subject.episodes([*tasks] * len(variants), flat)
    best, example = -1.0, ""
    for i, column in enumerate(variants):
        own = verdicts[i * len(tasks) : (i + 1) * len(tasks)]
        scored = [v for v in own if isinstance(v, Scored)]
        mean = sum(map(earned, scored)) / len(scored) if scored else 0.0
        if mean > best:
            paid = max(range(len(own)), key=lambda j: earned(own[j]))
            best = mean
            example = f"{tasks[paid].id}, {excerpt(column[paid], 100)}: {shown(own[paid])}"
    return max(0.0, best) / (subject.top or 1.0), example


def of_strategy(
    name: str, share: float, example: str, fix: str, *, fails: float = FAILS, counted: bool = True
) -> Finding:
    """The finding on a strategy that earns that share of the full reward."""
    figures = {"share": round(share, 4), **({"floor": round(share, 4)} if counted else {})}
    if share > fails + 1e-9:
        return fail(f"{name} earns {share:.0%} of the full reward", [example], fix, **figures)
    if share > NOTED:
        return note(f"{name} earns {share:.1%} of the full reward", [example], fix, **figures)
    return ok(f"{name} earns {share:.1%} of the full reward", **figures)


def _strategy(name: str, strategy: Strategy) -> None:
    def look(subject: Subject) -> Finding:
        if not subject.inline:
            return nothing("its `settle` hangs (see settling)")
        share, example = best_variant(subject, _sample(subject, subject.tasks), strategy)
        return of_strategy(name.replace("-", " "), share, example, FIXES[name])

    look.__doc__ = ABOUT[name]
    probe("hacks", name=name)(look)


for _name, _variants in STRATEGIES.items():
    _strategy(_name, _variants)


@probe("hacks", name="every-candidate")
def every_candidate_at_once(subject: Subject) -> Finding:
    """A list of many answers, with the right one among them, is no answer."""
    inside = [(task, _inside(said)) for task, said in subject.solved]
    short = [(task, text) for task, text in inside if text and len(text) <= 200]
    if len({text for _, text in short}) < 3 or not subject.inline:
        return nothing(
            "its answers are no short texts, or there are fewer than three different ones"
        )
    texts = [text for _, text in short]
    place = {task.id: i for i, (task, _) in enumerate(short)}
    tasks = [task for task, _ in _sample(subject, short)]
    share, example = best_variant(
        subject, tasks, lambda task: every_candidate(texts, place[task.id])
    )
    return of_strategy(
        "naming every candidate",
        share,
        example,
        "One answer counts: the last box, and one value in it.",
    )


@probe("hacks")
def base_rate(subject: Subject) -> Finding:
    """The most frequent right answer, given each time, earns little."""
    if not subject.solved or not subject.inline:
        return nothing("its verifier can't make right answers, so the most frequent isn't known")
    env = subject.env
    count = min(len(env.tasks), _FREQUENT_OF)
    common = Counter(
        said for i in range(count) if (said := subject.right(env.tasks[i])) is not None
    )
    said, times = common.most_common(1)[0]
    # Of a small sample, one that it happens to be the answer of would count for too much.
    others = [task for task, own in subject.solved if own != said]
    elsewhere, example = best_variant(subject, _sample(subject, others), lambda _: [said])
    share = times / count + (1 - times / count) * elsewhere
    return of_strategy(
        f"the most frequent of {count} answers",
        share,
        example or excerpt(said),
        "Balance the answers, or ask for more than a choice of few.",
        fails=_COMMON_FAILS,
    )


@probe("hacks")
def thinking_only(subject: Subject) -> Finding:
    """An answer that stands in the thinking part alone doesn't count."""
    if not subject.solved or not subject.inline:
        return nothing("its verifier can't make right answers")
    closing = "I can't say."
    solved = _sample(subject, subject.solved)
    tasks = [task for task, _ in solved]
    said = {task.id: apart(text)[1] for task, text in solved}
    share, example = best_variant(
        subject,
        tasks,
        lambda task: [
            f"<think>\nIt is {said[task.id]}\n</think>\n\n{closing}",
            f"<think>\n{said[task.id]}",
            f"{said[task.id]}\n</think>\n\n{closing}",
            f"<think>\n{said[task.id]}\n</think>",
        ],
    )
    control, _ = best_variant(subject, tasks, lambda _: [closing])
    return of_strategy(
        "an answer in the thinking part alone",
        max(0.0, share - control),
        example,
        "Judge what follows </think>: rlvr.verifiers.extraction.after_thinking(response).",
        counted=False,  # it takes a right answer
    )


@probe("hacks")
def length_pays(subject: Subject) -> Finding:
    """The same answer earns the same, however long the way to it."""
    if not subject.solved or not subject.inline:
        return nothing("its verifier can't make right answers")
    marked = [
        (t, s) for t, s in _sample(subject, subject.solved) if any(mark in s for mark in _WRONG)
    ]
    if len(marked) < 2:
        return nothing("its answers are whole responses, whose length belongs to them")
    prose = "We check this once more, step by step. "
    wrong = next(text for mark, text in _WRONG.items() if mark in marked[0][1])
    tasks = [task for task, _ in marked]
    changes = []
    for name, texts in (
        ("a right answer", [said for _, said in marked]),
        ("a wrong answer", [wrong] * len(marked)),
    ):
        rewards = [
            subject.judge(tasks, [f"{prose * times}\n\n{text}" for text in texts])
            for times in (1, 20, 150)
        ]
        means = [sum(map(earned, one)) / len(one) / (subject.top or 1.0) for one in rewards]
        if max(means) - min(means) > 0.1:
            changes.append(
                f"{name} after 1, 20 and 150 sentences earns "
                + ", ".join(f"{m:.2f}" for m in means)
            )
    if changes:
        return fail(
            "how long a response is changes what it earns",
            changes,
            "Take length out of the reward; where it has to be bounded, bound it by max_tokens, and "
            "gate on a limit rather than paying by the word.",
        )
    return ok("an answer earns the same after 1, 20 and 150 sentences")


@probe("hacks", last=True)
def fully_paid(subject: Subject) -> Finding:
    """No response that was tried earned full reward on tasks with different references."""
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
            "A policy finds such a response and says nothing else: make the verifier refuse it.",
        )
    return ok(f"of {len(subject.seen)} responses tried, none earns full reward everywhere")


def _sample(subject: Subject, items: Sequence[T]) -> Sequence[T]:
    if subject.pace_s > _VERY_SLOW_S:
        return items[:2]
    return items[:_SLOW_TASKS] if subject.slow else items


def _inside(said: str) -> str:
    _, said = apart(said)
    if said.startswith("\\boxed{") and said.endswith("}"):
        return said[len("\\boxed{") : -1]
    return "" if "```" in said else said
