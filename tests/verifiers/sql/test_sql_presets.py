"""The rules of public evaluators, on the cases that tell them apart."""

from __future__ import annotations

from typing import Any

import pytest

import rlvr
from rlvr import Status
from rlvr.verifiers.sql import bird, spider

Judge = Any  # the fixture of conftest.py

NAMES = "SELECT name, age FROM singer"
TWICE = f"{NAMES} UNION ALL SELECT name, age FROM singer WHERE id = 1"
TURNED = "SELECT age, name FROM singer"


@pytest.mark.parametrize(
    ("gold", "query", "ours", "spider", "kept", "bird"),
    [
        (NAMES, NAMES, 1, 1, 1, 1),
        (NAMES, TWICE, 0, 0, 0, 1),
        (NAMES, TURNED, 0, 1, 1, 0),
        (NAMES, f"{NAMES} ORDER BY age", 1, 1, 1, 1),
        (f"{NAMES} ORDER BY name", f"{NAMES} ORDER BY name DESC", 0, 0, 0, 1),
        # "order by" anywhere in the gold's text
        ("SELECT name FROM (SELECT name FROM singer ORDER BY name)", "SELECT name FROM singer ORDER BY name DESC", 1, 0, 0, 1),
        # DISTINCT
        ("SELECT DISTINCT country FROM singer", "SELECT country FROM singer", 0, 1, 0, 1),
        ("SELECT count(DISTINCT country) FROM singer", "SELECT count(country) FROM singer", 0, 1, 0, 0),
        # Empty and empty
        ("SELECT name FROM singer WHERE 0", "SELECT 1, 2 WHERE 0", 0, 1, 1, 1),
        ("SELECT name FROM singer WHERE 0", "SELECT NULL WHERE 0", 1, 1, 1, 1),
        # Numbers
        ("SELECT 1", "SELECT 1.0", 1, 1, 1, 1),
        ("SELECT 0.3", "SELECT 0.1 + 0.2", 1, 0, 0, 0),
        ("SELECT 1", "SELECT '1'", 0, 0, 0, 0),
        # Ties
        (f"{NAMES} ORDER BY age", f"{NAMES} ORDER BY age, id DESC", 1, 0, 0, 1),
        ("SELECT name FROM singer WHERE age > = 40", "SELECT name FROM singer WHERE age >= 40", None, 1, 1, None),
    ],
)  # fmt: skip
def test_who_accepts_what(
    judge: Judge, gold: str, query: str, ours: Any, spider: Any, kept: Any, bird: Any
) -> None:
    for preset, wanted in (
        ("rlvr", ours), ("spider", spider), ("spider_distinct", kept), ("bird", bird)
    ):  # fmt: skip
        verdict = judge(gold, query, preset=preset)
        if wanted is None:
            assert verdict.cause is rlvr.Cause.GOLD
        else:
            assert verdict.reward == wanted, (preset, verdict)


def test_spiders_preparation() -> None:
    sql = "SELECT DISTINCT a FROM t WHERE b ! = YEAR(CURDATE())"
    assert spider.prepared(sql, keep_distinct=True) == "SELECT DISTINCT a FROM t WHERE b != 2020"
    assert spider.prepared(sql, keep_distinct=False) == "SELECT  a FROM t WHERE b != 2020"


def test_spider_compares_columns_as_a_whole() -> None:
    assert spider.difference("", [(1, 2), (3, 4)], [(2, 1), (4, 3)]) == ""
    assert spider.difference("", [(1, 2), (3, 4)], [(2, 1), (3, 4)]) != ""
    assert spider.difference("order by", [(1, 2), (3, 4)], [(4, 3), (2, 1)]) != ""
    assert spider.difference("order by", [(1, 2), (3, 4)], [(2, 1), (4, 3)]) == ""


@pytest.mark.parametrize(
    ("gold", "rows", "f1"),
    [
        ([], [], 1.0),
        ([(1,)], [], 0.0),
        ([], [(1,)], 0.0),
        ([(1, 2)], [(1, 2), (1, 2)], 1.0),
        ([(1, 2)], [(2, 1)], 1.0),
        ([(1, 2)], [(1, 3)], 0.5),
        ([(1, 2)], [(1,)], 2 / 3),
        ([(1,), (2,)], [(1,)], 2 / 3),
        ([(1,), (2,)], [(2,), (1,)], 0.0),
        # BIRD's own example of partly right rows (mini-dev's README)
        (
            [("Apple", 325), ("Orange", None), ("Banana", 119)],
            [(325, "Apple"), (191, "Orange"), (None, "Banana")],
            2 / 3,
        ),
    ],
)
def test_soft_f1(gold: list[Any], rows: list[Any], f1: float) -> None:
    assert bird.soft_f1(gold, rows) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("ratio", "reward"),
    [(9.0, 1.25), (2.0, 1.25), (1.99, 1.0), (1.0, 1.0), (0.99, 0.75), (0.5, 0.75), (0.49, 0.5),
     (0.25, 0.5), (0.24, 0.25), (0.0, 0.25)],
)  # fmt: skip
def test_the_steps_of_r_ves(ratio: float, reward: float) -> None:
    assert bird.r_ves(ratio) == reward


def test_a_mean_without_outliers() -> None:
    ticks = iter(range(10_000))
    assert bird.time_ratio(lambda: next(ticks), lambda: next(ticks), runs=5) > 0


def test_graded_rewards(judge: Judge) -> None:
    wrong = judge(NAMES, "SELECT name, 0 FROM singer", preset="bird", reward="soft_f1")
    assert wrong.status is Status.PARTIAL
    assert wrong.reward == pytest.approx(0.5)
    assert wrong.components == {"sql": wrong.reward}
    timed = judge(NAMES, NAMES, preset="bird", reward="r_ves")
    assert timed.reward in (0.25, 0.5, 0.75, 1.0, 1.25)
    assert judge(NAMES, TURNED, preset="bird", reward="r_ves").reward == 0.0
