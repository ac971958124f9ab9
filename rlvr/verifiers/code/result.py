"""The outcome of one test, in two tellings: one for anybody, one for those who may see the test."""

from __future__ import annotations

import builtins
import re
from dataclasses import dataclass

from rlvr.sandboxes.base import Execution, Limit, TestOutcome
from rlvr.verifiers.code.reference import Case

_SHOWN = 400  # characters of an input, an output or a message in feedback


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one test.

    Attributes:
        passed: whether it did.
        limit: whether the program ran into a limit.
        ending: how it failed, in words that say nothing of the test's contents.
        shown: what it's about: input, expectation, what came; for public tests alone.
    """

    passed: bool
    limit: bool = False
    ending: str = ""
    shown: str = ""


PASSED = Result(True)
WRONG = "wrong answer"


def at_limit(test: str, limit: Limit) -> Result:
    """Return the result of a test that a limit kept from being run to its end."""
    return Result(False, True, f"over its limit of {limit}", excerpt(test))


def of_execution(case: Case, execution: Execution, difference: str) -> Result:
    """Return the result of a program's run on a case; `difference` describes its wrong output, and is "" for a right one."""
    if execution.ok and not difference:
        return PASSED
    lines = [difference] if execution.ok else []
    parts = (
        ("input", case.stdin),
        ("expected", case.expected),
        ("got", execution.stdout),
        ("standard error ends", execution.stderr[-_SHOWN:]),
    )
    lines += [
        f"{label}:\n{excerpt(text)}" for label, text in parts if text.strip() or label == "got"
    ]
    ending = WRONG if execution.ok else execution.ending
    return Result(False, execution.limit is not None, ending, "\n".join(lines))


def of_outcome(test: str, outcome: TestOutcome, entry_point: str) -> Result:
    """Return the result of a test that calls functions."""
    if outcome.passed:
        return PASSED
    shown = f"{excerpt(test)}\n{excerpt(outcome.error)}"
    ended = _ENDED.fullmatch(outcome.error)
    return Result(False, bool(ended and ended[1]), _kind(outcome.error, entry_point), shown)


# What the sandbox says where a solution didn't live to answer; it names a limit, or doesn't.
_ENDED = re.compile(
    r"the solution (?:(went over its limit of [a-z ]{1,20})|was ended by signal [0-9]{1,3}"
    r"|exited with status [0-9]{1,3}|broke off) before it answered"
)


def _kind(error: str, entry_point: str) -> str:
    """Return the part of an error that a solution can't have filled with what the test called it with."""
    if _ENDED.fullmatch(error) or error == f"NameError: the solution defines no {entry_point}":
        return error
    name = error.partition(":")[0]
    if name == "AssertionError":
        return WRONG
    return name if isinstance(getattr(builtins, name, None), type) else "an exception"


def excerpt(text: bytes | str, most: int = _SHOWN) -> str:
    """Return at most so many characters of it, for a person to read."""
    if isinstance(text, bytes):
        text = text[: 4 * most].decode("utf-8", "backslashreplace")
    text = text.rstrip()
    return text if len(text) <= most else f"{text[:most]}…"
