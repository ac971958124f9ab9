"""Critique-and-rewrite records: a response, what is wrong with it, and a better one; read from a file and judged.

A line of such a file::

    {"prompt": "What is 6 times 7?", "response": "36", "critique": "That is 6 times 6.", "rewrite": "42"}

Prompt, response and rewrite are texts or lists of messages. `id`, `reference`, `metadata`, `response_reward` and
`rewrite_reward` may be there; other fields become metadata. `rlvr.evaluation.exports.critiques` writes the records in other
forms, all of which are read here.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, TaskError
from rlvr.core.task import Message, Task, as_message, content_text
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Scored, Verdict
from rlvr.envs.data import read_file

_FIELDS = ("prompt", "response", "critique", "rewrite")
_OPTIONAL = ("id", "reference", "metadata", "judged", "response_reward", "rewrite_reward")
_SIGNS = {
    "preferences": "chosen",
    "sft": "rewrite_messages",
    "revisions": "rewrite_messages",
    "rubric": "criteria",
}
"""A column that each export has."""


@dataclass(frozen=True)
class CritiqueRecord:
    """A response with its critique and its rewrite.

    Attributes:
        prompt: the messages before the response.
        response: the messages of the response; a text is one message of the assistant.
        critique: the critique; "" if there's none.
        rewrite: the messages of the better response.
        id: the record's or the task's id; by default a digest of the texts.
        reference: the task's reference, if it is known.
        metadata: further facts.
        judged: True if both responses were judged; then a reward that is None is unscored.
        response_reward, rewrite_reward: the rewards of both; None if they aren't known.

    Example:
        >>> record = CritiqueRecord.from_json(
        ...     {"prompt": "6 times 7?", "response": "36", "critique": "It's 42.", "rewrite": "42"}
        ... )
        >>> record.rewrite_text
        '42'
    """

    prompt: tuple[Message, ...]
    response: tuple[Message, ...]
    critique: str
    rewrite: tuple[Message, ...]
    id: str = ""
    reference: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)
    judged: bool = False
    response_reward: float | None = None
    rewrite_reward: float | None = None

    @property
    def response_text(self) -> str:
        """The text of the response's last message."""
        return content_text(self.response[-1])

    @property
    def rewrite_text(self) -> str:
        """The text of the rewrite's last message."""
        return content_text(self.rewrite[-1])

    def to_json(self) -> dict[str, Any]:
        """Return the record as a plain dictionary that `from_json` turns into an equal record."""
        return {
            "id": self.id,
            "prompt": [dict(message) for message in self.prompt],
            "response": [dict(message) for message in self.response],
            "critique": self.critique,
            "rewrite": [dict(message) for message in self.rewrite],
            "reference": self.reference,
            "metadata": self.metadata,
            "judged": self.judged,
            "response_reward": self.response_reward,
            "rewrite_reward": self.rewrite_reward,
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> CritiqueRecord:
        """Return the record of a row, in the form above or in one of the exports'.

        Raises `DataError` saying what is missing or wrong.
        """
        fields = _as_record(dict(row))
        missing = [name for name in _FIELDS if name not in fields]
        if missing:
            raise DataError(f"it has no {' and no '.join(map(repr, missing))}")
        prompt = _messages(fields["prompt"], "prompt", "user")
        response = _messages(fields["response"], "response", "assistant")
        rewrite = _messages(fields["rewrite"], "rewrite", "assistant")
        critique = "" if fields["critique"] is None else fields["critique"]
        if not isinstance(critique, str):
            raise DataError(f"its 'critique' is {critique!r:.60}, not a text")
        metadata = fields.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise DataError(f"its 'metadata' is {metadata!r:.60}, not an object")
        rest = {name: value for name, value in fields.items() if name not in (*_FIELDS, *_OPTIONAL)}
        rewards = [_reward(fields, name) for name in ("response_reward", "rewrite_reward")]
        judged = fields.get("judged")
        record = cls(
            prompt,
            response,
            critique,
            rewrite,
            str(fields["id"]) if fields.get("id") is not None else "",
            fields.get("reference"),
            {**rest, **metadata},
            any(reward is not None for reward in rewards) if judged is None else bool(judged),
            *rewards,
        )
        try:
            text = json.dumps(record.to_json(), ensure_ascii=False, allow_nan=False)
            text.encode("utf-8")
        except UnicodeError:
            raise DataError("it has half a surrogate pair, which is no text") from None
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(f"it isn't plain JSON data: {error}") from None
        return record if record.id else replace(record, id=_digest(record))


def read_critiques(path: str | Path) -> Iterator[CritiqueRecord]:
    """Yield the records of a JSONL, JSON or Parquet file, or of any export of such records.

    Raises `DataError` naming the first row that isn't one.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"There's no file {str(path)!r}.")
    rows = read_file(path) if path.suffix in (".parquet", ".json") else _lines(path)
    for number, row in enumerate(rows, 1):
        try:
            if isinstance(row, DataError):
                raise row
            yield CritiqueRecord.from_json(row)
        except DataError as error:
            raise DataError(f"Row {number} of {path} is no critique: {error}.") from None


def judged_critiques(
    records: Sequence[CritiqueRecord], env: Environment
) -> Iterator[tuple[CritiqueRecord, tuple[Verdict, Verdict]]]:
    """Yield each record with the rewards of its response and rewrite, and both verdicts.

    The reference is the record's own; without one the environment's task with the record's id is used.

    Raises `DataError` for a record with neither.
    """
    tasks = [_task(record, env) for record in records]
    pending: list[Verdict | Future[Verdict]] = []
    for record, task in zip(records, tasks, strict=True):
        for messages in (record.response, record.rewrite):
            whole = [*record.prompt, *messages]
            transcript = Transcript(whole, prompt_messages=len(record.prompt))
            pending.append(env.submit(task, transcript))
    for at, record in enumerate(records):
        first, second = (
            verdict.result() if isinstance(verdict, Future) else verdict
            for verdict in pending[2 * at : 2 * at + 2]
        )
        rewards = [v.reward if isinstance(v, Scored) else None for v in (first, second)]
        yield (
            replace(
                record,
                reference=tasks[at].reference,
                judged=True,
                response_reward=rewards[0],
                rewrite_reward=rewards[1],
            ),
            (first, second),
        )


def _task(record: CritiqueRecord, env: Environment) -> Task:
    if record.reference is not None:
        return Task(record.prompt, record.reference, record.id, record.metadata)
    try:
        return env.tasks.find(record.id)
    except DataError:
        raise DataError(
            f"The record {record.id!r} has no reference, and {env.name!r} no task with its id: it can't be judged."
        ) from None


def _as_record(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the fields of a record, from any export's columns."""
    for name in ("metadata", "reference"):
        text = row.pop(f"{name}_json", None)
        if text:
            try:
                row[name] = json.loads(text)
            except (ValueError, TypeError, RecursionError) as error:
                raise DataError(f"its '{name}_json' isn't JSON: {error}") from None
    kind = row.get("format")
    if _SIGNS.get(kind if isinstance(kind, str) else "", "") not in row:
        return row  # a column of the user's own may have that name
    if kind == "preferences":
        names = {"chosen": "rewrite", "rejected": "response", "score_chosen": "rewrite_reward",
                 "score_rejected": "response_reward", "prompt": "prompt"}  # fmt: skip
        fields = {new: row.get(old) for old, new in names.items()}
    elif kind in ("sft", "revisions"):
        messages = row.get("messages")
        start, end = row.get("prompt_messages"), row.get("rewrite_messages")
        if not isinstance(messages, list) or type(start) is not int or type(end) is not int:
            raise DataError("its 'messages', 'prompt_messages' or 'rewrite_messages' is missing")
        fields = {
            "prompt": messages[: max(0, start)],
            "rewrite": messages[len(messages) - max(0, end) :],
            "response": row.get("response"),
            "response_reward": row.get("response_reward"),
            "rewrite_reward": row.get("reward"),
        }
    else:
        names = {
            name: name
            for name in ("prompt", "response", "rewrite", "response_reward", "rewrite_reward")
        }
        fields = {new: row.get(old) for old, new in names.items()}
    common = ("critique", "metadata", "reference", "judged")
    return fields | {name: row.get(name) for name in common} | {"id": row.get("task")}


def _messages(value: Any, name: str, role: str) -> tuple[Message, ...]:
    if isinstance(value, str):
        return ({"role": role, "content": value},)
    if not isinstance(value, list | tuple) or not value:
        raise DataError(f"its {name!r} is {value!r:.60}, not a text or messages")
    try:
        return tuple(map(as_message, value))
    except (TypeError, TaskError) as error:
        raise DataError(f"its {name!r}: {error}") from None


def _reward(fields: Mapping[str, Any], name: str) -> float | None:
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"its {name!r} is {value!r:.60}, not a number")
    return float(value)


def _digest(record: CritiqueRecord) -> str:
    parts = [record.prompt, record.response, record.critique, record.rewrite]
    text = json.dumps(parts, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _lines(path: Path) -> Iterator[dict[str, Any] | DataError]:
    with path.open("rb") as lines:
        for line in lines:
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"), parse_constant=_not_json)
            except (ValueError, RecursionError) as error:
                yield DataError(f"it isn't JSON in UTF-8: {error}")
                continue
            yield row if isinstance(row, dict) else DataError("it isn't a JSON object")


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")
