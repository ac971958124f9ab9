"""No text makes a check run away: a megabyte of adversarial repeats, every check, within the worker's limit.

Something quadratic would take hours where these take seconds, so the limit says nothing of the machine.
"""

from __future__ import annotations

import pytest
from examples import EXAMPLES

import rlvr
from rlvr.verifiers.instructions import Instructions

REPEATS = [
    "a",
    " ",
    "\n",
    "a. ",
    ". ",
    "[",
    "<<a",
    "* ",
    '"',
    "'",
    "a.)",
    "Question ",
    "p.p.",
    "é🙂",
    "1 ",
]
EVERY = rlvr.Task(
    "",
    {
        "instruction_id_list": [one.id for one in EXAMPLES],
        "kwargs": [one.kwargs for one in EXAMPLES],
    },
    "every",
)


@pytest.mark.sweep
@pytest.mark.usefixtures("nltk_data")
@pytest.mark.parametrize("bugs", [False, True], ids=["default", "reference_bugs"])
def test_a_megabyte_of_repeats_is_judged_by_every_check(bugs: bool) -> None:
    length = 1_000_000 if not bugs else 200_000
    responses = ["x" + one * (length // len(one)) + "x" for one in REPEATS]
    verifier = Instructions(reward="fraction", reference_bugs=bugs)
    found = rlvr.score([EVERY] * len(responses), responses, verifier, limit_s=300)
    for repeat, one in zip(REPEATS, found, strict=True):
        assert one.scored, (repeat, one)
        assert one.status is not rlvr.Status.LIMIT, repeat
