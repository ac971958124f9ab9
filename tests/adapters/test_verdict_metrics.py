"""The verdict in numbers: the same keys whatever it is."""

from __future__ import annotations

import math

import pytest

from rlvr import Cause, Scored, Status, Unscored, Verdict
from rlvr.adapters.metrics import verdict_metrics

VERDICTS: list[Verdict] = [
    *(Scored(0.5, status, {"math": 0.5, "surprise": 1.0}) for status in Status),
    *(Unscored(cause, "out of order") for cause in Cause),
]


@pytest.mark.parametrize("verdict", VERDICTS, ids=str)
def test_every_verdict_has_the_same_keys_and_one_mark(verdict: Verdict) -> None:
    found = verdict_metrics(verdict, ("math", "sql"), {"math"})
    assert list(found) == list(verdict_metrics(VERDICTS[0], ("math", "sql"), {"math"}))
    assert all(type(value) is float for value in found.values())
    marks = [name for name, value in found.items() if "/" in name and value == 1.0]
    which = verdict.status if isinstance(verdict, Scored) else verdict.cause
    assert [mark.partition("/")[2] for mark in marks] == [str(which)]
    assert found["scored"] == float(verdict.scored)
    assert "acc" not in found  # verl's validation counts a row without it as wrong


def test_an_unscored_row_has_no_number_to_read() -> None:
    found = verdict_metrics(Unscored(Cause.GOLD, "no gold"), ("math",), {"math"})
    assert math.isnan(found["score"])
    assert math.isnan(found["component/math"])


def test_a_component_not_come_to_earned_nothing_and_a_strangers_is_nothing() -> None:
    shut = Scored(0.0, Status.INCORRECT, {"format": 0.0})
    found = verdict_metrics(shut, ("format", "math", "sql"), {"format", "math"})
    assert (found["component/format"], found["component/math"]) == (0.0, 0.0)
    assert math.isnan(found["component/sql"])
    assert verdict_metrics(shut, ("sql",), {"math"}, missing=0.0)["component/sql"] == 0.0
