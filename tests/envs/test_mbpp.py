"""MBPP: its splits, what its prompts show, and all its reference solutions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from shadowing import shadowing
from spoiling import spoilt

import rlvr
from rlvr.core.errors import DataError, OptionError

ROW = {
    "task_id": 601,
    "prompt": "Write a function to double a number.",
    "code": "def helper(n):\n    return n\ndef double(n):\n    return 2 * helper(n)",
    "test_imports": ["import math"],
    "test_list": [
        "assert double(1) == 2",
        "assert math.isclose(double(2), 4)",
        "assert double(3) == 6",
    ],
}


def make(data: Path, **options: Any) -> rlvr.Environment:
    return rlvr.make("mbpp", data=str(data), **options)


def own(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    file = tmp_path / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.mark.parametrize(
    ("split", "count", "first", "last"),
    [
        ("prompt", 7, 2, 10),
        ("test", 257, 11, 510),
        ("validation", 43, 511, 600),
        ("train", 120, 601, 974),
        ("all", 427, 1, 974),
    ],
)
def test_the_splits_are_the_hubs(data: Path, split: str, count: int, first: int, last: int) -> None:
    numbers = [int(task.id.removeprefix("mbpp-")) for task in make(data, split=split).tasks]
    assert len(numbers) == count
    assert first <= min(numbers)
    assert max(numbers) <= last


@pytest.mark.sweep
def test_a_problem_that_takes_seconds_has_room(data: Path) -> None:
    """Its own solution needs about the 5 s that others have: on some machines less, on some more."""
    slow = [task for task in make(data, split="all").tasks if "limits" in task.reference]
    assert [task.id for task in slow] == ["mbpp-123"]
    whole = make(data, split="all")
    whole.tasks = rlvr.TaskSet([*slow, *whole.tasks[:2]])
    assert rlvr.audit(whole, only=["limits-have-room"]).ok
    env = make(data, split="test", limits={"cpu_s": 1})
    assert not any("limits" in task.reference for task in env.tasks)
    (task,) = (task for task in env.tasks if task.id == "mbpp-123")
    (verdict,) = rlvr.score([task], [env.verifier.demonstrate(task) or ""], env.verifier)
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.status is rlvr.Status.LIMIT


def test_the_splits_share_nothing(data: Path) -> None:
    splits = ("prompt", "test", "validation", "train")
    ids = [task.id for split in splits for task in make(data, split=split).tasks]
    assert len(ids) == len(set(ids)) == 427


def test_all_reference_solutions_pass_and_spoilt_ones_fail(data: Path, sample: Any) -> None:
    env = make(data, split="all")
    tasks = sample(env.tasks, 28)
    right = [env.verifier.demonstrate(task) or "" for task in tasks]
    assert [float(v) for v in rlvr.score(tasks, right, env.verifier)] == [1.0] * len(tasks)
    wrong = [
        f"```python\n{spoilt(t.reference['solution'], t.reference['entry_point'])}\n```"
        for t in tasks
    ]
    assert [float(v) for v in rlvr.score(tasks, wrong, env.verifier)] == [0.0] * len(tasks)


def test_no_name_that_tests_use_is_worth_defining(data: Path, sample: Any) -> None:
    """Least of all `sys`, in problem 596: `tuple_size(t) == sys.getsizeof(t)`."""
    env = make(data, split="all")
    (odd,) = (task for task in env.tasks if task.id == "mbpp-596")
    pairs = [
        (task, f"```python\n{source}\n```")
        for task in [odd, *sample(env.tasks, 8)]
        for source in shadowing(task.reference)
    ]
    tasks, wrong = zip(*pairs, strict=True)
    assert {float(v) for v in rlvr.score(list(tasks), list(wrong), env.verifier)} == {0.0}


@pytest.mark.parametrize(
    ("shown", "tests"),
    [
        (0, "It's called `double`."),
        (1, "It has to pass this test, and others:\n\n```python\nassert double(1) == 2\n```"),
        (3, "It has to pass these tests:\n\n```python\nassert double(1) == 2\nassert math.isclose(double(2), 4)\nassert double(3) == 6\n```"),
        (9, "It has to pass these tests:"),
    ],
)  # fmt: skip
def test_what_the_prompt_shows_is_public(tmp_path: Path, shown: int, tests: str) -> None:
    (task,) = make(own(tmp_path, ROW), shown=shown).tasks
    assert task.text.startswith(f"Write a function to double a number. {tests}")
    assert task.reference["public"] == min(shown, 3)
    for number, test in enumerate(ROW["test_list"]):
        assert (test in task.text) == (number < shown)
    assert task.metadata == {"entry_point": "double"}
    assert task.reference["setup"] == "import math"


def test_by_default_one_test_is_shown(data: Path) -> None:
    assert all(task.text.count("assert") == 1 for task in make(data, split="all").tasks)


@pytest.mark.parametrize("shown", [-1, 1.5, True, "1"])
def test_shown_is_a_number_of_tests(shown: Any) -> None:
    with pytest.raises(OptionError, match="shown is a number of tests"):
        rlvr.make("mbpp", shown=shown)


def test_a_row_whose_tests_call_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="The tests of MBPP's 601 call no function of its code"):
        len(make(own(tmp_path, ROW | {"test_list": ["assert 1"]})).tasks)


def test_a_split_that_a_file_lacks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row of the split 'test', with a task_id of 11 to 510"):
        len(make(own(tmp_path, ROW), split="test").tasks)
    assert len(make(own(tmp_path, ROW), split="all").tasks) == 1
    with pytest.raises(OptionError, match="has the splits"):
        rlvr.make("mbpp", split="dev")
