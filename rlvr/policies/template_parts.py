"""Parts of a chat template: the text around a reply, the model's thoughts, and markers that a content only quotes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from rlvr.core.errors import DataError

SAID, REPLY = "RLVR7SAID7RLVR", "RLVR7REPLY7RLVR"
ASKED = {"role": "user", "content": "x"}
BEFORE = (ASKED, {"role": "assistant", "content": SAID})

_QUOTED = ("content", "name")  # a tool's name is what the model wrote


@dataclass(frozen=True)
class TemplateFrame:
    """Holds what stands around a reply in a template.

    Attributes:
        ends: tokens that end a message of the model.
        closing: the token that the template closes it with, if it does.
        start: a special token; "" where there's none.
        markers: tokens that mean something to the template.
        tool_markers: the same, with the tokens around a tool's result.
        special: all special tokens.
    """

    ends: frozenset[str]
    closing: str | None
    start: str
    markers: Sequence[str]
    tool_markers: Sequence[str]
    special: Sequence[str]


@dataclass(frozen=True)
class Thoughts:
    """Tells a model's thoughts from its answer.

    Attributes:
        opened: the prompt opens `<think>`.
        opening: tokens that an answer begins with, behind the thoughts; often none.
        openers: special tokens that thoughts may begin with.
        closers: special tokens that they end with.
    """

    opened: bool
    opening: list[int]
    openers: Set[int]
    closers: Set[int]

    def split(self, ids: list[int]) -> tuple[int, int | None]:
        """Return where the thoughts end, and where the answer begins; None if there's no answer."""
        length = len(self.opening)
        for at in range(len(ids) - length, -1, -1) if length else ():
            if ids[at : at + length] == self.opening:
                return at, at + length
        closed = max((at for at, id in enumerate(ids) if id in self.closers), default=-1)
        if self.openers & set(ids[closed + 1 :]):
            return len(ids), None
        return max(closed, 0), closed + 1


def opening_token(text: str, special: Sequence[str]) -> str | None:
    """Return the special token that a text begins with, behind its white space."""
    return max((s for s in special if text.lstrip().startswith(s)), key=len, default=None)


class Quotes:
    """Hides markers that a content spells from the template, and cuts them up for the tokenizer."""

    def __init__(
        self,
        markers: Sequence[str],
        tool_markers: Sequence[str],
        messages: Sequence[Mapping[str, Any]],
    ) -> None:
        self._markers, self._tool_markers = _any_of(markers), _any_of(tool_markers)
        self._hidden: list[str] = []
        words = (f"RLVR{number}QUOTE" for number in itertools.count())
        texts = [str(message.get(key, "")) for message in messages for key in _QUOTED]
        self._word = next(word for word in words if not any(word in text for text in texts))

    def hidden(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return a message with a word in place of each marker in its content and its tool's name."""
        pattern = self._tool_markers if message.get("role") == "tool" else self._markers
        return {
            key: pattern.sub(self._hide, value)
            if key in _QUOTED and isinstance(value, str)
            else value
            for key, value in message.items()
        }

    def _hide(self, match: re.Match[str]) -> str:
        self._hidden.append(match.group())
        return f"{self._word}{len(self._hidden) - 1}E"

    def pieces(self, text: str) -> Iterator[str]:
        """Yield the parts of a rendered text; a marker that a content spelled is in two of them."""
        parts = re.split(rf"{self._word}(\d+)E", text)
        for number, part in enumerate(parts):
            if number % 2:
                marker = self._hidden[int(part)]
                yield from (marker[:1], marker[1:])
            elif part:
                yield part


def _any_of(markers: Sequence[str]) -> re.Pattern[str]:
    ordered = sorted(markers, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered)) or r"(?!)")


def learn_thoughts(
    tokenizer: Any,
    source: str,
    render: Callable[..., str],
    encode: Callable[[str], list[int]],
) -> Thoughts:
    """Read off a template how the model's thoughts begin and end.

    Args:
        tokenizer: the model's.
        source: the template's text.
        render: renders messages; with `opened=False` without the beginning of the next one.
        encode: returns the tokens of a text.
    """
    special = {
        id: token.content
        for id, token in tokenizer.added_tokens_decoder.items()
        if token.special and token.content
    }
    _, _, tail = render([{**ASKED, "content": REPLY}]).partition(REPLY)
    asked = render([ASKED])
    whole = render([*BEFORE], opened=False)
    opening: list[int] = []
    if whole.startswith(asked):
        between = re.sub("</?think>", "", whole[len(asked) :].partition(SAID)[0])
        ids = encode(between)
        opening = ids if special.keys() & set(ids) else []

    def left_out(opener: str, closer: str) -> bool:
        """Return True if the template leaves out the text between the two in an earlier message."""
        message = {"role": "assistant", "content": f"{opener}{REPLY}{closer}{SAID}"}
        try:
            text = render([ASKED, message, ASKED])
        except DataError:
            return False
        return SAID in text and REPLY not in text

    named = {id: token for id, token in special.items() if token in source}
    closers = {id for id, token in named.items() if left_out("", token)}
    say_so = {id: token for id, token in special.items() if "think" in token.lower()}
    say_end = {id for id, token in say_so.items() if re.search("/|end", token.lower())}
    pairs = {
        pair
        for pair in itertools.product(named, named)
        if pair[1] not in closers and left_out(named[pair[0]], named[pair[1]])
    }
    return Thoughts(
        opened=tail.rfind("<think>") > tail.rfind("</think>"),
        opening=opening,
        openers={
            *(special.keys() & set(opening)),
            *(opener for opener, _ in pairs),
            *(say_so.keys() - say_end),
        },
        closers={*closers, *(closer for _, closer in pairs), *say_end},
    )
