"""Function tests on the wire: what goes to a jail, and what its answer means."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from rlvr.core.errors import JailError
from rlvr.sandboxes.base import FunctionTests, Limit, Outcome, TestRun

# As `runner/testing.py` reports them.
_PREPARING, _TESTING, _ANSWERED = "P", "T", "A"


def request(
    solution: bytes, tests: FunctionTests, stop: bool
) -> tuple[dict[str, Any], list[bytes]]:
    """Header and blobs: the tests, then the solution's files. The two go to different cells."""
    told = json.dumps({**dataclasses.asdict(tests), "stop": stop}).encode()
    files = {"prelude.py": tests.prelude.encode(), "solution.py": solution}
    if not tests.prelude:
        del files["prelude.py"]
    return {"do": "functions", "files": list(files)}, [told, *files.values()]


def result(
    answer: dict[str, Any], output: list[bytes], tests: FunctionTests, wall_s: float
) -> TestRun:
    """What the jail's answer says of the solution. Raises `JailError` where it says nothing sensible."""
    try:
        return _result(answer, output, tests, wall_s)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise JailError(f"The jail answered nonsense: {error!r}.") from None


def _result(
    answer: dict[str, Any], output: list[bytes], tests: FunctionTests, wall_s: float
) -> TestRun:
    stdout, stderr = output
    at, judge, solution = answer["at"], answer["judge"], answer["solution"] or {}
    entries: list[dict[str, Any]] = answer["entries"]
    told = {key: value for entry in entries for key, value in entry.items()}
    ending = _ending(solution)
    outcomes = [_outcome(entry, ending) for entry in entries if "passed" in entry]
    limit = solution.get("limit") or judge["limit"]
    broken = str(told.get("broken", ""))
    load_error = _text(told, "load_error")
    if limit is None and not outcomes and load_error is None and "gone" in told:
        load_error = f"the solution {ending} while it was loaded"
    if judge["limit"] and not solution.get("limit") and not broken and _on_their_own(at):
        broken = f"the tests go over their limit of {judge['limit']} by themselves"
    return TestRun(
        outcomes=tuple(outcomes),
        compile_error=_text(told, "compile_error"),
        load_error=load_error,
        limit=None if limit is None else Limit(limit),
        broken=broken,
        stdout=stdout,
        stderr=stderr,
        wall_s=wall_s,
    )


def _on_their_own(at: str) -> bool:
    """Whether tests ended before the solution had given them anything that they could choke on."""
    return at[0] == _PREPARING or (at[0] == _TESTING and at[1] != _ANSWERED)


def _outcome(entry: dict[str, Any], ending: str) -> Outcome:
    if "gone" in entry:
        return Outcome(False, f"the solution {ending} before it answered")
    return Outcome(bool(entry["passed"]), str(entry.get("error", "")))


def _ending(solution: dict[str, Any]) -> str:
    """How the solution's process ended, for a sentence."""
    if solution.get("limit"):
        return f"went over its limit of {solution['limit']}"
    if solution.get("signal"):
        return f"was ended by signal {solution['signal']}"
    if solution.get("status") is not None:
        return f"exited with status {solution['status']}"
    return "broke off"


def _text(told: dict[str, Any], key: str) -> str | None:
    return str(told[key]) if key in told else None
