"""Pass rates of tasks by hand, and orders to train in."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from rlvr.authoring.difficulty import (
    Curriculum,
    Difficulty,
    difficulties,
    kept,
    read_difficulties,
    tasks_of,
)
from rlvr.core.errors import DataError, OptionError
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet


def rollout(task: str, verdict: str, env: str = "gsm8k") -> dict:
    if verdict == "unscored":
        return {"env": env, "task": task, "verdict": {"scored": False, "cause": "gold"}}
    return {"env": env, "task": task, "verdict": {"scored": True, "status": verdict}}


def test_unscored_counts_for_nothing() -> None:
    rows = [
        rollout("a", "correct"),
        rollout("a", "unscored"),
        rollout("a", "incorrect"),
        rollout("b", "unscored"),
        rollout("a", "partial"),
        rollout("a", "correct", env="math"),
    ]
    a, b = difficulties(rows, "gsm8k")
    assert a == Difficulty("a", samples=3, solved=1, unscored=1)
    assert a.pass_rate == 1 / 3
    assert b == Difficulty("b", 0, 0, 1)
    assert math.isnan(b.pass_rate)
    assert b.interval == (0.0, 1.0)
    assert b.bucket(10) is None
    assert b.to_json(10)["pass_rate"] is None
    with pytest.raises(DataError, match="They have gsm8k, math"):
        difficulties(rows, "aime")
    with pytest.raises(DataError, match="no rollouts"):
        difficulties([], "aime")


@pytest.mark.parametrize(
    ("samples", "solved", "low", "high"),
    [(10, 5, 0.2366, 0.7634), (10, 0, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (1, 1, 0.2065, 1.0)],
)
def test_wilsons_interval(samples: int, solved: int, low: float, high: float) -> None:
    # Figures of Wilson's interval as published tables have them.
    assert Difficulty("a", samples, solved).interval == pytest.approx((low, high), abs=1e-4)


def test_buckets_are_equal_parts() -> None:
    assert [Difficulty("a", 8, n).bucket(4) for n in range(9)] == [0, 0, 1, 1, 2, 2, 3, 3, 3]
    assert Difficulty("a", 10, 3).bucket(10) == 3  # where 0.3 * 10 rounds to below 3


def test_what_is_kept() -> None:
    found = [Difficulty(str(n), 10, n) for n in range(11)] + [Difficulty("none", 0, 0, 5)]
    assert [one.id for one in kept(found, 0.1, 0.9)] == [str(n) for n in range(1, 10)]
    assert [one.id for one in kept(found, 0, 1)] == [str(n) for n in range(11)]
    with pytest.raises(OptionError):
        kept(found, 0.9, 0.1)


def tasks(*ids: str) -> TaskSet:
    return TaskSet([Task(f"Question {id}", id, id) for id in ids])


def test_the_tasks_themselves() -> None:
    found = [Difficulty("b", 1, 1), Difficulty("a", 1, 0)]
    assert [task.reference for task in tasks_of(tasks("a", "b", "c"), found)] == ["b", "a"]
    with pytest.raises(DataError, match="--split"):
        list(tasks_of(tasks("a"), found))


def test_easy_to_hard() -> None:
    curriculum = Curriculum([0.1, 0.9, None, 0.5, math.nan], unknown=0.0)
    order = curriculum.order(5, seed=0)
    assert order[:3] == [1, 3, 0]
    assert sorted(order[3:]) == [2, 4]
    assert curriculum.order(10, seed=0)[:6] == [1, 1, 3, 3, 0, 0]  # the hardest come last still
    assert curriculum.order(0, 0) == []
    assert curriculum.order(2, 0) == [1, 0]


def test_target_begins_with_the_nearest_and_again() -> None:
    curriculum = Curriculum([0.0, 0.45, 0.7, 1.0], "target", target=0.5)
    assert curriculum.order(3, 0)[:2] == [1, 2]
    assert curriculum.order(6, 0)[4:] == [1, 2]


def test_ties_are_shuffled_by_the_seed_alone() -> None:
    curriculum = Curriculum([0.5] * 50)
    first = curriculum.order(50, 1)
    assert first == curriculum.order(50, 1)
    assert first != curriculum.order(50, 2)
    assert sorted(first) == list(range(50))


def test_noise_mixes_neighbours() -> None:
    rates = [i / 99 for i in range(100)]
    strict = Curriculum(rates).order(100, 3)
    noisy = Curriculum(rates, noise=0.05).order(100, 3)
    assert strict == list(range(99, -1, -1))
    assert noisy != strict
    assert sorted(noisy) == list(range(100))
    assert sum(noisy[:50]) > sum(noisy[50:]) + 1000


def test_of_a_task_set() -> None:
    found = [Difficulty("c", 4, 4), Difficulty("a", 4, 1), Difficulty("elsewhere", 4, 4)]
    assert Curriculum.of(tasks("a", "b", "c"), found).order(3, 0) == [2, 1, 0]
    with pytest.raises(DataError, match="another split"):
        Curriculum.of(tasks("x"), found)


@pytest.mark.parametrize(
    "options",
    [
        {"pass_rates": []},
        {"pass_rates": [1.5]},
        {"pass_rates": [0.5], "kind": "hard"},
        {"pass_rates": [0.5], "target": 2},
        {"pass_rates": [0.5], "noise": -1},
        {"pass_rates": [0.5], "noise": math.nan},
        {"pass_rates": [0.5], "unknown": math.nan},
    ],
)
def test_wrong_options_are_said(options: dict) -> None:
    with pytest.raises(OptionError):
        Curriculum(**options)


def test_read_again(tmp_path: Path) -> None:
    found = [Difficulty("a", 4, 1, 2), Difficulty("b", 0, 0, 3)]
    path = tmp_path / "difficulty.jsonl"
    path.write_text("".join(json.dumps(one.to_json(5)) + "\n" for one in found))
    assert read_difficulties(path) == found
    for wrong in ('{"id": "a"}', "[1]", "{"):
        path.write_text(wrong)
        with pytest.raises(DataError):
            read_difficulties(path)


def test_the_documented_example() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/data.md").read_text()
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    exec(compile(code, "data.md", "exec"), {})
