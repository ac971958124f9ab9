"""Whether verification can be relied on while it runs: the same verdict each time, for any response,
in time, in flat memory."""

from __future__ import annotations

import time
from pathlib import Path

from rlvr.authoring.audit.finding import Finding
from rlvr.authoring.audit.measured import Measured
from rlvr.authoring.audit.odd import LARGE, LONG, ODD
from rlvr.authoring.audit.patience import hung
from rlvr.authoring.audit.registry import fail, note, nothing, ok, probe
from rlvr.authoring.audit.subject import Subject, earned, excerpt, shown
from rlvr.core.compose import leaves
from rlvr.core.verdict import Cause, Scored, Status, Unscored
from rlvr.scoring import Pool, score

_SETTLE_S = 0.5  # of a long response, in the caller's thread
_GROWTH = 8 << 20
_REPEATS = 240


@probe("conformance")
def settling(subject: Subject) -> Finding:
    """What is settled in the caller's thread takes no time, whatever the response."""
    slow = []
    task, said = next(iter(subject.solved), (subject.tasks[0], ""))
    texts = {**LONG, **LARGE, "a right answer after 200 kB": "word " * 40_000 + said}
    for leaf in leaves(subject.env.verifier):
        measured = score([task] * len(texts), list(texts.values()), Measured(leaf, settle=True))
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
            mend="Leave out inline=True (or `settle`).",
        )
    limit = 2.0
    texts = [*LONG.values()]
    begun = time.monotonic()
    score([subject.tasks[0]] * len(texts), texts, subject.env.verifier, deadline_s=limit)
    took = time.monotonic() - begun
    if took > limit + 2.0:
        return fail(
            f"a batch with a deadline of {limit:g} s took {took:.1f} s",
            mend="An async verifier must await what takes long, and not block the event loop.",
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


@probe("conformance")
def flat_memory(subject: Subject) -> Finding:
    """Verification doesn't fill its process's memory."""
    sync = [leaf for leaf in leaves(subject.env.verifier) if not leaf.is_async]
    if not sync:
        return nothing("its verifier is async, and runs in this process")
    if not Path("/proc/self/statm").exists():
        return nothing("memory is measured by /proc, which this system doesn't have")
    task, said = next(iter(subject.solved), (subject.tasks[0], "\\boxed{0}"))
    grown = []
    for leaf in sync:
        # Each differs, and is long enough for a cache of them to be seen.
        texts = [f"attempt {i}: {'and then ' * 2000}\n{said}" for i in range(_REPEATS)]
        with Pool(workers=1) as pool:
            half = score(
                [task] * 60, texts[:60], Measured(leaf, settle=False), pool=pool, deadline_s=20
            )
            rest = score(
                [task] * (_REPEATS - 60),
                texts[60:],
                Measured(leaf, settle=False),
                pool=pool,
                deadline_s=20,
            )
        seen = [v.detail["resident"] for v in (*half, *rest) if isinstance(v, Scored) and v.detail]
        if len(seen) < 100:
            return nothing(f"only {len(seen)} verifications came back in time: too few to tell")
        middle, growth = seen[len(seen) // 4], seen[-1] - seen[len(seen) // 4]
        if growth > _GROWTH:
            grown.append(
                f"{leaf.name}: from {middle >> 20} MB to {seen[-1] >> 20} MB in "
                f"{len(seen) - len(seen) // 4} verifications of 18 kB each"
            )
    if grown:
        return fail(
            "memory grows with every response",
            grown,
            "Keep nothing of a response after its verdict; bound what is cached (functools.lru_cache "
            "with a maxsize, by reference rather than by response).",
        )
    return ok(f"{_REPEATS} verifications in one process: memory stays flat")


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


def _value(verdict: dict[str, object]) -> tuple[object, ...]:
    return verdict.get("reward"), verdict.get("status"), verdict.get("cause")


def _brief(verdict: dict[str, object]) -> str:
    return f"{verdict.get('reward', 'unscored')} {verdict.get('status', verdict.get('cause'))}"
