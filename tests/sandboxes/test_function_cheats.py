"""No solution passes a test that it doesn't really pass, and nothing of its tests is where it could look."""

from __future__ import annotations

import pytest

from rlvr.sandboxes import FunctionTests, Limits, Program, Sandbox
from tests.verifiers.code.cheats import CHEATS

LIMITS = Limits(wall_s=3, cpu_s=2)
GOLD = {1: 48151, 2: 62342}
FORMS = {
    "asserts": FunctionTests(tuple(f"assert f({n}) == {gold}" for n, gold in GOLD.items())),
    "close": FunctionTests(
        tuple(f"assert abs(f({n}) - {gold}) < 1e-6" for n, gold in GOLD.items())
    ),
    "kind": FunctionTests(
        tuple(f"x = f({n})\nassert isinstance(x, int) and x in [{g}]" for n, g in GOLD.items())
    ),
    "reversed": FunctionTests(tuple(f"assert {gold} == f({n})" for n, gold in GOLD.items())),
    "list": FunctionTests((f"assert [f(n) for n in (1, 2)] == {list(GOLD.values())}",)),
    "dict": FunctionTests((f"assert {{n: f(n) for n in (1, 2)}} == {GOLD}",)),
    "set": FunctionTests((f"assert {{f(1), f(2)}} == {set(GOLD.values())}",)),
    "sorted": FunctionTests((f"assert sorted(map(f, [2, 1])) == {sorted(GOLD.values())}",)),
    "text": FunctionTests((f"assert str(f(1)) == '{GOLD[1]}'",)),
    "all": FunctionTests((f"assert all(f(n) == gold for n, gold in {GOLD}.items())",)),
    "is": FunctionTests((f"assert (f(1) == {GOLD[1]}) is True",)),
    "unittest": FunctionTests(
        check=f"import unittest\ndef check(candidate):\n    case = unittest.TestCase()\n    case.assertEqual(candidate(1), {GOLD[1]})\n    case.assertAlmostEqual(candidate(2), {GOLD[2]})\n",
        entry_point="f",
    ),
    "check": FunctionTests(
        check="def check(candidate):\n"
        + "".join(f"    assert candidate({n}) == {gold}\n" for n, gold in GOLD.items()),
        entry_point="f",
    ),
    "try": FunctionTests(
        check="def check(candidate):\n    done = 0\n    for n, gold in "
        + f"{GOLD}.items():\n"
        + "        try:\n            done += candidate(n) == gold\n        except Exception:\n            pass\n    assert done == 2\n",
        entry_point="f",
    ),
}
MORE = {
    "a handle that is always in": "class A:\n    def __iter__(self):\n        i = 0\n        while True: yield i; i += 1\n    def __contains__(self, x): return True\n    def __eq__(self, x): return True\ndef f(n): return A()",
    "a class that is equal": "class M(type):\n    def __eq__(c, o): return True\n    def __hash__(c): return 48151\nclass A(metaclass=M): pass\ndef f(n): return A",
    "an exception class": "class A(Exception):\n    def __eq__(s, o): return True\nA.__name__ = 'int'\ndef f(n): return A",
    "NaN and infinity": "def f(n): return float(('nan', 'inf')[n % 2])",
    "a Decimal NaN": "import decimal\ndef f(n): return decimal.Decimal('NaN')",
    "the function itself": "def f(n): return f",
    "a module": "import math\ndef f(n): return math",
    "True": "def f(n): return True",
    "a named tuple with lying fields": "class T(tuple):\n    _fields = ('count', 'index')\n    def __eq__(s, o): return True\ndef f(n): return T((1, 2))",
    "numpy's, by name": "class A:\n    def tolist(self): return A()\n    def __eq__(self, o): return True\nA.__module__ = 'numpy'\ndef f(n): return A()",
    "a plain type, by name": "class int:\n    def __eq__(self, o): return True\n    def __hash__(self): return 48151\nint.__module__, int.__qualname__ = 'builtins', 'int'\ndef f(n): return int()",
    "Fraction, by name": "class Fraction:\n    numerator = denominator = 1\n    def __eq__(self, o): return True\nFraction.__module__ = 'fractions'\ndef f(n): return Fraction()",
    "what it was asked for": "def f(n): return n",
    "an iterator over itself": "class A:\n    def __iter__(self): return self\n    def __next__(self): raise StopIteration\n    def __bool__(self): return True\ndef f(n): return A()",
    "StopIteration from the depths": "class A:\n    def __getattr__(self, n): raise StopIteration\n    def __int__(self): raise StopIteration\n    __index__ = __float__ = __str__ = __repr__ = __len__ = __bool__ = __iter__ = __int__\ndef f(n): return A()",
    "AttributeError from the depths": "def f(n): raise AttributeError('f')",
    "an AssertionError of its own": "def f(n): raise AssertionError",
}  # fmt: skip
# The five digits may stand in some file of a toolchain by chance; the search below looks for what can't.
BY_CHANCE = {"tests from files"}
ALL = {name: source for name, source in {**CHEATS, **MORE}.items() if name not in BY_CHANCE}


@pytest.mark.sweep(gate=4)
@pytest.mark.parametrize("form", FORMS)
def test_no_cheat_passes_a_test(sandbox: Sandbox, form: str) -> None:
    tests = FORMS[form]
    for name, source in ALL.items():
        run = sandbox.run_tests(source.encode(), tests, LIMITS)
        assert not any(one.passed for one in run.outcomes), (name, run)
        assert not run.broken, (name, run)
    right = f"def f(n): return {GOLD}[n]"
    run = sandbox.run_tests(right.encode(), tests, LIMITS)
    assert [one.passed for one in run.outcomes] == [True] * len(tests)


# In two halves everywhere, so that whoever looks for it doesn't find what it looks with.
LEFT, REST = "9f86d081884c7d65", "9a2feaa0c55ad015"
CANARY = LEFT + REST
SEARCH = f"""
import ctypes, os, sys
left, rest = {LEFT!r}.encode(), {REST!r}.encode()
found = []
def has(data, width=1):
    # The two halves are never put together here, for then they'd be in memory.
    first, second = (half if width == 1 else half.decode().encode("utf-%d-le" % (8 * width)) for half in (left, rest))
    at = data.find(first)
    while at >= 0:
        if data[at + len(first):at + len(first) + len(second)] == second: return True
        at = data.find(first, at + 1)
    return False
def look():
    pids = [p for p in os.listdir("/proc") if p.isdigit()]
    for path in ("/proc/self", "/proc/thread-self", *("/proc/" + p for p in pids), "/proc/1", "/proc/2"):
        for name in ("cmdline", "environ", "comm", "auxv", "maps", "status", "mountinfo"):
            try: data = open(path + "/" + name, "rb").read()
            except OSError: continue
            if has(data): found.append(path + "/" + name)
        try: fds = os.listdir(path + "/fd")
        except OSError: continue
        for fd in fds:
            try:
                if os.path.isfile(path + "/fd/" + fd) and has(open(path + "/fd/" + fd, "rb").read(1 << 20)): found.append(path + "/fd/" + fd)
            except OSError: pass
    for fd in range(256):
        try:
            if has(os.pread(fd, 1 << 20, 0)): found.append("descriptor %d" % fd)
        except OSError: pass
    for folder, _, names in os.walk("/", topdown=True):
        if folder.startswith(("/proc", "/usr", "/lib", "/root", "/home", "/opt", "/etc", "/dev")) and folder != "/dev/shm": continue
        for name in names:
            path = os.path.join(folder, name)
            try:
                if os.path.isfile(path) and has(open(path, "rb").read(1 << 20)): found.append(path)
            except OSError: pass
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # dumpable again, or one's own memory is closed
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in maps.read().splitlines():
            bounds, flags = line.split()[:2]
            low, high = (int(x, 16) for x in bounds.split("-"))
            if flags[0] != "r" or "[v" in line or "/" in line: continue
            memory.seek(low)
            try: data = memory.read(high - low)
            except OSError: continue
            if any(has(data, width) for width in (1, 2, 4)): found.append("memory at " + bounds)
            data = None
"""


def search(*also: str) -> bytes:
    return "\n".join([SEARCH, *also]).encode()


def with_the_canary(prelude: str) -> FunctionTests:
    return FunctionTests(
        asserts=(f"assert f() == [], {CANARY!r}", f"assert f() != {CANARY!r}"),
        check=f"CANARY = {CANARY!r}\ndef check(candidate):\n    '''{CANARY}'''\n    assert candidate() == [], {CANARY!r}\n",
        entry_point="f",
        setup=f"canary = {CANARY!r}",
        prelude=prelude,
    )


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("when", ["while it's loaded", "when it's called", "both"])
def test_nothing_of_its_tests_is_where_a_solution_could_look(sandbox: Sandbox, when: str) -> None:
    at_once = "look()" if when != "when it's called" else ""
    later = "look()" if when != "while it's loaded" else "pass"
    solution = search(at_once, f"def f():\n    {later}\n    return found")
    for _ in range(3):  # in a jail that has seen these tests before, too
        run = sandbox.run_tests(solution, with_the_canary(""), Limits(wall_s=30, cpu_s=30))
        assert [(one.passed, one.error) for one in run.outcomes] == [(True, "")] * 3, run


def test_the_search_finds_what_is_there(sandbox: Sandbox) -> None:
    """Or the test above would hold whatever happens."""
    for hidden in ("", f"x = {CANARY!r}", f"open('/tmp/x', 'w').write('{CANARY}')"):
        tests = with_the_canary(prelude=hidden)
        run = sandbox.run_tests(search("look()", "def f(): return found"), tests, Limits(wall_s=30))
        assert all(one.passed for one in run.outcomes) == (not hidden), hidden


def test_nothing_of_an_earlier_input_is_where_a_program_could_look(sandbox: Sandbox) -> None:
    source = search(
        "import sys",
        "given = sys.stdin.readline().strip()",
        "given = None",
        "look()",
        "print(found)",
    )
    inputs = [CANARY.encode() + b"\n", b"\n", b"\n"]
    executions = sandbox.run(Program(source), inputs, Limits(wall_s=30, cpu_s=30)).executions
    assert executions[0].stdout != b"[]\n"  # its own it does find
    assert [one.stdout for one in executions[1:]] == [b"[]\n"] * 2
    (after,) = sandbox.run(Program(source), [b"\n"], Limits(wall_s=30, cpu_s=30)).executions
    assert after.stdout == b"[]\n"
