"""The statistics, against what a hand calculates and against simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from rlvr.runs import statistics
from rlvr.runs.statistics import bootstrap, majority, mcnemar, paired, pass_at_k


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [(1, 0, 1, 0.0), (1, 1, 1, 1.0), (10, 3, 1, 0.3), (5, 2, 2, 0.7), (4, 1, 4, 1.0), (4, 0, 4, 0.0)],
)  # fmt: skip
def test_pass_at_k_by_hand(n: int, c: int, k: int, expected: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-12)


def test_pass_at_k_is_the_share_of_subsets_with_a_correct_one() -> None:
    for n in range(1, 8):
        for c in range(n + 1):
            for k in range(1, n + 1):
                subsets = list(itertools.combinations([True] * c + [False] * (n - c), k))
                expected = sum(map(any, subsets)) / len(subsets)
                assert pass_at_k(n, c, k) == pytest.approx(expected)


def test_pass_at_k_of_many_samples_is_the_formula_in_whole_numbers() -> None:
    exact = 1 - math.comb(10_000 - 3, 500) / math.comb(10_000, 500)
    assert pass_at_k(10_000, 3, 500) == pytest.approx(exact, rel=1e-10)


def test_pass_at_k_of_too_few_samples_is_no_figure() -> None:
    assert np.isnan(pass_at_k([3, 4, 0], [3, 4, 0], 4)).tolist() == [True, False, True]
    with pytest.raises(ValueError, match="k is at least 1"):
        pass_at_k(1, 1, 0)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([("4", True), ("4", True), ("5", False)], 1.0),
        ([("4", True), ("5", False), ("5", False)], 0.0),
        ([("0.5", True), ("1/2", True), ("5", False)], 1.0),  # one answer, written in two ways
        ([("4", True), ("5", False)], 0.5),
        ([("4", True), ("5", False), ("6", False)], pytest.approx(1 / 3)),
        ([("4", True), (None, False), (None, False)], 1.0),  # no answer is no vote
        ([(None, False)], 0.0),
    ],
)
def test_majority_by_hand(votes: list[tuple[str | None, bool]], expected: float) -> None:
    assert majority(votes) == expected
    assert majority(votes[::-1]) == expected


def test_majority_of_nothing_is_no_figure() -> None:
    assert math.isnan(majority([]))


def test_the_bootstraps_width_is_the_normal_one_where_tasks_are_many() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 4000)
    (found,) = bootstrap(values, replicates=4000)
    assert found.value == pytest.approx(values.mean())
    assert found.half == pytest.approx(1.96 * values.std(ddof=1) / math.sqrt(4000), rel=0.05)
    assert found.low < found.value < found.high


def test_samples_of_a_task_go_together() -> None:
    """Eight equal samples a task say no more than one does; taken for independent they'd say 8 times."""
    solved = np.random.default_rng(2).random(400) < 0.5
    (one,) = bootstrap(solved)
    (eight,) = bootstrap(8.0 * solved, np.full(400, 8.0))
    assert (eight.value, eight.low, eight.high) == pytest.approx((one.value, one.low, one.high))


def test_a_ratio_weighs_tasks_by_their_rollouts() -> None:
    (found,) = bootstrap([3.0, 0.0], [3.0, 1.0])
    assert found.value == 0.75


def test_a_seed_gives_the_same_interval_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).random((50, 2))
    found = bootstrap(values, seed=7)
    monkeypatch.setattr(statistics, "_CELLS", 1000)
    assert bootstrap(values, seed=7) == found
    assert bootstrap(values, seed=8) != found


def test_of_one_task_or_none_there_is_no_interval() -> None:
    (one,) = bootstrap([1.0])
    assert one.value == 1.0
    assert math.isnan(one.low)
    assert one.to_json() == {"value": 1.0, "low": None, "high": None}
    (none,) = bootstrap(np.zeros((0, 1)), np.zeros((0, 1)))
    assert math.isnan(none.value)


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize(("tasks", "samples"), [(40, 4), (150, 1), (150, 8)])
def test_the_interval_covers_95_percent(tasks: int, samples: int) -> None:
    """Tasks of differing difficulty, several samples each: the truth is inside 95% ± 1.5 of the time."""
    rng = np.random.default_rng(tasks + samples)
    trials, inside = 4000, 0
    chances = rng.beta(1.5, 1.0, size=(trials, tasks))
    solved = rng.binomial(samples, chances).astype(float)
    counts = np.full(tasks, float(samples))
    for trial in range(trials):
        (found,) = bootstrap(solved[trial], counts, seed=trial, replicates=400)
        inside += found.low <= 0.6 <= found.high
    assert 0.935 <= inside / trials <= 0.965


@pytest.mark.parametrize(
    ("gained", "lost", "p"),
    [(0, 0, 1.0), (1, 1, 1.0), (5, 0, 2 / 32), (1, 7, 18 / 256), (8, 2, 112 / 1024)],
)
def test_mcnemar_by_hand(gained: int, lost: int, p: float) -> None:
    assert mcnemar(gained, lost) == mcnemar(lost, gained) == pytest.approx(p)


def test_mcnemar_of_many_is_no_overflow() -> None:
    assert 0 < mcnemar(6000, 5000) < 1e-20


def test_two_runs() -> None:
    found = paired([0, 0, 1, 1], [1, 0.5, 1, 1], [0, 0, 1, 1], [1, 0, 1, 1])
    assert (found.tasks, found.gained, found.lost, found.p) == (4, 1, 0, 1.0)
    assert found.difference.value == 0.375
    assert found.to_json()["difference"]["value"] == 0.375


def test_pairing_takes_what_tasks_share_out_of_the_interval() -> None:
    rng = np.random.default_rng(5)
    hard = rng.random(500)
    second = hard + 0.05 + rng.normal(0, 0.01, 500)
    found = paired(hard, second, hard > 0.5, second > 0.5)
    assert 0.045 < found.difference.low < found.difference.high < 0.055
    nothing = paired([], [], [], [])
    assert nothing.tasks == 0
    assert math.isnan(nothing.difference.value)
