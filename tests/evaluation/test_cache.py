"""Verdicts on disk: found again where everything they depend on is the same, and only there."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

import rlvr
from rlvr import Scored, Status, Unscored
from rlvr.core.errors import DataError, DataWarning
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.base import Request
from rlvr.runs.cache import VerdictCache, identity
from rlvr.runs.report import Report

JUDGED: list[str] = []  # by the inline verifier below, which runs in this process


def judging(version: int = 1, full: float = 1.0) -> rlvr.Verifier:
    def same(task: rlvr.Task, answer: str) -> float | Unscored:
        JUDGED.append(answer)
        if answer == "broken":
            return Unscored(rlvr.Cause.JUDGE, "out of order")
        return full if answer == task.reference else 0.0

    made: rlvr.Verifier = rlvr.verifier(same, mode="whole", inline=True, version=version)
    return made


class Says:
    name = "says"

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers

    def respond(self, requests: list[Request]) -> list[str]:
        return [self.answers[int(request.task.id)] for request in requests]


def run(path: Path, verifier: rlvr.Verifier, answers: list[str], gold: str = "a") -> Report:
    tasks = [rlvr.Task(f"question {i}", gold, str(i)) for i in range(len(answers))]
    cache = VerdictCache(path)
    JUDGED.clear()
    try:
        report = evaluate(rlvr.SingleTurn(tasks, verifier), Says(answers), cache=cache)
        del JUDGED[0]  # the answer that is judged before the first request
        return report
    finally:
        cache.close()


def test_nothing_is_judged_twice(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "verdicts.sqlite"
    first = run(path, judging(), ["a", "b", "a"])
    assert JUDGED == ["a", "b", "a"]
    again = run(path, judging(), ["a", "b", "a"])
    assert JUDGED == []
    assert (again.mean, again.components) == (first.mean, first.components)
    run(path, judging(), ["b", "b", "a"])
    assert JUDGED == ["b"]


def test_another_version_option_gold_or_prompt_is_judged_anew(tmp_path: Path) -> None:
    path = tmp_path / "verdicts"
    run(path, judging(), ["a"])
    assert run(path, judging(version=2), ["a"]).mean.value == 1.0
    assert JUDGED == ["a"]
    assert run(path, judging(full=0.5), ["a"]).mean.value == 0.5
    assert JUDGED == ["a"]
    assert run(path, judging(), ["a"], gold="c").mean.value == 0.0
    assert JUDGED == ["a"]


def test_what_has_no_verdict_is_tried_again(tmp_path: Path) -> None:
    for _ in range(2):
        assert run(tmp_path / "verdicts", judging(), ["broken"]).unscored == {"judge": 1}
        assert JUDGED == ["broken"]


def test_limits_are_not_kept(tmp_path: Path) -> None:
    cache = VerdictCache(tmp_path / "verdicts")
    cache.put(b"slow", Scored(0.0, Status.LIMIT))
    cache.put(b"right", Scored(1.0, Status.CORRECT, {"x": 1.0}, "said", {"answer": "\ud800"}))
    cache.put(b"odd", Scored(1.0, Status.CORRECT, detail={"answer": object()}))
    cache.close()
    again = VerdictCache(tmp_path / "verdicts")
    assert again.get(b"slow") is None
    assert again.get(b"odd") is None
    assert again.get(b"right") == Scored(
        1.0, Status.CORRECT, {"x": 1.0}, "said", {"answer": "\ud800"}
    )
    again.close()


class Slow(rlvr.Verifier):
    name = "slow"

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        return Scored(0.0, Status.LIMIT, {"slow": 0.0})


def test_a_limit_in_a_part_is_not_kept_either(tmp_path: Path) -> None:
    whole = 0.9 * Slow() + 0.1 * rlvr.Format.boxed()
    (verdict,) = rlvr.score([rlvr.Task("q", "a")], ["\\boxed{a}"], whole)
    assert isinstance(verdict, Scored)
    assert (verdict.status, verdict.reward) == (Status.PARTIAL, 0.1)
    cache = VerdictCache(tmp_path / "verdicts")
    cache.put(b"x", verdict)
    assert cache.get(b"x") is None
    cache.close()


def test_an_identity_follows_what_decides() -> None:
    assert identity(rlvr.Math()) == identity(rlvr.Math())
    others = [
        rlvr.Math(), rlvr.Math(mode="flexible"), 0.5 * rlvr.Math(), 0.4 * rlvr.Math(),
        rlvr.Format.boxed() >> rlvr.Math(), rlvr.Format.boxed(), rlvr.Code(), rlvr.Code("fraction"),
        judging(), judging(version=2), judging(full=0.5),
    ]  # fmt: skip
    assert len({identity(one) for one in others}) == len(others)


def test_several_threads_and_processes_share_a_file(tmp_path: Path) -> None:
    caches = [VerdictCache(tmp_path / "verdicts") for _ in range(3)]  # as processes have them

    def fill(cache: VerdictCache, start: int) -> None:
        for i in range(start, start + 2500):
            cache.put(str(i).encode(), Scored(i / 10_000, Status.PARTIAL))

    threads = [threading.Thread(target=fill, args=(caches[i % 3], 2500 * i // 2)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for cache in caches:
        cache.close()
    whole = VerdictCache(tmp_path / "verdicts")
    for i in range(8750):
        found = whole.get(str(i).encode())
        assert isinstance(found, Scored)
        assert found.reward == i / 10_000
    whole.close()


def test_another_file_is_refused_and_a_broken_one_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing of the kind, and long enough to be no empty file")
    with pytest.raises(DataError, match="can't be used: file is not a database"):
        VerdictCache(tmp_path / "notes.txt")
    cache = VerdictCache(tmp_path / "verdicts")
    other = sqlite3.connect(tmp_path / "verdicts")
    other.execute("drop table verdicts")
    other.commit()
    other.close()
    with pytest.warns(DataWarning, match="isn't used any further"):
        assert cache.get(b"x") is None
    assert cache.get(b"x") is None
    cache.put(b"x", Scored(1.0, Status.CORRECT))
    cache.close()
