"""The audit itself: what it's asked, what it says, and what joins it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.authoring.audit import ProbeOutcome, fail, note, ok, probe_registry, probes
from rlvr.authoring.audit.rendering import page
from rlvr.core.errors import OptionError
from rlvr.policies.base import Request
from rlvr.runs.run import read_rollouts


@pytest.fixture
def own_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe_registry, "_probes", dict(probe_registry._probes))


def test_it_takes_an_environment_that_is_made(recwarn: pytest.WarningsRecorder) -> None:
    env = rlvr.SingleTurn([rlvr.Task(f"{n}+{n}?", str(2 * n)) for n in range(30, 60)], rlvr.Math())
    report = rlvr.audit(env, tasks=10)
    assert report.ok, str(report)
    # Nobody knows how to make it again.
    assert report["splits"].outcome is report["vectors"].outcome is ProbeOutcome.NOTHING
    assert report["tasks-remade"].outcome is ProbeOutcome.OK


def test_every_probe_says_what_it_checks() -> None:
    every = probes()
    assert len({one.name for one in every}) == len(every) >= 45
    assert {one.group for one in every} == set(probe_registry.GROUPS)
    assert all(one.about for one in every)


def test_only_what_was_asked_for() -> None:
    report = rlvr.audit("arithmetic", tasks=5, only=["gold", "learnability"])
    assert {one.group for one in report} == {"truth", "learnability"}
    assert report["gold"].figures == {"gold": 5, "failed": 0, "unreadable": 0}
    with pytest.raises(KeyError):
        report["empty"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tasks": 1}, "2 tasks at least"),
        ({"only": ["gould"]}, "Did you mean 'gold'"),
        ({"no_such_option": 1}, "no option 'no_such_option'"),
    ],
)
def test_a_mistake_is_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        rlvr.audit("arithmetic", **options)


def test_a_made_environment_takes_no_options() -> None:
    with pytest.raises(OptionError, match="takes no options"):
        rlvr.audit(rlvr.make("arithmetic"), level=2)


def test_the_same_seed_looks_at_the_same_tasks() -> None:
    seen: list[list[str]] = []
    state = random.getstate()
    for seed in (1, 1, 2):
        registry_probe = rlvr.probe("truth", name="spy")
        registry_probe(lambda subject: seen.append([t.id for t in subject.tasks]) or ok("seen"))
        try:
            rlvr.audit("arithmetic", tasks=5, seed=seed, only=["spy"])
        finally:
            probe_registry._probes.pop("spy")
    assert seen[0] == seen[1] != seen[2]
    assert random.getstate() == state


@pytest.mark.usefixtures("own_probe")
def test_a_probe_that_raises_is_broken_and_not_clean() -> None:
    @rlvr.probe("truth")
    def falls_over(subject: Any) -> Any:
        """It falls over."""
        raise ZeroDivisionError("on purpose")

    report = rlvr.audit("arithmetic", tasks=3, only=["falls-over", "gold"])
    assert report["falls-over"].outcome is ProbeOutcome.BROKEN
    assert "on purpose" in report["falls-over"].summary
    assert not report.ok
    assert report["gold"].outcome is ProbeOutcome.OK


@pytest.mark.usefixtures("own_probe")
def test_what_its_author_knows_is_no_failure() -> None:
    env = rlvr.SingleTurn(
        [rlvr.Task(f"Is {n} odd?", "yes" if n % 2 else "no") for n in range(40)],
        rlvr.Math(mode="whole"),
        known_findings={"base-rate": "there are two answers"},
    )
    report = rlvr.audit(env, only=["base-rate", "constant"])
    assert report["base-rate"].outcome is ProbeOutcome.KNOWN
    assert "two answers" in report["base-rate"].fix
    assert [one.probe for one in report.failures] == ["constant"]
    assert report.hack_floor == pytest.approx(0.5, abs=0.1)  # known, and a floor all the same


@pytest.mark.usefixtures("own_probe")
def test_the_page_holds_what_was_found_and_runs_nothing_of_it() -> None:
    @rlvr.probe("hacks", name="spiteful")
    def spiteful(subject: Any) -> Any:
        """<b>About</b>."""
        return fail("<script>alert(1)</script>", ["\ud800 & <i>"] * 9, "don't </table>")

    report = rlvr.audit("arithmetic", tasks=3, only=["spiteful", "gold"])
    text = page(report, {one.name: one.about for one in probes()})
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "… and 3 more" in text
    assert "Audit of arithmetic" in text
    assert text.encode()  # no half surrogate pair
    assert json.loads(json.dumps(report.to_json()))["ok"] is False
    assert "spiteful" in str(report)


@pytest.mark.usefixtures("own_probe")
def test_a_note_is_no_failure() -> None:
    rlvr.probe("truth", name="noted")(lambda subject: note("to know"))
    assert rlvr.audit("arithmetic", tasks=3, only=["noted"]).ok


# ---------------------------------------------------------------- learnability


def rows(rewards: dict[str, list[float]], lengths: dict[str, list[int]] | None = None) -> list[Any]:
    return [
        {
            "task": task,
            "sample": i,
            "messages": [
                {"role": "user", "content": "?"},
                {"role": "assistant", "content": "x" * (lengths[task][i] if lengths else 10)},
            ],
            "verdict": {
                "scored": True,
                "reward": r,
                "status": "correct" if r == 1 else "incorrect",
            },
            "seconds": {"verify": 0.01},
        }
        for task, own in rewards.items()
        for i, r in enumerate(own)
    ]


def learnability(rollouts: list[Any]) -> Any:
    return rlvr.audit("arithmetic", tasks=3, only=["learnability"], rollouts=rollouts)


def test_groups_without_a_gradient() -> None:
    flat = learnability(rows({str(t): [float(t % 2)] * 4 for t in range(10)}))
    assert flat["pass-rates"].outcome is ProbeOutcome.NOTE
    assert "no gradient" in flat["pass-rates"].summary
    assert flat["pass-rates"].figures["always"] == flat["pass-rates"].figures["never"] == 0.5
    assert flat["variance-within-groups"].figures["flat"] == 1.0
    mixed = learnability(rows({str(t): [1.0, 0.0, 1.0, 0.0] for t in range(10)}))
    assert mixed["pass-rates"].outcome is ProbeOutcome.OK
    assert mixed["pass-rates"].figures["histogram"] == [0, 0, 10, 0, 0]
    assert mixed["variance-within-groups"].figures == {"std": 0.5, "flat": 0.0}


def test_length_that_pays_within_groups() -> None:
    rewards = {str(t): [0.0, 0.0, 1.0, 1.0] for t in range(10)}
    longer = learnability(rows(rewards, {task: [10, 20, 30, 40] for task in rewards}))
    assert longer["reward-and-length"].outcome is ProbeOutcome.NOTE
    assert longer["reward-and-length"].figures == {"correlation": 1.0, "pairs": 40}
    either = learnability(rows(rewards, {task: [10, 40, 20, 30] for task in rewards}))
    assert either["reward-and-length"].outcome is ProbeOutcome.OK
    assert either["reward-and-length"].figures["correlation"] == 0.0


def test_unscored_rollouts_are_counted_by_cause() -> None:
    found = rows({str(t): [1.0, 0.0] for t in range(10)})
    for row in found[:3]:
        row["verdict"] = {"scored": False, "cause": "sandbox", "message": "gone"}
    report = learnability(found)
    assert report["unscored-share"].outcome is ProbeOutcome.FAIL
    assert report["unscored-share"].evidence == ("sandbox: 3",)
    assert report["unscored-share"].figures["share"] == 0.15


class Knows:
    """Adds right but for one sum, whatever the reference says."""

    name = "knows"

    def respond(self, requests: Sequence[Request]) -> list[str]:
        sums = [sum(map(int, re.findall(r"\d+", request.task.text))) for request in requests]
        return [
            f"\\boxed{{{total + request.seed % 100 * (total == 30)}}}"
            for total, request in zip(sums, requests, strict=True)
        ]


def test_references_that_a_policy_contradicts_are_named(tmp_path: Path) -> None:
    """17 has a wrong reference in the data; at 15 the policy guesses, and says nothing about the reference."""
    tasks = [rlvr.Task(f"{n} + {n}?", str(2 * n + (n == 17)), f"sum-{n}") for n in range(10, 22)]
    tasks[5] = rlvr.Task("15 + 15?", "31", "sum-15")
    env = rlvr.SingleTurn(tasks, rlvr.Math())
    rlvr.evaluate(env, Knows(), 8, run=tmp_path / "run")
    rollouts = list(read_rollouts(tmp_path / "run"))
    found = rlvr.audit(env, only=["contradicted-golds"], rollouts=rollouts)
    (finding,) = found
    assert finding.outcome is ProbeOutcome.NOTE
    assert finding.figures == {"tasks": 12, "contradicted": ["sum-17"]}
    assert finding.evidence == ("sum-17: 8 of 8 say '34', the reference is '35'",)
    few = [row for row in rollouts if row["sample"] < 3]
    (finding,) = rlvr.audit(env, only=["contradicted-golds"], rollouts=few)
    assert finding.outcome is ProbeOutcome.NOTHING


def test_an_environment_that_asks_for_a_thought_is_left_alone() -> None:
    tasks = [rlvr.Task(f"{n} times 7?", str(n * 7)) for n in range(20, 60)]
    env = rlvr.SingleTurn(tasks, rlvr.Format.think() >> rlvr.Math())
    report = rlvr.audit(env, tasks=10, only=["truth", "thinking-only", "every-candidate"])
    assert report.ok, str(report)
    assert report["gold"].outcome is report["right-in-every-format"].outcome is ProbeOutcome.OK
