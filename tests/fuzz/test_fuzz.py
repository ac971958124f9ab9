"""A response never causes "no verdict", nor holds the caller's thread: a short fuzz of every verifier.

`make fuzz` runs the same for as long as one likes. What it finds is kept in `test_fuzz_cases.py`.
"""

from __future__ import annotations

import random

import pytest

from rlvr.verifiers.math import Math
from tests.tiers import Sample, spread
from tools.fuzz.__main__ import main
from tools.fuzz.answers import KINDS, OVER, Judged, a_gold, judge
from tools.fuzz.rules import look, look_at_length
from tools.fuzz.subjects import Subject, options_of, subjects, verifier_classes
from tools.fuzz.texts import GENERATORS, LONG_UNITS, responses

SEED = 7


def _texts(place: int, subject: Subject) -> list[str]:
    """Return two responses: over the subjects, every generator has its turn."""
    texts = responses(SEED + place, subject.known)
    return [texts[place % len(texts)], texts[(place * 3 + 1) % len(texts)]]


@pytest.mark.usefixtures("data")
def test_every_verifier_keeps_the_rules(sample: Sample) -> None:
    every = list(enumerate(subjects(SEED)))
    named = {subject.name for _, subject in every}
    assert {
        "Math",
        "Sql",
        "Instructions",
        "Format",
        "Coherent",
        "Code",
        "Judge",
        "composition",
    } <= named
    assert {"env sudoku", "reply shop", "reply sql_explore", "instruction format:emoji"} <= named
    checks = [one for one in every if one[1].name.startswith("instruction ")]
    kept = [one for one in every if one not in checks] + sample(checks, 15)
    found = [
        str(finding) for place, subject in kept for finding in look(subject, _texts(place, subject))
    ]
    assert found == []


@pytest.mark.usefixtures("data")
def test_long_runs_take_little_of_the_callers_thread() -> None:
    found = []
    for place, subject in enumerate(subjects(SEED)):
        if not subject.name.startswith("instruction "):
            unit = spread(LONG_UNITS, len(LONG_UNITS))[place % len(LONG_UNITS)]
            found += [str(one) for one in look_at_length(subject, unit)]
    assert found == []


def _judged(count: int, seed: int) -> Judged:
    *_, judged = judge(count, seed)
    return judged


def test_answers_to_mathematics_have_verdicts() -> None:
    judged = _judged(1000, SEED)
    # Whether an answer is over its limit depends on the machine; the sweep below looks at that.
    assert [str(one) for one in judged.findings if one.what != OVER] == []
    assert judged.cases == 1000
    assert judged.statuses["correct"] > 50


def test_golds_of_each_kind_are_made() -> None:
    rng = random.Random(0)
    for kind in KINDS:
        golds = {a_gold(rng, kind) for _ in range(200)}
        assert len(golds) > 8, kind
        assert not any("@" in gold for gold in golds)


def test_options_and_classes_are_found_by_looking() -> None:
    assert set(options_of(Math)) == set(Math.options)
    assert {kind.__name__ for kind in verifier_classes()} >= {"Math", "Look", "ReasoningGym"}
    assert len(GENERATORS) == 7


def test_the_command_prints_counts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "0.5", "--only", "Format"]) == 0
    assert "0 findings  Format" in capsys.readouterr().out


@pytest.mark.sweep
def test_many_answers_to_mathematics_are_within_their_limits() -> None:
    assert [str(one) for one in _judged(40_000, 1000).findings] == []


@pytest.mark.sweep
@pytest.mark.usefixtures("data")
def test_a_longer_fuzz_finds_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "180", "--seed", "1000"]) == 0, capsys.readouterr().out
