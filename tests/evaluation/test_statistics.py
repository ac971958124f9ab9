"""The statistics, against what a hand calculates and against simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from rlvr.runs import statistics
from rlvr.runs.statistics import (
    Estimate,
    bootstrap,
    holm,
    majority,
    paired,
    pass_at_k,
    sign_flip,
)


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
    [
        (0, 0, 1.0),
        (1, 1, 1.0),
        (5, 0, 1 / 32),
        (1, 7, (2 * 1 + 8) / 256),
        (8, 2, (2 * 11 + 45) / 1024),
    ],
)
def test_sign_flip_of_single_samples_is_mcnemars_mid_p(gained: int, lost: int, p: float) -> None:
    flips = [1.0] * gained + [-1.0] * lost
    assert sign_flip([*flips, 0.0, 0.0]) == pytest.approx(p)
    assert sign_flip([-flip for flip in flips]) == pytest.approx(p)


@pytest.mark.parametrize("seed", range(8))
def test_sign_flip_is_the_share_of_all_sign_changes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = (
        rng.choice([-1, -2 / 3, -0.5, -0.25, 0.25, 0.5, 1], 9) if seed % 2 else rng.normal(0, 1, 9)
    )
    sums = np.array([np.dot(signs, values) for signs in itertools.product([-1, 1], repeat=9)])
    observed = abs(values.sum())
    expected = (abs(sums) > observed + 1e-9).mean() + (abs(abs(sums) - observed) <= 1e-9).mean() / 2
    if observed > 1e-9:
        assert sign_flip(values) == pytest.approx(expected, abs=1e-3)


def test_sign_flip_of_many_is_its_limit_without_overflow() -> None:
    assert 0 < sign_flip([1.0] * 6000 + [-1.0] * 5000) < 1e-20
    few, many = [1.0] * 1040 + [-1.0] * 960, [1.0] * 1041 + [-1.0] * 961
    assert sign_flip(few) == pytest.approx(sign_flip(many), rel=0.02)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    corrected = holm([0.04, math.nan])
    assert corrected[0] == 0.04
    assert math.isnan(corrected[1])
    assert holm([]) == []


def test_two_runs() -> None:
    found = paired([0, 0, 1, 1], [1, 0.5, 1, 1])
    assert (found.tasks, found.higher, found.lower, found.ties) == (4, 2, 0, 2)
    assert found.p == pytest.approx(2 * (1 / 8))
    assert found.difference.value == 0.375
    assert found.to_json()["difference"]["value"] == 0.375


def test_pairing_removes_the_tasks_difficulty_from_the_interval() -> None:
    rng = np.random.default_rng(5)
    hard = rng.random(500)
    second = hard + 0.05 + rng.normal(0, 0.01, 500)
    found = paired(hard, second)
    assert 0.045 < found.difference.low < found.difference.high < 0.055
    nothing = paired([], [])
    assert nothing.tasks == 0
    assert math.isnan(nothing.difference.value)
    assert math.isnan(nothing.p)


def test_the_limit_for_many_tasks_is_the_bootstraps(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 5, 3000).astype(float)
    sums = rng.binomial(counts.astype(int), rng.random(3000)).astype(float)
    (drawn,) = bootstrap(sums, counts)
    monkeypatch.setattr(statistics, "_MANY", 100)
    (limit,) = bootstrap(sums, counts)
    assert limit.value == drawn.value
    assert limit.half == pytest.approx(drawn.half, rel=0.08)


def rejected(first: int, second: int, tasks: int, times: int, seed: int) -> float:
    """Return how often two runs of one policy differ with p < 0.05, with so many samples per task."""
    rng = np.random.default_rng([seed, first, second])
    found = 0
    for _ in range(times):
        chance = rng.beta(0.5, 0.5, tasks)
        a, b = (rng.binomial(k, chance) / k for k in (first, second))
        found += paired(a, b).p < 0.05
    return found / times


@pytest.mark.parametrize(("first", "second"), [(1, 1), (2, 1), (1, 8), (4, 4)])
def test_equal_policies_rarely_differ(
    monkeypatch: pytest.MonkeyPatch, first: int, second: int
) -> None:
    monkeypatch.setattr(statistics, "bootstrap", lambda *_, **__: [Estimate(0.0)])
    assert 0.02 <= rejected(first, second, 100, 400, 3) <= 0.08


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("first", "second"), list(itertools.combinations_with_replacement(range(1, 9), 2))
)
def test_equal_policies_differ_in_five_percent(
    monkeypatch: pytest.MonkeyPatch, first: int, second: int
) -> None:
    monkeypatch.setattr(statistics, "bootstrap", lambda *_, **__: [Estimate(0.0)])
    assert 0.035 <= rejected(first, second, 200, 2000, 7) <= 0.065
