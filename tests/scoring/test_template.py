"""The template process may die too: everything is still judged, and nothing waits for ever."""

import os
import shutil
import signal
import sys
import threading
import warnings
from pathlib import Path

import pytest
from processes import alive, eventually, new_template, templates
from verifiers_used import CORRECT, TASK, Acts

import rlvr
from rlvr.core.errors import PoolError
from rlvr.scoring import Pool, score

pytestmark = pytest.mark.filterwarnings("ignore:.*template process ended")


def test_a_template_killed_in_the_middle_of_a_batch_costs_nothing(tmp_path: Path) -> None:
    responses = ["sleep 0.02"] * 40
    responses[10] = f"kill-template-once {tmp_path / 'done'}"
    with Pool(2) as pool:
        assert score([TASK] * 40, responses, Acts("response"), pool=pool) == [CORRECT] * 40
    assert (tmp_path / "done").exists()


def test_a_template_killed_while_it_starts_costs_nothing() -> None:
    """It hasn't read what it was asked for yet, so its socket ends with a reset."""
    others = set(templates())
    with Pool(2) as pool:
        future = pool.submit(Acts(), TASK, "right")
        template = new_template(others)
        os.kill(template, signal.SIGKILL)
        assert future.result(120) == CORRECT


def test_its_workers_end_with_it() -> None:
    others = set(templates())
    with Pool(1) as pool:
        before = pool.submit(Acts(), TASK, "pid").result(120)
        assert isinstance(before, rlvr.Scored)
        template = new_template(others)
        os.kill(template, signal.SIGKILL)
        assert eventually(lambda: not alive(before.detail["pid"]))
        assert pool.submit(Acts(), TASK, "right").result(120) == CORRECT


def test_warnings_that_are_errors_dont_stop_the_restart(lone: Pool, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        response = f"kill-template-once {tmp_path / 'done'}"
        assert lone.submit(Acts(), TASK, response).result(120) == CORRECT


def test_a_verifier_that_always_kills_it_is_unscored(lone: Pool) -> None:
    verdict = lone.submit(Acts("response"), TASK, "kill-template").result(120)
    assert isinstance(verdict, rlvr.Unscored)
    assert verdict.cause is rlvr.Cause.INTERNAL
    assert "template" in verdict.message
    assert lone.submit(Acts(), TASK, "right").result(120) == CORRECT


def test_a_stopped_template_is_ended_at_close() -> None:
    others = set(templates())
    pool = Pool(1)
    assert pool.submit(Acts(), TASK, "right").result(120) == CORRECT
    template = new_template(others)
    os.kill(template, signal.SIGSTOP)
    pool.close()
    assert not alive(template)


@pytest.fixture
def no_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    program = tmp_path / "python"
    monkeypatch.setattr(sys, "executable", str(program))
    return program


def test_where_it_cant_be_started_the_caller_hears_it(no_interpreter: Path) -> None:
    pool = Pool(1)
    for _ in range(2):
        with pytest.raises(PoolError, match="can't start"):
            pool.submit(Acts(), TASK, "right")
    pool.close()


def test_where_it_always_dies_at_its_start_all_that_waits_is_unscored(
    no_interpreter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And callers that wait for room in the queue are let go; a later submit tries anew."""
    no_interpreter.symlink_to(str(shutil.which("false")))
    with Pool(1, max_queued=2) as pool:
        verdicts: list[rlvr.Verdict] = []

        def one() -> None:
            verdicts.append(pool.submit(Acts(), TASK, "right").result(120))

        threads = [threading.Thread(target=one) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert len(verdicts) == 8
        for verdict in verdicts:
            assert isinstance(verdict, rlvr.Unscored)
            assert verdict.cause is rlvr.Cause.INTERNAL
        monkeypatch.undo()
        assert pool.submit(Acts(), TASK, "right").result(120) == CORRECT
