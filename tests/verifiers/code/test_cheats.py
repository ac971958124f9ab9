"""No cheat earns anything, and none leaves anything behind for the next program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cheats import CHEATS

import rlvr
from rlvr import Code, Scored, Task
from rlvr.sandboxes import Sandbox

GOLD = {1: 48151, 2: 62342}
LIMITS = {"wall_s": 3, "cpu_s": 2}
ASSERTS = {"asserts": [f"assert f({n}) == {gold}" for n, gold in GOLD.items()]}
CHECK = {
    "entry_point": "f",
    "test": "def check(candidate):\n"
    + "".join(f"    assert candidate({n}) == {gold}\n" for n, gold in GOLD.items()),
}
# The public test's value is in the prompt, so anybody can return it.
PUBLIC = {"asserts": ["assert f(0) == 40961", *ASSERTS["asserts"]], "public": 1}
CLOSE = {
    "asserts": [f"assert abs(f({n}) - {gold}) < 1e-6" for n, gold in GOLD.items()]
    + [f"assert isinstance(f({n}), int) and f({n}) in [{gold}]" for n, gold in GOLD.items()]
}
STDIN = {"tests": [{"stdin": str(n), "stdout": str(gold)} for n, gold in GOLD.items()]}
RIGHT = f"def f(n):\n    return {{0: 40961, **{GOLD}}}[n]\n"
FORMS = {"asserts": ASSERTS, "check": CHECK, "public": PUBLIC, "close": CLOSE, "stdin": STDIN}


@pytest.fixture(scope="module")
def verifier() -> Iterator[Code]:
    """In one jail, so that what a cheat leaves behind would be there for the next program."""
    with Sandbox(jails=1) as sandbox:
        yield Code(reward="fraction", limits=LIMITS, sandbox=sandbox)


def judged(verifier: Code, form: str, source: str) -> rlvr.Verdict:
    if form == "stdin":
        source += "\nprint(f(int(input())))\n"
    (verdict,) = rlvr.score([Task("", FORMS[form])], [f"```python\n{source}\n```"], verifier)
    return verdict


@pytest.mark.sweep(gate=30)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cheat", CHEATS)
def test_a_cheat_earns_nothing(verifier: Code, cheat: str, form: str) -> None:
    verdict = judged(verifier, form, CHEATS[cheat])
    assert isinstance(verdict, Scored), verdict
    honest = 1 / 3 if form == "public" and cheat == "hard-coded public tests" else 0
    assert verdict.reward == pytest.approx(honest)
    assert all(str(gold) not in verdict.feedback for gold in GOLD.values())
    after = judged(verifier, form, RIGHT)
    assert after == Scored(1.0, rlvr.Status.CORRECT, {"code": 1.0}, "", after.detail)


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("form", FORMS)
def test_all_at_once_earn_nothing(form: str) -> None:
    """In the process's own sandbox, many at a time, right ones among them."""
    sources = [source for cheat in CHEATS.values() for source in (cheat, RIGHT)]
    if form == "stdin":
        sources = [source + "\nprint(f(int(input())))\n" for source in sources]
    responses = [f"```python\n{source}\n```" for source in sources]
    tasks = [Task("", FORMS[form])] * len(responses)
    verdicts: list[Any] = rlvr.score(tasks, responses, Code(limits=LIMITS))
    assert [float(verdict) for verdict in verdicts] == [0.0, 1.0] * len(CHEATS)
