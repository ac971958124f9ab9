"""Generated tasks: each has a random stream of its own, and splits share no prompt."""

from __future__ import annotations

import functools
import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import rlvr
from rlvr import Task, generated
from rlvr.core.errors import DataError, OptionError, TaskError

SPLITS = ("train", "dev", "test")


def sums(rng: np.random.Generator, most: int = 1000) -> Task:
    a, b = (int(n) for n in rng.integers(0, most, size=2))
    return Task(f"{a}+{b}", str(a + b), metadata={"a": a})


def texts(size: int = 200, **options: Any) -> list[str]:
    return [task.text for task in generated(sums, size=size, **options)]


def test_the_same_seed_gives_the_same_tasks() -> None:
    first = list(generated(sums, size=50, seed=3))
    assert list(generated(sums, size=50, seed=3)) == first
    assert list(generated(sums, size=50, seed=4)) != first


def test_the_tasks_are_the_same_in_another_process() -> None:
    code = (
        "import rlvr; env = rlvr.make('arithmetic', split='test', seed=5)\n"
        "print(*(env.tasks[i].text for i in (0, 7, 999_999)), sep='|')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tasks = rlvr.make("arithmetic", split="test", seed=5).tasks
    assert done.stdout.strip() == "|".join(tasks[i].text for i in (0, 7, 999_999))


def test_a_task_depends_on_its_index_alone() -> None:
    tasks = generated(sums, size=1000)
    backwards = [tasks[i] for i in reversed(range(20))]
    assert backwards[::-1] == list(generated(sums, size=20))
    assert tasks[999] == generated(sums, size=5_000)[999]


@pytest.mark.parametrize(("one", "other"), [(0, 1), (1, 2), (41, 42), (2**32 - 1, 2**32)])
def test_neighbouring_seeds_share_nothing_but_chance(one: int, other: int) -> None:
    first, second = texts(500, seed=one), texts(500, seed=other)
    for shift in range(-5, 6):
        pairs = zip(first[max(0, shift) :], second[max(0, -shift) :], strict=False)
        assert sum(a == b for a, b in pairs) <= 1
    # 500 draws of 800,000 prompts against 500 others: 0.3 coincidences are expected
    assert len(set(first) & set(second)) <= 5


def test_splits_of_one_seed_are_different_streams() -> None:
    assert len(set(texts(50)) & set(texts(50, split="test"))) == 0


@pytest.mark.parametrize("most", [7, 30])
def test_no_prompt_is_in_two_splits_even_where_there_are_few(most: int) -> None:
    seen = {
        split: {text for seed in range(3) for text in texts(300, split=split, seed=seed, most=most)}
        for split in SPLITS
    }
    for one, other in itertools.combinations(SPLITS, 2):
        assert seen[one].isdisjoint(seen[other])
    assert all(seen.values())


def test_the_splits_have_their_shares_of_the_problems() -> None:
    counts = {split: len(set(texts(1500, split=split, most=20))) for split in SPLITS}
    assert 370 <= sum(counts.values()) <= 400  # nearly all there are have been drawn
    assert counts["train"] / 400 == pytest.approx(0.8, abs=0.05)
    assert counts["dev"] / 400 == pytest.approx(0.1, abs=0.04)
    assert counts["test"] / 400 == pytest.approx(0.1, abs=0.04)


def test_a_split_without_problems_says_so() -> None:
    def same(rng: np.random.Generator) -> Task:
        return Task("2+2?", "4")

    empty = [split for split in SPLITS if _fails(lambda split=split: generated(same, split)[0])]
    assert len(empty) == 2
    with pytest.raises(DataError, match=r"found no problem for its .* split in 10000 draws"):
        generated(same, empty[0])[0]


def _fails(call: Any) -> bool:
    try:
        call()
    except DataError:
        return True
    return False


def test_ids_name_split_and_index_and_are_found() -> None:
    tasks = generated(sums, split="dev", size=100)
    assert tasks[7].id == "dev-7"
    assert tasks.find("dev-7") == tasks[7]
    assert tasks[7].metadata["a"] == int(tasks[7].text.split("+")[0])


@pytest.mark.parametrize(
    "id", ["test-7", "dev-100", "dev--1", "dev-", "7", "", "dev-²", "dev-seven", "dev-7 "]
)
def test_an_id_that_is_not_there_is_named(id: str) -> None:
    with pytest.raises(DataError, match="has no task with the id"):
        generated(sums, split="dev", size=100).find(id)


def test_slices_keep_ids_and_may_be_sliced_again() -> None:
    tasks = generated(sums, size=1_000_000)
    part = tasks[100:200:2][10:]
    assert len(part) == 40
    assert [task.id for task in part][:2] == ["train-120", "train-122"]
    assert part[-1] == tasks[198]
    assert part.find("train-122") == tasks[122]
    with pytest.raises(DataError, match="train-121"):
        part.find("train-121")


def test_an_empty_slice_is_refused_as_that_of_a_list_is() -> None:
    with pytest.raises(DataError, match="is empty"):
        generated(sums, size=10)[10:]


def test_an_index_past_the_end_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        generated(sums, size=10)[10]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("split", "validation"),
        ("split", ["train"]),
        ("size", 0),
        ("size", 2.5),
        ("size", "10"),
        ("seed", -1),
        ("seed", None),
        ("seed", 0.5),
        ("seed", True),
    ],
)
def test_a_value_that_is_none_of_an_option_is_refused(option: str, value: object) -> None:
    with pytest.raises(OptionError, match=option):
        generated(sums, **{option: value})  # type: ignore[arg-type]


def test_a_generator_that_returns_no_task_is_told() -> None:
    def lazy(rng: np.random.Generator) -> Task:
        return None  # type: ignore[return-value]

    with pytest.raises(TaskError, match="generator of 'lazy' returned None"):
        generated(lazy)[0]


def test_a_generator_without_a_name_will_do() -> None:
    assert generated(functools.partial(sums, most=50), size=5)[4].id == "train-4"
