"""Check the rules that hold for every verifier and every response.

- Every response gets a verdict, unless an ordinary answer to the same task gets none, either.
- A second verdict is the same, and so is one for a caller that is deep in its stack.
- `settle` and `reply` take little of the caller's processor time, in proportion to the response's length.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import rlvr
from rlvr.core.compose import leaves
from rlvr.core.errors import CannotScore
from rlvr.scoring import submit
from rlvr.scoring.score import _SETTLED
from rlvr.verifiers.code.extraction import find_program
from rlvr.verifiers.judge.client import _Nonsense, read_vote
from tools.fuzz.subjects import Subject

MOST_S = 0.5
"""Processor time of the caller's thread that one response may take."""

DEEP = 600
"""Frames below a caller that is deep in its stack."""

ORDINARY = "I think that it is \\boxed{17}.\n\n```sql\nSELECT 17\n```"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Finding:
    """A rule that doesn't hold."""

    subject: Subject
    response: str
    what: str

    def __str__(self) -> str:
        case = {
            "verifier": self.subject.name,
            "options": self.subject.options,
            "reference": self.subject.task.reference,
            "response": self.response if len(self.response) < 2000 else self.response[:300] + "…",
            "characters": len(self.response),
        }
        return f"{self.subject.name}: {self.what}\n    {json.dumps(case, default=str)}"


def look(
    subject: Subject, responses: Sequence[str], limit_s: float | None = None
) -> Iterator[Finding]:
    """Yield the rules that `subject` breaks on these responses."""
    if subject.reply is not None:
        yield from _replies(subject, responses)
        return
    for response in responses:
        yield from _settled(subject, response)
    if subject.judged:
        yield from _judged(subject, responses, limit_s)
    elif any(isinstance(leaf, rlvr.Code) for leaf in leaves(subject.verifier)):
        for response in responses:
            yield from _timed(
                subject, response, "extraction", lambda text: find_program(text, entry_point="f")
            )
    elif any(isinstance(leaf, rlvr.Judge) for leaf in leaves(subject.verifier)):
        for response in responses:
            yield from _timed(subject, response, "reading a judge", _vote)


def look_at_length(subject: Subject, unit: str) -> Iterator[Finding]:
    """Yield a finding if `settle` or `reply` takes too long, or disproportionately long, on a long run of one unit.

    `settle` never sees longer responses, which `rlvr.scoring` leaves to workers.
    """
    work: list[tuple[str, int, Callable[[str], object]]] = []
    if subject.reply is not None:
        work.append(("reply", 1_000_000, subject.reply))
    else:
        for leaf in leaves(subject.verifier):
            settle = leaf.settle
            work.append(
                (
                    f"settle of {leaf.name}",
                    _SETTLED,
                    lambda text, settle=settle, leaf=leaf: settle(
                        subject.task, subject.seen(text, leaf)
                    ),
                )
            )
    for stage, length, function in work:
        for _ in range(3):  # a garbage collection or a cold cache isn't to blame three times
            long, short = (
                _spent(function, unit * (size // len(unit))) for size in (length, length // 4)
            )
            if long <= MOST_S and (long <= 0.1 or long <= 10 * short):
                break
        else:
            description = f"{unit[:20]!r} over and over"
            yield Finding(
                subject, description, f"{stage} took {long:.2f} s, and {short:.2f} s for a quarter"
            )


def _spent(function: Callable[[str], object], text: str) -> float:
    start = time.thread_time()
    with contextlib.suppress(CannotScore):
        function(text)
    return time.thread_time() - start


def _vote(text: str) -> None:
    for scored in (True, False):
        try:
            read_vote({"choices": [{"message": {"content": text}}]}, scored)
        except _Nonsense:
            continue


def _timed(
    subject: Subject, response: str, stage: str, work: Callable[[str], object]
) -> Iterator[Finding]:
    for _ in range(3):
        start = time.thread_time()
        try:
            work(response)
        except Exception as error:
            yield Finding(
                subject, response, f"{stage} raised {type(error).__name__}: {error!s:.200}"
            )
            return
        spent = time.thread_time() - start
        if spent <= MOST_S:
            return
    yield Finding(subject, response, f"{stage} took {spent:.2f} s of the caller's processor time")


def _settled(subject: Subject, response: str) -> Iterator[Finding]:
    for leaf in leaves(subject.verifier):
        verdicts: list[Any] = []
        yield from _timed(
            subject,
            response,
            f"settle of {leaf.name}",
            lambda text, leaf=leaf, verdicts=verdicts: verdicts.append(
                leaf.settle(subject.task, subject.seen(text, leaf))
            ),
        )
        if verdicts and verdicts[0] is not None:
            try:
                seen = subject.seen(response, leaf)
                deep = at_depth(DEEP, lambda leaf=leaf, seen=seen: leaf.settle(subject.task, seen))
            except RecursionError:
                continue  # then a worker judges
            if deep != verdicts[0]:
                yield Finding(subject, response, f"from a deep caller {deep}, not {verdicts[0]}")


def _judged(subject: Subject, responses: Sequence[str], limit_s: float | None) -> Iterator[Finding]:
    verifier = subject.verifier

    def verdicts(texts: Sequence[str], limit_s: float | None = limit_s) -> list[rlvr.Verdict]:
        seen = [subject.seen(text) for text in texts]
        return rlvr.score([subject.task] * len(texts), seen, verifier, limit_s=limit_s)

    firsts, seconds = verdicts(responses), verdicts(responses)
    for response, first, second in zip(responses, firsts, seconds, strict=True):
        if not first.scored and first.cause is rlvr.Cause.TIMEOUT:  # a machine that is overloaded
            (first,) = (second,) = verdicts([response], 60.0)
        if not isinstance(first, rlvr.Scored):
            (ordinary,) = verdicts([ORDINARY])
            if ordinary.scored:
                yield Finding(subject, response, f"no verdict: {first.cause}: {first.message}")
        elif "raised" in first.detail:
            yield Finding(subject, response, f"raised {first.detail['raised']}")
        elif not _alike(first, second) and subject.options.get("reward") != "r_ves":
            yield Finding(subject, response, f"two verdicts: {first} and {second}")
    if responses and isinstance(firsts[0], rlvr.Scored):
        seen = subject.seen(responses[0])
        deep = at_depth(DEEP, lambda: submit(subject.task, seen, verifier, limit_s=limit_s))
        deep = deep if isinstance(deep, rlvr.Scored | rlvr.Unscored) else deep.result()
        if not _alike(firsts[0], deep) and subject.options.get("reward") != "r_ves":
            yield Finding(subject, responses[0], f"from a deep caller {deep}, not {firsts[0]}")


def _alike(first: rlvr.Verdict, second: rlvr.Verdict) -> bool:
    """Return True if two verdicts are the same. If a limit decided one, the other may differ."""
    if first == second:
        return True
    return any(
        isinstance(verdict, rlvr.Scored)
        and ("limit" in verdict.detail or verdict.status is rlvr.Status.LIMIT)
        for verdict in (first, second)
    )


def _replies(subject: Subject, responses: Sequence[str]) -> Iterator[Finding]:
    def replied(text: str) -> None:
        assert subject.reply is not None
        try:
            subject.reply(text)
        except CannotScore:
            subject.reply(ORDINARY)

    for response in responses:
        yield from _timed(subject, response, "reply", replied)


def at_depth(frames: int, work: Callable[[], Result]) -> Result:
    """Return the result of `work`, called with at least so many frames below it."""
    depth, frame = 0, sys._getframe()
    while (frame := frame.f_back) is not None:  # type: ignore[assignment]
        depth += 1

    def deeper(remaining: int) -> Result:
        return work() if remaining <= 0 else deeper(remaining - 1)

    return deeper(frames - depth)


def counted(findings: Sequence[Finding]) -> Counter[str]:
    """Return the number of findings per subject."""
    return Counter(finding.subject.name for finding in findings)
