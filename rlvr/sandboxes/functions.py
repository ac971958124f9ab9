"""Function tests on the wire: what goes to a jail, and what its answer means."""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any

from rlvr.core.errors import JailError
from rlvr.sandboxes.asked import asked_of
from rlvr.sandboxes.base import FunctionTests, Limit, TestOutcome, TestRun
from rlvr.sandboxes.carried import carried_of
from rlvr.sandboxes.runner import report
from rlvr.sandboxes.simple import is_simple

_PREPARING, _TESTING, _DONE, _ANSWERED = (
    letter.decode("ascii")
    for letter in (report.PREPARING, report.TESTING, report.DONE, report.ANSWERED)
)


def request(
    solution: bytes, tests: FunctionTests, stop: bool
) -> tuple[dict[str, Any], list[bytes]]:
    """Return header and blobs: the tests, then the solution's files. The two go to different cells."""
    message = _told(tests, stop)
    files = {"prelude.py": tests.prelude.encode(), "solution.py": solution}
    if not tests.prelude:
        del files["prelude.py"]
    header = {"do": "functions", "files": list(files), "simple": is_simple(tests)}
    return header, [message, *files.values()]


@functools.lru_cache(maxsize=256)
def _told(tests: FunctionTests, stop: bool) -> bytes:
    """Return the tests as JSON. Kept: a group of rollouts has the same."""
    about: dict[str, Any] = {"asked": asked_of(tests), "carried": carried_of(tests)}
    read = {name: dataclasses.asdict(part) for name, part in about.items()}
    return json.dumps({**dataclasses.asdict(tests), **read, "stop": stop}).encode()


def result(
    answer: dict[str, Any], output: list[bytes], tests: FunctionTests, wall_s: float
) -> TestRun:
    """Read the solution's result from the jail's answer. Raises `JailError` if the answer is malformed."""
    try:
        return _result(answer, output, tests, wall_s)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise JailError(f"The jail answered nonsense: {error!r}.") from None


def _result(
    answer: dict[str, Any], output: list[bytes], tests: FunctionTests, wall_s: float
) -> TestRun:
    stdout, stderr = output
    at, judge, solution = answer["at"], answer["judge"], answer["solution"]
    entries: list[dict[str, Any]] = answer["entries"]
    notes = {key: value for entry in entries for key, value in entry.items()}
    outcomes = [_outcome(entry, solution) for entry in entries if "passed" in entry]
    limit = solution.get("limit") or judge["limit"]
    broken = str(notes.get("broken", ""))
    compile_error, load_error = _text(notes, "compile_error"), _text(notes, "load_error")
    # A solution that was waiting for its tests all that time is over its limit as well.
    idle = solution.get("limit") in (None, Limit.WALL)
    if not broken and idle and at[:1] != _DONE and _on_their_own(at):
        broken = f"the tests by themselves: {_ending(judge)}"
    if limit is None and not outcomes and load_error is None and "gone" in notes:
        load_error = f"while it was loaded, the solution {_gone(notes['gone'], solution)}"
    explained = limit or broken or compile_error is not None or load_error is not None
    if not explained and len(outcomes) < len(tests) and all(outcome.passed for outcome in outcomes):
        # The tests' process is gone, and the solution has had a part in it: so it's a test that failed.
        outcomes.append(TestOutcome(False, f"the test {_ending(judge)}"))
    return TestRun(
        outcomes=tuple(outcomes),
        compile_error=compile_error,
        load_error=load_error,
        limit=None if limit is None else Limit(limit),
        broken=broken,
        stdout=stdout,
        stderr=stderr,
        wall_s=wall_s,
    )


def _on_their_own(at: str) -> bool:
    """Tell whether tests ended before the solution had sent them anything."""
    return at[:1] in ("", _PREPARING) or (at[:1] == _TESTING and at[1:] != _ANSWERED)


def _outcome(entry: dict[str, Any], solution: dict[str, Any]) -> TestOutcome:
    if "gone" in entry:
        return TestOutcome(
            False, f"the solution {_gone(entry['gone'], solution)} before it answered"
        )
    return TestOutcome(bool(entry["passed"]), str(entry.get("error", "")))


def _gone(why: str, solution: dict[str, Any]) -> str:
    """Describe the end of a solution that can't be asked any more, for a sentence."""
    if why == report.HUNG_UP or solution.get("limit") or solution.get("signal"):
        return _ending(solution)
    return f"sent what is no answer ({why})"


def _ending(process: dict[str, Any]) -> str:
    """Describe the end of a process, for a sentence."""
    if process.get("limit"):
        return f"went over its limit of {process['limit']}"
    if process.get("signal"):
        return f"was ended by signal {process['signal']}"
    if process.get("status") is not None:
        return f"exited with status {process['status']}"
    return "broke off"


def _text(notes: dict[str, Any], key: str) -> str | None:
    return str(notes[key]) if key in notes else None
