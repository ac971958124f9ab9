from __future__ import annotations

import json
import math
import statistics
from pathlib import Path

import pytest

import rlvr
from rlvr import Cause, Scored, Status, Unscored
from rlvr.core.errors import OptionError
from rlvr.evaluation.evaluate import Report, evaluate
from rlvr.evaluation.run import Run
from rlvr.policies.scripted import Scripted, scripted

GRADES = {"1": 1.0, "2": 0.5, "3": 0.0, "4": None}


@rlvr.verifier
def graded(task: rlvr.Task, answer: str) -> rlvr.Verdict | float:
    grade = GRADES[answer]
    return Unscored(Cause.JUDGE, "no grade") if grade is None else grade


@pytest.fixture
def env() -> rlvr.SingleTurn:
    tasks = [rlvr.Task(f"Task {i}", str(i % 4 + 1), f"t{i}") for i in range(20)]
    return rlvr.SingleTurn(rlvr.TaskSet(tasks, "graded"), graded)


def answers() -> Scripted:
    return Scripted("answers", lambda task: f"\\boxed{{{task.reference}}}")


def test_the_unscored_are_counted_and_left_out_of_every_mean(env: rlvr.SingleTurn) -> None:
    report = evaluate(env, answers())
    assert (report.tasks, report.scored) == (20, 15)
    assert report.mean == 0.5
    assert report.correct == pytest.approx(1 / 3)
    assert report.statuses == {
        "correct": 5,
        "partial": 5,
        "incorrect": 5,
        "unscored: judge": 5,
    }
    rewards = [1.0, 0.5, 0.0] * 5
    assert report.interval == pytest.approx(1.96 * statistics.stdev(rewards) / math.sqrt(15))


def test_a_report_on_too_little_has_no_figure() -> None:
    none = Report.of([Unscored(Cause.GOLD, "?")])
    assert (none.tasks, none.scored) == (1, 0)
    assert math.isnan(none.mean)
    assert math.isnan(none.correct)
    one = Report.of([Scored(1.0, Status.CORRECT)])
    assert one.mean == one.correct == 1.0
    assert math.isnan(one.interval)


def test_every_task_is_asked_once_in_order_and_written_down(
    env: rlvr.SingleTurn, tmp_path: Path
) -> None:
    run, progress = Run.create(tmp_path / "run", "eval", {}), []
    evaluate(
        env, answers(), run=run, batch_size=8, progress=lambda *done: progress.append(done), step=3
    )
    rows = [json.loads(line) for line in (run.path / "rollouts.jsonl").read_text().splitlines()]
    assert [row["task"] for row in rows] == [f"t{i}" for i in range(20)]
    assert {row["step"] for row in rows} == {3}
    assert [row["verdict"].get("reward") for row in rows] == list(GRADES.values()) * 5
    assert [row["verdict"]["scored"] for row in rows] == [True, True, True, False] * 5
    assert progress == [(8, 20), (16, 20), (20, 20)]


@pytest.mark.parametrize(("limit", "count"), [(3, 3), (20, 20), (99, 20)])
def test_a_limit_takes_the_first_tasks(env: rlvr.SingleTurn, limit: int, count: int) -> None:
    assert evaluate(env, answers(), limit=limit).tasks == count


def test_no_tasks_are_refused(env: rlvr.SingleTurn) -> None:
    with pytest.raises(OptionError, match="limit is at least 1, not 0"):
        evaluate(env, answers(), limit=0)


def test_a_conversation_is_refused(env: rlvr.SingleTurn) -> None:
    game = rlvr.MultiTurn(env.tasks, env.verifier)
    with pytest.raises(OptionError, match="multi-turn"):
        evaluate(game, answers())


def test_there_is_no_oracle_where_the_verifier_shows_nothing() -> None:
    env = rlvr.SingleTurn([rlvr.Task("q", "1")], rlvr.Format.think())
    with pytest.raises(OptionError, match=r"no demonstrate\(task\)"):
        evaluate(env, scripted("oracle", env))


def test_an_unknown_script_names_those_there_are(env: rlvr.SingleTurn) -> None:
    with pytest.raises(OptionError, match="There are: oracle, empty, echo"):
        scripted("perfect", env)
