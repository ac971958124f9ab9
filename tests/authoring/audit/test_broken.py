"""Each broken environment is caught by name; the healthy one that they're made from passes whole."""

from __future__ import annotations

from collections.abc import Iterator

import broken_hacks  # noqa: F401  (adds its own)
import broken_running  # noqa: F401
import broken_too  # noqa: F401
import broken_turns  # noqa: F401
import gymnasium
import pytest
from broken import BROKEN, FACTORIES

import rlvr
from rlvr.authoring.audit import Audit, ProbeOutcome
from rlvr.core import registry

# What comes last looks at what these saw.
AFTER = {"reward-range": ("gold", "constant", "reward-range"), "fully-paid": ("format-only", "fully-paid"),
         "always-a-verdict": ("refusal", "always-a-verdict")}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def registered() -> Iterator[None]:
    """For these tests alone: others look at every environment there is."""
    for name, factory in FACTORIES.items():
        rlvr.environment(name, summary="for a test")(factory)
    yield
    for name in FACTORIES:
        gymnasium.registry.pop(registry._specs.pop(name).gym_id)


@pytest.fixture(scope="module")
def healthy() -> Audit:
    return rlvr.audit("healthy_square", tasks=30)


def test_the_healthy_one_passes(healthy: Audit) -> None:
    assert healthy.ok, str(healthy)
    assert healthy.hack_floor is not None
    assert healthy.hack_floor <= 0.06


@pytest.mark.sweep(gate=14)
@pytest.mark.parametrize("name", BROKEN)
def test_each_is_caught_by_name(name: str) -> None:
    probe = BROKEN[name]
    report = rlvr.audit(name, tasks=12, only=AFTER.get(probe, (probe,)))
    finding = report[probe]
    assert finding.outcome is ProbeOutcome.FAIL, str(report)
    assert finding.fix
    assert not report.ok


def test_a_healthy_one_with_tools_and_state_passes() -> None:
    report = rlvr.audit("healthy_accounts", tasks=12)
    assert report.ok, str(report)
    for name in (
        "replies-again", "episodes-apart", "calls-once", "episode-leaves-nothing", "never-acts", "calls-every-tool",
        "loops-to-the-limit", "quotes-results", "repeated-step", "right-answers-known",
    ):  # fmt: skip
        assert report[name].outcome in (ProbeOutcome.OK, ProbeOutcome.NOTE), str(report)


def test_none_of_these_faults_is_the_healthy_ones(healthy: Audit) -> None:
    fine = (ProbeOutcome.OK, ProbeOutcome.NOTE, ProbeOutcome.NOTHING)
    wrong = [probe for probe in sorted(set(BROKEN.values())) if healthy[probe].outcome not in fine]
    assert not wrong, str(healthy)


def test_there_are_enough() -> None:
    assert len(BROKEN) >= 100
    assert len(set(BROKEN.values())) >= 45
