"""Environments of which no right answer is known don't pass, and causes come before consequences."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.authoring.audit import Audit, ProbeOutcome

TASKS = [rlvr.Task(f"Fill in form {n}.", {"a": n, "b": str(n), "c": "x"}) for n in range(20)]
TRUTH = ["truth", "constant"]


@rlvr.verifier(mode="whole")
def never_pays(task: rlvr.Task, answer: str) -> float:
    try:
        fields = json.loads(answer)
    except ValueError:
        return 0.0
    if not isinstance(fields, dict):
        return 0.0
    return sum(fields.get(key) == "nonsense" for key in task.reference) / 3


class Never(rlvr.Verifier):
    """A reward of 0 for every response."""

    name = "never"

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        return rlvr.Scored(0.0, rlvr.Status.INCORRECT)


@pytest.mark.parametrize(
    ("tasks", "verifier"),
    [(TASKS, never_pays), ([rlvr.Task(f"{n}?", str(n)) for n in range(20)], Never())],
)
def test_a_reward_that_nothing_earns_does_not_pass(
    tasks: list[rlvr.Task], verifier: rlvr.Verifier
) -> None:
    report = rlvr.audit(rlvr.SingleTurn(tasks, verifier), tasks=6, only=TRUTH)
    finding = report["right-answers-known"]
    assert finding.outcome is ProbeOutcome.FAIL
    assert re.search(r"earns full reward: \d+ probes had nothing to look at", finding.summary)
    assert "demonstrate" in finding.fix
    assert not report.ok


def exactly(forgiven: float) -> rlvr.Verifier:
    def judge(task: rlvr.Task, answer: str) -> bool:
        try:
            total = float(json.loads(answer)["total"])
        except (ValueError, TypeError, KeyError):
            return False
        return abs(total - task.reference["total"]) <= forgiven * task.reference["total"]

    return rlvr.verifier(
        judge, mode="whole", name="fields", demonstrate=lambda task: json.dumps(task.reference)
    )


@pytest.mark.parametrize(("forgiven", "passes"), [(0.0, True), (0.06, False), (0.006, False)])
def test_a_tolerance_inside_json_is_found(forgiven: float, passes: bool) -> None:
    tasks = [
        rlvr.Task(f"Invoice {n}: give its total as JSON.", {"total": 1000.0 + 17 * n})
        for n in range(20)
    ]
    env = rlvr.SingleTurn(tasks, exactly(forgiven))
    report = rlvr.audit(env, tasks=6, only=["changed-answers-lose", "right-answers-known"])
    assert report.ok is passes, str(report)


def test_a_right_fixture_stands_in_for_a_demonstration() -> None:
    env = rlvr.SingleTurn(
        TASKS,
        rlvr.verifier(
            lambda task, answer: answer.strip() == json.dumps(task.reference),
            mode="whole",
            name="same",
        ),
        fixtures=[rlvr.Fixture("right", json.dumps(task.reference), task.id) for task in TASKS[:3]],
    )
    report = rlvr.audit(env, tasks=20, only=TRUTH)
    assert report["right-answers-known"].outcome is ProbeOutcome.OK
    assert report["gold"].figures["gold"] == 3
    assert report.ok, str(report)


# ---------------------------------------------------------------- a judge of the environment's own


@rlvr.verifier(mode="whole")
def unused(task: rlvr.Task, answer: str) -> bool:
    return False


class Order(rlvr.MultiTurn):
    """Order the named goods, one per message; `done` ends the episode. The conversation is judged."""

    def reply(self, task: rlvr.Task, messages: list[Any]) -> str | None:
        return None if messages[-1]["content"] == "done" else "noted"

    def judge(self, task: rlvr.Task, messages: list[Any]) -> rlvr.Verdict:
        ordered = [m["content"] for m in messages if m["role"] == "assistant"][:-1]
        return self.verdict(ordered == task.reference)

    @staticmethod
    def verdict(right: bool) -> rlvr.Verdict:
        return rlvr.Scored(float(right), rlvr.Status.CORRECT if right else rlvr.Status.INCORRECT)


class Careless(Order):
    """The length of the conversation is all that counts."""

    def judge(self, task: rlvr.Task, messages: list[Any]) -> rlvr.Verdict:
        return self.verdict(sum(m["role"] == "assistant" for m in messages) > 2)


ORDERS = [rlvr.Task(f"Order {n} and {n + 1}.", [str(n), str(n + 1)], str(n)) for n in range(20)]


def orders(kind: type[Order], fixtures: int) -> rlvr.Environment:
    right = [rlvr.Fixture("right", (*task.reference, "done"), task.id) for task in ORDERS]
    return kind(ORDERS, unused, fixtures=right[:fixtures])


def own_judge(kind: type[Order], fixtures: int) -> Audit:
    only = ["own-judge", "right-answers-known", "gold", "fixtures"]
    return rlvr.audit(orders(kind, fixtures), tasks=6, only=only)


def test_an_overridden_judge_without_fixtures_does_not_pass() -> None:
    report = own_judge(Order, 0)
    assert report["right-answers-known"].outcome is ProbeOutcome.FAIL


def test_an_overridden_judge_is_looked_at_by_its_fixtures() -> None:
    right = own_judge(Order, 4)
    assert right["own-judge"].outcome is ProbeOutcome.OK
    assert right["right-answers-known"].outcome is ProbeOutcome.NOTE
    assert right.ok, str(right)
    careless = own_judge(Careless, 4)
    assert careless["own-judge"].outcome is ProbeOutcome.FAIL, str(careless)


# ---------------------------------------------------------------- the report


def test_a_verifier_that_raises_is_named_first_with_its_file() -> None:
    @rlvr.verifier(mode="whole")
    def raising(task: rlvr.Task, answer: str) -> bool:
        return {"a": True}[answer]

    env = rlvr.SingleTurn([rlvr.Task(f"{n}?", str(n)) for n in range(20)], raising)
    report = rlvr.audit(env, tasks=4, only=["gymnasium-api", "gold", "any-response"])
    assert "raising raised: KeyError" in report.cause
    assert Path(__file__).name in report.cause
    assert str(report).lstrip().startswith(report.cause[:60])
    assert report["gymnasium-api"].outcome is ProbeOutcome.NOTHING  # NaN isn't equal to NaN
    assert report["any-response"].outcome is ProbeOutcome.FAIL
    assert report.to_json()["cause"] == report.cause


def test_strategies_that_earn_the_same_are_one_line() -> None:
    tasks = [rlvr.Task(f"What is {n} times 7?", str(7 * n)) for n in range(20, 40)]
    anything = rlvr.verifier(lambda task, answer: True, mode="whole", name="anything")
    env = rlvr.SingleTurn(tasks, 0.9 * rlvr.Math() + 0.1 * anything)
    report = rlvr.audit(env, tasks=6, only=["refusal", "padding", "one-token", "injection"])
    lines = [line for line in str(report).splitlines() if line.startswith("note")]
    assert len(lines) == 1, str(report)
    assert "4 strategies" in lines[0]
    assert len(report.to_json()["findings"]) == 4


@pytest.mark.parametrize("own", [True, False])
def test_a_generator_that_draws_elsewhere_is_told_of_its_rng(own: bool) -> None:
    import random

    class Resetting(rlvr.SingleTurn):
        def reset(self, **arguments: Any) -> Any:
            random.random()
            return super().reset(**arguments)

    def puzzle(rng: Any) -> rlvr.Task:
        number = int(rng.integers(9)) if own else random.randrange(10**9)
        return rlvr.Task(f"{number}?", str(number))

    kind = Resetting if own else rlvr.SingleTurn
    env = kind(rlvr.generated(puzzle, size=20) if not own else TASKS_OF_ONE, rlvr.Math())
    finding = rlvr.audit(env, tasks=4, only=["reset"])["reset"]
    assert finding.outcome is ProbeOutcome.FAIL
    assert ("np_random" in finding.fix) is own


def test_tasks_that_vary_are_named_before_what_follows_from_them(tmp_path: Path) -> None:
    file = tmp_path / "varying.py"
    file.write_text(
        "import random, rlvr\n\n"
        "def puzzle(rng):\n"
        "    number = random.randrange(10**9)\n"
        "    return rlvr.Task(f'{number}?', str(number))\n\n"
        "@rlvr.environment('varying_tasks')\n"
        "def make(split='train'):\n"
        "    return rlvr.SingleTurn(rlvr.generated(puzzle, split=split, size=20), rlvr.Math())\n"
    )
    only = ["gymnasium-api", "vectors", "tasks-remade"]
    report = rlvr.audit(str(file), tasks=4, only=only)
    assert report.cause.startswith("20 of 20 tasks differ")
    assert "draws from its argument `rng` alone" in report.cause
    assert str(report).lstrip().startswith(report.cause[:30])
    for name in only:
        assert report[name].outcome is ProbeOutcome.FAIL
        assert "its argument `rng` alone" in report[name].fix


TASKS_OF_ONE = [rlvr.Task(f"{n}?", str(n)) for n in range(20)]
EXAMPLES = Path(__file__).parents[3] / "docs" / "authors.md"


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("name", ["guess", "anagram"])
def test_the_examples_of_the_guide_pass(name: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", EXAMPLES.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if f'@rlvr.environment("{name}"' in block]
    file = tmp_path / f"guide_{name}.py"
    file.write_text(block.replace(f'"{name}"', f'"guide_{name}"'))
    report = rlvr.audit(str(file), tasks=10)
    assert report.ok, str(report)
    if name == "guess":
        env = rlvr.make("guide_guess")
        for response in ("²", "9" * 5000):
            env.reset(seed=1)
            for _ in range(8):
                *_, info = env.step(response)
            assert info["verdict"].status is rlvr.Status.INCORRECT
        # The form that the guide had until then.
        file = tmp_path / "guide_digits.py"
        file.write_text(block.replace('"guess"', '"guide_digits"').replace("isdecimal", "isdigit"))
        assert not rlvr.audit(str(file), tasks=3, only=["any-response"]).ok
