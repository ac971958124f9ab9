"""Tool calls in a model's text, in the form that its chat template writes.

A call is a JSON object with the name in it (Qwen, Hermes, Mistral, Llama), or a name and then the arguments as JSON,
tags, Python or Gemma's JSON (DeepSeek, GLM, Qwen3-Coder, LFM2). gpt-oss's form is OpenAI's Harmony.

Special tokens are characters of a private range here, so that a text which only spells one begins no call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rlvr.policies.call_arguments import (
    FIRST_MARK,
    LAST_MARK,
    Arguments,
    Properties,
    literal,
    object_at,
    skip,
    spaced,
)

Schemas = Mapping[str, Properties]
"""The arguments' schemas of each tool by its name; empty if they aren't known."""

_LONGEST_HEAD = 1000
_NAME = re.compile(rf"[^\s<>{{}}()\[\]\"'=,{FIRST_MARK}-{LAST_MARK}]{{1,200}}")


@dataclass(frozen=True)
class WrittenCall:
    """A call in a model's text.

    Attributes:
        name: the tool's name; "" if the call can't be read.
        arguments: JSON text; if the call can't be read, the call as it stands.
        id: the id that the model wrote, or "".
    """

    name: str
    arguments: str
    id: str = ""


class Marks:
    """Special tokens as characters of a private range."""

    def __init__(self, tokenizer: Any) -> None:
        added = tokenizer.added_tokens_decoder.items()
        special = {id: token.content for id, token in added if token.special and token.content}
        self._of_id = {id: chr(ord(FIRST_MARK) + i) for i, id in enumerate(special)}
        self._of_text = {text: self._of_id[id] for id, text in special.items()}
        ordered = sorted(self._of_text, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered)) or r"(?!)")
        self._decode = tokenizer.decode

    def of_text(self, text: str) -> str:
        """Return a text of the template with marks for its special tokens."""
        return self._pattern.sub(lambda match: self._of_text[match.group()], text)

    def of_ids(self, ids: Sequence[int]) -> str:
        """Decode token ids, with marks for special tokens. A text that only spells a special token gets none."""
        pieces: list[str] = []
        run: list[int] = []
        before: list[int] = []
        for id in ids:
            if id not in self._of_id:
                run.append(id)
                continue
            pieces += [self._text(before, run), self._of_id[id]]
            before, run = [id], []
        return "".join([*pieces, self._text(before, run)])

    def _text(self, before: list[int], run: list[int]) -> str:
        if not run:
            return ""
        # Behind the token before it: some decoders remove the blank at the start of a text.
        start = str(self._decode(before, skip_special_tokens=False)) if before else ""
        text = str(self._decode([*before, *run], skip_special_tokens=False))
        return without_marks(text.removeprefix(start), "\ufffd")


def without_marks(text: str, instead: str = "") -> str:
    """Return a text without its special tokens."""
    return re.sub(f"[{FIRST_MARK}-{LAST_MARK}]", instead, text)


class CallBody(Protocol):
    """Reads one call."""

    def read(self, text: str, at: int, schemas: Schemas) -> tuple[WrittenCall, int] | None:
        """Return the call that begins at `at` and its end, or None."""
        ...


@dataclass(frozen=True)
class ObjectBody:
    """A JSON object with the name and the arguments in it, each behind these keys.

    Attributes:
        name, arguments, id: keys, the outermost first; `id` has none if the template writes no id.
    """

    name: tuple[str, ...]
    arguments: tuple[str, ...]
    id: tuple[str, ...]

    def read(self, text: str, at: int, schemas: Schemas) -> tuple[WrittenCall, int] | None:
        """Return the call that begins at `at` and its end, or None."""
        decoded = object_at(text, at)
        if decoded is None:
            return None
        value, end = decoded
        name, arguments = _inside(value, self.name), _inside(value, self.arguments)
        keys = {self.name[0], self.arguments[0], *self.id[:1], "id", "type"}
        if not isinstance(name, str) or not name or arguments is None or set(value) - keys:
            return WrittenCall("", text[skip(text, at) : end]), end
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        id = _inside(value, self.id)
        return WrittenCall(name, arguments, id if isinstance(id, str) else ""), end


@dataclass(frozen=True)
class NamedBody:
    """A name, and then the arguments.

    Attributes:
        after_name: the text between them.
    """

    after_name: str
    arguments: Arguments

    def read(self, text: str, at: int, schemas: Schemas) -> tuple[WrittenCall, int] | None:
        """Return the call that begins at `at` and its end, or None."""
        name = _NAME.match(text, skip(text, at))
        start = None if name is None else literal(text, name.end(), self.after_name)
        if name is None or start is None:
            return None
        read = self.arguments.read(text, start, schemas.get(name.group(), {}))
        return None if read is None else (WrittenCall(name.group(), read[0]), read[1])


@dataclass(frozen=True)
class CallForm:
    """The form in which a template writes calls.

    Attributes:
        opener: the text before the first call; "" if a call is the whole message.
        between: the text between the closer of a call and the next call; "" if a message makes one call.
        closer: the text behind each call.
        end: the text behind the last call's closer.
        heads: patterns of the text before an opener that belongs to the call, such as its recipient.
    """

    body: CallBody
    opener: str
    between: str
    closer: str
    end: str
    heads: tuple[str, ...] = ()

    def read(self, text: str, schemas: Schemas) -> tuple[str, list[WrittenCall]]:
        """Return the text outside of the calls, and the calls in order.

        A call that has an end and can't be read has no name. A call without its end is text.
        """
        # An opener without a word or a special token, such as "[", is one at the start of the text alone.
        if not re.search(rf"\w\w|[{FIRST_MARK}-{LAST_MARK}]", self.opener):
            return self._whole(text, schemas)
        outside, calls, at, searched = "", list[WrittenCall](), 0, 0
        while match := spaced(self.opener).search(text, searched):
            before = self._without_head(text[at : match.start()])
            searched = match.end()
            if before is None:
                continue
            new, end = self._block(text, searched, schemas)
            if not new:
                break
            outside += before
            calls += new
            at = searched = end
        outside += text[at:]
        if self.heads and calls and without_marks(outside).strip():
            outside = f"<think>{outside}</think>"
        return outside, calls

    @property
    def has_recipients(self) -> bool:
        """True if each call stands in a message of its own, with the tool as its recipient."""
        return bool(self.heads)

    def _without_head(self, text: str) -> str | None:
        """Return the text before an opener without the call's head; None if there should be one and isn't."""
        near, far = text[-_LONGEST_HEAD:], text[:-_LONGEST_HEAD]
        for head in self.heads:
            before, changed = re.subn(rf"{head}\s*\Z", "", near)
            if changed:
                return far + before
        return None if self.heads else text

    def _whole(self, text: str, schemas: Schemas) -> tuple[str, list[WrittenCall]]:
        bare = without_marks(text).strip()
        start = literal(bare, 0, self.opener)
        if start is not None:
            calls, end = self._block(bare, start, schemas)
            if all(call.name for call in calls) and end == len(bare):
                return "", calls
        return text, []

    def _block(self, text: str, at: int, schemas: Schemas) -> tuple[list[WrittenCall], int]:
        """Return the calls behind an opener, and the end of the last one; no call if none has an end."""
        calls: list[WrittenCall] = []
        end = at
        while True:
            read = self.body.read(text, at, schemas)
            closed = None if read is None else self._closed(text, read[1])
            if read is not None and closed is not None:
                call, end = read[0], closed
            else:
                call, closing = self._unreadable(text, at)
                if closing < 0:
                    return (calls if self.closer else []), end
                end = closing
            calls.append(call)
            following = literal(text, end, self.between) if self.between else None
            if following is None or self.between == self.opener:
                return calls, literal(text, end, self.end) or end
            at = following

    def _closed(self, text: str, at: int) -> int | None:
        """Return the end of a call whose body ends at `at`; None if something else follows than its closer."""
        if self.closer:
            return literal(text, at, self.closer)
        follow = [expected for expected in (self.between, self.end) if expected]
        is_closed = not self.end or any(literal(text, at, e) is not None for e in follow)
        return at if is_closed else None

    def _unreadable(self, text: str, at: int) -> tuple[WrittenCall, int]:
        """Return a call that can't be read and its end; -1 if it has none."""
        closer = self.closer or self.end or self.between
        match = spaced(closer).search(text, at) if closer else None
        if match:
            closing, end = match.start(), match.end() if self.closer else match.start()
        else:  # its end may be the message's, in a special token
            last = text.rstrip()
            is_ended = bool(last) and FIRST_MARK <= last[-1] <= LAST_MARK
            closing = end = len(last) - 1 if is_ended and not (self.closer or self.end) else -1
        return WrittenCall("", without_marks(text[at:closing]).strip()), end


@dataclass(frozen=True)
class Harmony:
    """gpt-oss's form: a message of its own for each call, with the tool as its recipient.

    The template writes the recipient before the channel, and the models write it behind.

    Attributes:
        start, message, ends: the text before a header, behind it, and behind a message.
    """

    start: str
    message: str
    ends: tuple[str, ...]
    has_recipients = True

    def read(self, text: str, schemas: Schemas) -> tuple[str, list[WrittenCall]]:
        """Return the text outside of the calls with the thoughts in `<think>…</think>`, and the calls in order."""
        thoughts, answers, calls = list[str](), list[str](), list[WrittenCall]()
        for part in text.split(self.start):
            header, has_body, rest = part.partition(self.message)
            recipient = _RECIPIENT.search(header)
            end = min((at for e in self.ends if (at := rest.find(e)) >= 0), default=len(rest))
            body = rest[:end]
            decoded = object_at(body, 0)
            if recipient and (end < len(rest) or decoded is not None):
                is_whole = decoded is not None and not body[decoded[1] :].strip()
                calls.append(WrittenCall(recipient[1] if is_whole else "", body.strip()))
            elif "analysis" in header:
                thoughts.append(body)
            else:
                answers.append(body if has_body else header)
        thought = f"<think>{''.join(thoughts)}</think>" if thoughts else ""
        return thought + "".join(answers), calls


_RECIPIENT = re.compile(rf"to=functions\.([^\s{FIRST_MARK}-{LAST_MARK}]{{1,200}})")


def _inside(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if path else None
