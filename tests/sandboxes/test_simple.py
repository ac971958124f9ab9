"""Which tests may share a process, and that nothing of one reaches the next in it."""

from __future__ import annotations

import pytest

from rlvr.sandboxes import FunctionTests, Limits, Sandbox
from rlvr.sandboxes.simple import is_simple

SIMPLE = [
    "assert f(1) == 2",
    "assert sorted(f([3, 1])) == [1, 3], 'sorted'",
    "import math\nassert math.isclose(f(1), 2.0)",
    "assert abs(f(1) - 2) < 1e-6 and not f(0)",
    "assert [f(x) for x in range(3)] == [1, 2, 3]",
    "def check(candidate):\n    for i in range(9):\n        assert candidate(i) == i + 1",
    "assert f('a').upper() == 'A'",
]
NOT_SIMPLE = [
    "import os",
    "import math as m, sys",
    "from random import seed\nseed(1)",
    "from math import *",
    "import unittest.mock",
    "open('/tmp/x', 'w')",
    "exec('x = 1')",
    "eval('1')",
    "globals()['f'] = 1",
    "setattr(f, 'x', 1)",
    "print(f(1))",
    "assert f.__globals__",
    "assert ().__class__",
    "assert '{0.__class__}'.format(f)",
    "assert '{x.__class__}'.format_map({'x': f})",
    "assert int.mro()",
    "import math\nmath.pi = 3",
    "x = {}\nx['a'] = 1",
    "class Pair:\n    pass",
    "try:\n    f(1)\nexcept Exception:\n    pass",
    "with f(1):\n    pass",
    "while True:\n    pass",
    "@f\ndef g():\n    pass",
    "global x\nx = 1",
    "__builtins__",
    "assert __import__('os')",
    "del f",
    "async def g():\n    pass",
    "assert f(1) ==",
    "raise SystemExit",
    "assert breakpoint()",
    "assert input()",
    "assert vars()",
    "x = yield",
]


@pytest.mark.parametrize("source", SIMPLE)
def test_simple(source: str) -> None:
    assert is_simple(FunctionTests(asserts=(source,)))


@pytest.mark.parametrize("source", NOT_SIMPLE)
@pytest.mark.parametrize("where", ["asserts", "setup", "prelude", "check"])
def test_not_simple(source: str, where: str) -> None:
    value = (source,) if where == "asserts" else source
    assert not is_simple(FunctionTests(**{"asserts": ("assert f(1) == 2",), where: value}))


@pytest.fixture(scope="module")
def sandbox():
    with Sandbox("bubblewrap", jails=1) as sandbox:
        yield sandbox


UPSETTING = [
    b"def f(x): return [1] * 10 ** 7",
    b"def f(x): return 10 ** 300000",
    b"def f(x): raise StopIteration",
    b"def f(x): raise type('AssertionError', (Exception,), {})",
    b"def f(x):\n    import os\n    os._exit(0)",
    b"def f(x):\n    y = []\n    for i in range(300): y = [y]\n    return y",
    b"def f(x):\n    import time\n    time.sleep(60)",
    b"def f(x): return type('X', (), {'__eq__': lambda self, other: True})()",
    b"def f(x): return {i: {} for i in range(100000)}",
    b"import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'xxxxxxxxxxxxxxxx')\n    except OSError: pass\ndef f(x): return 2",
    b"def f(",
    b"1 / 0",
]


def test_what_one_solution_does_is_nothing_to_the_next(sandbox: Sandbox) -> None:
    tests = FunctionTests(asserts=("assert f(1) == 2", "assert f(2) == 3"))
    assert is_simple(tests)
    for source in UPSETTING:
        bad = sandbox.run_tests(source, tests, Limits(wall_s=1, cpu_s=1, memory_mb=256))
        assert not bad.broken
        assert not any(one.passed for one in bad.outcomes)
        good = sandbox.run_tests(b"def f(x): return x + 1", tests)
        assert [one.passed for one in good.outcomes] == [True, True]


def test_tests_that_hang_on_what_they_get(sandbox: Sandbox) -> None:
    tests = FunctionTests(asserts=("assert sum(range(f(1))) == 3",))
    assert is_simple(tests)
    limits = Limits(wall_s=1)
    hung = sandbox.run_tests(b"def f(x): return 10 ** 12", tests, limits)
    assert hung.limit == "wall"
    assert not hung.broken
    assert all(one.passed for one in sandbox.run_tests(b"def f(x): return 3", tests).outcomes)


def test_tests_that_hang_by_themselves(sandbox: Sandbox) -> None:
    tests = FunctionTests(setup="x = sum(range(10 ** 12))", asserts=("assert f(1) == x",))
    assert is_simple(tests)
    hung = sandbox.run_tests(b"def f(x): return 3", tests, Limits(wall_s=1))
    assert hung.broken
    easy = FunctionTests(asserts=("assert f(1) == 3",))
    assert sandbox.run_tests(b"def f(x): return 3", easy).outcomes[0].passed


def test_names_of_one_are_not_there_for_the_next(sandbox: Sandbox) -> None:
    first = FunctionTests(setup="secret = 41", asserts=("assert f(1) == secret + 1",))
    second = FunctionTests(asserts=("assert f(1) == secret + 1",))
    assert is_simple(first)
    assert is_simple(second)
    assert sandbox.run_tests(b"def f(x): return 42", first).outcomes[0].passed
    assert "secret" in sandbox.run_tests(b"def f(x): return 42", second).outcomes[0].error
