"""Cohen's κ of a verifier against labels: by hand, by scikit-learn, and where there's none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import rlvr
from rlvr.core.errors import DataError


@rlvr.verifier(mode="whole", inline=True)
def says(task: rlvr.Task, answer: str) -> Any:
    """What the response says it is."""
    if answer == "fault":
        raise rlvr.CannotScore(rlvr.Cause.JUDGE, "no judge")
    return float(answer)


def examples(*cells: tuple[int, str, bool]) -> list[tuple[rlvr.Task, str, bool]]:
    return [
        (rlvr.Task("?", "", id=f"{answer}{label}{i}"), answer, label)
        for count, answer, label in cells
        for i in range(count)
    ]


def test_by_hand() -> None:
    # Cohen's own kind of table: 50 examples, 70% agreement where chance gives 50%.
    found = rlvr.agreement(
        says, examples((20, "1", True), (5, "1", False), (10, "0", True), (15, "0", False))
    )
    assert found.kappa.value == pytest.approx(0.4)
    assert found.accuracy.value == pytest.approx(0.7)
    assert (found.false_passes, found.false_refusals, found.judged, found.unscored) == (
        5,
        10,
        50,
        0,
    )
    assert found.kappa.low < 0.4 < found.kappa.high
    assert str(found).startswith("κ 0.40 [")


def test_as_scikit_learn_has_it_and_an_interval_that_holds() -> None:
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(40):
        labels = rng.random(150) < 0.4
        passed = np.where(rng.random(150) < 0.8, labels, ~labels)
        given = [
            (rlvr.Task("?", "", id=str(i)), str(int(p)), bool(label))
            for i, (p, label) in enumerate(zip(passed, labels, strict=True))
        ]
        found = rlvr.agreement(says, given, seed=seed)
        assert found.kappa.value == pytest.approx(cohen_kappa_score(passed, labels))
        true = (
            0.576923  # of the distribution: agreement 0.8, chance 0.44 · 0.4 + 0.56 · 0.6 = 0.512
        )
        true = (0.8 - 0.512) / (1 - 0.512)
        inside += found.kappa.low <= true <= found.kappa.high
    assert inside >= 34


def test_responses_of_one_task_are_one_draw() -> None:
    one = examples((10, "1", True), (10, "0", False), (4, "1", False), (4, "0", True))
    many = [(task, answer, label) for task, answer, label in one for _ in range(25)]
    few, copies = rlvr.agreement(says, one).kappa, rlvr.agreement(says, many).kappa
    assert copies.value == pytest.approx(few.value)
    assert copies.half == pytest.approx(few.half)  # copying made nothing surer


def test_the_unscored_count_nowhere_else() -> None:
    given = examples((5, "1", True), (5, "0", False), (7, "fault", True))
    found = rlvr.agreement(says, given)
    assert (found.kappa.value, found.judged, found.unscored) == (1.0, 10, 7)
    nothing = rlvr.agreement(says, examples((3, "fault", True)))
    assert math.isnan(nothing.kappa.value)
    assert math.isnan(nothing.accuracy.value)
    assert (nothing.judged, nothing.unscored) == (0, 3)


def test_where_all_are_on_one_side_there_is_no_kappa() -> None:
    found = rlvr.agreement(says, examples((9, "1", True)))
    assert math.isnan(found.kappa.value)
    assert found.accuracy.value == 1.0


def test_the_threshold_parts_scores() -> None:
    given = examples((5, "0.6", True), (5, "0.2", False))
    assert rlvr.agreement(says, given).kappa.value == 1.0
    assert rlvr.agreement(says, given, threshold=0.1).accuracy.value == 0.5


@pytest.mark.parametrize(
    "given", [[], [(rlvr.Task("?", ""), "1", "yes")], [(rlvr.Task("?", ""), "1")]]
)
def test_examples_are_checked(given: Any) -> None:
    with pytest.raises(DataError, match="is_it_right"):
        rlvr.agreement(says, given)
