"""What crosses between a solution and its tests, and what doesn't have to for tests to be judged as in one process."""

from __future__ import annotations

from typing import Any

import pytest

from rlvr.sandboxes import FunctionTests, Limits, Sandbox, TestRun

LIMITS = Limits(wall_s=5, cpu_s=4)


def judged(sandbox: Sandbox, solution: str, *asserts: str, **tests: Any) -> TestRun:
    given = FunctionTests(asserts=asserts, **tests)
    return sandbox.run_tests(solution.encode(), given, LIMITS)


def passes(sandbox: Sandbox, solution: str, *asserts: str, **tests: Any) -> None:
    run = judged(sandbox, solution, *asserts, **tests)
    assert [(one.passed, one.error) for one in run.outcomes] == [(True, "")] * len(run.outcomes)
    assert len(run.outcomes) == len(asserts) + bool(tests.get("check"))
    assert (run.broken, run.load_error, run.compile_error, run.limit) == ("", None, None, None)


def errors(sandbox: Sandbox, solution: str, *asserts: str, **tests: Any) -> list[str]:
    run = judged(sandbox, solution, *asserts, **tests)
    assert not run.broken
    assert not any(one.passed for one in run.outcomes)
    return [one.error for one in run.outcomes]


# ---------------------------------------------------------------- values

SAME = "def f(x):\n    return x\ndef kind(x):\n    return type(x).__name__, repr(x)\n"
VALUES = [
    "None", "True", "False", "0", "-1", "2**62", "-2**63", "2**64 + 1", "10**400", "0.5", "-0.0",
    "1e308", "float('inf')", "1 + 2j", "''", "'ü\\n\\0'", "'\\ud800'", "b''", "b'\\xff\\0'",
    "bytearray(b'ab')", "[]", "[1, [2, [3]]]", "()", "(1,)", "((1, 2), [3])", "{}", "{'a': 1}",
    "{1: 'a', (1, 2): {'b': [None]}}", "{1, 2, 3}", "set()", "frozenset({(1, 2)})", "range(3)",
    "range(9, 0, -2)", "{'value': 1}", "{'raised': ['x', [], '']}", "{'handle': [0, True, {}]}",
    "[{'tuple': [1]}, {'ask': 'call', 'with': []}]",
]  # fmt: skip
IMPORTED = {
    "collections.deque([1, 2])": "collections",
    "collections.OrderedDict(a=1)": "collections",
    "collections.Counter('abca')": "collections",
    "collections.defaultdict(int, {1: 2})": "collections",
    "decimal.Decimal('1.10')": "decimal",
    "fractions.Fraction(-1, 3)": "fractions",
    "datetime.date(2024, 2, 29)": "datetime",
    "datetime.time(1, 2, 3)": "datetime",
    "datetime.datetime(2024, 2, 29, 1, 2, 3, 4)": "datetime",
    "datetime.timedelta(days=-1, microseconds=5)": "datetime",
}


@pytest.mark.parametrize("value", VALUES)
def test_plain_values_cross_both_ways(sandbox: Sandbox, value: str) -> None:
    asserts = [
        f"assert f({value}) == {value}",
        f"assert type(f({value})) is type({value})",
        f"assert repr(f({value})) == repr({value})",
        f"assert kind({value}) == (type({value}).__name__, repr({value}))",
    ]
    passes(sandbox, SAME, *asserts)


@pytest.mark.parametrize(("value", "module"), IMPORTED.items())
def test_values_of_the_standard_library_cross(sandbox: Sandbox, value: str, module: str) -> None:
    """As what they are, or as the plain type that they're a kind of; equal in any case."""
    asserts = (f"assert f({value}) == {value}", f"assert {value} == g()")
    solution = f"import {module}\n{SAME}def g():\n    return {value}\n"
    passes(sandbox, solution, *asserts, setup=f"import {module}")


def test_nan_stays_what_it_is(sandbox: Sandbox) -> None:
    passes(sandbox, SAME, "assert f(float('nan')) != f(float('nan'))")


def test_subclasses_arrive_as_the_plain_type(sandbox: Sandbox) -> None:
    solution = """
import enum
class Int(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
class Str(str):
    def __str__(self): return "other"
class List(list):
    def __iter__(self): return iter([0])
    def __len__(self): return 0
class Dict(dict):
    def items(self): return [(0, 0)]
class Set(set):
    def __contains__(self, x): return True
class Colour(enum.IntEnum):
    red = 1
def f(): return [Int(1), Str("a"), List([1, 2]), Dict(a=1), Set([1]), Colour.red, True]
"""
    passes(
        sandbox,
        solution,
        "assert f() == [1, 'a', [1, 2], {'a': 1}, {1}, 1, True]",
        "assert [type(x) for x in f()] == [int, str, list, dict, set, int, bool]",
        "assert f()[0] != 2 and 5 not in f()[4]",
    )


def test_named_tuples_keep_their_names(sandbox: Sandbox) -> None:
    solution = "import collections\nP = collections.namedtuple('P', 'x y')\ndef f(): return P(1, 2)\ndef g(p): return p.x + p[1]\n"
    setup = "import collections\nQ = collections.namedtuple('Q', 'x y')"
    passes(
        sandbox,
        solution,
        "assert f() == (1, 2) and f().y == 2",
        "assert g(Q(3, 4)) == 7",
        setup=setup,
    )


def test_numpys_numbers_and_arrays_are_plain_data(sandbox: Sandbox) -> None:
    """Where the jail's Python has NumPy; what stands in for it here has the same shape."""
    solution = """
class float64(float):
    def tolist(self): return 2.5
class ndarray:
    def tolist(self): return [[1, 2], [3, 4]]
for one in (float64, ndarray): one.__module__ = "numpy"
def f(): return ndarray()
def g(): return float64(2.5)
"""
    passes(sandbox, solution, "assert f() == [[1, 2], [3, 4]]", "assert g() == 2.5")


def test_large_values_cross(sandbox: Sandbox) -> None:
    passes(
        sandbox,
        SAME,
        "x = list(range(200_000))\nassert f(x) == x",
        "assert len(f('x' * 5_000_000)) == 5_000_000",
        "assert f(7 ** 200_000) == 7 ** 200_000",
    )


# ---------------------------------------------------------------- objects that stay

PAIR = """
class Pair(object):
    def __init__(self, a, b):
        self.a, self.b = a, b
    def total(self): return self.a + self.b
    def __len__(self): return 2
    def __getitem__(self, i): return (self.a, self.b)[i]
    def __iter__(self): return iter((self.a, self.b))
    def __str__(self): return f"<{self.a} {self.b}>"
    def __float__(self): return 1.5
def chain(pairs): return max(p.b - p.a for p in pairs)
def swapped(p): return Pair(p.b, p.a)
"""


def test_objects_of_the_solutions_classes_can_be_made_and_handed_back(sandbox: Sandbox) -> None:
    """As in MBPP: `max_chain_length([Pair(5, 24), Pair(15, 25)], 4)`."""
    passes(
        sandbox,
        PAIR,
        "assert chain([Pair(5, 24), Pair(15, 25)]) == 19",
        "p = swapped(Pair(1, 2))\nassert (p.a, p.b, p.total()) == (2, 1, 3)",
        "assert isinstance(swapped(Pair(1, 2)), Pair) and not isinstance(3, Pair)",
        "assert len(Pair(1, 2)) == 2 and Pair(1, 2)[1] == 2 and list(Pair(1, 2)) == [1, 2]",
        "assert str(Pair(1, 2)) == '<1 2>' and float(Pair(1, 2)) == 1.5 and 2 in Pair(1, 2)",
        "a, b = Pair(3, 4)\nassert (a, b) == (3, 4)",
        "p = Pair(1, 2)\nassert swapped.__name__ == 'swapped' and p is not Pair(1, 2)",
        "assert not hasattr(Pair(1, 2), 'c')",
    )


def test_an_object_that_stays_is_equal_to_itself_alone(sandbox: Sandbox) -> None:
    solution = "class Any:\n    def __eq__(self, other): return True\n    __hash__ = None\nany_ = Any()\ndef f(): return any_\n"
    passes(
        sandbox,
        solution,
        "assert f() is f() and f() == f()",
        "for x in (0, 1, '', [], None, True, ...):\n    assert f() != x and x != f() and f() not in [x] and [f()] != [x] and {1: f()} != {1: x}",
    )


def test_generators_and_iterators_are_taken_from_one_by_one(sandbox: Sandbox) -> None:
    solution = "import itertools\ndef f(n):\n    for i in range(n): yield i\ndef forever():\n    return itertools.count()\ndef m(x): return map(str, x)\n"
    passes(
        sandbox,
        solution,
        "assert list(f(3)) == [0, 1, 2] and sum(f(4)) == 6",
        "g = forever()\nassert [next(g), next(g)] == [0, 1]",
        "import itertools\nassert list(itertools.islice(forever(), 3)) == [0, 1, 2]",
        "for i, x in enumerate(forever()):\n    assert i == x\n    if i > 20: break",
        "assert list(m([1, 2])) == ['1', '2']",
        "import itertools\nassert sorted(f(3)) == [0, 1, 2] and all(x < 3 for x in f(3))",
    )


def test_functions_and_iterators_of_the_tests_can_be_handed_over(sandbox: Sandbox) -> None:
    solution = "def twice(g, x): return g(g(x))\ndef take(it, n): return [next(it) for _ in range(n)]\ndef total(it): return sum(it)\ndef by(key, xs): return sorted(xs, key=key)\ndef same(x): return x\ndef fails(g):\n    try: g(1)\n    except ZeroDivisionError: return 'caught'\n"
    passes(
        sandbox,
        solution,
        "assert twice(lambda x: x + [1], []) == [1, 1]",
        "assert take(iter([1, 2, 3]), 2) == [1, 2]",
        "assert total(x * x for x in range(4)) == 14",
        "assert by(lambda x: -x, [1, 3, 2]) == [3, 2, 1]",
        "def g(x): return x\nassert same(g) is g",
        "assert fails(lambda x: x / 0) == 'caught'",
        "assert twice(lambda x: twice(lambda y: y + 1, x), 0) == 4",
    )


# ---------------------------------------------------------------- exceptions

RAISES = """
class Own(ValueError): pass
class Other(Exception):
    def __str__(self): return "other!"
def f(n):
    if n == 0: raise ValueError("zero", 1)
    if n == 1: raise Own("one")
    if n == 2: raise Other
    if n == 3: return {}["key"]
    if n == 4: b"\\xff".decode()
    if n == 5: raise StopIteration(5)
    if n == 6: raise KeyboardInterrupt
    if n == 7: import sys; sys.exit("seven")
    return [][n]
"""


def test_exceptions_cross_by_type_and_message(sandbox: Sandbox) -> None:
    told = errors(sandbox, RAISES, *(f"f({n})" for n in range(9)))
    assert told[0] == "ValueError: ('zero', 1)"
    assert told[1:4] == ["Own: one", "Other: other!", "KeyError: 'key'"]
    assert told[4].startswith("UnicodeDecodeError")
    assert told[5] == "RuntimeError: StopIteration: 5"
    assert told[6:8] == ["KeyboardInterrupt", "SystemExit: seven"]
    assert told[8] == "IndexError: list index out of range"


@pytest.mark.parametrize(
    ("call", "caught"),
    [("f(0)", "ValueError"), ("f(1)", "ValueError"), ("f(1)", "Own"), ("f(2)", "Other"), ("f(3)", "LookupError"), ("f(4)", "UnicodeDecodeError"), ("f(8)", "Exception")],
)  # fmt: skip
def test_tests_catch_what_the_solution_raises(sandbox: Sandbox, call: str, caught: str) -> None:
    test = f"try:\n    {call}\nexcept {caught} as error:\n    caught = error\nelse:\n    assert False\nassert isinstance(caught, {caught})"
    passes(sandbox, RAISES, test)


def test_no_test_passes_that_catches_something_else(sandbox: Sandbox) -> None:
    assert errors(sandbox, RAISES, "try:\n    f(2)\nexcept ValueError: pass") == ["Other: other!"]
    assert errors(sandbox, RAISES, "try:\n    f(0)\nexcept Own: pass") == [
        "ValueError: ('zero', 1)"
    ]


@pytest.mark.parametrize("kind", ["StopIteration", "StopAsyncIteration", "GeneratorExit"])
def test_no_exception_ends_a_tests_loop_in_silence(sandbox: Sandbox, kind: str) -> None:
    solution = f"class Mine({kind}): pass\ndef f(n): raise {kind}\ndef g(n): raise Mine\n"
    for call in ("f", "g"):
        told = errors(
            sandbox,
            solution,
            f"assert all({call}(n) == n for n in range(3))",
            f"for x in map({call}, [1, 2]): assert False",
            f"def each():\n    for n in range(3): yield {call}(n)\nassert list(each()) == []",
            f"assert [x for x in iter(lambda: {call}(1), 0)] == []",
        )
        assert len(told) == 4


# ---------------------------------------------------------------- in place


def test_what_a_solution_does_to_its_arguments_is_done_to_the_tests(sandbox: Sandbox) -> None:
    solution = """
def order(x): x.sort()
def clear(x): x.clear()
def deep(x): x["a"][0].append(1); x["b"] = 2; del x["c"]
def rows(m):
    for row in m: row.reverse()
def named(*, x): x.add(3)
def fill(b): b[:] = b"new"
"""
    passes(
        sandbox,
        solution,
        "x = y = [3, 1, 2]\norder(x)\nassert x == [1, 2, 3] and x is y",
        "x = [1]\nclear(x)\nassert x == []",
        "inner = []\nx = {'a': [inner], 'c': 0}\ndeep(x)\nassert x == {'a': [[1]], 'b': 2} and x['a'][0] is inner",
        "m = [[1, 2], [3, 4]]\nfirst = m[0]\nrows(m)\nassert m == [[2, 1], [4, 3]] and first == [2, 1]",
        "x = {1}\nnamed(x=x)\nassert x == {1, 3}",
        "b = bytearray(b'old')\nfill(b)\nassert b == b'new'",
    )


PRELUDE = """
from typing import List, Optional
class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val, self.left, self.right = val, left, right
class ListNode:
    __slots__ = ("val", "next")
    def __init__(self, val=0, next=None):
        self.val, self.next = val, next
"""


def test_classes_of_the_prelude_are_rebuilt_on_both_sides(sandbox: Sandbox) -> None:
    solution = """
class Solution:
    def invert(self, root: Optional[TreeNode]) -> Optional[TreeNode]:
        if root: root.left, root.right = self.invert(root.right), self.invert(root.left)
        return root
    def reverse(self, head):
        last = None
        while head: last, head.next, head = head, last, head.next
        return last
    def flatten(self, root):
        root.right, root.left = root.left, None
"""
    passes(
        sandbox,
        solution,
        "t = Solution().invert(TreeNode(1, TreeNode(2), None))\nassert t.right.val == 2 and t.left is None and isinstance(t, TreeNode)",
        "x = Solution().reverse(ListNode(1, ListNode(2)))\nassert (x.val, x.next.val, x.next.next) == (2, 1, None)",
        "t = TreeNode(1, TreeNode(2))\nSolution().flatten(t)\nassert t.left is None and t.right.val == 2",
        prelude=PRELUDE,
    )


# ---------------------------------------------------------------- forms of tests


def test_check_gets_the_function_it_asks_for(sandbox: Sandbox) -> None:
    check = "METADATA = {}\ndef check(candidate):\n    assert candidate(2) == 4\n    assert candidate(3) == 9\n"
    passes(sandbox, "def square(n): return n * n\n", check=check, entry_point="square")
    run = judged(sandbox, "def square(n): return 4\n", check=check, entry_point="square")
    assert [one.passed for one in run.outcomes] == [False]
    run = judged(sandbox, "def cube(n): return 4\n", check=check, entry_point="square")
    assert [one.error for one in run.outcomes] == ["NameError: the solution defines no square"]


def test_check_and_asserts_together_are_as_many_tests(sandbox: Sandbox) -> None:
    check = "def check(candidate):\n    assert candidate(2) == 2\n"
    tests = {"check": check, "entry_point": "f"}
    passes(sandbox, "def f(n): return n\n", "assert f(1) == 1", "assert f(0) == 0", **tests)


def test_stop_ends_at_the_first_that_fails(sandbox: Sandbox) -> None:
    tests = FunctionTests(("assert f(1) == 1", "assert f(1) == 2", "assert f(1) == 1"))
    for stop, wanted in ((True, [True, False]), (False, [True, False, True])):
        run = sandbox.run_tests(b"def f(n): return n", tests, LIMITS, stop=stop)
        assert [one.passed for one in run.outcomes] == wanted


@pytest.mark.parametrize("name", ["sum", "max", "len", "sorted", "filter"])
def test_a_solution_may_be_named_like_a_built_in(sandbox: Sandbox, name: str) -> None:
    """The tests mean the solution's. Even where they name a module besides, or the built-in is right by chance."""
    right, wrong = f"def {name}(a, b=0): return (a, b, 'mine')\n", f"def {name}(a, b=0): return 0\n"
    asserts = (
        f"assert {name}([1]) == ([1], 0, 'mine')",
        f"assert list({name}([2], math.floor(1.5)))[1:] == [1, 'mine']",
    )
    passes(sandbox, right, *asserts)
    assert len(errors(sandbox, wrong, *asserts)) == 2


def test_modules_that_nobody_imported(sandbox: Sandbox) -> None:
    """MBPP's tests use `math` because the solution did; some solution does without."""
    passes(sandbox, "def f(x): return x\n", "assert math.isclose(f(0.1) * 3, 0.3)")
    passes(
        sandbox,
        "import math as m\nimport re\ndef f(x): return x\n",
        "assert re.sub('a', 'b', f('a')) == 'b'",
    )


def test_what_the_solution_prints_is_its_own(sandbox: Sandbox) -> None:
    solution = "import sys\nprint('loading')\ndef f():\n    print('called'); print('oops', file=sys.stderr)\n"
    run = judged(sandbox, solution, "print('from the tests')\nassert f() is None")
    assert (run.stdout, run.stderr) == (b"loading\ncalled\n", b"oops\n")


def test_a_test_that_fails_says_why(sandbox: Sandbox) -> None:
    solution = "def f(n): return n\n"
    told = errors(
        sandbox,
        solution,
        "assert f(1) == 2",
        "assert f(1) == 2, f'not {f(1)}'",
        "f(1).x",
        "f()",
        "g(1)",
        "1 / 0",
    )
    assert told[:2] == ["AssertionError", "AssertionError: not 1"]
    assert "has no attribute 'x'" in told[2]
    assert "missing 1 required positional argument" in told[3]
    assert told[4:] == ["NameError: name 'g' is not defined", "ZeroDivisionError: division by zero"]


def test_tests_of_one_solution_are_not_there_for_the_next(sandbox: Sandbox) -> None:
    left = "import builtins, sys\nbuiltins.left = sys.left = 1\nopen('left', 'w').close()\n"
    passes(sandbox, left + "def f(): return 1\n", "assert f() == 1", setup=left)
    look = "import builtins, os, sys\ndef f(): return hasattr(builtins, 'left'), hasattr(sys, 'left'), os.listdir()\n"
    passes(
        sandbox,
        look,
        "assert f() == (False, False, [])",
        "assert here() == f()",
        setup=look.replace("f()", "here()"),
    )
