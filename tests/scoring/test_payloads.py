"""What travels: responses, verdicts and faults of any size and shape, each of them its item's alone."""

import shutil
import sys
import threading
from pathlib import Path

import pytest
from verifiers_used import CORRECT, TASK, Acts, Echo

import rlvr
from rlvr.scoring import Pool, score


def judge(pool: Pool, response: str, blames: str | None = "response") -> rlvr.Verdict:
    return score([TASK], [response], Acts(blames), pool=pool)[0]


@pytest.mark.parametrize(
    "response", ["", "\ud800 lone \udfff", "nul \0 nul", "\U0001f600", "x" * 5_000_000]
)
def test_any_text_arrives_as_it_was(pool: Pool, response: str) -> None:
    (verdict,) = score([TASK], [response], Echo(), pool=pool)
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.feedback == response


def test_large_verdicts_arrive_whole_and_in_order(pool: Pool) -> None:
    responses = [str(i) * 10 for i in range(8)]
    verdicts = score([TASK] * 8, responses, Echo(500_000), pool=pool)
    for response, verdict in zip(responses, verdicts, strict=True):
        assert isinstance(verdict, rlvr.Scored)
        assert verdict.feedback == response * 500_000


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ("raise the reason", "ValueError: the reason"),
        ("raise-badly", "WaitError"),
        ("sys-exit 0", "SystemExit"),
        ("input", "EOFError"),
        ("nonsense", "returned str, not a verdict"),
        ("unpicklable", "can't be pickled"),
        ("poison", "doesn't load in the scorer's process"),
    ],
)
def test_a_verifiers_fault_is_unscored_and_its_items_alone(
    pool: Pool, response: str, message: str
) -> None:
    """Even after it said it works on the response: this isn't the model's doing."""
    verdicts = score([TASK] * 3, ["right", response, "right"], Acts("response"), pool=pool)
    assert verdicts[0] == verdicts[2] == CORRECT
    fault = verdicts[1]
    assert isinstance(fault, rlvr.Unscored)
    assert fault.cause is rlvr.Cause.INTERNAL
    assert message in fault.message


def test_cannot_score_names_its_cause(pool: Pool) -> None:
    assert judge(pool, "cannot read it") == rlvr.Unscored(rlvr.Cause.GOLD, "read it")


def test_a_verifier_that_cant_be_sent_is_unscored(pool: Pool) -> None:
    verifier = Acts()
    verifier.lock = threading.Lock()  # type: ignore[attr-defined]
    (verdict,) = score([TASK], ["right"], verifier, pool=pool)
    assert isinstance(verdict, rlvr.Unscored)
    assert "can't be sent to a worker" in verdict.message


def test_a_task_that_cant_be_sent_is_unscored(pool: Pool) -> None:
    tasks = [TASK, rlvr.Task("p", "r", metadata={"function": lambda: None})]
    verdicts = score(tasks, ["right"] * 2, Acts(), pool=pool)
    assert verdicts[0] == CORRECT
    assert isinstance(verdicts[1], rlvr.Unscored)
    assert verdicts[1].cause is rlvr.Cause.INTERNAL


def test_a_verifier_that_doesnt_load_says_why_each_time(
    lone: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker was sent it once; the second item has to hear the reason, not that it's unknown."""
    module = tmp_path / "vanishing.py"
    module.write_text(
        "import os, rlvr\n"
        "class Vanishing(rlvr.Verifier):\n"
        "    name = 'vanishing'\n"
        "    def verify(self, task, response):\n"
        "        raise AssertionError\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import vanishing  # type: ignore[import-not-found]

    module.unlink()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    verdicts = score([TASK] * 3, ["a"] * 3, vanishing.Vanishing(), pool=lone)
    for verdict in verdicts:
        assert isinstance(verdict, rlvr.Unscored)
        assert "No module named 'vanishing'" in verdict.message


def test_modules_found_on_a_path_that_came_later_load(
    lone: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a notebook: the workers run already when sys.path grows."""
    assert judge(lone, "right") == CORRECT
    (tmp_path / "found_later.py").write_text(
        "import rlvr\n"
        "class Found(rlvr.Verifier):\n"
        "    name = 'found'\n"
        "    def verify(self, task, response):\n"
        "        return rlvr.Scored(1.0, rlvr.Status.CORRECT, {}, response)\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    import found_later  # type: ignore[import-not-found]

    (verdict,) = score([TASK], ["hello"], found_later.Found(), pool=lone)
    assert isinstance(verdict, rlvr.Scored)
    assert verdict.feedback == "hello"


def test_a_verifier_changed_between_calls_is_the_changed_one_in_workers(lone: Pool) -> None:
    verifier = Echo(1)
    (once,) = score([TASK], ["ab"], verifier, pool=lone)
    verifier.times = 2
    (twice,) = score([TASK], ["ab"], verifier, pool=lone)
    assert isinstance(once, rlvr.Scored)
    assert isinstance(twice, rlvr.Scored)
    assert (once.feedback, twice.feedback) == ("ab", "abab")


@pytest.mark.sweep
def test_many_verifiers_take_turns_in_one_worker(lone: Pool) -> None:
    """More than a worker keeps, so that some are sent again."""
    verifiers = [Echo(times) for times in range(1, 201)]
    for verifier in [*verifiers, *verifiers[:3], *reversed(verifiers)]:
        (verdict,) = score([TASK], ["a"], verifier, pool=lone)
        assert isinstance(verdict, rlvr.Scored)
        assert len(verdict.feedback) == verifier.times


@pytest.mark.sweep
def test_old_verifiers_dont_fill_a_workers_memory() -> None:
    """Or the next response would be told that it ran out of memory."""

    class Heavy(Echo):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.ballast = bytes([number % 256]) * (1 << 20)

        def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
            rlvr.working_on("response")
            return super().verify(task, response[: len(bytearray(60 << 20))])

    with Pool(1, memory_mb=150) as narrow:
        for number in range(140):
            (verdict,) = score([TASK], ["a"], Heavy(number), pool=narrow)
            assert float(verdict) == 1.0
