"""Tests that share the solution's process judge right and wrong solutions as in one process, and no blind cheat passes them."""

from __future__ import annotations

from typing import Any

import pytest
from cheats import CHEATS

import rlvr
from rlvr import Code, Task
from rlvr.authoring.audit.hacks.function_tests import OF_HARNESS, OF_SHARED

CASES: list[tuple[str, str, str, list[str]]] = [
("from unittest import mock\nwith mock.patch('time.sleep') as s:\n    f()\nassert s.call_count == 2", "import time\ndef f():\n    time.sleep(1); time.sleep(2)", "import time\ndef f():\n    time.sleep(0)", []),
("from unittest import mock\nwith mock.patch('solution.g', return_value=7) as g:\n    assert f(1) == 8\ng.assert_called_once_with(1)", "def g(x): return x\ndef f(x): return g(x) + 1", "def g(x): return x\ndef f(x): return 8", []),
("from unittest.mock import MagicMock, ANY\nm = MagicMock()\nf(m)\nm.send.assert_called_with(1, ANY)\nassert m.send.call_args[0][0] == 1", "def f(m): m.send(1, 'x')", "def f(m): m.send(2, 'x')", []),
("import inspect\nassert 'for' in inspect.getsource(f)", "def f(x):\n    for i in x: pass", "def f(x):\n    pass", []),
("import inspect\nassert 'def a' in inspect.getsource(K)", "class K:\n    def a(self): pass", "class K:\n    def b(self): pass", []),
("import multiprocessing\nassert multiprocessing.Pool(2).map(f, [1, 2]) == [1, 4]", "def f(x): return x * x", "def f(x): return x", []),
("from concurrent.futures import ProcessPoolExecutor\nwith ProcessPoolExecutor(2) as p: assert list(p.map(f, [1, 2])) == [1, 4]", "def f(x): return x * x", "def f(x): return x", []),
("import subprocess, sys\nassert f() == subprocess.run([sys.executable, '-c', 'print(5)'], capture_output=True, text=True).stdout.strip()", "def f(): return '5'", "def f(): return '6'", []),
("import tracemalloc\ntracemalloc.start()\nf()\nassert tracemalloc.get_traced_memory()[1] < 10**5", "def f(): return 1", "def f(): return len(list(range(10**5)))", []),
("import pickle\nclass P:\n    def __init__(self, x): self.x = x\nassert pickle.loads(pickle.dumps(f(P(3)))).x == 3", "def f(p): return p", "def f(p): p.x += 1; return p", []),
("import unittest\nclass T(unittest.TestCase):\n    def setUp(self):\n        super().setUp()\n        self.v = f(2)\n    def test_a(self):\n        self.assertEqual(self.v, 4)\n        with self.assertRaises(ValueError): f('x')\nr = unittest.TestResult()\nunittest.defaultTestLoader.loadTestsFromTestCase(T).run(r)\nassert r.wasSuccessful() and r.testsRun == 1", "def f(x):\n    if x == 'x': raise ValueError\n    return x * 2", "def f(x): return x * 2", []),
("import asyncio\nasync def go():\n    assert await f(1) == 2\n    async with K() as k: assert k == 3\nasyncio.run(go())", "async def f(x): return x + 1\nclass K:\n    async def __aenter__(self): return 3\n    async def __aexit__(self, *a): return None", "async def f(x): return x\nclass K:\n    async def __aenter__(self): return 3\n    async def __aexit__(self, *a): return None", []),
("assert V(1) == V(1) and V(1) != V(2) and {V(1): 2}[V(1)] == 2", "class V:\n    def __init__(self, x): self.x = x\n    def __eq__(self, o): return isinstance(o, V) and self.x == o.x\n    def __hash__(self): return hash(self.x)", "class V:\n    def __init__(self, x): self.x = x", []),
("import numpy as np\nassert np.array_equal(f(np.arange(3)), np.array([0, 2, 4])) and (f(np.arange(3)) == [0, 2, 4]).all()", "def f(a): return a * 2", "def f(a): return a", ["numpy"]),
("assert f'{f(3)!r:>4}|{f(2):03d}' == '   3|002' and f(1) is not None and f(300) in (300, 301) and -f(1) == -1", "def f(x): return x", "def f(x): return x + 1", []),
("def gen():\n    got = yield f(1)\n    yield got == 5\ng = gen()\nassert next(g) == 1 and g.send(5) is True", "def f(x): return x", "def f(x): return 2", []),
("match f((1, 2)):\n    case (2, 1): pass\n    case _: raise AssertionError", "def f(t): return t[::-1]", "def f(t): return t", []),
("from decimal import Decimal\nfrom fractions import Fraction\nassert f(1) == Decimal('1') and f(1) == Fraction(1) and f(1) == 1.0 and f(1) == True", "def f(x): return x", "def f(x): return x+1", []),
("a = [3, 1, 2]\nf(a)\nassert a == sorted([3, 1, 2]) and a is not None", "def f(a): a.sort()", "def f(a): pass", []),
("class Base:\n    @staticmethod\n    def make(): return f(2)\n    @property\n    def p(self): return f(3)\n    def __secret(self): return f(4)\n    def q(self): return self.__secret()\nassert Base.make() == 2 and Base().p == 3 and Base().q() == 4", "def f(x): return x", "def f(x): return -x", []),
("import sys, io\nfrom contextlib import redirect_stdout\nb = io.StringIO()\nwith redirect_stdout(b): f()\nassert b.getvalue() == 'hi\\n'", "def f(): print('hi')", "def f(): print('ho')", []),
("import random\nrandom.seed(1)\nx = f()\nrandom.seed(1)\nassert f() == x == 0.13436424411240122", "import random\ndef f(): return random.random()", "def f(): return 0.5", []),
("def check_it(a, b=5):\n    'doc' \n    return a == b\nassert check_it(f(5)) and check_it.__doc__ == 'doc'", "def f(x): return x", "def f(x): return x+1", []),
]  # fmt: skip
"""Tests, a right solution, a wrong one, and packages."""
LIMITS = {"wall_s": 5, "cpu_s": 2}
UNITTEST = """
import unittest
class T(unittest.TestCase):
    def test_one(self): self.assertEqual(F(1), 48151)
    def test_two(self): self.assertTrue(F(2) == 62342)
def check(candidate):
    global F
    F = candidate
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(T)
    assert unittest.TextTestRunner(stream=open("/dev/null", "w")).run(suite).wasSuccessful()
"""
FORMS: dict[str, dict[str, Any]] = {
    "asserts": {"asserts": ["assert f(1) == 48151", "assert f(2) == 62342"]},
    "check": {"entry_point": "f", "test": "def check(f):\n    assert f(1) == 48151\n    assert f(2) == 62342\n"},
    "unittest": {"entry_point": "f", "test": UNITTEST},
}  # fmt: skip


def judged(references: list[dict[str, Any]], sources: list[str]) -> list[Any]:
    tasks = [Task("", {"isolation": "shared", **reference}) for reference in references]
    return rlvr.score(
        tasks, [f"```python\n{source}\n```" for source in sources], Code(limits=LIMITS)
    )


def test_what_needs_one_process_is_judged_as_there() -> None:
    references = [{"asserts": [test], "packages": packages} for test, _, _, packages in CASES]
    for place, reward in ((1, 1.0), (2, 0.0)):
        verdicts = judged(references, [case[place] for case in CASES])  # type: ignore[misc]
        wrong = [
            (case[0], verdict)
            for case, verdict in zip(CASES, verdicts, strict=True)
            if not verdict.scored or verdict.reward != reward
        ]
        assert not wrong, wrong


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("form", FORMS)
def test_no_blind_cheat_passes(form: str) -> None:
    cheats = CHEATS | {name: source.replace("{f}", "f") for name, source in OF_SHARED.items()}
    verdicts = judged([FORMS[form]] * len(cheats), list(cheats.values()))
    paid = [name for name, verdict in zip(cheats, verdicts, strict=True) if float(verdict)]
    assert not paid
    assert float(judged([FORMS[form]], ["def f(n): return {1: 48151, 2: 62342}[n]"])[0]) == 1


def test_a_program_that_knows_ours_is_not_kept_out() -> None:
    """Say so if it ever is: docs/code.md and docs/hack_floors.md have the figure."""
    sources = [source.replace("{f}", "f") for source in OF_HARNESS.values()]
    verdicts = judged([FORMS["asserts"]] * len(sources), sources)
    assert [float(verdict) for verdict in verdicts] == [1.0, 0.0]
