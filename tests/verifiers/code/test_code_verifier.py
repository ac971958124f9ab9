"""`Code`: statuses, rewards, feedback; what is a fault and what a wrong answer."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Iterator
from typing import Any

import pytest

import rlvr
from rlvr import Cause, Code, Scored, Status, Task, Unscored
from rlvr.core.errors import OptionError
from rlvr.sandboxes import Sandbox
from rlvr.sandboxes.base import Limits

DOUBLE = "print(2 * int(input()))"
DOUBLES = {"tests": [{"stdin": str(n), "stdout": str(2 * n)} for n in (1, 2, 30)]}
ASSERTS = {"asserts": [f"assert double({n}) == {2 * n}" for n in (1, 2, 30)]}
CHECK = {
    "entry_point": "double",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(30) == 60\n",
}
QUICK = {"wall_s": 6, "cpu_s": 1}


def judged(reference: Any, response: str, prompt: str = "", **options: Any) -> rlvr.Verdict:
    return rlvr.score([Task(prompt, reference, "t")], [response], Code(**options))[0]


def python(source: str) -> str:
    return f"So:\n\n```python\n{source}\n```\n"


def scored(reference: Any, response: str, **options: Any) -> Scored:
    verdict = judged(reference, response, **options)
    assert isinstance(verdict, Scored), verdict
    assert verdict.components == {"code": verdict.reward}
    return verdict


# ------------------------------------------------------------------ programs that read standard input


def test_a_right_program() -> None:
    verdict = judged(DOUBLES, python(DOUBLE))
    detail = {"passed": 3, "ran": 3, "tests": 3}
    assert verdict == Scored(1.0, Status.CORRECT, {"code": 1.0}, "", detail)


def test_all_or_nothing_ends_at_the_first_failure() -> None:
    verdict = scored(DOUBLES, python("n = int(input())\nprint(2 * n if n != 2 else 5)"))
    assert (verdict.reward, verdict.status) == (0.0, Status.INCORRECT)
    assert verdict.feedback == "hidden test 2 of 3: wrong answer"
    assert verdict.detail == {"passed": 1, "ran": 2, "tests": 3}


def test_the_fraction_that_passes() -> None:
    verdict = scored(
        DOUBLES, python("n = int(input())\nprint(2 * n if n != 2 else 5)"), reward="fraction"
    )
    assert (verdict.reward, verdict.status) == (2 / 3, Status.PARTIAL)
    assert "2 of 3 tests pass" in verdict.feedback
    assert "hidden test 2 of 3: wrong answer" in verdict.feedback
    none = scored(DOUBLES, python("print(0)"), reward="fraction")
    assert (none.reward, none.status) == (0.0, Status.INCORRECT)
    assert scored(DOUBLES, python(DOUBLE), reward="fraction").status is Status.CORRECT


@pytest.mark.parametrize(
    ("source", "ending", "status"),
    [
        ("print(0)", "wrong answer", "incorrect"),
        ("", "no fenced block", "unparsable"),
        ("pass", "wrong answer", "incorrect"),
        (DOUBLE + "\nraise SystemExit(3)", "exit status 3", "incorrect"),
        (DOUBLE + "\n1 / 0", "exit status 1", "incorrect"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "signal 11", "incorrect"),
        ("while True: pass", "over its limit of cpu", "limit"),
        ("import time\ntime.sleep(60)", "over its limit of wall", "limit"),
        ("x = bytearray(1 << 28)\nfor i in range(0, 1 << 28, 4096): x[i] = 1", "limit of memory", "limit"),
        (DOUBLE + "\nprint('x' * 10**6)", "over its limit of output", "limit"),
    ],
)  # fmt: skip
def test_how_a_program_can_fail(source: str, ending: str, status: str) -> None:
    reference = DOUBLES | {"limits": QUICK | {"memory_mb": 128, "output_kb": 100}}
    verdict = scored(reference, python(source))
    assert (verdict.reward, verdict.status) == (0.0, status)
    assert ending in verdict.feedback


def test_what_does_not_compile() -> None:
    verdict = scored(DOUBLES, python("print(2 * int(input())"))
    assert verdict.status is Status.INCORRECT
    assert "it doesn't compile" in verdict.feedback
    assert "'(' was never closed" in verdict.feedback
    for reference in (DOUBLES, ASSERTS, CHECK):
        prose = scored(reference, "I don't know: (really).")
        assert prose.status is Status.UNPARSABLE
        assert "nothing is fenced" in prose.feedback
    assert scored(DOUBLES, "").status is Status.UNPARSABLE
    long = scored(DOUBLES, python("(" + "x" * 100_000))
    assert len(long.feedback) < 2000


def test_unfenced_programs_are_taken_as_they_are() -> None:
    assert scored(DOUBLES, DOUBLE).status is Status.CORRECT
    assert scored(DOUBLES, f"<think>Doubling…</think>\n{DOUBLE}\n").status is Status.CORRECT


@pytest.fixture(scope="module")
def machines_own() -> Iterator[Sandbox]:
    """Bubblewrap: its languages are those of this machine."""
    with Sandbox("bubblewrap", jails=1) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("c++", "#include <iostream>\nint main() { long n; std::cin >> n; std::cout << 2 * n; }"),
        ("bash", "read n; echo $((2 * n))"),
    ],
)
def test_other_languages(language: str, source: str, machines_own: Sandbox) -> None:
    response = f"```{language}\n{source}\n```"
    for verdict in (
        judged(DOUBLES | {"language": language}, response, sandbox=machines_own),
        judged(DOUBLES, response, language=language, sandbox=machines_own),
    ):
        if isinstance(verdict, Unscored) and "has no" in verdict.message:
            assert verdict.cause is Cause.SANDBOX
            assert not os.environ.get("CI"), verdict.message
            pytest.skip(verdict.message)
        assert isinstance(verdict, Scored), verdict
        assert verdict.status is Status.CORRECT
    wrong = scored(DOUBLES | {"language": language}, python(DOUBLE))
    assert wrong.status is Status.UNPARSABLE
    assert "only in python" in wrong.feedback


def test_output_is_compared_as_the_reference_says() -> None:
    half = {"tests": [{"stdin": "1", "stdout": "0.5\n"}]}
    source = python("print('0.5000001')")
    assert scored(half, source).reward == 0
    assert scored(half | {"checker": {"absolute": 1e-6}}, source).reward == 1
    assert scored(half | {"checker": "exact"}, python("print(0.5)")).reward == 1
    assert scored(half | {"checker": "exact"}, python("print(0.5, end='')")).reward == 0


def test_a_public_test_shows() -> None:
    public = DOUBLES | {"public": 1}
    source = "import sys\nprint('oops', file=sys.stderr)\nprint(input() + '!')"
    verdict = scored(public, python(source))
    assert verdict.feedback.split("\n") == [
        "public test 1 of 3: wrong answer",
        "token 1 is '1!', not '2'",
        "input:",
        "1",
        "expected:",
        "2",
        "got:",
        "1!",
        "standard error ends:",
        "oops",
    ]
    crash = scored(public, python("1 / 0"))
    assert crash.feedback.startswith("public test 1 of 3: exit status 1\ninput:\n1\nexpected:\n2\n")
    assert "ZeroDivisionError" in crash.feedback


def test_what_a_public_test_shows_is_bounded() -> None:
    huge = {"tests": [{"stdin": "i" * 100_000, "stdout": "e" * 100_000}], "public": 1}
    source = "import sys\nsys.stderr.write('s' * 100000)\nprint('g' * 100000)"
    verdict = scored(huge, python(source))
    assert verdict.status is Status.INCORRECT
    assert len(verdict.feedback) < 3000


# ------------------------------------------------------------------ tests that call functions


@pytest.mark.parametrize("reference", [ASSERTS, CHECK])
def test_functions(reference: dict[str, Any]) -> None:
    assert scored(reference, python("def double(n):\n    return 2 * n")).status is Status.CORRECT
    assert scored(reference, python("double = lambda n: n + n")).status is Status.CORRECT
    wrong = scored(reference, python("def double(n):\n    return 2"))
    assert (wrong.reward, wrong.status) == (0.0, Status.INCORRECT)
    assert "wrong answer" in wrong.feedback


def test_a_fraction_of_asserts() -> None:
    source = python("def double(n):\n    return 2 * n if n < 9 else 1 / 0")
    verdict = scored(ASSERTS, source, reward="fraction")
    assert (verdict.reward, verdict.status) == (2 / 3, Status.PARTIAL)
    assert "hidden test 3 of 3: ZeroDivisionError" in verdict.feedback


@pytest.mark.parametrize(
    ("source", "feedback", "status"),
    [
        ("def double(n): return n", "hidden test 1 of 1: wrong answer", "incorrect"),
        ("def double(n): return n + ''", "hidden test 1 of 1: TypeError", "incorrect"),
        ("def double(n): raise type('E', (Exception,), {})", "1 of 1: an exception", "incorrect"),
        ("def triple(n): return n", "NameError: the solution defines no double", "incorrect"),
        ("def double(n):\n    while True: pass", "over its limit of cpu", "limit"),
        ("while True: pass", "over its limit of cpu", "limit"),
        ("1 / 0", "it fails before any test:\nZeroDivisionError: division by zero", "incorrect"),
        ("import os\ndef double(n): os._exit(0)", "exited with status 0", "incorrect"),
        ("import os\nos._exit(0)", "it fails before any test", "incorrect"),
        ("def double(n): raise SystemExit", "hidden test 1 of 1", "incorrect"),
        ("def double(n:", "it doesn't compile", "incorrect"),
    ],
)
def test_how_a_solution_can_fail(source: str, feedback: str, status: str) -> None:
    verdict = scored(CHECK | {"limits": QUICK}, python(source))
    assert (verdict.reward, verdict.status) == (0.0, status)
    assert feedback in verdict.feedback


def test_a_public_assert_shows() -> None:
    verdict = scored(ASSERTS | {"public": 1}, python("def double(n): return n"))
    assert verdict.feedback == (
        "public test 1 of 3: wrong answer\nassert double(1) == 2\nAssertionError"
    )


def test_setup_is_the_tests_own() -> None:
    reference = {"asserts": ["assert math.isclose(half(1), 0.5)"], "setup": "import math"}
    assert scored(reference, python("def half(n): return n / 2")).reward == 1


def test_the_block_that_defines_the_entry_point() -> None:
    right, use = "def double(n): return 2 * n", "print(double(2))"
    for reference in (CHECK, ASSERTS):
        assert scored(reference, python(right) + python(use)).reward == 1


# ------------------------------------------------------------------ HumanEval's bare form

HEAD = '''import math


def helper(n):
    return n + 1


def successor(n):
    """The next number."""
'''
BARE = {"entry_point": "successor", "test": "def check(c):\n    assert c(4) == helper(4) == math.floor(5.5)\n"}  # fmt: skip


@pytest.mark.parametrize("prompt", [HEAD, f"Complete it, please:\n\n```python\n{HEAD}```\n"])
@pytest.mark.parametrize(
    ("response", "reward"),
    [
        ("    return helper(n)\n", 1),
        ("    return n + 1", 1),
        ("    return n\n", 0),
        (python(HEAD + "    return helper(n)"), 1),
        (python("def successor(n):\n    return helper(n)"), 1),
        (python("import math\ndef successor(n):\n    return math.floor(n + 1.5)"), 1),
        ("def successor(n):\n    return helper(n)\n", 1),
        (python("def helper(n):\n    return 0\ndef successor(n):\n    return helper(n)"), 0),
        (python("def helper(n):\n    return 0\ndef successor(n):\n    return 0"), 0),
        ("nonsense (", 0),
    ],
)
def test_what_the_prompt_gives_away(prompt: str, response: str, reward: int) -> None:
    verdict = judged(BARE, response, prompt)
    assert isinstance(verdict, Scored), verdict
    assert verdict.reward == reward


def test_a_reference_with_a_prelude_needs_no_prompt() -> None:
    reference = BARE | {"prelude": "import math\ndef helper(n):\n    return n + 1\n"}
    assert scored(reference, python("def successor(n):\n    return helper(n)")).reward == 1


# ------------------------------------------------------------------ faults


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("42", "of type str"),
        ({"tests": []}, '"tests" empty'),
        ({"asserts": ["assert double(1) =="]}, "the tests can't be run"),
        ({"asserts": ["assert double(1) == 2"], "setup": "1 / 0"}, "the tests can't be run"),
        ({"entry_point": "double", "test": "def check(c:"}, "the tests can't be run"),
        ({"entry_point": "double", "test": "x = 1"}, "the tests can't be run"),
        ({"entry_point": "double", "test": "def check(c): ...", "prelude": "import nowhere"}, "can't be run"),
        ({"asserts": ["assert 1"], "language": "cpp"}, "for Python alone"),
    ],
)  # fmt: skip
def test_a_broken_reference_is_no_wrong_answer(reference: Any, says: str) -> None:
    verdict = judged(reference, python("def double(n): return 2 * n"))
    assert isinstance(verdict, Unscored)
    assert verdict.cause is Cause.GOLD
    assert says in verdict.message


def test_a_closed_sandbox_is_no_wrong_answer() -> None:
    sandbox = Sandbox(jails=1)
    sandbox.close()
    for reference, source in ((DOUBLES, DOUBLE), (ASSERTS, "def double(n): return 2 * n")):
        verdict = judged(reference, python(source), sandbox=sandbox)
        assert isinstance(verdict, Unscored)
        assert verdict.cause is Cause.SANDBOX
        assert "closed" in verdict.message


def test_a_language_that_the_sandbox_lacks_is_no_wrong_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Sandbox(jails=1) as sandbox:
        missing = lambda inventory, language: ["python3"]  # noqa: E731
        monkeypatch.setattr("rlvr.sandboxes.needs.Inventory.missing_tools", missing)
        verdict = judged(DOUBLES, python(DOUBLE), sandbox=sandbox)
    assert isinstance(verdict, Unscored)
    assert verdict.cause is Cause.SANDBOX


def test_no_sandbox_is_no_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlvr.sandboxes._made", [])
    monkeypatch.setenv("RLVR_SANDBOX", "nowhere")
    verdict = judged(DOUBLES, python(DOUBLE))
    assert isinstance(verdict, Unscored)
    assert verdict.cause is Cause.SANDBOX
    assert "nowhere" in verdict.message


# ------------------------------------------------------------------ the verifier


def test_options() -> None:
    verifier = Code().configure(reward="fraction", language="c++", limits={"wall_s": 3})
    assert (verifier.reward, verifier.language) == ("fraction", "c++")
    assert verifier.limits == Limits(wall_s=3)
    for option, says in (
        ({"reward": "most"}, "reward is one of all, fraction, not 'most'"),
        ({"language": "cobol"}, "cobol"),
        ({"language": 1}, "language is a name"),
        ({"limits": {"wall": 1}}, "no limit 'wall'"),
        ({"limits": {"wall_s": "1"}}, "wall_s is a positive number"),
        ({"sandbox": None}, "code has no option 'sandbox'"),
    ):
        with pytest.raises(OptionError, match=says):
            Code().configure(**option)


def test_a_tasks_limits_go_before_the_verifiers() -> None:
    slow = python("import time\ntime.sleep(0.5)\n" + DOUBLE)
    tight = {"wall_s": 0.2}
    assert scored(DOUBLES, slow, limits=tight).status is Status.LIMIT
    assert scored(DOUBLES | {"limits": tight}, slow).status is Status.LIMIT
    assert scored(DOUBLES | {"limits": {"wall_s": 5}}, slow, limits=tight).status is Status.CORRECT


def test_demonstrate() -> None:
    verifier = Code()
    right = verifier.demonstrate(Task("", DOUBLES | {"solution": DOUBLE}))
    assert right == f"```python\n{DOUBLE}\n```"
    assert scored(DOUBLES, right).reward == 1
    assert verifier.demonstrate(Task("", DOUBLES)) is None
    assert verifier.demonstrate(Task("", "nonsense")) is None


def test_it_has_no_limit_of_its_own_on_the_loop() -> None:
    """Its time in the sandbox's queue doesn't count: every one of many has its verdict."""
    assert Code().limit_s == math.inf
    with Sandbox(jails=1) as sandbox:
        verifier = Code(sandbox=sandbox)
        slow = python("import time\ntime.sleep(0.1)\n" + DOUBLE)
        verdicts = rlvr.score([Task("", DOUBLES)] * 10, [slow] * 10, verifier)
    assert [float(verdict) for verdict in verdicts] == [1.0] * 10


def test_awaited_by_itself() -> None:
    verdict = asyncio.run(Code().verify(Task("", DOUBLES), python(DOUBLE)))  # type: ignore[arg-type]
    assert float(verdict) == 1.0


def test_it_composes() -> None:
    verifier = 0.9 * Code() + 0.1 * rlvr.Format.think()
    (verdict,) = rlvr.score([Task("", DOUBLES)], [python(DOUBLE)], verifier)
    assert isinstance(verdict, Scored)
    assert verdict.reward == pytest.approx(0.9)
    assert verdict.components["code"] == 1.0
