"""The lines of `rlvr score`: JSON in, verdicts out, in order and in flat memory."""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NoReturn

from rlvr.core.errors import OptionError, TaskError
from rlvr.core.task import Task, as_message
from rlvr.core.tool_calls import nests_deeper, openai_call
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.core.verifier import Verifier
from rlvr.scoring import submit

_WINDOW = 1024  # lines read ahead of the slowest one that isn't judged yet
_VERIFIERS = 64  # different sets of options kept at hand
_ROLES = ("system", "developer", "user", "assistant", "tool")


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
    pending: deque[_Begun] = deque()
    for number, line in enumerate(lines, 1):
        pending.append(_begin(number, line, verifier, configured, limit_s))
        while pending and (len(pending) >= _WINDOW or pending[0].is_judged):
            yield pending.popleft().line()
    while pending:
        yield pending.popleft().line()


@dataclass(frozen=True, slots=True)
class _Begun:
    """A line that is being judged."""

    id: Any
    verdict: Verdict | Future[Verdict]
    episode: Transcript | None = None

    @property
    def is_judged(self) -> bool:
        return not isinstance(self.verdict, Future) or self.verdict.done()

    def line(self) -> dict[str, Any]:
        """Return the line out, with an episode's step rewards in its reward."""
        verdict = self.verdict
        if isinstance(verdict, Future):
            verdict = verdict.result()
        if self.episode is not None:
            verdict = self.episode.with_step_rewards(verdict)
        return {"id": self.id, **verdict.to_json()}


def _begin(
    number: int,
    line: bytes,
    verifier: Verifier,
    configured: dict[str, Verifier],
    limit_s: float | None,
) -> _Begun:
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
        episode = _episode(row) if "messages" in row else None
        if episode is None:
            prompt = "" if row.get("prompt") is None else row["prompt"]
        else:
            prompt = list(episode.messages[: episode.prompt_messages])
        task = Task(prompt, row["reference"], str(row.get("id", number)))
        response = row["response"] if episode is None else episode
        return _Begun(row.get("id"), submit(task, response, verifier, limit_s=limit_s), episode)
    except (_Malformed, OptionError, TaskError, RecursionError) as error:
        id = row.get("id") if isinstance(row, dict) else None
        return _Begun(id, Unscored(Cause.INPUT, f"line {number}: {error}"))


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
    if "messages" in row and "response" in row:
        raise _Malformed('there are both "response" and "messages"; leave out one')
    for field in ("reference",) if "messages" in row else ("reference", "response"):
        if field not in row:
            raise _Malformed(f'there\'s no "{field}"; there is: {", ".join(row) or "nothing"}')
    if not isinstance(row.get("response", ""), str):
        raise _Malformed(f'"response" is not a string but {type(row["response"]).__name__}')
    options = row.get("options")
    if options is not None and not isinstance(options, dict):
        raise _Malformed(f'"options" is not an object but {type(options).__name__}')


def _episode(row: dict[str, Any]) -> Transcript:
    """Return the episode of a line with messages, such as a row of a run's `rollouts.jsonl`.

    Its prompt ends before the first message of the model, unless `prompt_messages` says otherwise, or a `prompt` is
    there, with which the messages begin then.
    """
    if not isinstance(row["messages"], list):
        raise _Malformed(f'"messages" is not a list but {type(row["messages"]).__name__}')
    for part in ("messages", "outcome"):
        if nests_deeper(row.get(part)):
            raise _Malformed(f'"{part}" is nested too deeply')
    messages = []
    for number, message in enumerate(row["messages"], 1):
        if isinstance(message, dict) and not isinstance(message.get("tool_calls") or [], list):
            raise _Malformed(f'message {number} of "messages" has "tool_calls" that are no list')
        try:
            messages.append(as_message(message))
        except TaskError as error:
            raise _Malformed(f'message {number} of "messages": {error}') from None
        if messages[-1]["role"] not in _ROLES:
            raise _Malformed(
                f'message {number} of "messages" has the role {messages[-1]["role"]!r:.40}; roles are: {", ".join(_ROLES)}'
            )
        if message.get("tool_calls"):
            calls = [
                openai_call(call, f"{number}_{i}") for i, call in enumerate(message["tool_calls"])
            ]
            messages[-1]["tool_calls"] = calls
    asked = _prompt_messages(row, messages)
    if not any(message["role"] == "assistant" for message in messages[asked:]):
        raise _Malformed('"messages" has no message of the role assistant after the prompt')
    steps = row.get("step_rewards") or []
    if not isinstance(steps, list) or not all(_is_number(reward) for reward in steps):
        raise _Malformed('"step_rewards" is not a list of numbers')
    episode = Transcript(messages, row.get("outcome"), [float(step) for step in steps], asked)
    if steps and len(steps) != episode.turns:
        raise _Malformed(
            f'"step_rewards" has {len(steps)} numbers for {episode.turns} messages of the role assistant'
        )
    return episode


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


def _prompt_messages(row: dict[str, Any], messages: list[dict[str, Any]]) -> int:
    if (prompt := row.get("prompt")) is not None:
        asked = list(Task(prompt, None, "").prompt)
        if messages[: len(asked)] != asked:
            raise _Malformed('"messages" does not begin with "prompt"; leave that out')
        return len(asked)
    first = next((i for i, m in enumerate(messages) if m["role"] == "assistant"), len(messages))
    asked_for = row.get("prompt_messages", first)
    if type(asked_for) is not int or not 1 <= asked_for <= len(messages):
        raise _Malformed(
            '"messages" begins with the prompt: at least one message before the first of the role assistant'
            if "prompt_messages" not in row
            else f'"prompt_messages" is not a number of messages but {asked_for!r:.40}'
        )
    return asked_for


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300
