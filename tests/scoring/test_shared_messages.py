"""Several jobs in one message: each has its own limit and blame, and none waits behind another one that is slow."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import eventually
from verifiers_used import CORRECT, TASK, Acts, Echo

import rlvr
from rlvr.scoring import Pool, score
from rlvr.scoring.pickles import Pickled


@pytest.fixture(autouse=True)
def _always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Share messages however long a verification takes."""
    monkeypatch.setattr("rlvr.scoring.job_queue._SHARE_S", math.inf)


@pytest.fixture
def pair() -> Iterator[Pool]:
    with Pool(2, memory_mb=300) as pool:
        yield pool


@pytest.mark.parametrize(
    ("bad", "status"),
    [("spin", "limit"), ("kill", "limit"), ("exit 3", "limit"), ("recurse", "limit"),
     ("memory", "limit"), ("sleep 60", None), ("raise it", None), ("unpicklable", None)],
)  # fmt: skip
def test_the_others_are_judged_and_the_bad_one_is_named(
    pair: Pool, bad: str, status: str | None
) -> None:
    responses = ["right"] * 60
    for place in (3, 40):
        responses[place] = bad
    verdicts = score([TASK] * 60, responses, Acts("response"), limit_s=0.3, pool=pair)
    for response, verdict in zip(responses, verdicts, strict=True):
        if response == "right":
            assert verdict == CORRECT
        else:
            assert getattr(verdict, "status", None) == status


def test_no_job_waits_behind_a_slow_one(tmp_path: Path) -> None:
    """The slow one ends when all others have their verdict: the other worker judges those behind it."""
    gate = tmp_path / "gate"
    with Pool(2) as pool:
        score([TASK] * 20, ["right"] * 20, Acts(), pool=pool)
        blockers = [pool.submit(Acts(), TASK, f"wait {tmp_path / name}") for name in "ab"]
        assert eventually(lambda: all(blocker.running() for blocker in blockers))
        slow = pool.submit(Acts(), TASK, f"wait {gate}")
        quick = [pool.submit(Acts(), TASK, "right") for _ in range(20)]
        (tmp_path / "a").touch()
        (tmp_path / "b").touch()
        assert [future.result(120) for future in quick] == [CORRECT] * 20
        assert not slow.done()
        gate.touch()
        assert slow.result(120) == CORRECT


def test_a_worker_killed_from_outside_costs_nothing(lone: Pool, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    futures = [lone.submit(Acts("response"), TASK, text) for text in ("right", f"first {file}")]
    futures += [lone.submit(Acts("response"), TASK, "right") for _ in range(30)]
    assert eventually(file.exists)
    os.kill(int(file.read_text()), signal.SIGKILL)
    assert [future.result(120) for future in futures] == [CORRECT] * 32


@pytest.mark.filterwarnings("ignore:.*template process ended")
def test_a_template_killed_costs_nothing(pair: Pool, tmp_path: Path) -> None:
    responses = ["right"] * 40
    responses[7] = f"kill-template-once {tmp_path / 'done'}"
    assert score([TASK] * 40, responses, Acts("response"), pool=pair) == [CORRECT] * 40


def test_large_and_small_keep_their_order(pair: Pool) -> None:
    responses = [str(i) * (1 if i % 7 else 60_000) for i in range(300)]
    verdicts = score([TASK] * 300, responses, Echo(), pool=pair)
    assert [getattr(verdict, "feedback", None) for verdict in verdicts] == responses


def test_several_verifiers_share_a_message(pair: Pool) -> None:
    """More than a worker keeps, so that some are sent again."""
    verifiers = [Echo(times) for times in range(1, 81)]
    futures = [pair.submit(v, TASK, "a") for _ in range(3) for v in verifiers]
    lengths = [len(getattr(future.result(120), "feedback", "")) for future in futures]
    assert lengths == [*range(1, 81)] * 3


def test_many_callers_of_one_item_each_and_a_batch(pair: Pool) -> None:
    """A caller that waits for its worker alone, beside the dispatcher."""
    verdicts: dict[int, list[str]] = {}

    def one(number: int) -> None:
        verdicts[number] = [
            getattr(score([TASK], [f"{number}.{i}"], Echo(), pool=pair)[0], "feedback", "")
            for i in range(30)
        ]

    threads = [threading.Thread(target=one, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    batch = score([TASK] * 300, ["right"] * 300, Acts(), pool=pair)
    for thread in threads:
        thread.join(120)
    assert batch == [CORRECT] * 300
    assert verdicts == {n: [f"{n}.{i}" for i in range(30)] for n in range(6)}


def test_a_verifier_is_known_to_be_quick_by_and_by_and_to_be_slow_at_once() -> None:
    pickled = Pickled(Echo(), 1, b"", {}, None, 0.0, 0.0, 0)
    assert pickled.expected_s == math.inf
    pickled.took(0.5)
    assert pickled.expected_s == 0.5
    pickled.took(0.0)
    assert 0.3 < pickled.expected_s < 0.5
    pickled.took(1.0)
    assert pickled.expected_s == 1.0


def test_modules_that_a_verifier_imports_are_there_before_its_clock_starts(lone: Pool) -> None:
    score([TASK], ["a"], Echo(), pool=lone)
    for _ in range(2):
        (verdict,) = score([TASK], ["sys"], NeedsModule(), pool=lone)
        assert isinstance(verdict, rlvr.Scored)
        assert verdict.detail["loaded"]


class NeedsModule(rlvr.Verifier):
    """Tells whether a module is imported that nothing else here imports."""

    name = "needs_module"
    worker_imports = ("this_is_no_module", "xml.dom.pulldom")

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        import sys

        loaded = "xml.dom.pulldom" in sys.modules
        return rlvr.Scored(1.0, rlvr.Status.CORRECT, {}, "", {"loaded": loaded})
