"""A verifier's globals and containers reach the workers when they change; exceptions name the author's file."""

from __future__ import annotations

from collections.abc import Iterator

import cloudpickle
import pytest
from processes import eventually

import rlvr
from rlvr.scoring import job

RULES = {"tolerance": 0}
TASK = rlvr.Task("What is 5 + 5?", "10")


@pytest.fixture(autouse=True)
def rules() -> Iterator[None]:
    global RULES
    yield
    RULES = {"tolerance": 0}


@rlvr.verifier
def near(task: rlvr.Task, answer: str) -> bool:
    if answer == "x":
        raise KeyError("on purpose")
    return abs(float(answer) - float(task.reference)) <= RULES["tolerance"]


class Listed(rlvr.Verifier):
    """Accepts the words of its list."""

    name = "listed"

    def __init__(self) -> None:
        self.words: list[str] = []

    def verify(self, task: rlvr.Task, response: str) -> rlvr.Verdict:
        status = rlvr.Status.CORRECT if response in self.words else rlvr.Status.INCORRECT
        return rlvr.Scored(float(response in self.words), status)


def reward(verifier: rlvr.Verifier, response: str = "\\boxed{11}") -> float:
    (verdict,) = rlvr.score([TASK], [response], verifier)
    assert isinstance(verdict, rlvr.Scored), verdict
    return verdict.reward


@pytest.mark.parametrize(
    ("verifier", "full"), [(near, 1.0), (0.9 * near + 0.1 * rlvr.Format.boxed(), 1.0)]
)
def test_a_changed_global_changes_the_next_verdict(verifier: rlvr.Verifier, full: float) -> None:
    global RULES
    before = reward(verifier)
    assert before < full
    RULES["tolerance"] = 2
    assert reward(verifier) == full
    RULES = {"tolerance": 0}
    assert reward(verifier) == before


def test_a_changed_global_reaches_single_submissions() -> None:
    from rlvr.scoring import submit

    def submitted() -> float:
        future = submit(TASK, "\\boxed{11}", near)
        verdict = future if isinstance(future, rlvr.Scored | rlvr.Unscored) else future.result()
        assert isinstance(verdict, rlvr.Scored)
        return verdict.reward

    assert submitted() == 0.0
    RULES["tolerance"] = 2
    # Outside of a batch, comparing may take a twentieth of the time: soon, and not at once.
    assert eventually(lambda: submitted() == 1.0)


def test_a_list_that_grows_in_place_changes_the_next_verdict() -> None:
    verifier = Listed()
    assert reward(verifier, "word") == 0.0
    verifier.words.append("word")
    assert reward(verifier, "word") == 1.0


def test_what_did_not_change_is_sent_once() -> None:
    packer = job.Packer()
    keys = set()
    for _ in range(5):
        job.new_batch()
        keys.add(packer.pack(near, TASK, "").key)
    assert len(keys) == 1


def test_an_exception_names_the_authors_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with cloudpickle 3.1.3, which calls each file <dynamic-code>."""
    kind = type(near.verify.__code__)
    reduce = cloudpickle.Pickler.dispatch_table[kind]

    def anonymous(code: object) -> object:
        make, arguments = reduce(code)
        return make, tuple(
            "<dynamic-code>" if isinstance(value, str) and value.endswith(".py") else value
            for value in arguments
        )

    monkeypatch.setitem(cloudpickle.Pickler.dispatch_table.maps[0], kind, anonymous)
    verifier = rlvr.verifier(near.judge, name="again")
    (verdict,) = rlvr.score([TASK], ["\\boxed{x}"], verifier)
    assert isinstance(verdict, rlvr.Unscored)
    assert f"({__file__}, line " in verdict.message
