"""`Fixture`: a response whose verdict its environment's author knows.

An environment carries some of each kind; `rlvr audit` runs them and `rlvr show` prints them. In a
file, one JSON object a line::

    {"kind": "right", "task": "train-0", "response": "\\\\boxed{silent}"}
    {"kind": "borderline", "prompt": "…", "reference": "…", "response": "…", "reward": 0.05, "why": "…"}
    {"kind": "wrong", "task": "train-0", "messages": [{"role": "assistant", "content": "…"}], "outcome": {"paid": 0}}
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from rlvr.core.errors import DataError, TaskError
from rlvr.core.task import Message, Task, as_message, content_text
from rlvr.core.verdict import Scored, Status, Verdict

Kind: TypeAlias = Literal["right", "wrong", "malformed", "borderline"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Turn: TypeAlias = str | Mapping[str, Any]
"""A response of the policy: its text, or a message, such as one with `tool_calls`."""
_FIELDS = {
    "kind",
    "response",
    "messages",
    "outcome",
    "task",
    "prompt",
    "reference",
    "metadata",
    "id",
    "reward",
    "why",
}


@dataclass(frozen=True)
class Fixture:
    """A response and the reward that it must earn.

        rlvr.Fixture("right", "The word is: silent", task="train-0")
        rlvr.Fixture("borderline", "silent", task="train-0", reward=0.05, why="the bare word")
        rlvr.Fixture("wrong", ["Let me see.", "silent"], task="train-0", why="two turns")

    Attributes:
        kind: `right` earns status `correct`; `wrong` and `malformed` (no answer that can be read)
            don't; `borderline` is where authors disagree, and says what it earns here.
        response: the policy's message; in an episode of several turns, all of its messages in order, each a text or a
            message with `tool_calls`. They are played in an episode.
        task: the task it answers: an id of the environment's, or a task of its own, which is valid
            for every split and every option of the environment.
        reward: the exact reward, or the least and the most.
        why: a reason for a person to read.
        messages: in place of `response`, an episode that isn't played: its messages after the prompt, with the
            environment's among them. The verifier judges them with `outcome`.
        outcome: the episode's outcome, if there are `messages`.

    Raises `DataError` if a field has an invalid value.
    """

    kind: Kind
    response: Turn | tuple[Turn, ...] = ""
    task: Task | str = ""
    reward: float | tuple[float, float] | None = None
    why: str = ""
    messages: Sequence[Message] = ()
    outcome: Any = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(
                f"A fixture's kind is one of {', '.join(KINDS)}, not {self.kind!r:.40}."
            )
        if isinstance(self.response, list):
            object.__setattr__(self, "response", tuple(self.response))
        if self.messages:
            self._check_messages()
        elif not self.turns or not all(map(_is_turn, self.turns)):
            raise DataError(
                f"A fixture's response is a text, or a list of them for several turns, not "
                f"{self.response!r:.80}."
            )
        if not isinstance(self.task, Task | str) or self.task == "":
            raise DataError(f"A fixture's task is an id or a Task, not {self.task!r:.80}.")
        if self.reward is None and self.kind == "borderline":
            raise DataError(
                'A borderline fixture says what it earns: "reward": 0.5, or [least, most].'
            )
        if self.reward is not None:
            object.__setattr__(self, "reward", _range(self.reward))

    def _check_messages(self) -> None:
        if self.response != "":
            raise DataError("A fixture has a response or messages, not both.")
        try:
            messages = [as_message(message) for message in self.messages]
        except (TypeError, TaskError) as error:
            raise DataError(f"A fixture's messages: {error}") from error
        if not any(message["role"] == "assistant" for message in messages):
            raise DataError("A fixture's messages have none of the role assistant.")
        object.__setattr__(self, "messages", tuple(messages))

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The policy's messages in order."""
        if self.messages:
            return tuple(message for message in self.messages if message["role"] == "assistant")
        response = self.response
        return response if isinstance(response, tuple) else (response,)

    @property
    def texts(self) -> tuple[str, ...]:
        """The policy's messages for a person to read, with their calls."""
        return tuple(turn if isinstance(turn, str) else _as_text(turn) for turn in self.turns)

    @property
    def expected(self) -> str:
        """The reward that it must earn, in words."""
        if self.reward is None:
            return "full reward" if self.kind == "right" else "less than full reward"
        least, most = _range(self.reward)
        return f"{least:g}" if least == most else f"{least:g} to {most:g}"

    def holds(self, verdict: Verdict) -> bool:
        """Tell whether the verdict is as expected. An unscored one never is."""
        if not isinstance(verdict, Scored):
            return False
        if self.reward is not None:
            least, most = _range(self.reward)
            return least - 1e-9 <= verdict.reward <= most + 1e-9
        return (verdict.status is Status.CORRECT) == (self.kind == "right")


def read_fixtures(path: str | os.PathLike[str]) -> list[Fixture]:
    """Read the fixtures in a JSONL file. Raises `DataError` naming the line that can't be read."""
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # JSON may hold U+2028 as it is
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The fixtures in {str(path)!r} can't be read: {error}.") from error
    fixtures = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                fixtures.append(_from_json(json.loads(line)))
            except (ValueError, TypeError, RecursionError) as error:  # DataError is a ValueError
                raise DataError(f"{path.name}, line {number}: {error}") from error
    return fixtures


def as_fixtures(
    source: Iterable[Fixture] | str | os.PathLike[str] | None,
) -> tuple[Fixture, ...]:
    """Return fixtures as a tuple; a path is read as a JSONL file."""
    if source is None:
        return ()
    if isinstance(source, str | os.PathLike):
        return tuple(read_fixtures(source))
    fixtures = tuple(source)
    for fixture in fixtures:
        if not isinstance(fixture, Fixture):
            raise DataError(
                f'A fixture is an rlvr.Fixture("right", response, task), not {fixture!r:.80}.'
            )
    return fixtures


def _from_json(row: Any) -> Fixture:
    if not isinstance(row, Mapping):
        raise DataError(f"a fixture is a JSON object, not {row!r:.40}.")
    unknown = sorted(set(row) - _FIELDS)
    if unknown:
        raise DataError(
            f"a fixture has no field {unknown[0]!r}; its fields are: {', '.join(sorted(_FIELDS))}."
        )
    for needed in ("kind", "messages" if "messages" in row else "response"):
        if needed not in row:
            raise DataError(f"the field {needed!r} is missing.")
    if "messages" in row and not row["messages"]:
        raise DataError("A fixture's messages have none of the role assistant.")
    if "outcome" in row and "messages" not in row:
        raise DataError('an "outcome" needs "messages": an episode that is played has its own.')
    if ("task" in row) == ("prompt" in row):
        raise DataError(
            'a fixture has a "task" (an id), or a "prompt" and a "reference" of its own.'
        )
    task: Task | str = row["task"] if "task" in row else Task.from_json(row)
    return Fixture(
        row["kind"],
        row.get("response", ""),
        task,
        row.get("reward"),
        row.get("why", ""),
        row.get("messages", ()),
        row.get("outcome"),
    )


def _is_turn(turn: Any) -> bool:
    if not isinstance(turn, Mapping):
        return isinstance(turn, str)
    try:
        return bool(as_message({**turn, "role": "assistant"}))
    except TaskError:
        return False


def _as_text(turn: Mapping[str, Any]) -> str:
    calls = [json.dumps(call, ensure_ascii=False) for call in turn.get("tool_calls") or ()]
    return "\n".join([text for text in [content_text(turn), *calls] if text])


def _range(reward: Any) -> tuple[float, float]:
    ends = list(reward) if isinstance(reward, list | tuple) else [reward, reward]
    if len(ends) != 2 or not all(type(end) in (int, float) for end in ends) or ends[0] > ends[1]:
        raise DataError(f"A fixture's reward is a number, or [least, most], not {reward!r:.40}.")
    return float(ends[0]), float(ends[1])
