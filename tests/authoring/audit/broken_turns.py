"""Environments in several turns, or with tools, that have one fault each. Like `broken.py`, whose names they join."""

from __future__ import annotations

from typing import Any

import numpy as np
from broken import broken
from broken_too import ASKED, rows

import rlvr
from rlvr.envs.tools import ToolEnv, describe


def _riddle(rng: np.random.Generator) -> rlvr.Task:
    n = int(rng.integers(100, 99_999))
    return rlvr.Task(f"Riddle {rng.integers(10**6)}: guess my number.", str(n))


def riddles(kind: type[rlvr.MultiTurn]) -> rlvr.Environment:
    verifier = rlvr.verifier(lambda t, a: a == t.reference, mode="whole", name="guessed")
    return kind(rlvr.generated(_riddle, size=40), verifier, max_turns=4)


class Telling(rlvr.MultiTurn):
    def reply(self, task: rlvr.Task, messages: Any) -> str | None:
        right = messages[-1]["content"].strip() == task.reference
        return None if right else f"Wrong: it was {task.reference}. Try again."


@broken("replies-tell")
def tells_the_answer_in_its_reply() -> rlvr.Environment:
    return riddles(Telling)


class Going(rlvr.MultiTurn):
    def reply(self, task: rlvr.Task, messages: Any) -> str | None:
        return "Go on."


@broken("right-episode")
def goes_on_after_the_right_answer() -> rlvr.Environment:
    return riddles(Going)


class Raising(rlvr.MultiTurn):
    def reply(self, task: rlvr.Task, messages: Any) -> str | None:
        return None if int(messages[-1]["content"].split()[1]) else "no"


@broken("right-episode")
def raises_in_its_reply() -> rlvr.Environment:
    return riddles(Raising)


class Remembering(rlvr.MultiTurn):
    asked = 0

    def reply(self, task: rlvr.Task, messages: Any) -> str | None:
        self.asked += 1
        right = messages[-1]["content"].strip() == task.reference
        return None if right else f"That was question {self.asked}."


@broken("replies-again")
def remembers_other_episodes() -> rlvr.Environment:
    return riddles(Remembering)


class Solver:
    def __init__(self, task: rlvr.Task) -> None:
        self._task = task

    def solve(self) -> str:
        """Solve it."""
        return str(self._task.reference)


@broken("tools-tell")
def has_a_tool_that_answers() -> rlvr.Environment:
    found = rows(f"{ASKED}\n\n{describe(Solver)}")
    return ToolEnv(rlvr.TaskSet(found), rlvr.Math(), Solver)
