"""Unusual environments in which nothing is wrong pass."""

from __future__ import annotations

from collections.abc import Iterator

import gymnasium
import pytest
from healthy import HEALTHY

import rlvr
from rlvr.core import registry


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    for name, factory in HEALTHY.items():
        rlvr.environment(name, summary="for a test")(factory)
    yield
    for name in HEALTHY:
        gymnasium.registry.pop(registry._specs.pop(name).gym_id)


# What takes other processes, only where an episode or a verdict is out of the ordinary.
WHOLE = ("guessing_in_turns", "asking_with_tools", "negative_rewards", "three_rows")
CHEAP = (
    "truth",
    "hacks",
    "any-response",
    "reward-range",
    "always-a-verdict",
    "replies-again",
    "splits",
)


@pytest.mark.parametrize("name", HEALTHY)
def test_it_passes(name: str) -> None:
    whole = name.removeprefix("healthy_") in WHOLE
    report = rlvr.audit(name, tasks=10, only=() if whole else CHEAP)
    assert report.ok, str(report)
