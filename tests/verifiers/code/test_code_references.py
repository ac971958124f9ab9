"""References of code tasks: what they may hold, and what is said of those that can't be used."""

from __future__ import annotations

from typing import Any

import pytest

from rlvr import Cause
from rlvr.core.errors import CannotScore
from rlvr.sandboxes.base import FunctionTests, Limits, Program
from rlvr.verifiers.code.compare import OutputComparison
from rlvr.verifiers.code.reference import Case, Reference, public_part

IO = {"stdin": "1", "stdout": "2"}
CANARY = "c4n4ry"


def test_standard_input_and_output() -> None:
    read = Reference.of({"tests": [IO, {"input": "é", "output": "4\n", "public": True}]})
    assert read.tests == (Case(b"1", b"2"), Case("é".encode(), b"4\n"))
    assert read.public == (False, True)
    assert (read.language, read.limits, read.check) == ("python", Limits(), OutputComparison())
    assert (read.entry_point, read.solution) == ("", None)


def test_check() -> None:
    given = {
        "entry_point": "f",
        "test": "def check(c): ...",
        "setup": "import math",
        "prelude": "x = 1",
    }
    read = Reference.of(given)
    assert read.tests == FunctionTests((), "def check(c): ...", "f", "import math", "x = 1")
    assert (read.public, read.entry_point) == ((False,), "f")


def test_asserts() -> None:
    read = Reference.of({"asserts": ["assert f() == 1", {"assert": "assert f()", "public": True}]})
    assert read.tests == FunctionTests(("assert f() == 1", "assert f()"))
    assert read.public == (False, True)


@pytest.mark.parametrize(
    ("asserts", "name"),
    [
        (["assert f(1) == 1"], "f"),
        (["assert set(f(1)) == set((1,))", "assert math.isclose(f (2), 2)"], "f"),
        (["assert f(g(1)) == 1", "assert f(2) == g(2)", "assert f(3)"], "f"),
        (["assert f(g(1)) == 1", "assert f(2) == g(2)"], ""),
        (["assert f(1)", "assert g(1)"], ""),
        (["assert sum([1]) == 1"], ""),
        (["assert x.f(1)"], ""),
        (["assert not (1)", "assert (2)"], ""),
        (["x = 1"], ""),
    ],
)
def test_the_function_that_all_asserts_call(asserts: list[str], name: str) -> None:
    read = Reference.of({"asserts": asserts})
    assert (read.entry_point, read.sought) == ("", name)
    read = Reference.of({"asserts": asserts, "entry_point": "named"})
    assert (read.entry_point, read.sought) == ("named", "named")


def test_asserts_before_a_check() -> None:
    read = Reference.of({"asserts": ["assert f()"], "entry_point": "f", "test": "x", "public": 1})
    assert read.tests == FunctionTests(("assert f()",), "x", "f")
    assert read.public == (True, False)


def test_public_counts_the_first() -> None:
    assert Reference.of({"tests": [IO] * 3, "public": 2}).public == (True, True, False)
    flagged = [IO, IO | {"public": False}, IO | {"public": True}]
    assert Reference.of({"tests": flagged, "public": 1}).public == (True, False, True)


def test_what_may_go_with_it() -> None:
    read = Reference.of(
        {"tests": [IO], "language": "C++", "limits": {"wall_s": 2}, "checker": "lines", "solution": "s"},
        "js",
        Limits(cpu_s=3),
    )  # fmt: skip
    assert (read.language, read.solution) == ("cpp", "s")
    assert read.limits == Limits(wall_s=2, cpu_s=3)
    assert read.check == OutputComparison("lines")
    assert Reference.of({"tests": [IO]}, "c++").language == "cpp"
    assert Reference.of({"asserts": ["assert f()"]}, "c++").language == "python"
    assert Reference.of({"tests": [IO], "checker": {"relative": 1e-4}}).check == OutputComparison(
        "tokens", 0.0, 1e-4
    )
    checker = {"language": "c++", "source": "int main() {}"}
    assert Reference.of({"tests": [IO], "checker": checker}).check == Program(
        b"int main() {}", "cpp"
    )


def test_a_checker_may_need_no_answers() -> None:
    tests = [{"stdin": "1", "stdout": ""}]
    assert Reference.of({"tests": tests, "checker": {"source": "x"}}).tests == (Case(b"1", b""),)


WRONG: list[tuple[Any, str]] = [
    ("4", "of type str"),
    (None, "of type NoneType"),
    ([IO | {"stdin": CANARY}], "of type list"),
    ({}, "this one has []"),
    ({"answer": "4"}, "this one has ['answer']"),
    ({"tests": [IO], "asserts": ["assert 1"]}, "both"),
    ({"tests": []}, '"tests" empty or of type list'),
    ({"tests": {}}, '"tests" empty or of type dict'),
    ({"tests": CANARY}, '"tests" empty or of type str'),
    ({"tests": None}, '"tests" empty or of type NoneType'),
    ({"tests": [IO, CANARY]}, 'test 2 of type str, not {"stdin", "stdout"}'),
    ({"tests": [{"stdin": CANARY}]}, 'test 1 without "stdout"; it has stdin'),
    ({"tests": [{}]}, 'test 1 without "stdin"; it has nothing'),
    ({"tests": [IO, {"stdin": 1, "stdout": CANARY}]}, 'test 2 with "stdin" of type int'),
    ({"tests": [{"stdin": "\ud800" + CANARY, "stdout": ""}]}, "test 1 with text that is no Unicode"),
    ({"tests": [{"stdin": CANARY, "stdout": " \n"}]}, "expects no output in any test"),
    ({"tests": [IO | {"public": 1}]}, '"public": 1 in test 1'),
    ({"tests": [IO], "public": 2}, "how many of the 1 tests"),
    ({"tests": [IO], "public": True}, "how many of the 1 tests"),
    ({"tests": [IO], "public": -1}, "how many of the 1 tests"),
    ({"tests": [IO], "language": "cobol"}, "cobol"),
    ({"tests": [IO], "language": 3}, '"language" of type int'),
    ({"tests": [IO], "limits": {"wall": 1}}, "no limit 'wall'"),
    ({"tests": [IO], "limits": {"wall_s": 0}}, "wall_s is a positive number"),
    ({"tests": [IO], "limits": [1]}, "Limits are names and numbers"),
    ({"tests": [IO], "checker": "almost"}, "not 'almost'"),
    ({"tests": [IO], "checker": {"source": ""}}, "a checker without source"),
    ({"tests": [IO], "checker": {"source": 1}}, '"source" of type int'),
    ({"tests": [IO], "checker": {"source": "x", "language": "cobol"}}, "cobol"),
    ({"tests": [IO], "checker": {"language": "python"}}, "compared by"),
    ({"tests": [IO], "entry_point": "f g"}, "which is no name"),
    ({"tests": [IO], "solution": 1}, '"solution" of type int'),
    ({"asserts": []}, '"asserts" empty or of type list'),
    ({"asserts": ["assert 1", 2]}, "assert 2 of type int"),
    ({"asserts": [" "]}, "assert 1 of type str, or blank"),
    ({"asserts": [{"test": CANARY}]}, "assert 1 of type dict"),
    ({"asserts": ["assert 1"], "checker": "lines"}, '"checker", which is for {"tests": …} alone'),
    ({"asserts": ["assert 1"], "language": "cpp"}, "for Python alone, not cpp"),
    ({"asserts": ["\ud800"]}, "assert 1 with text that is no Unicode"),
    ({"asserts": ["assert 1"], "setup": ["import math"]}, '"setup" of type list'),
    ({"test": "def check(c): ..."}, '"test" without source, or without the "entry_point"'),
    ({"test": " ", "entry_point": "f"}, '"test" without source'),
    ({"test": 1, "entry_point": "f"}, '"test" of type int'),
    ({"test": "x", "entry_point": "f", "language": "js"}, "for Python alone"),
    ({"test": "x", "entry_point": "f", "prelude": 1}, '"prelude" of type int'),
]  # fmt: skip


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_what_cannot_be_used_is_the_golds_fault(given: Any, says: str) -> None:
    with pytest.raises(CannotScore) as raised:
        Reference.of(given)
    assert raised.value.cause is Cause.GOLD
    assert raised.value.message.startswith("the reference ")
    assert says in raised.value.message
    assert CANARY not in raised.value.message


def test_the_public_part() -> None:
    tests = [IO | {"stdin": str(i), "public": i != 1} for i in range(3)]
    given = {"tests": tests, "language": "cpp", "solution": "s", "checker": "lines", "public": 1}
    part = public_part(given)
    assert part == {
        "tests": [tests[0], tests[2]],
        "language": "cpp",
        "checker": "lines",
        "public": 2,
    }
    assert Reference.of(part).public == (True, True)
    assert public_part({"tests": [IO]}) is None


def test_the_public_part_of_functions() -> None:
    given = {"asserts": ["assert a", "assert b"], "entry_point": "f", "test": "hidden", "public": 1}
    part = {"asserts": ["assert a"], "entry_point": "f", "public": 1}
    assert public_part(given | {"prelude": "p"}) == part | {"prelude": "p"}
    assert public_part(given | {"public": 3}) == given | {"public": 3}
    assert public_part({"entry_point": "f", "test": "x"}) is None
    whole = {"entry_point": "f", "test": "x", "public": 1}
    assert public_part(whole) == whole


def test_the_public_part_where_the_check_alone_is_public() -> None:
    given = {"asserts": [{"assert": "assert a"}], "entry_point": "f", "test": "x"}
    assert public_part(given) is None


def test_limits_are_raised_to_what_the_reference_needs() -> None:
    """No program could pass else. By powers of two: programs can see some limits, and these tell no length."""

    def limits(expected: str, stdin: str = "", **more: Any) -> Limits:
        given = {"tests": [{"stdin": stdin, "stdout": expected}], "limits": more}
        return Reference.of(given).limits

    assert limits("x" * 10**6) == Limits()
    assert limits("x" * 5_000_000).output_kb == 16384
    assert limits("x" * 5000, output_kb=1).output_kb == 16
    assert limits("x" * 5000, output_kb=5).output_kb == 5
    assert limits("1 " * 10_000).int_digits == 4300
    assert limits("1" * 4301).int_digits == 16384
    assert limits("7", stdin="-" + "9" * 20_000 + "\n").int_digits == 65536
    assert limits("1" * 5000, int_digits=5000).int_digits == 5000
    asserts = Reference.of({"asserts": [f"assert f() == '{'1' * 5000}'"]}).limits
    assert asserts.int_digits == 16384
    with pytest.raises(CannotScore, match="more than any limit allows"):
        limits("1" * 10**6)


def test_integers_longer_than_usual_are_found_wherever_they_begin() -> None:
    for before in range(0, 4400, 550):
        given = {"tests": [{"stdin": "", "stdout": "x" * before + "1" * 4301 + "x" * 900}]}
        assert Reference.of(given).limits.int_digits == 16384
