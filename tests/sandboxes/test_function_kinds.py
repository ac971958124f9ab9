"""Tests of functions of every shape are judged as in one process, and no object says itself that it's right.

`function_kinds.jsonl` has right solutions and wrong ones for each shape: operators, `with`, `await`, subclasses, identity, linked
lists, exceptions, output, files, seeds, what tests hand over; and solutions that pass where an answer may decide.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import CannotScore
from rlvr.core.task import Task
from rlvr.sandboxes import FunctionTests, Limits, Sandbox
from rlvr.verifiers.code import Code
from rlvr.verifiers.code.reference import Reference

ROWS = [
    json.loads(line)
    for line in Path(__file__).with_name("function_kinds.jsonl").read_text().splitlines()
]
PARTS = 12
LIMITS = Limits(wall_s=20, cpu_s=10)


@pytest.mark.sweep(gate=3)
@pytest.mark.parametrize("part", range(PARTS))
def test_each_kind_is_judged_as_in_one_process(sandbox: Sandbox, part: int) -> None:
    for row in ROWS[part::PARTS]:
        beside = {name: row[name] for name in ("prelude", "setup") if name in row}
        tests = FunctionTests((row["test"],), **beside)
        run = sandbox.run_tests(row["solution"].encode(), tests, LIMITS)
        assert not run.broken, (row["name"], run)
        passed = bool(run.outcomes) and run.outcomes[0].passed
        assert passed is row["passes"], (row["name"], run)


def test_objects_that_neither_side_shares_any_more_cost_nothing(sandbox: Sandbox) -> None:
    """Each call hands over a list; if both sides kept them all, each call would compare them all."""
    test = "big = f(list(range(200_000)))\nfor i in range(1500): assert f([i]) == [i]\nassert len(big) == 200_000"
    run = sandbox.run_tests(b"def f(x): return x", FunctionTests((test,)), LIMITS)
    assert [one.passed for one in run.outcomes] == [True], run


@pytest.mark.parametrize(
    ("test", "named"),
    [
        ("from unittest import mock\nwith mock.patch('time.sleep'): f()", "unittest.mock"),
        ("import pandas as pd\nassert f(pd.DataFrame()) == 1", "pandas"),
        ("import multiprocessing\nassert multiprocessing.Pool().map(f, [1]) == [1]", "multiprocessing"),
        ("import inspect\nassert 'for' in inspect.getsource(f)", "getsource"),
    ],
)  # fmt: skip
def test_a_test_that_two_jails_cannot_carry_is_refused_when_it_is_read(
    test: str, named: str
) -> None:
    with pytest.raises(CannotScore, match=named):
        Reference.of({"asserts": [test]})
    assert Reference.of({"asserts": [test], "isolation": "shared"}).shares_jail


ONE_JAIL = {
    "right": ("def f(): return P(1)\nclass P:\n    def __init__(self, x): self.x = x\n    def __eq__(self, o): return self.x == o.x\n", 1.0),
    "prints": ("def f():\n    print('{}')\n    return P(1)\nP = int\n", 1.0),
    "wrong": ("def f(): return P(2)\nP = int\n", 0.0),
    "exits": ("import os\ndef f(): os._exit(0)\nP = int\n", 0.0),
    "exits well": ("import sys\ndef f(): sys.exit(0)\nP = int\n", 0.0),
    "shadows": ("import builtins\nbuiltins.len = lambda x: 0\ndef f(): return P(2)\nP = int\n", 0.0),
    "hangs": ("def f():\n    while True: pass\nP = int\n", 0.0),
    "no program": ("def f(", 0.0),
    "fails at once": ("1 / 0", 0.0),
    "has the key, and says nonsense": (
        "import json, os, sys\nframe = sys._getframe()\nwhile 'report' not in frame.f_locals: frame = frame.f_back\n"
        "report, told = frame.f_locals['report'], frame.f_locals['told']\n"
        "for outcomes in (5, [5], [[1]]):\n    report['outcomes'] = outcomes\n"
        "os.write(told, json.dumps(report).encode())\nos._exit(0)", 0.0),
    "has the key, and blames the tests": (
        "import json, os, sys\nframe = sys._getframe()\nwhile 'report' not in frame.f_locals: frame = frame.f_back\n"
        "report, told = frame.f_locals['report'], frame.f_locals['told']\n"
        "report['broken'] = 'x'\nos.write(told, json.dumps(report).encode())\nos._exit(0)", 0.0),
}  # fmt: skip


@pytest.mark.parametrize("how", ONE_JAIL)
def test_tests_and_solution_may_share_a_jail(sandbox: Sandbox, how: str) -> None:
    """Share a jail if the author chooses so. What a solution does to its own process isn't seen through, but no verdict is lost by it."""
    solution, reward = ONE_JAIL[how]
    reference: dict[str, Any] = {"asserts": ["assert f() == P(1)", "assert len([1]) == 1"]}
    reference |= {"isolation": "shared", "limits": {"wall_s": 5, "cpu_s": 2}, "packages": []}
    verdict = rlvr.score(
        [Task("prompt", reference)], [f"```python\n{solution}\n```"], Code(sandbox=sandbox)
    )[0]
    assert float(verdict) == reward, verdict
