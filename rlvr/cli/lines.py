"""The lines of `rlvr score`: JSON in, verdicts out, in order and in flat memory."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any, NoReturn

from rlvr.core.errors import OptionError, TaskError
from rlvr.core.task import Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring import submit

_WINDOW = 1024  # lines read ahead of the slowest one that isn't judged yet
_VERIFIERS = 64  # different sets of options kept at hand


class _Malformed(Exception):
    """A malformed line; the message says what is wrong with it."""


def verdict_lines(
    lines: Iterable[bytes], verifier: Verifier, limit_s: float | None = None
) -> Iterator[dict[str, Any]]:
    """Yield one verdict as a dictionary per line, in order.

    A line that can't be read gets `scored: false`, cause `input` and a message with its number;
    the rest is judged all the same. At most a window of lines is held at a time.
    """
    configured: dict[str, Verifier] = {}
    pending: deque[tuple[Any, Verdict | Future[Verdict]]] = deque()
    for number, line in enumerate(lines, 1):
        pending.append(_begin(number, line, verifier, configured, limit_s))
        while pending and (len(pending) >= _WINDOW or _is_judged(pending[0][1])):
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
        options = row.get("options")
        if options:
            key = json.dumps(options, sort_keys=True)
            if key not in configured:
                if len(configured) >= _VERIFIERS:
                    configured.clear()
                configured[key] = verifier.configure(**options)
            verifier = configured[key]
        prompt = row.get("prompt")
        task = Task("" if prompt is None else prompt, row["reference"], str(row.get("id", number)))
    except (_Malformed, OptionError, TaskError, RecursionError) as error:
        known = row.get("id") if isinstance(row, dict) else None
        return known, Unscored(Cause.INPUT, f"line {number}: {error}")
    return row.get("id"), submit(task, row["response"], verifier, limit_s=limit_s)


def _parsed(line: bytes) -> dict[str, Any]:
    if not line.strip():
        raise _Malformed("empty")
    try:
        row = json.loads(line.decode("utf-8-sig"), parse_constant=_not_json, parse_float=_finite)
    except ValueError as error:
        raise _Malformed(f"not JSON in UTF-8: {error}") from None
    except RecursionError:
        raise _Malformed("nested too deeply") from None
    if not isinstance(row, dict):
        raise _Malformed(f"not a JSON object but {type(row).__name__}")
    return row


def _not_json(constant: str) -> NoReturn:
    """Python's reader takes NaN and Infinity; an id that held one would make our own line no JSON."""
    raise ValueError(f"{constant} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _not_json(digits[:50])


def _check_fields(row: dict[str, Any]) -> None:
    for field in ("reference", "response"):
        if field not in row:
            raise _Malformed(f'there\'s no "{field}"; there is: {", ".join(row) or "nothing"}')
    if not isinstance(row["response"], str):
        raise _Malformed(f'"response" is not a string but {type(row["response"]).__name__}')
    options = row.get("options")
    if options is not None and not isinstance(options, dict):
        raise _Malformed(f'"options" is not an object but {type(options).__name__}')


def _is_judged(verdict: Verdict | Future[Verdict]) -> bool:
    return not isinstance(verdict, Future) or verdict.done()


def _line(id: Any, verdict: Verdict | Future[Verdict]) -> dict[str, Any]:
    if isinstance(verdict, Future):
        verdict = verdict.result()
    line = {"id": id, **verdict.to_json()}
    parts = verdict.detail.get("parts")
    if isinstance(parts, dict) and line["scored"]:
        line["parts"] = {name: _without_detail(part) for name, part in parts.items()}
    return line


def _without_detail(part: Any) -> Any:
    return {k: v for k, v in part.items() if k != "detail"} if isinstance(part, dict) else part
