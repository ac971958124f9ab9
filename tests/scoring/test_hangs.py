"""A verification that overstays costs its one item, and is blamed on whom it was working for."""

import ctypes
import importlib
import os
import signal
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from processes import alive, eventually
from verifiers_used import CORRECT, TASK, Acts

import rlvr
from rlvr.scoring import Pool, score


def spin(pool: Pool, blames: str | None) -> rlvr.Verdict:
    return score([TASK], ["spin"], Acts(blames), limit_s=0.3, pool=pool)[0]


def test_hanging_on_the_response_is_the_models_limit(pool: Pool) -> None:
    verdict = spin(pool, "response")
    assert isinstance(verdict, rlvr.Scored)
    assert (verdict.reward, verdict.status) == (0.0, rlvr.Status.LIMIT)
    assert verdict.components == {"acts": 0.0}
    assert "0.3 s" in verdict.feedback


@pytest.mark.parametrize(
    ("blames", "cause"), [("reference", rlvr.Cause.GOLD), (None, rlvr.Cause.TIMEOUT)]
)
def test_hanging_on_anything_else_is_unscored(
    pool: Pool, blames: str | None, cause: rlvr.Cause
) -> None:
    verdict = spin(pool, blames)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is cause


def test_what_was_said_about_one_item_is_forgotten_at_the_next(lone: Pool) -> None:
    """The same worker first judges a response, then hangs without having said anything."""
    assert score([TASK], ["right"], Acts("response"), pool=lone) == [CORRECT]
    verdict = spin(lone, None)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.TIMEOUT


def test_a_hang_costs_one_item_and_the_next_is_unharmed(lone: Pool) -> None:
    responses = ["right", "spin", "right", "say after"]
    verdicts = score([TASK] * 4, responses, Acts(), limit_s=0.3, pool=lone)
    assert verdicts[0] == verdicts[2] == CORRECT
    assert isinstance(verdicts[1], rlvr.Unscored)
    assert verdicts[1].cause is rlvr.Cause.TIMEOUT
    assert isinstance(verdicts[3], rlvr.Scored)
    assert verdicts[3].feedback == "after"


@pytest.mark.parametrize("response", ["sleep 60", "stop"])
def test_waiting_is_never_the_models_limit(pool: Pool, response: str) -> None:
    """A worker that is stopped, or gets no processor, says nothing about the response."""
    (verdict,) = score([TASK], [response], Acts("response"), limit_s=0.3, pool=pool)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.TIMEOUT
    assert "twice" in verdict.message


@pytest.mark.skipif(
    sys.platform != "linux", reason="no other system says who waits for a processor"
)
def test_a_worker_that_others_keep_from_its_processor_has_more_time(lone: Pool) -> None:
    """What the machine does beside must not decide: right stays right, and a hang a hang."""
    verifier = Acts("response")

    def judged(response: str) -> rlvr.Verdict:
        return score([TASK], [response], verifier, limit_s=1.0, pool=lone)[0]

    assert judged("crowded burn 0.7") == CORRECT
    verdict = judged("crowded spin")
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.status is rlvr.Status.LIMIT


def test_a_worker_stopped_from_outside_is_replaced_and_its_item_judged(
    lone: Pool, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    future = lone.submit(Acts("response"), TASK, f"first {file}", limit_s=1.0)
    assert eventually(file.exists)
    pid = int(file.read_text())
    os.kill(pid, signal.SIGSTOP)
    assert future.result(120) == CORRECT
    assert eventually(lambda: not alive(pid))


def test_the_clock_starts_when_an_item_runs(lone: Pool) -> None:
    """Twelve items wait for one worker, over a second in all, and each may run one second."""
    verdicts = score([TASK] * 12, ["sleep 0.1"] * 12, Acts("response"), limit_s=1.0, pool=lone)
    assert verdicts == [CORRECT] * 12


def test_an_answer_given_in_time_counts_when_it_is_read_late(lone: Pool) -> None:
    """Another thread keeps the interpreter to itself, so the dispatcher sleeps through the deadline."""
    assert lone.submit(Acts(), TASK, "right").result(120) == CORRECT
    future = lone.submit(Acts("response"), TASK, "burn 0.2", limit_s=0.35)
    ctypes.PyDLL(None).sleep(1)  # PyDLL: without letting go of the interpreter
    assert future.result(120) == CORRECT


def test_an_item_may_have_its_whole_limit(pool: Pool) -> None:
    (verdict,) = score([TASK], ["sleep 0.1"], Acts(), limit_s=30, deadline_s=30, pool=pool)
    assert verdict == CORRECT


@pytest.mark.parametrize("limit_s", [1e9, float("inf")])
def test_a_limit_may_be_as_good_as_none(pool: Pool, limit_s: float) -> None:
    """The system's wait counts in milliseconds and 32 bits."""
    future = pool.submit(Acts(), TASK, "sleep 0.1", limit_s=limit_s)
    assert future.result(120) == CORRECT


def test_a_limit_that_is_no_number_costs_its_item_apool(pool: Pool) -> None:
    futures: list[Future[rlvr.Verdict]] = [
        pool.submit(Acts(), TASK, "right", limit_s=limit)  # type: ignore[arg-type]
        for limit in ("soon", 20)
    ]
    verdict = futures[0].result(120)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.INTERNAL
    assert futures[1].result(120) == CORRECT


def test_what_a_verifier_had_started_ends_with_its_worker(lone: Pool, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    future = lone.submit(Acts(), TASK, f"child {file}", limit_s=0.5)
    assert eventually(file.exists)
    child = int(file.read_text())
    assert isinstance(future.result(120), rlvr.Unscored)
    assert eventually(lambda: not alive(child))


@pytest.fixture
def heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], rlvr.Verifier]:
    """A verifier whose module takes so many seconds to import, in a worker alone."""

    def make(seconds: float) -> rlvr.Verifier:
        name = f"imports_for_{str(seconds).replace('.', '_')}"
        source = f"""
            import os, time, rlvr
            if os.getpid() != {os.getpid()}:
                time.sleep({seconds})
            class Heavy(rlvr.Verifier):
                name = "heavy"
                def verify(self, task, response):
                    rlvr.working_on("response")
                    while response == "spin":
                        pass
                    return rlvr.Scored(1.0, rlvr.Status.CORRECT, {{"heavy": 1.0}})
        """
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        monkeypatch.syspath_prepend(tmp_path)
        verifier: rlvr.Verifier = importlib.import_module(name).Heavy()
        return verifier

    return make


def test_loading_a_verifier_is_on_nobodys_clock(
    lone: Pool, heavy: Callable[[float], rlvr.Verifier]
) -> None:
    """A module that imports torch takes longer than its verifier may take to judge."""
    verifier = heavy(1.5)

    def judged(response: str) -> rlvr.Verdict:
        return score([TASK], [response], verifier, limit_s=0.4, pool=lone)[0]

    verdicts = [judged("a"), judged("spin"), judged("b")]
    assert [getattr(v, "reward", v) for v in verdicts] == [1.0, 0.0, 1.0]
    assert isinstance(verdicts[1], rlvr.Scored)
    assert verdicts[1].status is rlvr.Status.LIMIT


def test_loading_without_end_is_named(
    lone: Pool, heavy: Callable[[float], rlvr.Verifier], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlvr.scoring.handle.LOAD_S", 1.0)
    (verdict,) = score([TASK], ["a"], heavy(60), limit_s=0.2, pool=lone)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.TIMEOUT
    assert "loading heavy" in verdict.message
