"""The names that tests ask a solution for, and those that must not judge its answers."""

from __future__ import annotations

import gc
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rlvr.sandboxes import FunctionTests
from rlvr.sandboxes.asked import Asked, asked_of


def asked(*asserts: str, **more: Any) -> Asked:
    return asked_of(FunctionTests(asserts, **more))


@pytest.mark.parametrize(
    ("asserts", "names"),
    [
        (["assert f(1) == set([1, 2])"], {"f"}),
        (["assert all(f(i) == i * i for i in range(10))"], {"f"}),
        (["assert math.isclose(f(2), 1.4)", "assert np.allclose(f(2), [1.4])"], {"f"}),
        (["assert sorted(f(1)) == sorted([1])", "assert isinstance(f(1), list)"], {"f"}),
        (["assert Counter(f('ab')) == Counter('ab')", "assert f(deque([1])) == sqrt(4)"], {"f"}),
        (["assert f(datetime(2020, 1, 1)) and datetime.now()"], {"f"}),
        (["x = f(1)\nassert x.count(2) == 1", "assert f(2).real == x"], {"f"}),
        (["assert [f for f in (1, 2)] == g(1)", "assert (lambda h: h)(1) == g(2)"], {"g"}),
        (["assert total([Pair(1, 2)]) == 3"], {"Pair", "total"}),
        (["assert LIMIT == 10 and f() == LIMIT"], {"LIMIT", "f"}),
        # Named like something of Python's, which nothing else in the assert can be meant by.
        (["assert sum(10, 15) == 6"], {"sum"}),
        (["assert sum(10, 15) == 6", "assert list(sum(1, 2)) == list('a')"], {"sum"}),
        (["assert [sum(10, 15)] == [6] and type(sum(10, 15)) == type(6)"], {"sum"}),
        (["assert gcd(4, 6) == 2", "assert lcm(4, 6) == 12"], {"gcd", "lcm"}),
        (["assert chain([Pair(5, 24)]) == 1", "assert List().size() == 0"], {"chain", "List", "Pair"}),
    ],
)  # fmt: skip
def test_names(asserts: list[str], names: set[str]) -> None:
    found = asked(*asserts)
    assert set(found.names) == names
    assert (found.judges, found.refused) == ({}, "")


def test_everything_else_is_imported_beside_the_tests() -> None:
    found = asked(
        "assert np.allclose(f(1), sqrt(4)) and copy.copy(1)",
        "assert plt and Counter('a') and sys.maxsize and re",
        "assert f(datetime(2020, 1, 1)).days",
        entry_point="f",
    )
    assert found.imports == {
        "np": ("numpy", ""),
        "plt": ("matplotlib.pyplot", ""),
        "sqrt": ("math", "sqrt"),
        "Counter": ("collections", "Counter"),
        "sys": ("sys", ""),
        "re": ("re", ""),
        "copy": ("copy", ""),
        "datetime": ("datetime", "datetime"),
    }
    assert asked("assert gcd(4, 6) == f(2)", entry_point="gcd").names == ("f", "gcd")
    assert asked("assert f(1) == helpers.double(1)", entry_point="f").modules == ("helpers",)


@pytest.mark.parametrize(
    "tests",
    [
        {"asserts": ("assert set(list(x)) == y(1)",), "entry_point": "set", "setup": "x = set()"},
        {"asserts": ("assert list(filter([1])) == [1]",)},
    ],
)
def test_what_cannot_be_told_is_refused(tests: dict[str, Any]) -> None:
    assert asked_of(FunctionTests(**tests)).refused


JUDGED = [
    "assert g(f(1), 2)",
    "assert not g(f(1), 2)",
    "assert g(f(1), 2) == True and g(f(2), 3) is True",
    "x = f(1)\nassert g(x, 2)",
    "if not g(f(1), 2):\n    raise AssertionError",
    "for a, b in [(1, 2)]:\n    assert g(f(a), b)",
    "assert all(g(f(a), b) for a, b in [(1, 2)])",
    "found = [f(a) for a in [1]]\nassert all(g(x, y) for x, y in zip(found, [2]))",
    "found = {}\nfound['x'] = f(1)\nassert g(found['x'], 2)",
    "def same(a, b):\n    return g(a, b)\nassert same(f(1), 2)",
    "def same(a, b):\n    got = f(a)\n    return g(got, b)\nassert same(1, b=2)",
    "right = 0\nfor i in range(3):\n    if g(f(i), i):\n        right += 1\nassert right == 3",
    "assert sum(g(f(i), i) for i in range(3)) == 3",
    "h = g\nassert h(f(1), 2)",
    "assert (x := f(1)) is not None and g(x, 2)",
    "assert g(got=f(1), expected=2)",
    "assert g(f(1), 2) == []",
    "assert g(f(1), 2) == 'right'\nassert g(f(2), 3) == 'right'",
    "assert g(f(1), 2) < 1e-6",
    "g(f(1), 2)",
    "assert g(f(1))",
    "assert g(f, [(1, 2)])",
    "assert g.near(f(1), 2)",
    "near = g()\nassert near.ok(f(1), 2)",
    "assert g(f(1)) == g(2)",
    "assert f(1) == g(2)",
    "y = g(2)\nassert f(1) == y",
    "assert math.isclose(f(1), g(2))",
    "assert abs(f(1) - g(2)) < 1e-6",
    "assert set(f(1)) == set(g(2))",
    "assert all(a == b for a, b in zip(map(f, [1]), map(g, [1])))",
    "import unittest\nunittest.TestCase().assertEqual(f(1), g(2))",
    "import unittest\nunittest.TestCase().assertTrue(g(f(1), 2))",
]


@pytest.mark.parametrize("source", JUDGED)
def test_no_function_of_the_solutions_judges_its_answers(source: str) -> None:
    assert list(asked(source, entry_point="f").judges) == ["g"]
    check = "def check(candidate):\n" + "".join(
        f"    {line}\n" for line in source.replace("f(", "candidate(").splitlines()
    )
    if "g(f, " not in source and "map(f" not in source:
        assert list(asked(check=check, entry_point="f").judges) == ["g"]
    assert not asked(source, entry_point="f", setup="def g(*a): pass").judges
    if "g.near" not in source:
        assert not asked(source, entry_point="f", setup="from math import isclose as g").judges


@pytest.mark.parametrize(
    "asserts",
    [
        ["assert decode(encode('a')) == 'a'"],
        ["assert to_list(f(make([1]))) == [1]"],
        ["assert f(1) == 2 and g(3) == 4"],
        ["assert f() == Color.RED"],
        ["assert isinstance(swapped(Pair(1, 2)), Pair)"],
        ["assert Solution().same(Node(1), Node(1))"],
        ["assert same(Node(1), Node(1))", "assert not same(Node(1), Node(2))"],
        ["s = Stack()\ns.push(1)\nassert s.pop() == 1 and s.is_empty()"],
        ["assert distance(P(0, 0), P(3, 4)) == 5"],
        ["t = Node(1)\nt.left = Node(2)\nassert depth(t) == 2\nassert is_tree(t)"],
        ["n = Node(1)\nx = Linked()\nx.add(n)\nassert x.find(1) == n"],
        ["p = Node(1)\nassert ancestor(p, Node(2)) == p"],
        ["assert V(1) < V(2) and (V(1) + V(2)).x == 3"],
        ["assert Square(2).area() > Circle(1).area()"],
        ["r = insert(None, 5)\nassert search(r, 5)\nassert not search(r, 6)"],
        ["assert f('ab') == f('ba')", "assert compose(inc, double)(3) == 8"],
        [
            "def make(v):\n    h = None\n    for x in v: h = Node(x, h)\n    return h\ndef read(h):\n    r = []\n    while h:\n"
            "        r.append(h.val)\n        h = h.next\n    return r\nassert read(Solution().rev(make([1]))) == [1]"
        ],
    ],
)  # fmt: skip
def test_helpers_that_do_not_judge_are_no_harm(asserts: list[str]) -> None:
    found = asked(*asserts)
    assert (found.judges, found.refused, found.own) == ({}, "", ())


def test_long_tests_are_read_in_time() -> None:
    lines = [f"x{i} = g(f({i}))\nassert x{i} + f({i}) == {i}" for i in range(300)]
    assert not asked(*lines, setup="def h(x):\n    return f(x)\n" * 50).refused
    assert not asked("\n".join(lines)).refused
    assert asked("assert " + "f(" * 5000 + ")" * 5000).refused


def test_sources_are_read_from_many_threads_at_once() -> None:
    """A collection that runs Python code in the middle of one thread's tree lets another thread begin its own."""
    deep = (
        "assert f("
        + "(" * 60
        + "1"
        + ")" * 60
        + " + "
        + " + ".join(map(str, range(300)))
        + ") == 2"
    )
    tests = [FunctionTests(asserts=(f"{deep} + {i}",), entry_point="f") for i in range(150)]
    before = gc.get_threshold()

    def let_others_run(phase: str, about: dict[str, int]) -> None:
        time.sleep(0)

    gc.callbacks.append(let_others_run)
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(asked_of, tests))
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(let_others_run)
    assert all(asked.refused == "" and asked.names == ("f",) for asked in found)
