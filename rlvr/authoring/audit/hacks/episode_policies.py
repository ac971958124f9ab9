"""Probes of policies that act without solving anything: never, with every tool, to the limit, for a step's reward."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from rlvr.authoring.audit.finding import Finding, fail, nothing, ok
from rlvr.authoring.audit.hacks.content_free import of_strategy
from rlvr.authoring.audit.playing import (
    EpisodePolicy,
    Played,
    call_message,
    in_order,
    plausible_calls,
    repeating,
    searching_calls,
)
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import SINGLE_TURN, Subject, earned, excerpt, shown
from rlvr.core.environment import Environment
from rlvr.core.fixtures import Turn
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.task import Task, content_text
from rlvr.core.verdict import Unscored
from rlvr.testing.fixtures import task_of

Variants: TypeAlias = Callable[[Task], Sequence[EpisodePolicy]]

_TASKS = 12
_SLOW_TASKS = 4
_REPEATS = 50
_LIVES_ON_IT = 0.5  # of what a right episode earns: more, for one step again and again, is what a policy learns
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_IDLE: tuple[Turn, ...] = ("", "I'm done.", "<think>\nNothing to do.\n</think>\n\n")


@probe("hacks")
def never_acts(subject: Subject) -> Finding:
    """Check that an episode in which the model does nothing has a verdict, and earns nothing."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)
    return _of_policies(
        subject,
        "never acting",
        lambda task: [repeating(text) for text in _IDLE],
        "Compare with the state that the episode begins with: doing nothing mustn't be right. If an episode without an "
        "action has no verdict, let `outcome` return the state as it is, and not None.",
    )


@probe("hacks")
def calls_every_tool(subject: Subject) -> Finding:
    """Check that calling each tool once earns little."""
    if not plausible_calls(subject.env, subject.tasks[0]):
        return nothing("it has no tools that a made-up call fits")
    return _of_policies(
        subject,
        "calling every tool once",
        lambda task: [
            in_order([*_calls(subject.env, task), "I'm done."]),
            in_order([call_message(*plausible_calls(subject.env, task)), "I'm done."]),
        ],
        "Don't pay for the use of tools alone: make it a gate, rlvr.UsedTool(…) >> verifier, or judge the outcome.",
    )


@probe("hacks")
def loops_to_the_limit(subject: Subject) -> Finding:
    """Check that repeating one message until the turns are used up earns little."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)

    def variants(task: Task) -> list[EpisodePolicy]:
        calls = _calls(subject.env, task) or [content_text(task.prompt[-1]), "?"]
        return [repeating(call) for call in calls[:4]]

    return _of_policies(
        subject,
        "repeating one message to the limit",
        variants,
        "An episode that ran out of turns isn't solved: judge its last message or its outcome.",
    )


@probe("hacks")
def quotes_results(subject: Subject) -> Finding:
    """Check that giving the environment's own words back, without an answer, earns little."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)

    def variants(task: Task) -> list[EpisodePolicy]:
        calls = searching_calls(subject.env, task)
        turns: list[Turn] = [call_message(*calls)] if calls else ["?", "0"]
        return [
            _quoting(turns, place, form)
            for place in ((0, -1) if calls else (-1,))
            for form in (_whole, _boxed, _last_number)
        ]

    return _of_policies(
        subject,
        "quoting results",
        variants,
        "A result that is the answer makes the task one of copying: ask for something that takes the results together.",
    )


@probe("hacks")
def repeated_step(subject: Subject) -> Finding:
    """Check that repeating a rewarded step fifty times doesn't come near what a right episode earns."""
    if not subject.several_turns:
        return nothing(SINGLE_TURN)
    # With turns enough, an author's own limit counts as well.
    longer = copy.copy(subject.env)
    longer.max_turns = max(_REPEATS + 1, subject.env.max_turns)
    rewarded: list[tuple[Task, Turn, float]] = []
    for task, turns in _candidates(subject):
        played = subject.play(task, in_order(turns))
        if sum(played.step_rewards) > 0:
            rewarded += [
                (task, turn, reward)
                for turn, reward in zip(turns, played.step_rewards, strict=False)
                if reward > 0
            ]
    if not rewarded:
        return nothing("no step that was tried is rewarded")
    oracle = _oracle(subject)
    best, example = 0.0, ""
    for task, turn, reward in rewarded[:12]:
        for turns in ([turn] * _REPEATS, [*[turn] * _REPEATS, "I'm done."]):
            played = subject.play(task, in_order(turns), longer)
            if earned(played.verdict) > best:
                best = earned(played.verdict)
                example = f"{task.id}, {excerpt(_shown(turn), 100)}, which earns {reward:g} once: {shown(played.verdict)}"
    share = best / oracle if oracle > 0 else 0.0
    figures = {"share": round(share, 4), "floor": round(best / (subject.top or 1.0), 4)}
    if share > _LIVES_ON_IT:
        return fail(
            f"a rewarded step, repeated {_REPEATS} times, earns {best:g}, and a right episode {oracle:g}",
            [example],
            "Pay for a step once: remember in the episode what has been paid. A smaller step_reward_range=(low, high) "
            "bounds the sum.",
            **figures,
        )
    return ok(
        f"a rewarded step, repeated {_REPEATS} times, earns {best:g}, and a right episode {oracle:g}",
        **figures,
    )


# ------------------------------------------------------------------ helpers


def _of_policies(subject: Subject, name: str, variants: Variants, fix: str) -> Finding:
    """Return the finding on the best of some policies, each played on a sample of tasks."""
    tasks = subject.tasks[: _SLOW_TASKS if subject.slow else _TASKS]
    best, example = -1.0, ""
    broken: list[str] = []
    for policies in zip(*(variants(task) for task in tasks), strict=True):
        episodes = [
            subject.play(task, policy) for task, policy in zip(tasks, policies, strict=True)
        ]
        broken += [
            f"{task.id}, {excerpt(played.said, 100)}: {shown(played.verdict)}"
            for task, played in zip(tasks, episodes, strict=True)
            if isinstance(played.verdict, Unscored)
        ]
        scored = [played for played in episodes if played.verdict.scored]
        mean = sum(earned(p.verdict) for p in scored) / len(scored) if scored else 0.0
        if mean > best:
            paid = max(range(len(tasks)), key=lambda i: earned(episodes[i].verdict))
            best = mean
            example = f"{tasks[paid].id}, {excerpt(episodes[paid].said, 100)}: {shown(episodes[paid].verdict)}"
    if broken:
        return fail(f"{len(broken)} episodes of {name} have no verdict", broken, fix)
    return of_strategy(name, max(0.0, best) / (subject.top or 1.0), example, fix)


def _calls(env: Environment, task: Task) -> list[Turn]:
    calls: list[Turn] = [call_message(call) for call in plausible_calls(env, task)]
    return calls[: max(1, env.max_turns - 1)]


def _quoting(turns: Sequence[Turn], place: int, form: Callable[[str], str]) -> EpisodePolicy:
    """Return a policy that says these messages, then a reply that is no error, in some form."""
    left = iter(list(turns))

    def policy(episode: LiveEpisode) -> Turn | None:
        turn = next(left, None)
        if turn is not None:
            return turn
        replies = [
            content_text(message)
            for message in episode.messages[len(episode.task.prompt) :]
            if message["role"] != "assistant"
        ]
        useful = [reply for reply in replies if not reply.startswith("error: ")]
        return form(useful[place] if useful else "")

    return policy


def _whole(text: str) -> str:
    return text


def _boxed(text: str) -> str:
    return f"\\boxed{{{text}}}"


def _last_number(text: str) -> str:
    return _boxed((_NUMBER.findall(text) or ["0"])[-1])


def _candidates(subject: Subject) -> Iterable[tuple[Task, Sequence[Turn]]]:
    """Yield conversations whose steps may be rewarded: the author's, one of each tool's, and some texts."""
    for fixture in subject.env.fixtures[:8]:
        task = task_of(subject.env, fixture)
        if isinstance(task, Task):
            yield task, fixture.turns
    task = subject.tasks[0]
    for call in _calls(subject.env, task):
        yield task, [call]
    for text in ("?", "0", content_text(task.prompt[-1])):
        yield task, [text]
    for task, response in subject.solved[:2]:
        yield task, [response]


def _oracle(subject: Subject) -> float:
    """Return the most that a right episode of the author's earns; otherwise what the verifier gives at most."""
    best: Played | None = None
    for fixture in subject.env.fixtures:
        task = task_of(subject.env, fixture)
        if fixture.kind == "right" and isinstance(task, Task):
            played = subject.play(task, in_order(fixture.turns))
            if best is None or earned(played.verdict) > earned(best.verdict):
                best = played
    return subject.top if best is None else earned(best.verdict)


def _shown(turn: Turn) -> str:
    return turn if isinstance(turn, str) else str(turn.get("tool_calls") or content_text(turn))
