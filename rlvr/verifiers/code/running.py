"""Run a program or a solution on its tests and return the result of each test."""

from __future__ import annotations

import dataclasses
import functools
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr.core.errors import CannotScore
from rlvr.core.verdict import Cause
from rlvr.sandboxes import Sandbox
from rlvr.sandboxes.asked import asked_of
from rlvr.sandboxes.base import Execution, FunctionTests, Input, Program, TestOutcome, TestRun
from rlvr.verifiers.code.checker import CheckerQuestion, refusals
from rlvr.verifiers.code.compare import OutputComparison
from rlvr.verifiers.code.reference import Case, Reference
from rlvr.verifiers.code.result import Result, at_limit, excerpt, of_execution, of_outcome

_LACKS = "ModuleNotFoundError"
OVER_LIMIT = "compiling went over its limit"
"""The beginning of a compile error that says only that compiling the program is too costly."""


@dataclass(frozen=True, slots=True)
class Ran:
    """The outcomes of a program's tests.

    Attributes:
        results: The tests' results, in order; with `stop`, only up to the first failure.
        compile_error: The compiler's message if the program didn't compile, otherwise None.
        load_error: The error that a solution raised before any test, otherwise None.
    """

    results: tuple[Result, ...] = ()
    compile_error: str | None = None
    load_error: str | None = None


async def run_all(sandbox: Sandbox, source: bytes, reference: Reference, stop: bool) -> Ran:
    """Run a program on the reference's tests; with `stop`, up to the first failure.

    Raises `SandboxError`, and `CannotScore(gold)` if the tests or the checker can't run.
    """
    if isinstance(reference.tests, FunctionTests):
        return await _solution(sandbox, source, reference, reference.tests, stop)
    return await _program(sandbox, source, reference, reference.tests, stop)


async def _program(
    sandbox: Sandbox, source: bytes, reference: Reference, cases: tuple[Case, ...], stop: bool
) -> Ran:
    check = reference.check
    checked: dict[int, Result] = {}

    def look(i: int, execution: Execution) -> bool:
        difference = ""
        if execution.ok and isinstance(check, OutputComparison):
            difference = check.difference(execution.stdout, cases[i].expected)
        checked[i] = of_execution(cases[i], execution, difference)
        return checked[i].passed or not stop

    program = Program(source, reference.language)
    inputs = [Input(stdin=case.stdin) for case in cases]
    run = await sandbox.arun(program, inputs, reference.limits, look)
    if run.compile_error is not None:
        return Ran(compile_error=run.compile_error)
    results = [checked[i] for i in range(len(run.executions))]
    if isinstance(check, Program):
        ended = enumerate(zip(cases, run.executions, strict=False), 1)
        asked = [
            CheckerQuestion(n, case, execution.stdout)
            for n, (case, execution) in ended
            if execution.ok
        ]
        for question, why in zip(asked, await refusals(sandbox, check, asked, stop), strict=False):
            if why:
                execution = run.executions[question.number - 1]
                results[question.number - 1] = of_execution(question.case, execution, why)
    return Ran(_cut(results) if stop else tuple(results))


async def _solution(
    sandbox: Sandbox, source: bytes, reference: Reference, tests: FunctionTests, stop: bool
) -> Ran:
    if reference.shares_jail:
        run = await _in_one_jail(sandbox, source, reference, tests, stop)
    else:
        run = await sandbox.arun_tests(source, tests, reference.limits, stop)
    if run.broken:
        hint = (
            " (packages that tests import are declared: docs/code.md)"
            if _LACKS in run.broken
            else ""
        )
        raise CannotScore(Cause.GOLD, f"the tests can't be run: {excerpt(run.broken)}{hint}")
    if run.compile_error is not None:
        return Ran(compile_error=run.compile_error)
    if run.load_error is not None:
        return Ran(load_error=run.load_error)
    sources = [*tests.asserts, *([tests.check] if tests.check else [])]
    pairs = zip(sources, run.outcomes, strict=False)
    results = [of_outcome(source, outcome, tests.entry_point) for source, outcome in pairs]
    if run.limit is not None and len(results) < len(sources) and all(r.passed for r in results):
        results.append(at_limit(sources[len(results)], run.limit))
    return Ran(_cut(results) if stop else tuple(results))


@functools.cache
def _one_jail() -> bytes:
    """Return the source of the program that runs tests and a solution in one process."""
    return Path(__file__).with_name("one_jail.py").read_bytes()


async def _in_one_jail(
    sandbox: Sandbox, source: bytes, reference: Reference, tests: FunctionTests, stop: bool
) -> TestRun:
    """Run tests in the solution's own process, which a reference with `"isolation": "shared"` requests."""
    key = secrets.token_hex(16)
    payload = dataclasses.asdict(tests) | {"asked": dataclasses.asdict(asked_of(tests))}
    payload |= {"solution": source.decode("utf-8", "surrogatepass"), "key": key, "stop": stop}
    program = Program(_one_jail())
    run = await sandbox.arun(program, [Input(json.dumps(payload).encode())], reference.limits)
    (execution,) = run.executions
    if execution.limit is not None:
        return TestRun((), limit=execution.limit)
    try:
        report: Any = json.loads(execution.stdout)
        if report["key"] == key:
            outcomes = tuple(
                TestOutcome(bool(passed), str(error)) for passed, error in report["outcomes"]
            )
            broken = str(report.get("broken", ""))
            if broken and source:
                # A solution that found the key could have written this. An empty solution can't, so if the tests
                # are broken without a solution too, that is true.
                again = await _in_one_jail(sandbox, b"", reference, tests, stop)
                outcomes, broken = (TestOutcome(False, "the test broke off"),), again.broken
            compile_error, load_error = map(report.get, ("compile_error", "load_error"))
            return TestRun(
                outcomes,
                compile_error=None if compile_error is None else str(compile_error),
                load_error=None if load_error is None else str(load_error),
                broken=broken,
            )
    except (ValueError, RecursionError, TypeError, KeyError):
        pass  # the solution wrote the output, or there is none
    return TestRun((TestOutcome(False, f"the test ended without a word: {execution.ending}"),))


def _cut(results: list[Result]) -> tuple[Result, ...]:
    """Return the results up to the first failure: later tests may have been cut off."""
    failed = next((i for i, result in enumerate(results) if not result.passed), len(results))
    return tuple(results[: failed + 1])
