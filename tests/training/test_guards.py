"""Guards: each fires on a run made to be bad in its way, none on healthy ones, and none talks too much."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict
from rlvr.runs.rollouts import Rollout
from rlvr.training.guards import Alarm, GuardConfig, Guards
from rlvr.training.guards.base import Step
from rlvr.training.guards.unscored import UnscoredGuard

RIGHT = Scored(1.0, Status.CORRECT)
WRONG = Scored(0.0, Status.INCORRECT)
PROSE = (
    "The train leaves at nine and needs three hours, so it arrives at noon. Before that, the bus has "
    "to bring everybody from the hotel to the station, which takes half an hour."
)


def rollout(
    task: int,
    verdict: Verdict | None,
    text: str = PROSE,
    tokens: int | None = 40,
    stop: str = "stop",
    **message: Any,
) -> Rollout:
    asked = {"role": "user", "content": f"Question {task}"}
    said = {"role": "assistant", "content": text, **message}
    return Rollout("env", None, Task(asked["content"], "", f"t{task}"), 0, [asked, said], verdict,
                   stop, None, tokens)  # fmt: skip


def healthy(step: int, groups: int = 16, size: int = 8) -> list[Rollout]:
    """Groups of which three quarters differ in reward, lengths by chance."""
    rng = random.Random(step)
    chances = [0.0, 1.0, 0.3, 0.5, 0.7, 0.8, 0.4, 0.6]
    return [
        rollout(
            task, RIGHT if rng.random() < chances[task % 8] else WRONG, tokens=rng.randint(20, 60)
        )
        for task in range(groups)
        for _ in range(size)
    ]


def alarms(
    steps: Sequence[Sequence[Rollout]],
    metrics: Sequence[dict[str, Any]] | None = None,
    guards: Guards | None = None,
) -> list[tuple[int, Alarm]]:
    guards = guards or Guards()
    found = []
    for number, rollouts in enumerate(steps, 1):
        logged = metrics[number - 1] if metrics else {}
        found += [(number, alarm) for alarm in guards.check(number, rollouts, logged)]
    return found


def names(found: list[tuple[int, Alarm]]) -> list[tuple[int, str]]:
    return [(step, alarm.name) for step, alarm in found]


# Healthy runs


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_alarm_on_a_recorded_quickstart(seed: int) -> None:
    """60 steps of the quickstart's GRPO, each step's 128 rollouts and what TRL logged."""
    path = Path(__file__).parent / "data" / f"quickstart_{seed}.jsonl.gz"
    guards = Guards()
    with gzip.open(path, "rt") as lines:
        for number, line in enumerate(lines, 1):
            row = json.loads(line)
            rollouts = [
                Rollout("arithmetic", None, Task(asked, "", asked), i,
                        [{"role": "user", "content": asked}, {"role": "assistant", "content": said}],
                        Scored(reward, Status(status)), stop, None, tokens)
                for i, (asked, said, reward, status, stop, tokens) in enumerate(row["rollouts"])
            ]  # fmt: skip
            assert len(rollouts) == 128
            assert guards.check(number, rollouts, row["metrics"]) == []
    assert number == 60
    assert 0.01 < row["metrics"]["entropy"] < 0.06  # it is the real thing


def test_no_alarm_on_a_healthy_run_by_hand() -> None:
    assert alarms([healthy(step) for step in range(100)], [{"entropy": 0.4}] * 100) == []


# Each guard on its own bad run


def test_unscored_over_the_limit_stops_with_the_causes() -> None:
    def step(number: int) -> list[Rollout]:
        rows = healthy(number)
        for i in range(42):
            rows[3 * i].verdict = Unscored(Cause.SANDBOX if i else Cause.TIMEOUT, "gone")
        for i in range(7):
            rows[3 * i + 1].verdict = Unscored(Cause.TIMEOUT, "late")
        return rows

    steps = [healthy(0), *(step(number) for number in range(1, 9))]
    found = alarms(steps, guards=Guards(run="runs/x"))
    stopped = [number for number, name in names(found) if name == "unscored"]
    assert stopped
    assert stopped == list(range(stopped[0], 10))
    alarm = found[-1][1]
    assert alarm.stops
    assert alarm.message == (
        "unscored 38% over the last 3 steps (sandbox 32%, timeout 6%), over the limit of 30%"
    )
    assert alarm.look.startswith("rlvr view runs/x --filter unscored shows each")
    assert "rlvr sandbox check" in alarm.look


def test_a_fifth_unscored_by_chance_stops_no_run() -> None:
    def step(number: int, rows: int) -> list[Rollout]:
        rng = random.Random(number)
        return [
            rollout(i // 4, Unscored(Cause.SANDBOX, "gone") if rng.random() < 0.2 else WRONG)
            for i in range(rows)
        ]

    only = GuardConfig(**{name: name == "unscored" for name in GuardConfig.names()})
    for rows in (16, 32, 128):
        steps = [step(number, rows) for number in range(300)]
        assert alarms(steps, guards=Guards(only)) == []


def test_where_nothing_is_scored_three_steps_suffice() -> None:
    def gone(groups: int) -> list[Rollout]:
        return [rollout(i // 4, Unscored(Cause.JUDGE, "no answer")) for i in range(4 * groups)]

    for groups, expected in (
        (16, 3),
        (4, 3),
        (2, 6),
        (1, 10),
    ):  # one group may well be a bad task's
        (first, *_) = alarms([gone(groups)] * 12)
        assert first[0] == expected
        assert "judge 100%" in first[1].message
    # A service that was away for two steps, and is back.
    assert (
        alarms([*[healthy(i) for i in range(5)], *[gone(16)] * 2, *map(healthy, range(30))]) == []
    )


def stopped_at(
    share: float, groups: int, size: int, whole: bool, seed: int, steps: int
) -> int | None:
    """The step at which a run of so many unscored, by task or each by itself, is stopped."""
    guard, dice = UnscoredGuard(0.3), np.random.default_rng(seed)
    bad, fine = Unscored(Cause.GOLD, "bad"), WRONG
    rows = [rollout(task, fine) for task in range(groups) for _ in range(size)]
    for number in range(1, steps + 1):
        drawn = dice.random(groups if whole else groups * size) < share
        for row, unscored in zip(rows, np.repeat(drawn, size) if whole else drawn, strict=True):
            row.verdict = bad if unscored else fine
        if guard.look(Step(number, rows, {})):
            return number
    return None


@pytest.mark.sweep(gate=3)
@pytest.mark.parametrize("whole", [True, False], ids=["by-task", "each"])
@pytest.mark.parametrize(("groups", "size"), [(2, 4), (4, 4), (8, 8), (16, 8)])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.25])
def test_a_share_that_can_be_borne_stops_no_run(
    share: float, groups: int, size: int, whole: bool
) -> None:
    """Over seeds that are always the same; benchmarks/guard_alarms.py has thousands of runs."""
    runs = [stopped_at(share, groups, size, whole, seed, 120) for seed in range(20)]
    assert runs == [None] * 20


def test_four_tenths_are_stopped_soon() -> None:
    by_task = sorted(stopped_at(0.4, 16, 8, True, seed, 60) or 999 for seed in range(20))
    each = sorted(stopped_at(0.4, 16, 8, False, seed, 60) or 999 for seed in range(20))
    assert by_task[15] <= 15
    assert by_task[-1] <= 40
    assert each[-1] <= 8


def test_reward_that_goes_with_length_fires_both_ways() -> None:
    def step(number: int, sign: int) -> list[Rollout]:
        rows = healthy(number)
        rng = random.Random(number)
        for row in rows:
            row.completion_tokens = rng.randint(40, 60)
            if row.verdict is RIGHT:
                row.completion_tokens += sign * 25
        return rows

    for sign, word in ((1, "longer"), (-1, "shorter")):
        found = alarms([step(number, sign) for number in range(12)])
        assert names(found) == [(10, "reward_length")]
        assert f"the {word} one earned more in 100% of the pairs" in found[0][1].message
        assert "--filter longest" in found[0][1].look


def test_lengths_that_differ_between_tasks_alone_are_no_alarm() -> None:
    """Hard tasks, answered at length and wrongly: the pooled correlation is near -1."""

    def step(number: int) -> list[Rollout]:
        rng = random.Random(number)
        return [
            rollout(task, RIGHT if rng.random() < 0.9 - task / 20 else WRONG,
                    tokens=20 + 20 * task + rng.randint(0, 10))
            for task in range(16)
            for _ in range(8)
        ]  # fmt: skip

    assert alarms([step(number) for number in range(30)]) == []


def test_right_answers_a_token_longer_are_no_alarm() -> None:
    def step(number: int) -> list[Rollout]:
        rows = healthy(number)
        for row in rows:
            row.completion_tokens = 33 if row.verdict is RIGHT else 32
        return rows

    guards = Guards()
    assert alarms([step(number) for number in range(15)], guards=guards) == []
    assert guards.figures["guards/reward_length"] == 1.0


def test_few_groups_are_not_enough_for_a_correlation() -> None:
    step = [rollout(0, RIGHT, tokens=90), rollout(0, WRONG, tokens=10)]
    found = alarms([step] * 19)  # twenty groups are asked for
    assert found == []
    assert names(
        alarms([[*step, *(rollout(1, r.verdict, tokens=r.completion_tokens) for r in step)]] * 12)
    ) == [(10, "reward_length")]


def test_entropy_collapse_against_the_start_and_near_zero() -> None:
    falling = [{"entropy": 0.5 * 0.8**step} for step in range(30)]
    found = alarms([healthy(step) for step in range(30)], falling)
    # The mean of the last five steps is under a tenth of that of the first five, 0.336.
    assert names(found) == [(16, "entropy")]
    low = [{"entropy": 0.002}] * 10
    assert names(alarms([healthy(step) for step in range(10)], low)) == [(5, "entropy")]
    assert names(alarms([[]] * 10, low)) == [(5, "entropy")]  # metrics alone will do


def test_entropy_may_fall_where_the_task_is_solved() -> None:
    solved = [rollout(i // 8, WRONG if i == 0 else RIGHT) for i in range(128)]
    only = Guards(GuardConfig(zero_variance=False))
    assert alarms([solved] * 10, [{"entropy": 0.001}] * 10, only) == []


def test_a_resumed_run_holds_entropy_against_its_first_start() -> None:
    history = [{"step": step, "entropy": 0.5, "reward": None} for step in range(20)]
    low = [{"entropy": 0.04}] * 5
    rows = [healthy(step) for step in range(5)]
    assert alarms(rows, low) == []
    assert names(alarms(rows, low, Guards(history=history))) == [(5, "entropy")]


def test_groups_without_a_difference_say_which_way() -> None:
    for verdict, word, shown in (
        (RIGHT, "100% all solved", "all"),
        (WRONG, "100% none solved", "wrong"),
    ):
        found = alarms([[rollout(i // 8, verdict) for i in range(64)]] * 6)
        assert names(found) == [(5, "zero_variance")]
        assert word in found[0][1].message
        assert f"--filter {shown} " in found[0][1].look


def mixed(
    dice: np.random.Generator, groups: int, alike: float, cut: float, empty: float
) -> list[Rollout]:
    """A step of which so many groups, as a whole, have no difference, are cut, are empty."""
    rows = []
    for task in range(groups):
        same, long, none = dice.random(3) < (alike, cut, empty)
        rows += [
            rollout(task, RIGHT if i % 2 or same else WRONG, "" if none else PROSE, stop="length" if long else "stop")
            for i in range(4)
        ]  # fmt: skip
    return rows


@pytest.mark.parametrize("groups", [2, 4, 16])
def test_few_groups_are_no_reason_for_a_warning(groups: int) -> None:
    """Ten groups of which four fifths are alike come about when half of all are; so it is with what is cut."""
    for seed in range(max(1, 8 // groups)):
        dice = np.random.default_rng(seed)
        assert alarms([mixed(dice, groups, 0.6, 0.15, 0.2) for _ in range(100)]) == []


@pytest.mark.parametrize(("groups", "by"), [(2, 20), (4, 10), (16, 5)])
def test_what_is_surely_too_much_is_warned_of_soon(groups: int, by: int) -> None:
    for seed in range(max(1, 8 // groups)):
        dice = np.random.default_rng(seed)
        steps = [mixed(dice, groups, 0.97, 0.7, 0.0) for _ in range(by)]
        assert {name for _, name in names(alarms(steps))} == {"zero_variance", "truncation"}
        healthy_start = [mixed(dice, groups, 0.5, 0.1, 0.05) for _ in range(10)]
        filler = [mixed(dice, groups, 0.5, 0.1, 0.9) for _ in range(2 * by)]
        assert {name for _, name in names(alarms(healthy_start + filler))} == {"degenerate"}


def test_groups_of_one_scored_rollout_are_no_groups() -> None:
    rows = [rollout(i, RIGHT) for i in range(64)]
    rows += [rollout(i, Unscored(Cause.GOLD, "bad")) for i in range(16)]
    assert alarms([rows] * 10) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("  \n ", "it is empty"),
        ("so " * 10, "it is mostly one word"),
        ("I will now check this once more. " * 40, "it repeats itself"),
        ("<think>" + "Wait, let me check this again. " * 60, "it repeats itself"),
        ("!?.,;:" * 40, "it is nearly all punctuation"),
    ],
)
def test_degenerate_responses_fire(text: str, why: str) -> None:
    def step(number: int, bad: int) -> list[Rollout]:
        rows = healthy(number)
        for row in rows[:bad]:
            row.messages[-1] = {"role": "assistant", "content": text}
        return rows

    found = alarms([step(number, 0 if number < 10 else 48) for number in range(20)])
    assert [name for _, name in names(found)] == ["degenerate"]
    assert why in found[0][1].message
    assert "0% over the first 5" in found[0][1].message


def test_a_task_whose_answers_look_degenerate_from_the_start_is_no_alarm() -> None:
    def step(number: int) -> list[Rollout]:
        rows = healthy(number)
        for row in rows[:40]:
            row.messages[-1] = {"role": "assistant", "content": "go " * 100}
        return rows

    assert alarms([step(number) for number in range(20)]) == []


def test_tool_calls_without_text_are_not_empty() -> None:
    def step(number: int) -> list[Rollout]:
        rows = healthy(number)
        for row in rows:
            row.messages[-1] = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
        return rows

    assert alarms([step(number) for number in range(10)]) == []


def test_long_hostile_text_is_looked_at_in_part() -> None:
    """A megabyte a response: the end alone is read, where the loop is."""
    text = PROSE + "x" * 1_000_000 + " again and again" * 3000
    rows = [rollout(i // 8, RIGHT if i % 2 else WRONG, text) for i in range(32)]
    assert "degenerate" in {name for _, name in names(alarms([rows] * 8))}


def test_cut_responses_fire_and_TRLs_figure_stands_in_for_rollouts() -> None:
    def step(number: int) -> list[Rollout]:
        rows = healthy(number)
        for row in rows[::3]:
            row.stop = "length"
        return rows

    found = alarms([step(number) for number in range(8)])
    assert names(found) == [(5, "truncation")]
    assert "34% of the responses were cut" in found[0][1].message
    assert names(alarms([[]] * 8, [{"completions/clipped_ratio": 0.5}] * 8)) == [(5, "truncation")]


# No spam; switches; odd input


def cut_at(steps: set[int], last: int) -> Iterator[dict[str, Any]]:
    for step in range(1, last + 1):
        yield {"completions/clipped_ratio": 1.0 if step in steps else 0.0}


def test_a_warning_that_stands_is_given_again_every_so_many_steps() -> None:
    always = [{"completions/clipped_ratio": 1.0}] * 60
    found = alarms([[]] * 60, always, Guards(GuardConfig(repeat_every=20)))
    assert names(found) == [(5, "truncation"), (25, "truncation"), (45, "truncation")]


def test_a_warning_is_given_again_after_it_was_fine_for_a_while() -> None:
    # Over five steps the mean is over a quarter from two cut steps on.
    once = list(cut_at(set(range(1, 8)), 40))
    twice = list(cut_at(set(range(1, 8)) | set(range(25, 40)), 40))
    flapping = list(cut_at(set(range(1, 41)) - set(range(10, 14)), 40))
    assert names(alarms([[]] * 40, once)) == [(5, "truncation")]
    assert names(alarms([[]] * 40, twice)) == [(5, "truncation"), (26, "truncation")]
    assert names(alarms([[]] * 40, flapping)) == [(5, "truncation")]


@pytest.mark.parametrize("name", GuardConfig.names())
def test_each_is_one_line_to_switch_off(name: str) -> None:
    awful = [
        rollout(i // 8, Unscored(Cause.GOLD, "") if i % 2 else WRONG, "", 40, "length")
        for i in range(64)
    ]
    long = [
        rollout(i // 8, RIGHT if i % 2 else WRONG, tokens=90 if i % 2 else 9) for i in range(64)
    ]
    steps = [*[healthy(n) for n in range(6)], *[long] * 12, *[awful] * 8]
    metrics = [{"entropy": 0.5 if n < 6 else 0.001} for n in range(26)]
    found = {name for _, name in names(alarms(steps, metrics))}
    assert found == set(GuardConfig.names())
    off = Guards(GuardConfig(**{name: False}))
    assert {name for _, name in names(alarms(steps, metrics, off))} == found - {name}


def test_odd_metrics_and_unjudged_rollouts_are_ignored() -> None:
    odd = {
        "loss": None,
        "kl": float("nan"),
        "completions/clipped_ratio": "much",
        "entropy": 10**400,
    }
    assert alarms([[]] * 20, [odd] * 20) == []
    assert alarms([[rollout(0, None)]] * 20) == []


@pytest.mark.parametrize(
    "text", ["\ud800" * 5000, "\u202e" * 3000, "a" * 3_000_000, "</think>" * 2000, "\0" * 4000]
)
def test_hostile_texts_are_looked_at_like_others(text: str) -> None:
    rows = [rollout(i // 8, RIGHT if i % 2 else WRONG, text) for i in range(16)]
    assert {name for _, name in names(alarms([rows] * 6))} <= {"degenerate"}
    parts = rollout(0, RIGHT, [{"type": "text", "text": text}])  # type: ignore[arg-type]
    empty = rollout(0, RIGHT)
    empty.messages = []
    assert alarms([[parts, empty]]) == []


def test_a_length_that_isnt_known_is_counted_in_characters() -> None:
    guards = Guards()
    guards.check(1, [rollout(0, RIGHT, "abc", None), rollout(0, WRONG, "abcde", 7)], {})
    assert guards.figures["guards/length"] == 4


@pytest.mark.parametrize(
    "bad", [{"unscored_limit": 1.5}, {"unscored_limit": -0.1}, {"repeat_every": 0}]
)
def test_numbers_that_cant_be_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(bad))):
        GuardConfig(**bad)
