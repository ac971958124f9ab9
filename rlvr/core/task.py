"""`Task`: one problem as frozen, plain JSON data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rlvr.core.errors import TaskError

Message: TypeAlias = dict[str, Any]
"""A chat message in OpenAI's form: `role` (system, user, assistant or tool), `content` (text, a list of parts, or None
beside tool calls), and where they apply `tool_calls`, `tool_call_id` and `name`."""

_OPTIONAL = ("tool_calls", "tool_call_id", "name")


@dataclass(frozen=True, slots=True, init=False)
class Task:
    """One problem.

        task = rlvr.Task("What is 6 times 7?", reference="42")
        task.prompt  # ({'role': 'user', 'content': 'What is 6 times 7?'},)

    Attributes:
        prompt: chat messages, each `{"role": …, "content": …}`, in OpenAI's form. A bare string becomes one user message.
        reference: the ground truth that the environment's verifier reads: any JSON value.
        id: unique within its TaskSet; by default a digest of prompt and reference.
        metadata: further facts (source, level, fields of the original row): any JSON object.

    Raises `TaskError` if the prompt isn't a list of messages or has none, and if the reference isn't JSON
    and no id is given. Treat the fields as read-only.
    """

    prompt: tuple[Message, ...]
    reference: Any
    id: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        prompt: str | Sequence[Mapping[str, Any]],
        reference: Any,
        id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        messages = _messages(prompt)
        set_ = object.__setattr__
        set_(self, "prompt", messages)
        set_(self, "reference", reference)
        set_(self, "metadata", dict(metadata) if metadata else {})
        set_(self, "id", _digest(messages, reference) if id is None else str(id))

    @property
    def text(self) -> str:
        """The prompt as one text: the sole message's content, or `role: content` paragraphs."""
        if len(self.prompt) == 1:
            return content_text(self.prompt[0])
        return "\n\n".join(f"{m['role']}: {content_text(m)}" for m in self.prompt)

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary that `Task.from_json` turns into an equal task."""
        return {
            "id": self.id,
            "prompt": [dict(m) for m in self.prompt],
            "reference": self.reference,
            "metadata": self.metadata,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Task:
        """Make the task that `to_json` wrote. Raises `TaskError` naming a missing field."""
        missing = [name for name in ("prompt", "reference") if name not in data]
        if missing:
            raise TaskError(f"A task needs {' and '.join(missing)}; this one has {sorted(data)}.")
        return cls(data["prompt"], data["reference"], data.get("id"), data.get("metadata"))

    def __hash__(self) -> int:
        return hash(self.id)

    # The dataclass's own way of pickling costs five times as much, and every job of the scoring pool has a task.
    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.prompt, self.reference, self.id, self.metadata)


def _restored(
    prompt: tuple[Message, ...], reference: Any, id: str, metadata: dict[str, Any]
) -> Task:
    task = object.__new__(Task)
    set_ = object.__setattr__
    set_(task, "prompt", prompt)
    set_(task, "reference", reference)
    set_(task, "id", id)
    set_(task, "metadata", metadata)
    return task


def content_text(message: Mapping[str, Any]) -> str:
    """Return a message's content as text: that of all its parts if it has parts, "" if it has none."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content or ())


def as_message(value: Mapping[str, Any]) -> Message:
    """Return a message with the fields of OpenAI's form alone.

    Raises `TaskError` if its role isn't text, or its content isn't text, a list of parts, or absent beside tool calls.
    """
    try:
        message: Message = {"role": value["role"], "content": value.get("content")}
        message |= {key: value[key] for key in _OPTIONAL if value.get(key) is not None}
        content, calls = message["content"], message.get("tool_calls", ())
        valid = isinstance(message["role"], str) and isinstance(calls, list | tuple)
        valid = valid and (
            isinstance(content, str)
            or (isinstance(content, list | tuple) and all(map(_is_part, content)))
            or (content is None and bool(message.get("tool_calls")))
        )
    except (TypeError, KeyError, AttributeError) as error:
        raise TaskError(f"{_FORM}, not {value!r:.200}.") from error
    if not valid:
        raise TaskError(f"{_FORM}, not {value!r:.200}.")
    return message


_FORM = 'A message has a role and a content, like {"role": "user", "content": "…"}'


def _is_part(part: Any) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("type"), str)


def _messages(prompt: str | Sequence[Mapping[str, Any]]) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return ({"role": "user", "content": prompt},)
    try:
        messages = tuple(map(as_message, prompt))
    except (TypeError, TaskError) as error:
        raise TaskError(
            "A prompt is a string or a list of messages with text content like "
            f'{{"role": "user", "content": "…"}}, not {prompt!r:.200}.'
        ) from error
    if not messages:
        raise TaskError(
            f"A prompt needs at least one message, with text content, not {prompt!r:.200}."
        )
    return messages


def _digest(messages: tuple[Message, ...], reference: Any) -> str:
    try:
        text = json.dumps([messages, reference], sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise TaskError(
            f"A task's reference must be plain JSON data, not {reference!r:.200} ({error}). "
            f"Convert it first, or give the task an id."
        ) from error
    return hashlib.blake2b(text.encode("ascii"), digest_size=8).hexdigest()
