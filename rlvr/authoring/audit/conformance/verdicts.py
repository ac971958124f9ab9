"""Probes of a verifier's reliability: its verdicts are the same each time, for any response, in time, without blocking."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future, wait

from rlvr.authoring.audit.conformance.measured_verifier import MeasuredVerifier
from rlvr.authoring.audit.conformance.unusual_responses import LARGE, LONG, ODD
from rlvr.authoring.audit.finding import Finding, fail, note, nothing, ok
from rlvr.authoring.audit.hang_budget import hung
from rlvr.authoring.audit.probe_registry import probe
from rlvr.authoring.audit.subject import HANGS, Subject, columns, earned, excerpt, shown
from rlvr.core.compose import leaves
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring import Pool, score, submit

_SETTLE_S = 0.5  # of a long response, in the caller's thread
_GAP_S = 0.2
_EVENT_LOOP_WAIT_S = 10.0


@probe("conformance")
def settling(subject: Subject) -> Finding:
    """Check that `settle` takes little time in the caller's thread, for any response."""
    slow = []
    task, right = next(iter(subject.solved), (subject.tasks[0], ""))
    texts = {**LONG, **LARGE, "a right answer after 200 kB": "word " * 40_000 + right}
    for leaf in leaves(subject.env.verifier):
        measured = score(
            [task] * len(texts), list(texts.values()), MeasuredVerifier(leaf, settle=True)
        )
        for name, verdict in zip(texts, measured, strict=True):
            if isinstance(verdict, Unscored) and verdict.cause is Cause.TIMEOUT:
                slow.append(f"{leaf.name}, {name}: over {leaf.limit_s:g} s")
            elif isinstance(verdict, Scored) and verdict.detail["seconds"] > _SETTLE_S:
                slow.append(f"{leaf.name}, {name}: {verdict.detail['seconds']:.2f} s")
    if slow:
        subject.inline = False
        return fail(
            f"{len(slow)} long responses block the caller's thread, where nothing can stop them",
            slow,
            "Leave out inline=True (or `settle`): a worker that takes too long is killed.",
        )
    return ok(f"{len(texts)} long responses: none takes over {_SETTLE_S} s in the caller's thread")


@probe("conformance")
def any_response(subject: Subject) -> Finding:
    """Check that any response gets a verdict, and nonsense earns nothing."""
    if not subject.inline:
        return nothing(HANGS)
    tasks = subject.tasks[:2]
    wrong, paid = [], []
    subject.judge(*columns(subject.solved[:4]))  # measures the pace
    unusual = {**ODD, **LARGE} if subject.slow else {**ODD, **LARGE, **LONG}
    for task in tasks:
        for name, verdict in zip(
            unusual, subject.judge([task] * len(unusual), list(unusual.values())), strict=True
        ):
            if isinstance(verdict, Unscored):
                if verdict.cause is not Cause.GOLD:
                    wrong.append(f"{name}: {shown(verdict)}")
            elif verdict.reward > 0.25 * subject.top:
                paid.append(f"{name}: {shown(verdict)}")
    if subject.several_turns:  # in an episode, `reply` sees them first
        verdicts = subject.episodes([tasks[0]] * len(unusual), list(unusual.values()))
        wrong += [
            f"{name}, in an episode: {shown(verdict)}"
            for name, verdict in zip(unusual, verdicts, strict=True)
            if isinstance(verdict, Unscored) and verdict.cause is not Cause.GOLD
        ]
    if wrong:
        return fail(
            f"{len(wrong)} of {(2 + subject.several_turns) * len(unusual)} unusual responses have no verdict",
            wrong,
            "Return False (or a verdict) for a response that can't be judged, instead of raising. If judging one "
            "may take long, call rlvr.working_on('response') first: then a hang counts as that response's limit.",
        )
    if len(paid) > len(unusual) // 2:
        return fail(
            f"{len(paid)} of {2 * len(unusual)} nonsensical responses are paid for",
            paid,
            "The verifier doesn't read the answer.",
        )
    return ok(f"{len(unusual)} unusual responses: each has a verdict")


@probe("conformance")
def deadline(subject: Subject) -> Finding:
    """Check that a batch has its verdicts by its deadline."""
    if not subject.inline:
        return fail(
            "`settle` may hang in the caller's thread, where no deadline holds",
            fix="Leave out inline=True (or `settle`).",
        )
    limit = 2.0
    texts = [*LONG.values()]
    start = time.monotonic()
    score([subject.tasks[0]] * len(texts), texts, subject.env.verifier, deadline_s=limit)
    took = time.monotonic() - start
    if took > limit + 2.0:
        return fail(
            f"a batch with a deadline of {limit:g} s took {took:.1f} s",
            fix="An async verifier must await everything that takes long, and not block the event loop.",
        )
    return ok(
        f"{len(texts)} long responses with a deadline of {limit:g} s: back after {took:.1f} s"
    )


@probe("conformance")
def same_verdict(subject: Subject) -> Finding:
    """Check that the same task and response get the same verdict, in any order and process."""
    if not subject.inline:
        return nothing(HANGS)
    items = subject.solved[:6]
    wrong = "\\boxed{0} is the answer, I am sure of it."
    items += [(task, text) for task in subject.tasks[:6] for text in (wrong, task.text)]
    items = items[::3] if subject.slow else items
    tasks, responses = [t for t, _ in items], [r for _, r in items]
    first = [verdict.to_json() for verdict in subject.judge(tasks, responses)]
    backwards = subject.judge(tasks[::-1], responses[::-1])
    rounds = {
        "backwards": [verdict.to_json() for verdict in backwards][::-1],
        "once more": [verdict.to_json() for verdict in subject.judge(tasks, responses)],
    }
    if subject.by_verifier:
        seen = [subject.judged(task, text) for task, text in zip(tasks, responses, strict=True)]
        with Pool(workers=1) as pool:
            fresh = score(tasks, seen, subject.env.verifier, pool=pool)
        rounds["in a new process"] = [verdict.to_json() for verdict in fresh]
    changed = [
        f"{when}, {tasks[i].id} {excerpt(responses[i])}: {_brief(first[i])}, then {_brief(verdicts[i])}"
        for when, verdicts in rounds.items()
        for i in range(len(items))
        if _value(first[i]) != _value(verdicts[i])
    ]
    if changed:
        return fail(
            f"{len(changed)} of {3 * len(items)} verdicts change when judged again",
            changed,
            "A verifier is pure: it has no state between calls, no clock, no random numbers, and doesn't depend on the "
            "order of a set.",
        )
    return ok(f"{len(items)} responses judged {len(rounds) + 1} times: the same verdicts each time")


@probe("conformance", last=True)
def reward_range(subject: Subject) -> Finding:
    """Check that rewards stay in the declared range, and statuses agree with them."""
    lowest, highest = subject.env.verifier.reward_range
    wrong = []
    for task, response, verdict in subject.seen:
        if not isinstance(verdict, Scored):
            continue
        where = f"{task.id} {excerpt(response, 40)}: {shown(verdict)}"
        if not lowest - 1e-9 <= verdict.reward <= highest + 1e-9:
            wrong.append(f"out of range: {where}")
        elif highest > lowest and verdict.status is Status.CORRECT and verdict.reward <= lowest:
            wrong.append(f"correct, and earns the least possible: {where}")
        elif (
            highest > lowest
            and verdict.status in (Status.INCORRECT, Status.PARTIAL, Status.UNPARSABLE)
            and verdict.reward >= highest
        ):
            wrong.append(f"{verdict.status}, and earns the most possible: {where}")
    if wrong:
        return fail(
            f"{len(wrong)} of {len(subject.seen)} verdicts don't agree with the range "
            f"[{lowest:g}, {highest:g}] or with their own status",
            wrong,
            "Scale rewards to [0, 1], or declare another range: `reward_range = (-1.0, 1.0)` on the verifier.",
        )
    rewards = [earned(v) for *_, v in subject.seen if isinstance(v, Scored)]
    if not rewards:
        return note("no response has a reward: nothing was scored")
    return ok(f"{len(rewards)} rewards between {min(rewards):g} and {max(rewards):g}")


@probe("conformance", last=True)
def always_a_verdict(subject: Subject) -> Finding:
    """Check that the verifier neither raised nor hung on any response of the audit."""
    wrong = [
        f"{task.id}, {excerpt(response)}: {shown(verdict)}"
        for task, response, verdict in subject.seen
        if isinstance(verdict, Unscored) and verdict.cause in (Cause.INTERNAL, Cause.TIMEOUT)
    ]
    timeouts = sum(hung(verdict) for *_, verdict in subject.seen)
    # One or two may be the fault of a busy machine.
    if len(wrong) > timeouts or timeouts > 2:
        return fail(
            f"{len(wrong)} of {len(subject.seen)} verifications raised or hung",
            wrong,
            "A policy finds such responses, too, and each is a row without a reward. Return False for a response that "
            "can't be judged, bound loops and recursion, and call rlvr.working_on('response') before judging takes "
            "long.",
        )
    return ok(f"{len(subject.seen)} responses: none raised or hung")


class _Beat(Verifier):
    """A verifier that wakes up every 10 ms; its verdict's detail has the longest `gap` in seconds."""

    name = "beat"
    is_async = True

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.limit_s = 2 * _EVENT_LOOP_WAIT_S

    async def verify(self, task: Task, response: str) -> Verdict:
        longest, last = 0.0, time.monotonic()
        until = last + _EVENT_LOOP_WAIT_S
        while not self.stopped.is_set() and last < until:
            await asyncio.sleep(0.01)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        return Scored(0.0, Status.INCORRECT, {}, "", {"gap": longest})


@probe("conformance")
def event_loop(subject: Subject) -> Finding:
    """Check that an async verifier doesn't block the event loop, which all of them share."""
    parts = [leaf for leaf in leaves(subject.env.verifier) if leaf.is_async]
    if not parts:
        return nothing("its verifier isn't async")
    task, response = next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))
    gaps = []
    for leaf in parts:
        beat = _Beat()
        beating = submit(task, "", beat)
        submitted = [submit(task, response, leaf) for _ in range(3)]
        wait([future for future in submitted if isinstance(future, Future)], _EVENT_LOOP_WAIT_S)
        beat.stopped.set()
        verdict = beating.result() if isinstance(beating, Future) else beating
        if isinstance(verdict, Scored) and verdict.detail["gap"] > _GAP_S:
            gaps.append(f"{leaf.name} blocks the others for {verdict.detail['gap']:.1f} s")
    if gaps:
        return fail(
            "an async verifier blocks the event loop, and with it every other verification",
            gaps,
            "Await everything that takes long (httpx.AsyncClient, asyncio.sleep), and put computation into a plain "
            "`def`, which runs in a worker. For a library that blocks, use asyncio.to_thread.",
        )
    return ok("others run while it waits")


def _value(verdict: dict[str, object]) -> tuple[object, ...]:
    return verdict.get("reward"), verdict.get("status"), verdict.get("cause")


def _brief(verdict: dict[str, object]) -> str:
    return f"{verdict.get('reward', 'unscored')} {verdict.get('status', verdict.get('cause'))}"
