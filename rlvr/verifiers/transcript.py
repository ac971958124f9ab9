"""Verifiers of whole episodes: the tools that were used, the final state, the number of turns.

They see the `Transcript`, and combine with verifiers of responses, which see its last response::

    rlvr.UsedTool("search") >> rlvr.Math()                # no reward for a guess
    rlvr.Answered() >> rlvr.Math()                        # no reward for an answer that stands in a call
    0.8 * rlvr.Math() + 0.2 * rlvr.UsedTool("search")

Only the environment's messages hold results. A `<tool_response>` in the model's own text is text, and so is a call
in its thoughts.
"""

from __future__ import annotations

import json
import math
import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from rlvr.core.blame import working_on
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.core.tool_calls import calls_of
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Status, Unscored, Verdict, correct, refused
from rlvr.core.verifier import Verifier

_MISSING: Any = object()


class TranscriptVerifier(Verifier):
    """A verifier that judges transcripts, in the caller's thread if they are short."""

    sees = "transcript"

    def settle(self, task: Task, response: Transcript) -> Verdict | None:
        """Judge here: reading the calls takes linear time."""
        return self.judge(task, response)

    def verify(self, task: Task, response: Transcript) -> Verdict:
        """Judge a long episode, which counts as the response's fault if it takes too long."""
        working_on("response")
        return self.judge(task, response)

    @abstractmethod
    def judge(self, task: Task, transcript: Transcript) -> Verdict:
        """Return the verdict."""


class Answered(TranscriptVerifier):
    """Full reward for an episode whose last message is an answer: it makes no call.

        rlvr.Answered() >> rlvr.Math()

    A call in the last message was never answered, and what stands in its arguments was said to a tool. Without this gate,
    a policy that runs out of turns is paid for an answer that stands in its code.
    """

    name = "answered"

    def judge(self, task: Task, transcript: Transcript) -> Verdict:
        """Look at the model's last message."""
        last = [m for m in transcript.completion if m["role"] == "assistant"][-1:]
        if not last:
            return refused(self.name, Status.UNPARSABLE, "the model said nothing")
        if calls_of(last[0]):
            reason = "the last message calls a tool, so it isn't an answer"
            return refused(self.name, Status.UNPARSABLE, reason)
        return correct(self.name)


class UsedTool(TranscriptVerifier):
    """Full reward for a model that used a tool, as often as wanted.

        searched = rlvr.UsedTool("search")
        asked_for_it = rlvr.UsedTool("price", arguments={"item": "lamp"})
        never_refunded = rlvr.UsedTool("refund", least=0, most=0)
        verifier = searched >> rlvr.Math()

    A call counts for `least` if its result came back and isn't an error. For `most` every call counts, failed or not,
    also one in the last message, whose result the model never read.

    Args:
        tool: the tool's name.
        least: the fewest calls.
        most: the most calls; None for any number.
        succeeded: False if calls whose result is an error count for `least`, too.
        arguments: only calls with these arguments count: equal ones, by the rules of `Outcome`. Others may be there.
    """

    def __init__(
        self,
        tool: str,
        *,
        least: int = 1,
        most: int | None = None,
        succeeded: bool = True,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(tool, str) or not tool:
            raise OptionError(f"UsedTool takes the name of a tool, not {tool!r:.60}.")
        if not is_count(least) or not (most is None or is_count(most)):
            raise OptionError(
                f"least and most are whole numbers from 0 on, not {least!r}, {most!r}."
            )
        if most is None and least == 0:
            raise OptionError("UsedTool with least=0 needs most=…: any number of calls would do.")
        if most is not None and most < least:
            raise OptionError(f"most={most} is below least={least}.")
        if arguments is not None and not isinstance(arguments, Mapping):
            raise OptionError(f"arguments are a dict of values, not {arguments!r:.60}.")
        self.tool, self.least, self.most, self.succeeded = tool, least, most, succeeded
        self.arguments = dict(arguments or {})
        self.name = f"used_{tool}"

    def __repr__(self) -> str:
        return f"UsedTool({self.tool!r})"

    def judge(self, task: Task, transcript: Transcript) -> Verdict:
        """Count the calls."""
        counted = sum(
            not (call["failed"] and self.succeeded)
            for call in transcript.tool_calls
            if self._counts(call["name"], call["arguments"])
        )
        if counted < self.least:
            return refused(
                self.name,
                Status.INCORRECT,
                f"{self.tool} was used {_times(counted)}, not {_times(self.least)} at least",
                calls=counted,
            )
        if self.most is not None and (count := self._made(transcript)) > self.most:
            return refused(
                self.name,
                Status.INCORRECT,
                f"{self.tool} was called {_times(count)}, not {_times(self.most)} at most",
                calls=count,
            )
        return correct(self.name, calls=counted)

    def _made(self, transcript: Transcript) -> int:
        """Return the number of calls in the model's messages, answered or not."""
        count = 0
        for message in transcript.completion:
            if message["role"] == "assistant":
                for call in calls_of(message):
                    count += self._counts(call.name, read_json(call.arguments))
        return count

    def _counts(self, name: str, arguments: Any) -> bool:
        if name != self.tool:
            return False
        return not self.arguments or (
            isinstance(arguments, Mapping)
            and all(
                equal_json(arguments.get(key, _MISSING), value)
                for key, value in self.arguments.items()
            )
        )


class Outcome(TranscriptVerifier):
    """Full reward for an episode that leaves the right state, which its `outcome` returns.

        shipped = rlvr.Outcome("shipped", path="orders.0.status")
        as_referenced = rlvr.Outcome()                     # all of it equals the task's reference
        total = rlvr.Outcome(path="cart.total")            # a part of it equals the reference

    Values are equal as JSON: texts exactly, `true` isn't 1, objects have the same keys, lists the same order. Numbers
    are equal within `tolerance` unless both are whole. A value of another type, and a path that isn't there, are
    incorrect. An environment that gives no outcome, or None, is at fault, and the episode is unscored.

    Args:
        expected: the value; the task's reference by default.
        path: the place in the outcome: keys and indices with dots between them, or a list of them if a key has a dot.
        tolerance: relative and absolute, of numbers with a fraction.
    """

    def __init__(
        self,
        expected: Any = _MISSING,
        path: str | Sequence[str | int] = "",
        *,
        tolerance: float = 1e-9,
    ) -> None:
        if not (isinstance(tolerance, int | float) and 0 <= tolerance < math.inf):
            raise OptionError(f"tolerance is a number from 0 on, not {tolerance!r:.40}.")
        self.path = path_of(path)
        # As JSON text, so that it is the same object in each worker, and its digest the same each time.
        self._expected = None if expected is _MISSING else _as_json("expected", expected)
        self.tolerance = float(tolerance)
        self.name = ".".join(("outcome", *self.path))

    def __repr__(self) -> str:
        expected = "" if self._expected is None else f"{json.loads(self._expected)!r:.60}, "
        return f"Outcome({expected}path={'.'.join(self.path)!r})"

    def judge(self, task: Task, transcript: Transcript) -> Verdict:
        """Compare the value at the path."""
        value = transcript.outcome
        if value is None:
            return Unscored(
                Cause.INTERNAL,
                f"{self.name}: the environment gave no outcome. Its episode needs a method `outcome` that returns the "
                f'final state, and {{}} rather than None if there is none; a line of `rlvr score` needs an "outcome".',
            )
        for place, key in enumerate(self.path):
            value = _item(value, key)
            if value is _MISSING:
                path = ".".join(self.path[: place + 1])
                return refused(self.name, Status.INCORRECT, f"the outcome has nothing at {path!r}")
        expected = task.reference if self._expected is None else json.loads(self._expected)
        if equal_json(value, expected, self.tolerance):
            return correct(self.name)
        return refused(self.name, Status.INCORRECT, f"{self.name} is {_brief(value)}")


class Turns(TranscriptVerifier):
    """Full reward for an episode of at most so many messages of the model.

        verifier = rlvr.Turns(4) >> rlvr.Math()
        brief = 0.9 * rlvr.Math() + 0.1 * rlvr.Turns(2)

    The content doesn't count, so an empty message earns it: give it little weight, or make it a gate.

    Args:
        most: the most messages.
    """

    def __init__(self, most: int) -> None:
        if not is_count(most) or most < 1:
            raise OptionError(f"Turns takes a whole number from 1 on, not {most!r:.40}.")
        self.most = most

    def __repr__(self) -> str:
        return f"Turns({self.most})"

    def judge(self, task: Task, transcript: Transcript) -> Verdict:
        """Count the model's messages."""
        turns = transcript.turns
        if turns <= self.most:
            return correct(self.name, turns=turns)
        feedback = f"{turns} messages, not {self.most} at most"
        return refused(self.name, Status.INCORRECT, feedback, turns=turns)


def equal_json(value: Any, expected: Any, tolerance: float = 1e-9) -> bool:
    """Return whether two JSON values are equal, numbers within a tolerance unless both are whole."""
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, int | float) and isinstance(expected, int | float):
        if isinstance(value, int) and isinstance(expected, int):
            return value == expected
        try:
            return math.isclose(value, expected, rel_tol=tolerance, abs_tol=tolerance)
        except OverflowError:  # a whole number that is too large for a float
            return False
    if isinstance(expected, Mapping):
        return (
            isinstance(value, Mapping)
            and value.keys() == expected.keys()
            and all(equal_json(value[key], expected[key], tolerance) for key in expected)
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(value, list | tuple)
            and len(value) == len(expected)
            and all(equal_json(a, b, tolerance) for a, b in zip(value, expected, strict=True))
        )
    return type(value) is type(expected) and bool(value == expected)


def path_of(path: str | Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys of a place in JSON data. Raises `OptionError` if they are none."""
    keys: Sequence[Any] = path.split(".") if isinstance(path, str) else list(path)
    keys = [] if path == "" else keys
    if not all(isinstance(key, str | int) and not isinstance(key, bool) for key in keys):
        raise OptionError(f"path is text like 'orders.0.status', not {path!r:.60}.")
    return tuple(str(key) for key in keys)


def item_at(value: Any, path: Sequence[str]) -> Any:
    """Return the value at a place in JSON data; None if nothing is there."""
    for key in path:
        value = _item(value, key)
    return None if value is _MISSING else value


def _item(value: Any, key: str) -> Any:
    """Return the item of an object or a list under a key of a path, or `_MISSING`."""
    if isinstance(value, Mapping):
        return value.get(key, _MISSING)
    if isinstance(value, list | tuple) and re.fullmatch(r"[0-9]{1,9}", key):
        return value[int(key)] if int(key) < len(value) else _MISSING
    return _MISSING


def read_json(text: Any) -> Any:
    """Return a text's JSON value; the text itself if it is no JSON."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _as_json(label: str, value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise OptionError(
            f"{label} is plain JSON data, not {value!r:.80} ({error!s:.80})."
        ) from error


def _brief(value: Any) -> str:
    if isinstance(value, Mapping | list | tuple):
        return f"{'an object' if isinstance(value, Mapping) else 'a list'} with {len(value)} items"
    return f"{value!r:.100}"


def is_count(value: Any) -> bool:
    """Return whether it is a whole number from 0 on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")
