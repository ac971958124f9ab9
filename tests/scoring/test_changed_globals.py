"""A verifier's globals and containers reach the workers when they change; exceptions name the author's file."""

from __future__ import annotations

from collections.abc import Iterator

import cloudpickle
import pytest
from processes import eventually

import rlvr
from rlvr.scoring import pickles

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
    packer = pickles.Packer()
    keys = set()
    for _ in range(5):
        pickles.new_batch()
        keys.add(packer.pack(near).key)
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


LIMIT = 0
PAIR = (0, "unused")


def limit() -> int:
    return LIMIT


@rlvr.verifier
def by_number(task: rlvr.Task, answer: str) -> bool:
    return abs(float(answer) - float(task.reference)) <= LIMIT


@rlvr.verifier
def by_tuple(task: rlvr.Task, answer: str) -> bool:
    return abs(float(answer) - float(task.reference)) <= PAIR[0]


@rlvr.verifier
def by_function(task: rlvr.Task, answer: str) -> bool:
    return abs(float(answer) - float(task.reference)) <= limit()


@rlvr.verifier
def inside(task: rlvr.Task, answer: str) -> bool:
    return all(abs(float(text) - float(task.reference)) <= LIMIT for text in [answer])


def by_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this module's functions pickled as a script's are."""
    for function in (limit, by_number.judge, by_tuple.judge, by_function.judge, inside.judge):
        monkeypatch.setattr(function, "__module__", "__main__")


@pytest.mark.parametrize("verifier", [by_number, by_tuple, by_function, inside])
def test_each_replaced_global_is_noticed_without_pickling(
    verifier: rlvr.Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_value(monkeypatch)
    packer = pickles.Packer()
    pickled = packer.pack(verifier)
    assert pickled.watched is not None
    pickles.new_batch()
    assert packer.pack(verifier) is pickled
    monkeypatch.setitem(globals(), "LIMIT", 2)
    monkeypatch.setitem(globals(), "PAIR", (2, "unused"))
    assert packer.pack(verifier).key != pickled.key
    assert reward(verifier) == 1.0


def test_a_closures_variable_and_a_default_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    tolerance = 0

    def near_enough(task: rlvr.Task, answer: str, more: int = 0) -> bool:
        return abs(float(answer) - float(task.reference)) <= tolerance + more

    verifier = rlvr.verifier(near_enough)
    assert reward(verifier) == 0.0
    tolerance = 2
    assert reward(verifier) == 1.0
    tolerance = 0
    assert reward(verifier) == 0.0
    near_enough.__defaults__ = (2,)
    assert reward(verifier) == 1.0


@pytest.mark.parametrize("part", [[0], {"a": 0}, {0}, bytearray(b"0"), Listed(), ([0],)])
def test_a_part_that_can_change_in_place_is_compared_by_its_pickle(part: object) -> None:
    def uses(task: rlvr.Task, answer: str) -> bool:
        return bool(part)

    assert pickles.Packer().pack(rlvr.verifier(uses)).watched is None
