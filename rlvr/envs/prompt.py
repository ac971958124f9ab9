"""`Prompt`: a template that is data, not code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, OptionError
from rlvr.core.task import Message

_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_COMMAND = re.compile(r"\\[A-Za-z]+(?:\{[^{}]*\})*\Z")  # in LaTeX, with its arguments so far


@dataclass(frozen=True)
class Prompt:
    r"""A prompt template, with `{field}` for each field of the problem::

        prompt = rlvr.Prompt("{question}\nPut the answer in \\boxed{}.", system="Think step by step.")
        prompt.render({"question": "What is 6 times 7?"})

    Nothing else in a template has a meaning, so LaTeX needs no escaping (`\boxed{}`, or
    `\boxed{answer}` if no field is called answer), and a field's value is never read as a
    template.

    Attributes:
        user: the user message.
        system: a system message before it, or None.
    """

    user: str
    system: str | None = None

    def has_field(self, name: str) -> bool:
        """Return True if the user message shows the field."""
        return any(match[1] == name for match in _FIELD.finditer(self.user))

    def render(self, fields: Mapping[str, Any]) -> list[Message]:
        """Return the chat messages. Raises `OptionError` naming a field that the problem doesn't have."""
        messages = [] if self.system is None else [("system", self.system)]
        messages.append(("user", self.user))
        return [{"role": role, "content": fill(text, fields)} for role, text in messages]

    @classmethod
    def of(cls, value: Prompt | str | Mapping[str, str]) -> Prompt:
        """Make a template from an option's value: a `Prompt`, the user message, or a mapping with
        `user` and `system`, or the path of a `.json` file with that mapping."""
        if isinstance(value, Prompt):
            return value
        if isinstance(value, str) and value.endswith(".json"):
            try:
                value = json.loads(Path(value).read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise DataError(f"The prompt file {value!r} can't be read: {error}") from error
        if isinstance(value, str):
            return cls(value)
        if not isinstance(value, Mapping) or "user" not in value or set(value) - {"user", "system"}:
            raise OptionError('A prompt is text, or has "user" and, where wanted, "system".')
        user, system = value["user"], value.get("system")
        if not isinstance(user, str) or not isinstance(system, str | None):
            raise OptionError('A prompt\'s "user" and "system" are text.')
        return cls(user, system)


def fill(text: str, fields: Mapping[str, Any]) -> str:
    """Return a template with the fields' values in it. Raises `OptionError` for a field that is not there."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in fields:
            # The 200 characters before are enough, and keep a long template linear.
            if _COMMAND.search(text[max(0, match.start() - 200) : match.start()]):
                return match.group()
            raise OptionError(
                f"The prompt has {{{name}}}, but a problem here has only: {', '.join(fields)}."
            )
        return str(fields[name])

    return _FIELD.sub(value, text)
