"""Custom checker programs: what they accept and refuse, and whose fault it is where they fail."""

from __future__ import annotations

from typing import Any

import pytest

import rlvr
from rlvr import Cause, Code, Scored, Status, Task, Unscored

# Any two numbers with the sum that's asked for; the jury's answer is one such pair.
CHECKER = """
import sys
asked, output, answer = (open(name).read().split() for name in sys.argv[1:])
assert len(sys.argv) == 4
if len(output) != 2:
    print("two numbers are wanted, not", len(output), file=sys.stderr)
    sys.exit(2)
a, b = map(int, output)
if a + b != int(asked[0]):
    print("the sum is", a + b)
    sys.exit(1)
"""
TESTS = [{"stdin": "5", "stdout": "2 3"}, {"stdin": "100", "stdout": "50 50"}]
SUMS = {"tests": TESTS, "checker": {"source": CHECKER}}


def judged(program: str, reference: Any = SUMS, **options: Any) -> rlvr.Verdict:
    response = f"```python\n{program}\n```"
    return rlvr.score([Task("", reference)], [response], Code(**options))[0]


def with_checker(source: str, **more: Any) -> dict[str, Any]:
    return {"tests": TESTS, "checker": {"language": "python", "source": source}, **more}


def test_it_accepts_what_the_jury_did_not_think_of() -> None:
    verdict = judged("print(1, int(input()) - 1)")
    assert isinstance(verdict, Scored)
    assert (verdict.status, verdict.detail) == (Status.CORRECT, {"passed": 2, "ran": 2, "tests": 2})


@pytest.mark.parametrize(
    ("program", "passed", "why"),
    [
        ("print(2, 3)", 1, "hidden test 2 of 2: wrong answer"),
        ("print(5)", 0, "hidden test 1 of 2: wrong answer"),
        ("n = int(input())\nprint(0, n)\nn == 100 and 1 / 0", 1, "hidden test 2 of 2: exit status 1"),
        ("n = int(input())\nprint(0, n + 1)\nn == 100 and 1 / 0", 0, "test 1 of 2: wrong answer"),
    ],
)  # fmt: skip
def test_it_refuses(program: str, passed: int, why: str) -> None:
    verdict = judged(program)
    assert isinstance(verdict, Scored)
    assert (verdict.reward, verdict.status) == (0.0, Status.INCORRECT)
    assert why in verdict.feedback
    assert verdict.detail["passed"] == passed
    part = judged(program, reward="fraction")
    assert isinstance(part, Scored)
    assert part.reward == passed / 2


@pytest.mark.parametrize(
    ("program", "says"),
    [("print(2, 2)", "the sum is 4"), ("print(5)", "two numbers are wanted, not 1")],
)
def test_its_reason_shows_for_public_tests(program: str, says: str) -> None:
    verdict = judged(program, SUMS | {"public": 2})
    assert isinstance(verdict, Scored)
    assert verdict.feedback.startswith(f"public test 1 of 2: wrong answer\n{says}\ninput:\n5\n")
    hidden = judged(program)
    assert isinstance(hidden, Scored)
    assert says not in hidden.feedback


@pytest.mark.parametrize(
    "output", ["a b", "2 x", "1e3 3", "9" * 5000 + " 1", "\\udcff 3", "2 3\\0", "\\x00", "٢ x"]
)
def test_an_output_that_makes_it_crash_is_refused(output: str) -> None:
    """`int()` raises in the checker: that's no fault, and no way to go unscored."""
    source = f"import sys\nsys.stdout.buffer.write('{output}'.encode('utf-8', 'surrogateescape'))"
    verdict = judged(source, SUMS | {"public": 1})
    assert isinstance(verdict, Scored), verdict
    assert (verdict.reward, verdict.status) == (0.0, Status.INCORRECT)


@pytest.mark.sweep
def test_an_output_that_makes_it_hang_is_refused() -> None:
    hangs = "import sys\nif open(sys.argv[2]).read().strip() == 'x':\n    while True: pass"
    verdict = judged("print('x')", with_checker(hangs))
    assert isinstance(verdict, Scored), verdict
    assert verdict.status is Status.INCORRECT
    assert judged("print('y')", with_checker(hangs)).status is Status.CORRECT  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import sys; sys.exit(3)", "the checker says that test 1 is wrong"),
        ("import sys; sys.exit(7)", "the checker fails on test 1 (exit status 7)"),
        ("import os; os.kill(os.getpid(), 9)", "the checker fails on test 1 (signal 9)"),
        ("undefined", "doesn't accept the test's own answer either (exit status 1)"),
        ("import sys\nsys.exit(", "the checker doesn't compile"),
    ],
)
@pytest.mark.parametrize("reward", ["all", "fraction"])
def test_a_checker_that_fails_is_the_golds_fault(source: str, says: str, reward: Any) -> None:
    verdict = judged("print(1, int(input()) - 1)", with_checker(source), reward=reward)
    assert isinstance(verdict, Unscored), verdict
    assert verdict.cause is Cause.GOLD
    assert says in verdict.message


def test_without_a_program_that_prints_it_is_not_asked() -> None:
    verdict = judged("1 / 0", with_checker("import sys; sys.exit(3)"))
    assert isinstance(verdict, Scored)
    assert verdict.feedback == "hidden test 1 of 2: exit status 1"


def test_it_needs_no_answers() -> None:
    tests = [{"stdin": "5", "stdout": ""}]
    blind = SUMS | {"tests": tests}
    assert judged("print(1, 4)", blind).status is Status.CORRECT  # type: ignore[union-attr]
    assert judged("print(1, 3)", blind).status is Status.INCORRECT  # type: ignore[union-attr]


def test_it_runs_apart_from_the_program() -> None:
    """The program can't leave a checker, an answer or a module for it."""
    program = """
import os
for folder in (".", "/tmp", "/box"):
    for name in ("main.py", "checker.py", "answer.txt", "input.txt", "sitecustomize.py", "sys.py"):
        try: open(os.path.join(folder, name), "w").write("raise SystemExit(0)")
        except OSError: pass
print(1, 1)
"""
    verdict = judged(program)
    assert isinstance(verdict, Scored)
    assert verdict.status is Status.INCORRECT


def test_bytes_reach_it_as_they_are() -> None:
    checker = "import sys\nsys.exit(open(sys.argv[2], 'rb').read() != bytes(range(256)))"
    program = "import sys\nsys.stdout.buffer.write(bytes(range(256)))"
    assert judged(program, with_checker(checker)).status is Status.CORRECT  # type: ignore[union-attr]
