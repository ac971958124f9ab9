"""Mixtures: exact shares, an order that depends on the seed alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import OptionError
from rlvr.envs.mixture import Mixture, a_mixture


@rlvr.verifier(mode="whole")
def never(task: rlvr.Task, answer: str) -> bool:
    return False


def env(name: str, count: int) -> rlvr.SingleTurn:
    tasks = [rlvr.Task(f"{name}?", i, f"{name}{i}") for i in range(count)]
    return rlvr.SingleTurn(rlvr.TaskSet(tasks, name), never)


def drawn(mixture: Mixture, *rest: Any, **options: Any) -> list[str]:
    return [task.id for _, task in mixture.draw(*rest, **options)]


def test_one_environment_stays_in_order() -> None:
    mixture = a_mixture(env("a", 4))
    assert drawn(mixture) == ["a0", "a1", "a2", "a3"]
    assert drawn(mixture, 6) == ["a0", "a1", "a2", "a3", "a0", "a1"]


def test_without_weights_every_task_comes_once() -> None:
    mixture = a_mixture({"a": env("a", 7), "b": env("b", 3)})
    found = drawn(mixture)
    assert sorted(found) == sorted([f"a{i}" for i in range(7)] + [f"b{i}" for i in range(3)])
    assert [one for one in found if one[0] == "a"] == [f"a{i}" for i in range(7)]
    assert mixture.size() == 10
    assert Counter(one[0] for one in drawn(mixture, 5)) == {"a": 4, "b": 1} or Counter(
        one[0] for one in drawn(mixture, 5)
    ) == {"a": 3, "b": 2}


@pytest.mark.parametrize("count", [1, 2, 3, 10, 97, 100])
def test_shares_are_exact(count: int) -> None:
    mixture = Mixture([env("a", 5), env("b", 5), env("c", 5)], [5, 3, 2])
    counts = Counter(one[0] for one in drawn(mixture, count))
    assert counts.total() == count
    for name, share in zip("abc", (0.5, 0.3, 0.2), strict=True):
        assert abs(counts[name] - share * count) < 1


def test_weights_without_a_count_end_before_anything_repeats() -> None:
    mixture = Mixture({"a": env("a", 100), "b": env("b", 30)}, {"a": 0.7, "b": 0.3})
    found = drawn(mixture)
    assert mixture.size() == len(found) == len(set(found)) == 100
    assert Counter(one[0] for one in found) == {"a": 70, "b": 30}


def test_the_order_depends_on_the_seed_alone() -> None:
    mixture = Mixture([env("a", 50), env("b", 50)])
    assert drawn(mixture, seed=1) == drawn(mixture, seed=1) != drawn(mixture, seed=2)
    # Mixed evenly: neither half of it is of one environment.
    assert 10 < sum(one[0] == "a" for one in drawn(mixture)[:50]) < 40


@pytest.mark.parametrize(
    ("given", "weights", "message"),
    [
        ([], None, "at least one environment"),
        ({}, None, "at least one environment"),
        ("gsm8k", None, r"takes environments \(rlvr.make"),
        ([1], None, r"takes environments \(rlvr.make"),
        ({1: env("a", 1)}, None, "name is text, not 1"),
        ([env("a", 1), env("a", 1)], None, r"same name \(a, a\)"),
        ([env("a", 1), env("b", 1)], [1], "2 environments and 1 weights"),
        ({"a": env("a", 1)}, {"b": 1}, "weights are for b, the environments are a"),
        ([env("a", 1)], [0], "positive number, not 0"),
        ([env("a", 1)], [float("nan")], "positive number, not nan"),
        ([env("a", 1)], [True], "positive number, not True"),
        (Mixture([env("a", 1)]), [1], "has its weights"),
    ],
)
def test_what_isnt_a_mixture_says_why(given: Any, weights: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        a_mixture(given, weights)


def test_it_shows_itself() -> None:
    assert repr(Mixture([env("a", 1), env("b", 1)])) == "Mixture(a: by size, b: by size)"
    assert repr(Mixture([env("a", 1), env("b", 1)], [3, 1])) == "Mixture(a: 0.75, b: 0.25)"
