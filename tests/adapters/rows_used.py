"""Environments that the adapters' tests carry into a trainer's processes, by this module's name."""

from __future__ import annotations

import rlvr
from rlvr import Cause, Unscored


@rlvr.verifier(mode="whole")
def picky(task: rlvr.Task, answer: str) -> rlvr.Verdict | float:
    """The sum; no verdict on answers that end in 4: their judge is out of order."""
    if answer.endswith("4"):
        return Unscored(Cause.JUDGE, "the judge is out of order")
    return float(answer == task.reference)


@rlvr.verifier(mode="whole")
def short(task: rlvr.Task, answer: str) -> bool:
    return len(answer) < 3


class Guess(rlvr.MultiTurn):
    """Says `+` until the sum is right. It breaks on `0`, and hangs on nothing."""

    def reply(self, task: rlvr.Task, messages: list[dict[str, str]]) -> str | None:
        said = messages[-1]["content"]
        if said == "0":
            raise rlvr.CannotScore(Cause.SANDBOX, "the sandbox is gone")
        return None if said in (task.reference, "4") else "+" + said


def tasks(split: str) -> rlvr.TaskSet:
    return rlvr.TaskSet(
        [rlvr.Task(f"{i}+1=", str(i + 1), f"{split}-{i}") for i in range(8)], "sums"
    )


@rlvr.environment("test_sums")
def make_sums(split: str = "train") -> rlvr.Environment:
    return rlvr.SingleTurn(tasks(split), short >> picky)


@rlvr.environment("test_guess")
def make_guess(split: str = "train", max_turns: int = 3) -> rlvr.Environment:
    return Guess(tasks(split), picky, max_turns=max_turns)
