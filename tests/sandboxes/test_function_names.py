"""No solution passes by giving its tests something that they didn't ask for, or an object that lies about itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from jail_processes import broker, descendants, within

from rlvr.sandboxes import FunctionTests, Limits, Sandbox

LIMITS = Limits(wall_s=5, cpu_s=4)
ROOMY = Limits(wall_s=30, cpu_s=20, memory_mb=1024)


def passed(sandbox: Sandbox, solution: str, *asserts: str, **more: str) -> list[bool]:
    run = sandbox.run_tests(solution.encode(), FunctionTests(asserts, **more), LIMITS)
    assert not run.broken, run
    return [one.passed for one in run.outcomes]


GUESS = "def f(x):\n    return 7\n"
SHADOWED = {
    "assert math.isclose(f(2), 1.4)": "class math: isclose = staticmethod(lambda *a, **k: True)",
    "assert re.fullmatch('a', str(f(1)))": "class re: fullmatch = staticmethod(lambda *a: True)",
    "assert f(1) == sys.getsizeof(1)": "class sys: getsizeof = staticmethod(lambda x: 7)",
    "assert f(1) == set([1, 2])": "def set(*a): return 7",
    "assert all(f(i) == i * i for i in range(10))": "def range(*a): return []\ndef all(x): return True",
    "assert f(1) == float('1')": "def float(x): return 7",
    "assert f(1) == sorted([2, 1])": "def sorted(x): return 7",
    "assert len(f(1)) == len([1])": "def len(x): return 0",
    "assert isinstance(f(1), list)": "def isinstance(*a): return True",
    "assert abs(f(1) - 2) < 1e-6": "def abs(x): return 0",
    "assert Counter(f(1)) == Counter('ab')": "def Counter(x): return 7",
    "assert deque(f(1)) == deque([1])": "deque = lambda x: 7",
    "assert isclose(f(1), sqrt(2))": "isclose = lambda *a: True\nsqrt = lambda x: 7",
    "assert copy.deepcopy(f(1)) == deepcopy([1])": "deepcopy = lambda x: 7\nclass copy: deepcopy = deepcopy",
    "try:\n    assert f(1) == 2\nexcept TypeError: pass": "AssertionError = TypeError\nTypeError = Exception",
}  # fmt: skip


@pytest.mark.parametrize("source", SHADOWED)
def test_names_of_pythons_are_pythons(sandbox: Sandbox, source: str) -> None:
    cheat = SHADOWED[source]
    hooked = f"{cheat}\ndef __getattr__(name): return lambda *a, **k: True\n"
    globals_ = f"{cheat}\nglobals().update({{n: g for n, g in globals().items()}})\n"
    for solution in (cheat, hooked, globals_):
        assert not any(passed(sandbox, f"{solution}\n{GUESS}", source))
        assert not any(passed(sandbox, f"{solution}\n{GUESS}", source, entry_point="f"))
    body = "".join(f"    {line}\n" for line in source.replace("f(", "candidate(", 1).splitlines())
    check = f"def check(candidate):\n{body}"
    if "candidate" in source.replace("f(", "candidate(", 1) and "def(" not in check:
        assert not any(passed(sandbox, f"{cheat}\n{GUESS}", check=check, entry_point="f"))


def test_a_module_that_is_missing_beside_the_tests_is_no_wrong_answer(sandbox: Sandbox) -> None:
    """Whatever the solution has by that name."""
    cheat = f"class sns: near = staticmethod(lambda *a: True)\n{GUESS}"
    run = sandbox.run_tests(cheat.encode(), FunctionTests(("assert sns.near(f(1), 2)",)), LIMITS)
    assert "seaborn" in run.broken
    assert not any(one.passed for one in run.outcomes)


def test_tests_that_a_solution_would_judge_are_no_tests(sandbox: Sandbox) -> None:
    tests = FunctionTests(("assert close(f(1), 2)", "assert close(f(2), 3)"), entry_point="f")
    run = sandbox.run_tests(f"{GUESS}def close(*a): return True\n".encode(), tests, LIMITS)
    assert "`close`" in run.broken
    right = "def f(x): return x + 1\n"
    assert all(passed(sandbox, right, *tests.asserts, setup="from math import isclose as close"))


def test_a_built_ins_name_in_check_is_pythons(sandbox: Sandbox) -> None:
    check = "def check(candidate):\n    assert candidate([1, 2]) == sum([1, 2])\n"
    assert not any(passed(sandbox, "def sum(x): return 7\n", check=check, entry_point="sum"))
    assert passed(sandbox, "def sum(x): return x[0] + x[1]\n", check=check, entry_point="sum") == [
        True
    ]


PRELUDE = """
import collections, dataclasses, enum, functools
from typing import NamedTuple
class Box:
    kind = "box"
    def __init__(self, items): self.items = items
    def is_sorted(self): return self.items == sorted(self.items)
    @property
    def total(self): return sum(self.items)
    @functools.cached_property
    def most(self): return max(self.items)
    @staticmethod
    def fine(): return False
    def __eq__(self, other): return type(other) is Box and self.items == other.items
    def __len__(self): return len(self.items)
class Slotted:
    __slots__ = ("val", "__hidden")
    def __init__(self, v): self.val, self.__hidden = v, 2 * v
    def hidden(self): return self.__hidden
class Point(NamedTuple):
    x: int
    y: int = 0
    def norm(self): return self.x + self.y
Pair = collections.namedtuple("Pair", "a b")
class Colour(enum.Enum):
    RED = 1
    BLUE = "b"
class Bits(enum.Flag):
    A = 1
    B = 2
class Number(enum.IntEnum):
    one = 1
@dataclasses.dataclass
class Data:
    x: int
    key: object = len
class Stack(list):
    def top(self): return self[-1]
class Text(str):
    def shout(self): return self.upper() + "!"
class Order(collections.OrderedDict): pass
class Default(collections.defaultdict): pass
class Odd(Exception): pass
class Coded(ValueError):
    def __init__(self, code, why):
        super().__init__(why)
        self.code = code
"""


def test_objects_of_the_preludes_classes_come_back_as_they_are(sandbox: Sandbox) -> None:
    asserts = [
        "assert f(Box([1])) == Box([1]) and (f(Box([1])).total, f(Box([3])).most) == (1, 3)",
        "assert f(Slotted(3)).val == 3 and f(Slotted(3)).hidden() == 6",
        "assert f(Point(1, 2)) == Point(1, 2) and f(Point(1)).norm() == 1",
        "assert type(f(Pair(1, 2))) is Pair and f(Pair(1, 2)).b == 2",
        "assert f(Colour.RED) is Colour.RED and f([Colour.BLUE]) == [Colour.BLUE]",
        "assert f(Bits.A | Bits.B) == Bits.A | Bits.B and f(Number.one) is Number.one",
        "assert f(Data(2, 5)) == Data(2, 5) and f(Data(1, 'a')).key == 'a'",
        "assert f(Stack([1, 2])).top() == 2 and f(Text('a')).shout() == 'A!'",
        "assert list(f(Order(b=1, a=2))) == ['b', 'a'] and f(Default(list, a=1)) == {'a': 1}",
    ]
    assert all(passed(sandbox, "def f(x): return x\n", *asserts, prelude=PRELUDE))
    raises = "def f(n):\n    if n: raise Odd('x')\n    raise Coded(3, 'y')\n"
    catching = [
        f"try:\n    f({n})\nexcept {kind} as error:\n    assert str(error) == {text!r}\nelse:\n    assert False"
        for n, kind, text in ((1, "Odd", "x"), (0, "Coded", "y"))
    ]
    assert all(passed(sandbox, raises, *catching, prelude=PRELUDE))


LIARS = {
    "attributes": "def f(x):\n    b = Box([3, 1])\n    b.is_sorted = b.fine = lambda: True\n    b.__dict__.update(total=4, most=9, "
    "__class__=3, __dict__={'is_sorted': lambda: True}, __len__=lambda: 7, __eq__=lambda o: True)\n    return b\n",
    "a subclass": "class Mine(Box):\n    most = 9\n    def is_sorted(self): return True\n    fine = is_sorted\n    def __eq__(s, o): return True\n"
    "    def __len__(self): return 7\n    __class__ = Box\ndef f(x): return Mine([3, 1])\n",
    "the class patched": "Box.is_sorted = lambda s: True\nBox.fine = lambda s=0: True\nBox.most = 9\nBox.__eq__ = lambda s, o: True\n"
    "Box.__len__ = lambda s: 7\ndef f(x): return Box([3, 1])\n",
    "another class": "class Box:\n    most = 9\n    def is_sorted(self): return True\n    fine = is_sorted\n    def __eq__(s, o): return True\n"
    "    def __len__(self): return 7\n    def __getattr__(self, name): return True\ndef f(x): return Box()\n",
}  # fmt: skip


@pytest.mark.parametrize("liar", LIARS)
def test_no_object_hides_the_authors_methods(sandbox: Sandbox, liar: str) -> None:
    asserts = [
        "assert f(1).is_sorted()", "assert f(1).fine()", "assert f(1) == Box([1])", "assert f(1) in [Box([1])]",
        "x = f(1)\nassert x.is_sorted() is True", "assert not f(1) != Box([1])", "assert f(1).most > 8", "assert len(f(1)) > 5",
    ]  # fmt: skip
    assert not any(passed(sandbox, LIARS[liar], *asserts, prelude=PRELUDE))


IMPOSTOR = """
class Impostor:
    def __init__(self, v=()): self.v = v
    def __getattr__(self, name): return lambda *a, **k: True
    def __getitem__(self, i): return []
    def __iter__(self): return iter(self.v)
    def __len__(self): return 3
    def __bool__(self): return True
    def __contains__(self, x): return True
    def __eq__(self, other): return True
def f(x): return Impostor(x if isinstance(x, list) else ())
"""


@pytest.mark.parametrize(
    "source",
    [
        "assert f('x').startswith('ab')",
        "assert f([1]).issubset({1})",
        "x = f(1)\nassert x.isdigit()",
        "assert f('s').count('a') > 0 and f('s').find('a') != -1",
        "assert all(f(x).isupper() for x in 'ab')",
        "def g(x): return f(x)\nassert g(1).startswith('a')",
        "assert f(1).get('k')",
        "assert not f(1).isspace()",
        "assert 5 in f(1)",
        "assert f(1).is_integer()",
        "r = f([3, 1, 2])\nassert all(a <= b for a, b in zip(r, r[1:])) and sorted(r) == [1, 2, 3]",
        "r = f([1, 1])\nassert len(set(r)) < len(r)",
    ],
)
def test_what_plain_data_answer_no_object_answers(sandbox: Sandbox, source: str) -> None:
    assert not any(passed(sandbox, IMPOSTOR, source))


def test_named_tuples_have_their_own_methods(sandbox: Sandbox) -> None:
    solution = "import collections\nclass P(collections.namedtuple('P', 'x y')):\n    _fields = ('count', 'index')\ndef g(*a): return True\ndef f(x): return P(g, g)\n"
    asserts = ("assert f(1).count(3)", "assert f(1).index(3)", "assert f(1).count(3) == 1")
    assert not any(passed(sandbox, solution, *asserts))


def test_large_values_are_not_kept_beside_the_tests(sandbox: Sandbox) -> None:
    """Neither those that nobody asked for, nor those that a test was about."""
    assert passed(sandbox, "def f(x): return x\n", "assert f(1) == 1") == [True]
    (jail,) = sandbox._jails  # type: ignore[attr-defined]
    unasked = "count = real = [0.1] * 2_500_000\ndef f(x): return x\n"
    for solution, source in (
        (unasked, "assert [f(1), 2].count(2) == 1 and f(1).real == 1"),
        ("def f(x): return [x] * 2_500_000\n", "x = f(0.5)\nassert len(x) == 2_500_000"),
    ):
        run = sandbox.run_tests(solution.encode(), FunctionTests((source,)), ROOMY)
        assert [one.passed for one in run.outcomes] == [True], run
        assert within(30, lambda: max(map(_resident_mb, descendants(broker(jail)))) < 64)


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) / 256
    except OSError:  # it has ended
        return 0.0
