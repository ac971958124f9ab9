"""The lines of `rlvr score`: JSON in, verdicts out, in order and in flat memory."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any

from rlvr.core.errors import OptionError, TaskError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring import submit

_WINDOW = 1024  # lines read ahead of the slowest one that isn't judged yet
_VERIFIERS = 64  # different sets of options kept at hand


class _Malformed(Exception):
    """What is wrong with a line, in words."""


def verdict_lines(
    lines: Iterable[bytes], verifier: Verifier, limit_s: float | None = None
) -> Iterator[dict[str, Any]]:
    """One verdict as a dictionary for each line, in order.

    A line that can't be read gets `scored: false`, cause `input` and a message with its number;
    the rest is judged all the same. At most a window of lines is held at a time.
    """
    configured: dict[str, Verifier] = {}
    pending: deque[tuple[Any, Verdict | Future[Verdict]]] = deque()
    for number, line in enumerate(lines, 1):
        pending.append(_begin(number, line, verifier, configured, limit_s))
        while pending and (len(pending) >= _WINDOW or not isinstance(pending[0][1], Future)):
            yield _line(*pending.popleft())
    while pending:
        yield _line(*pending.popleft())


def _begin(
    number: int,
    line: bytes,
    verifier: Verifier,
    configured: dict[str, Verifier],
    limit_s: float | None,
) -> tuple[Any, Verdict | Future[Verdict]]:
    row: Any = None
    try:
        row = _parsed(line)
        _check_fields(row)
        options = row.get("options") or {}
        if not isinstance(options, dict):
            raise _Malformed('"options" is not an object')
        if options:
            key = json.dumps(options, sort_keys=True)
            if key not in configured:
                if len(configured) >= _VERIFIERS:
                    configured.clear()
                configured[key] = verifier.configure(**options)
            verifier = configured[key]
        task = Task(row.get("prompt") or "", row["reference"], str(row.get("id", number)))
    except (_Malformed, OptionError, TaskError) as error:
        known = row.get("id") if isinstance(row, dict) else None
        return known, Unscored(Cause.INPUT, f"line {number}: {error}")
    return row.get("id"), submit(task, row["response"], verifier, limit_s=limit_s)


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _Malformed(f"not JSON in UTF-8: {error}") from None
    if not isinstance(row, dict):
        raise _Malformed("not a JSON object")
    return row


def _check_fields(row: dict[str, Any]) -> None:
    for field in ("reference", "response"):
        if field not in row:
            raise _Malformed(f'there\'s no "{field}"; there is: {", ".join(row) or "nothing"}')
    if not isinstance(row["response"], str):
        raise _Malformed(f'"response" is not a string but {type(row["response"]).__name__}')


def _line(id: Any, verdict: Verdict | Future[Verdict]) -> dict[str, Any]:
    if isinstance(verdict, Future):
        verdict = verdict.result()
    return {"id": id, **verdict.to_json()}
