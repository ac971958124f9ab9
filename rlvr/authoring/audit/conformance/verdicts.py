"""Probes that verdicts can be relied on: the same each time, for any response, in time, without blocking."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future, wait

from rlvr.authoring.audit.conformance.measured_verifier import MeasuredVerifier
from rlvr.authoring.audit.conformance.unusual_responses import LARGE, LONG, ODD
from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.hang_budget import hung
from rlvr.authoring.audit.probe_registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, earned, excerpt, shown
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
    """What is settled in the caller's thread takes no time, whatever the response."""
    slow = []
    task, said = next(iter(subject.solved), (subject.tasks[0], ""))
    texts = {**LONG, **LARGE, "a right answer after 200 kB": "word " * 40_000 + said}
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
            f"{len(slow)} long responses hold up the caller's thread, where nothing can stop them",
            slow,
            "Leave out inline=True (or `settle`): in a worker, what overstays is killed.",
        )
    return ok(
        f"{len(texts)} long responses: nothing takes over {_SETTLE_S} s in the caller's thread"
    )


@probe("conformance")
def any_response(subject: Subject) -> Finding:
    """Every response there can be gets a verdict, and nonsense earns nothing."""
    if not subject.inline:
        return nothing("its `settle` hangs (see settling), so it can't be asked in this process")
    tasks = subject.tasks[:2]
    wrong, paid = [], []
    known = subject.solved[:4]
    subject.judge([task for task, _ in known], [said for _, said in known])  # to know the pace
    odd = {**ODD, **LARGE} if subject.slow else {**ODD, **LARGE, **LONG}
    for task in tasks:
        for name, verdict in zip(
            odd, subject.judge([task] * len(odd), list(odd.values())), strict=True
        ):
            if isinstance(verdict, Unscored):
                if verdict.cause is not Cause.GOLD:
                    wrong.append(f"{name}: {shown(verdict)}")
            elif verdict.reward > 0.25 * subject.top:
                paid.append(f"{name}: {shown(verdict)}")
    if wrong:
        return fail(
            f"{len(wrong)} of {2 * len(odd)} odd responses have no verdict",
            wrong,
            "A response can't be at fault for nobody: whatever it is, return False or a verdict. Say "
            "rlvr.working_on('response') where judging one may take long: then a hang is its limit.",
        )
    if len(paid) > len(odd) // 2:
        return fail(
            f"{len(paid)} of {2 * len(odd)} nonsensical responses are paid for",
            paid,
            "The verifier doesn't look at the answer.",
        )
    return ok(f"{len(odd)} odd responses: each has a verdict")


@probe("conformance")
def deadline(subject: Subject) -> Finding:
    """A batch is answered by its deadline."""
    if not subject.inline:
        return fail(
            "what is settled in the caller's thread may hang, and no deadline holds there",
            fix="Leave out inline=True (or `settle`).",
        )
    limit = 2.0
    texts = [*LONG.values()]
    begun = time.monotonic()
    score([subject.tasks[0]] * len(texts), texts, subject.env.verifier, deadline_s=limit)
    took = time.monotonic() - begun
    if took > limit + 2.0:
        return fail(
            f"a batch with a deadline of {limit:g} s took {took:.1f} s",
            fix="An async verifier must await what takes long, and not block the event loop.",
        )
    return ok(
        f"{len(texts)} long responses with a deadline of {limit:g} s: back after {took:.1f} s"
    )


@probe("conformance")
def same_verdict(subject: Subject) -> Finding:
    """The same task and response get the same verdict, in any order and in any process."""
    if not subject.inline:
        return nothing("its `settle` hangs (see settling)")
    items = [(task, said) for task, said in subject.solved[:6]]
    wrong_one = "\\boxed{0} is the answer, I am sure of it."
    items += [(task, text) for task in subject.tasks[:6] for text in (wrong_one, task.text)]
    items = items[::3] if subject.slow else items
    tasks, responses = [t for t, _ in items], [r for _, r in items]
    first = [verdict.to_json() for verdict in subject.judge(tasks, responses)]
    backwards = subject.judge(tasks[::-1], responses[::-1])
    rounds = {
        "backwards": [verdict.to_json() for verdict in backwards][::-1],
        "once more": [verdict.to_json() for verdict in subject.judge(tasks, responses)],
    }
    if subject.by_verifier:
        with Pool(workers=1) as pool:
            fresh = score(tasks, responses, subject.env.verifier, pool=pool)
        rounds["in a new process"] = [verdict.to_json() for verdict in fresh]
    changed = [
        f"{when}, {tasks[i].id} {excerpt(responses[i])}: {_brief(first[i])}, then {_brief(other[i])}"
        for when, other in rounds.items()
        for i in range(len(items))
        if _value(first[i]) != _value(other[i])
    ]
    if changed:
        return fail(
            f"{len(changed)} of {3 * len(items)} verdicts change from one time to the next",
            changed,
            "A verifier is pure: no state between calls, no clock, no random numbers, and nothing "
            "that depends on the order of a set.",
        )
    return ok(f"{len(items)} responses judged {len(rounds) + 1} times: the same verdicts")


@probe("conformance", last=True)
def reward_range(subject: Subject) -> Finding:
    """Rewards stay in the declared range, and statuses agree with them."""
    least, most = subject.env.verifier.reward_range
    wrong = []
    for task, response, verdict in subject.seen:
        if not isinstance(verdict, Scored):
            continue
        where = f"{task.id} {excerpt(response, 40)}: {shown(verdict)}"
        if not least - 1e-9 <= verdict.reward <= most + 1e-9:
            wrong.append(f"out of range: {where}")
        elif most > least and verdict.status is Status.CORRECT and verdict.reward <= least:
            wrong.append(f"correct, and earns the least there is: {where}")
        elif (
            most > least
            and verdict.status in (Status.INCORRECT, Status.PARTIAL, Status.UNPARSABLE)
            and verdict.reward >= most
        ):
            wrong.append(f"{verdict.status}, and earns the most there is: {where}")
    if wrong:
        return fail(
            f"{len(wrong)} of {len(subject.seen)} verdicts don't agree with the range "
            f"[{least:g}, {most:g}] or with their own status",
            wrong,
            "Scale rewards to [0, 1], or declare another: `reward_range = (-1.0, 1.0)` on the verifier.",
        )
    rewards = [earned(v) for *_, v in subject.seen if isinstance(v, Scored)]
    if not rewards:
        return note("no response got a reward at all: nothing was scored")
    return ok(f"{len(rewards)} rewards between {min(rewards):g} and {max(rewards):g}")


@probe("conformance", last=True)
def always_a_verdict(subject: Subject) -> Finding:
    """Of all responses that were tried, none was left without a verdict by a fault of the verifier."""
    wrong = [
        f"{task.id}, {excerpt(response)}: {shown(verdict)}"
        for task, response, verdict in subject.seen
        if isinstance(verdict, Unscored) and verdict.cause in (Cause.INTERNAL, Cause.TIMEOUT)
    ]
    timeouts = sum(hung(verdict) for *_, verdict in subject.seen)
    # One or two may be the machine's, which had other things to do.
    if len(wrong) > timeouts or timeouts > 2:
        return fail(
            f"{len(wrong)} of {len(subject.seen)} verifications raised or hung",
            wrong,
            "A policy finds such responses too, and each is a row without a reward: return False for "
            "what can't be judged, bound loops and recursion, and say rlvr.working_on('response') "
            "where judging one may take long.",
        )
    return ok(f"{len(subject.seen)} responses: none raised or hung")


class _Beat(Verifier):
    """Wakes up every 10 ms until it's stopped; its verdict's detail has the longest `gap` in seconds."""

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
    """An async verifier doesn't block the event loop that all of them share."""
    parts = [leaf for leaf in leaves(subject.env.verifier) if leaf.is_async]
    if not parts:
        return nothing("its verifier isn't async")
    task, said = next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))
    gaps = []
    for leaf in parts:
        beat = _Beat()
        beating = submit(task, "", beat)
        waited = [submit(task, said, leaf) for _ in range(3)]
        wait([one for one in waited if isinstance(one, Future)], _EVENT_LOOP_WAIT_S)
        beat.stopped.set()
        verdict = beating.result() if isinstance(beating, Future) else beating
        if isinstance(verdict, Scored) and verdict.detail["gap"] > _GAP_S:
            gaps.append(f"{leaf.name} lets nobody else run for {verdict.detail['gap']:.1f} s")
    if gaps:
        return fail(
            "an async verifier blocks the event loop, and with it every other verification",
            gaps,
            "Await what takes long (httpx.AsyncClient, asyncio.sleep), and put the rest into a plain "
            "`def`, which runs in a worker; asyncio.to_thread does for a library that blocks.",
        )
    return ok("while it waits, others run")


def _value(verdict: dict[str, object]) -> tuple[object, ...]:
    return verdict.get("reward"), verdict.get("status"), verdict.get("cause")


def _brief(verdict: dict[str, object]) -> str:
    return f"{verdict.get('reward', 'unscored')} {verdict.get('status', verdict.get('cause'))}"
