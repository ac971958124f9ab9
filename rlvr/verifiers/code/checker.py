"""Custom checkers: programs of the author's that judge an output.

Called as those of Codeforces' testlib: `checker input.txt output.txt answer.txt`, each output in a
run of its own, apart from the program that made it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rlvr.core.errors import CannotScore
from rlvr.core.verdict import Cause
from rlvr.sandboxes import Sandbox
from rlvr.sandboxes.base import Execution, Input, Limits, Program
from rlvr.verifiers.code.reference import Case
from rlvr.verifiers.code.result import excerpt

_REFUSES = (1, 2)  # wrong answer, presentation error
_FAILS = 3  # the checker says that the jury's answer is wrong
_LIMITS = Limits(memory_mb=1024)
_FILES = ("input.txt", "output.txt", "answer.txt")


class CheckerQuestion(NamedTuple):
    """An output to be judged: the number of its test, the test, what was printed."""

    number: int
    case: Case
    output: bytes


async def refusals(
    sandbox: Sandbox, checker: Program, asked: Sequence[CheckerQuestion], stop: bool
) -> list[str]:
    """Return the checker's reason for refusing each output; "" if it accepts it.

    Exit status 0 accepts, 1 and 2 refuse, 3 says that the test itself is wrong. Any other end, a
    limit, and a Python checker's uncaught exception (status 1 with a traceback) are a crash: then
    the checker is run on the jury's own answer. If it accepts that, the output is refused; otherwise
    nothing can be judged.

    Args:
        stop: stop at the first refused output; the list is shorter then.

    Raises `CannotScore(gold)` if the checker fails.
    """
    executions = await _run(
        sandbox, checker, [_input(question.case, question.output) for question in asked], stop
    )
    reasons = []
    for question, execution in zip(asked, executions, strict=False):
        if execution.status == _FAILS and execution.limit is None:
            raise CannotScore(Cause.GOLD, f"the checker says that test {question.number} is wrong")
        why = "" if execution.ok else _said(execution)
        if _crashed(execution):
            await _try_itself(sandbox, checker, question, execution)
            why = f"the checker can't read it ({execution.ending})"
        reasons.append(why)
    return reasons


async def _try_itself(
    sandbox: Sandbox, checker: Program, question: CheckerQuestion, crash: Execution
) -> None:
    """Raise `CannotScore(gold)` if the checker doesn't accept the jury's own answer."""
    (again,) = await _run(sandbox, checker, [_input(question.case, question.case.expected)], True)
    if not again.ok:
        raise CannotScore(
            Cause.GOLD,
            f"the checker fails on test {question.number} ({crash.ending}), and doesn't accept the "
            f"test's own answer either ({again.ending})",
        )


async def _run(
    sandbox: Sandbox, checker: Program, inputs: list[Input], stop: bool
) -> tuple[Execution, ...]:
    run = await sandbox.arun(
        checker, inputs, _LIMITS, lambda _, execution: execution.ok or not stop
    )
    if run.compile_error is not None:
        raise CannotScore(
            Cause.GOLD, f"the checker doesn't compile: {excerpt(run.compile_error, 1000)}"
        )
    return run.executions


def _input(case: Case, output: bytes) -> Input:
    files = dict(zip(_FILES, (case.stdin, output, case.expected), strict=True))
    return Input(args=_FILES, files=files)


def _crashed(execution: Execution) -> bool:
    if execution.limit is not None or execution.status not in (0, *_REFUSES):
        return True
    return execution.status == 1 and b"Traceback (most recent call last)" in execution.stderr


def _said(execution: Execution) -> str:
    message = b" ".join(part.strip() for part in (execution.stderr, execution.stdout))
    return excerpt(message.strip()) or "the checker refuses it"
