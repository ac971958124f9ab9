"""From what came of a program's tests to a verdict. Hidden tests never show in it."""

from __future__ import annotations

from rlvr.core.errors import CannotScore
from rlvr.core.verdict import Cause, Scored, Status, correct, refused
from rlvr.verifiers.code.extraction import FoundProgram
from rlvr.verifiers.code.reference import Reference
from rlvr.verifiers.code.result import excerpt
from rlvr.verifiers.code.running import Ran

NAME = "code"
_MESSAGE = 1000  # characters of a compiler's message


def verdict_on(ran: Ran, reference: Reference, candidate: FoundProgram, fraction: bool) -> Scored:
    """Return the verdict. With `fraction` the reward is the share of tests that passed, otherwise all or nothing.

    The feedback on a hidden test gives only its number and the kind of failure. A compiler's message, and an
    exception that a solution raised before any test, come from the response and are always shown.
    """
    if ran.compile_error is not None:
        message = excerpt(ran.compile_error, _MESSAGE)
        if candidate.fenced:
            return refused(NAME, Status.INCORRECT, f"it doesn't compile:\n{message}")
        why = f"nothing is fenced, and the whole is no {reference.language}:\n{message}"
        return refused(NAME, Status.UNPARSABLE, why)
    if ran.load_error is not None:
        why = f"it fails before any test:\n{excerpt(ran.load_error)}"
        return refused(NAME, Status.INCORRECT, why)
    total, passed = len(reference.public), sum(result.passed for result in ran.results)
    detail = {"passed": passed, "ran": len(ran.results), "tests": total}
    if passed == total:
        return correct(NAME, "", **detail)
    first = next((i for i, result in enumerate(ran.results) if not result.passed), None)
    if first is None:
        raise CannotScore(Cause.SANDBOX, f"only {passed} of {total} tests were run")
    failed, public = ran.results[first], reference.public[first]
    kind = "public" if public else "hidden"
    feedback = f"{kind} test {first + 1} of {total}: {failed.ending}"
    if public and failed.shown:
        feedback += f"\n{failed.shown}"
    if fraction and passed:
        reward = passed / total
        if any(result.limit for result in ran.results):
            detail["limit"] = True
        feedback = f"{passed} of {total} tests pass; the first that doesn't is {feedback}"
        return Scored(reward, Status.PARTIAL, {NAME: reward}, feedback, detail)
    status = Status.LIMIT if failed.limit else Status.INCORRECT
    return refused(NAME, status, feedback, **detail)
