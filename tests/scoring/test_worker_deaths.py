"""A worker that dies costs nothing at first, and its one item where it dies again."""

import os
import signal
from pathlib import Path

import pytest
from processes import children, eventually, new_template, open_files, templates
from verifiers_used import CORRECT, TASK, Acts

import rlvr
from rlvr.scoring import Pool, score


def judge(pool: Pool, response: str, blames: str | None = None) -> rlvr.Verdict:
    return score([TASK], [response], Acts(blames), pool=pool)[0]


def test_a_worker_killed_from_outside_is_replaced_and_its_item_judged(
    lone: Pool, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    future = lone.submit(Acts("response"), TASK, f"first {file}")
    assert eventually(file.exists)
    os.kill(int(file.read_text()), signal.SIGKILL)
    assert future.result(120) == CORRECT


def test_an_idle_worker_killed_from_outside_is_replaced(lone: Pool) -> None:
    first = judge(lone, "pid")
    assert isinstance(first, rlvr.Scored)
    os.kill(first.detail["pid"], signal.SIGKILL)
    second = judge(lone, "pid")
    assert isinstance(second, rlvr.Scored)
    assert second.detail["pid"] != first.detail["pid"]


@pytest.mark.parametrize(
    ("death", "how"),
    [
        ("kill", "signal 9"),
        ("segfault", "signal 11"),
        ("exit 3", "exit status 3"),
        ("exit 0", "exit status 0"),
    ],
)
def test_a_verifier_that_always_dies_is_unscored(pool: Pool, death: str, how: str) -> None:
    """Also by exit status 0, which is how a worker retires."""
    verdict = judge(pool, death)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.INTERNAL
    assert how in verdict.message


def test_dying_twice_is_blamed_like_hanging(pool: Pool) -> None:
    on_response = judge(pool, "segfault", "response")
    assert isinstance(on_response, rlvr.Scored)
    assert on_response.status is rlvr.Status.LIMIT
    on_reference = judge(pool, "segfault", "reference")
    assert isinstance(on_reference, rlvr.Unscored)
    assert on_reference.cause is rlvr.Cause.GOLD


@pytest.mark.parametrize(("action", "what"), [("memory", "memory"), ("recurse", "stack")])
def test_running_out_is_blamed_like_hanging(action: str, what: str) -> None:
    with Pool(1, memory_mb=200) as narrow:
        check_running_out(narrow, action, what)


def check_running_out(pool: Pool, action: str, what: str) -> None:
    on_response = judge(pool, action, "response")
    assert isinstance(on_response, rlvr.Scored)
    assert on_response.status is rlvr.Status.LIMIT
    assert what in on_response.feedback
    on_reference = judge(pool, action, "reference")
    assert isinstance(on_reference, rlvr.Unscored)
    assert on_reference.cause is rlvr.Cause.GOLD
    on_nothing = judge(pool, action)
    assert isinstance(on_nothing, rlvr.Unscored)
    assert on_nothing.cause is rlvr.Cause.INTERNAL


def test_a_worker_that_ran_out_is_not_used_again(lone: Pool) -> None:
    before = judge(lone, "pid")
    judge(lone, "recurse")
    after = judge(lone, "pid")
    assert isinstance(before, rlvr.Scored)
    assert isinstance(after, rlvr.Scored)
    assert before.detail["pid"] != after.detail["pid"]


def test_the_memory_limit_is_the_pools(pool: Pool) -> None:
    """What fits in one pool's limit doesn't fit in another's."""
    verifier = Acts("response")
    with Pool(1, memory_mb=64) as narrow:
        (refused,) = score([TASK], ["say " + "x" * (30 << 20)], verifier, pool=narrow)
    (judged,) = score([TASK], ["say " + "x" * (30 << 20)], verifier, pool=pool)
    assert getattr(refused, "reward", None) != 1.0
    assert isinstance(judged, rlvr.Scored)
    assert judged.reward == 1.0


@pytest.mark.sweep
def test_dead_workers_leave_no_open_files_and_no_zombies() -> None:
    others = set(templates())
    with Pool(2) as pool:
        score([TASK] * 4, ["right"] * 4, Acts(), pool=pool)
        template = new_template(others)
        before = open_files()
        verdicts = score([TASK] * 100, ["exit 3"] * 100, Acts(), pool=pool)
        assert not any(verdict.scored for verdict in verdicts)
        assert score([TASK] * 4, ["right"] * 4, Acts(), pool=pool) == [CORRECT] * 4
        assert eventually(lambda: open_files() <= before)
        assert eventually(lambda: len(children(template)) == 2)
        assert "Z" not in children(template).values()


@pytest.mark.sweep
def test_killed_workers_leave_no_open_files_and_no_zombies() -> None:
    others = set(templates())
    with Pool(2) as pool:
        score([TASK] * 4, ["right"] * 4, Acts(), pool=pool)
        template = new_template(others)
        before = open_files()
        verdicts = score([TASK] * 100, ["sleep 60"] * 100, Acts(), limit_s=0.01, pool=pool)
        assert not any(verdict.scored for verdict in verdicts)
        assert eventually(lambda: open_files() <= before)
        assert eventually(lambda: len(children(template)) == 2)
        assert "Z" not in children(template).values()
