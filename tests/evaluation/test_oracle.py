"""The oracle leaves out and counts tasks of which no right answer is known; broken references stay unscored."""

from __future__ import annotations

import pytest

import rlvr
from rlvr.core.errors import DataWarning


def test_tasks_without_a_known_right_answer_are_left_out_and_counted() -> None:
    judge = rlvr.verifier(
        lambda task, answer: answer == task.reference,
        mode="whole",
        name="same",
        demonstrate=lambda task: task.reference if int(task.id) % 4 else None,
    )
    env = rlvr.SingleTurn([rlvr.Task(f"{n}?", str(n), str(n)) for n in range(20)], judge)
    with pytest.warns(DataWarning, match=r"5 tasks have no known right answer.*\(0, 4, 8, …\)"):
        report = rlvr.evaluate(env, "oracle")
    assert (report.rollouts, report.correct.value) == (15, 1.0)


def test_a_broken_reference_is_unscored_and_not_left_out() -> None:
    class Strict(rlvr.Verifier):
        name = "strict"

        def demonstrate(self, task: rlvr.Task) -> str | None:
            return None if task.reference == "?" else str(task.reference)

        def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
            if task.reference == "?":
                raise rlvr.CannotScore(rlvr.Cause.GOLD, "it can't be read")
            return rlvr.Scored(1.0, rlvr.Status.CORRECT)

    tasks = [rlvr.Task(f"{n}?", "?" if n == 3 else str(n)) for n in range(8)]
    report = rlvr.evaluate(rlvr.SingleTurn(tasks, Strict()), "oracle")
    assert (report.rollouts, report.scored, report.unscored) == (8, 7, {"gold": 1})
