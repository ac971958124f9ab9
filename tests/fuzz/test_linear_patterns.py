"""No pattern that reads responses takes quadratic time: each is tried on texts made of its own parts."""

from __future__ import annotations

import re

from tests.tiers import Sample
from tools.fuzz.patterns import patterns, quadratic

# They read a task's question, of which 8,000 characters are looked at, or what an author declares; or a condition at
# an answer's end, of 160 characters at most; or the beginning of an SQL value, of 400 characters at most.
NOT_OF_RESPONSES = {
    "rlvr.verifiers.math.conditions._COUNTED",
    "rlvr.verifiers.math.conditions._WITHIN",
    "rlvr.verifiers.math.conditions._NAMES_ARE",
    "rlvr.verifiers.math.conditions._OF_NAMES",
    "rlvr.verifiers.math.conditions._ALONE",
    "rlvr.verifiers.math.question._NO_FORMULA",
    "rlvr.verifiers.math.question._FORMULA",
    "rlvr.verifiers.sql.dialect_texts._NUMBER",
    "rlvr.verifiers.sql.moments._MOMENT",
    "rlvr.verifiers.sql.moments._PART",
}


def test_no_pattern_takes_quadratic_time() -> None:
    found = {name: pattern for name, pattern in patterns().items() if name not in NOT_OF_RESPONSES}
    assert len(found) > 100
    slow = {name: quadratic(name, pattern) for name, pattern in found.items()}
    assert {name: text for name, text in slow.items() if text is not None} == {}


def test_a_quadratic_pattern_is_found(sample: Sample) -> None:
    known = (
        r"\s*,\s*and",
        r"<a>(.*?)</a>",
        r"[a-z]{2,} [a-z]{2,}",
        r"(?:\d{1,3}(?:,\d{3})++(?!\d)|\d)",
    )
    for pattern in sample(known, 2):
        compiled = re.compile(pattern)
        assert any(quadratic("re.none", compiled, seed) for seed in (0, 1)), pattern
