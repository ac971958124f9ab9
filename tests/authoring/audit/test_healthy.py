"""Unusual environments in which nothing is wrong pass."""

from __future__ import annotations

from collections.abc import Iterator

import gymnasium
import pytest
from broken import equal
from broken_too import ASKED, Substring, rows
from healthy import HEALTHY

import rlvr
from rlvr.authoring.audit import ProbeOutcome
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


@pytest.mark.sweep(gate=5)
@pytest.mark.parametrize("name", HEALTHY)
def test_it_passes(name: str) -> None:
    whole = name.removeprefix("healthy_") in WHOLE
    report = rlvr.audit(name, tasks=10, only=() if whole else CHEAP)
    assert report.ok, str(report)


def test_answers_that_just_miss_and_earn_most_are_a_note() -> None:
    verifier = rlvr.verifier(
        lambda task, answer: 1.0 if answer == task.reference else 0.9, name="nearly"
    )
    env = rlvr.SingleTurn(rows(ASKED), verifier)
    finding = rlvr.audit(env, tasks=6, only=["changed-answers-lose"])["changed-answers-lose"]
    assert finding.outcome is ProbeOutcome.NOTE
    assert "90% of the full reward" in finding.summary


def test_a_prompt_that_asks_for_no_form_is_a_note() -> None:
    env = rlvr.SingleTurn(rows("What is {n} times {n}?"), equal)
    finding = rlvr.audit(env, tasks=6, only=["format-asked"])["format-asked"]
    assert finding.outcome is ProbeOutcome.NOTE
    assert "boxed" in finding.fix


def test_a_verifier_without_a_demonstration_is_shown_one() -> None:
    found = [rlvr.Task(f"What is {n} times {n}?", str(n * n)) for n in range(20, 60)]
    report = rlvr.audit(rlvr.SingleTurn(found, Substring()), tasks=6, only=["gold"])
    assert report["gold"].figures["gold"] == 6
