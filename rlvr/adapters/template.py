"""What a chat template puts between the model's message and its next one, as tokens.

A rollout in several turns is one sequence of tokens: the prompt, what the model wrote, what the
environment replied, what the model wrote next. Rendering the whole conversation again and
tokenising it would change the model's own tokens (the same text has many tokenisations), and the
loss would be on tokens that nobody sampled. So the model's own tokens are never written again: what follows
them is read off the template once, from a conversation of placeholders. That's right for any template
that shows messages in order, also for one that leaves things out of earlier messages (as Qwen3's
does with thoughts).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from rlvr.core.errors import OptionError

_SAID, _REPLY = "RLVR7SAID7RLVR", "RLVR7REPLY7RLVR"


class Turns:
    """The tokens of an environment's reply, ready to stand behind what the model wrote.

    Args:
        tokenizer: with a chat template.
        ends: token ids that end a message of the model; by default the tokenizer's end token and
            what the template closes a message with.
        chat_template: instead of the tokenizer's own.
        options: for the template (`enable_thinking=False`).
    """

    def __init__(
        self,
        tokenizer: Any,
        ends: Sequence[int] | None = None,
        chat_template: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        messages = [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": _SAID},
            # Spaces around it show whether the template strips what it's given.
            {"role": "user", "content": f" {_REPLY} "},
        ]
        text = tokenizer.apply_chat_template(
            messages,
            tokenize=False,
            add_generation_prompt=True,
            chat_template=chat_template,
            **(options or {}),
        )
        between, found, self._tail = text.partition(_SAID)[2].partition(_REPLY)
        if not found:
            raise OptionError(
                "The chat template doesn't show an assistant's message and the user's after it, in "
                "this order: a conversation can't be continued with it."
            )
        self._strips = not (between.endswith(" ") and self._tail.startswith(" "))
        if not self._strips:
            between, self._tail = between[:-1], self._tail[1:]
        self._between = between
        if ends is None:
            ends = [tokenizer.eos_token_id, *_closing(tokenizer, between)]
        self._ends = {id: tokenizer.convert_ids_to_tokens(id) for id in ends}

    def reply(self, content: str, last: int | None) -> list[int]:
        """The template's tokens up to where the model writes again, with `content` as the user's.

        Args:
            content: text alone: a special token spelled out in it stays characters.
            last: the id that the model ended with. Where the template has it there too it isn't
                repeated; where the model was cut or ended otherwise all of the template follows.
        """
        content = content.strip() if self._strips else content
        end = self._ends.get(last) if last is not None else None
        head = self._between
        if end is not None and end in head:
            head = head.partition(end)[2]
        else:
            end = self._tokenizer.eos_token
        # Behind an end token, as it will stand: tokenizers treat the start of a text as special.
        encode = self._tokenizer.encode
        if self._spells_special(content):
            ids = encode(f"{end}{head}", add_special_tokens=False)
            ids += encode(content, add_special_tokens=False, split_special_tokens=True)
            ids += encode(self._tail, add_special_tokens=False)
        else:
            ids = encode(f"{end}{head}{content}{self._tail}", add_special_tokens=False)
        return list(ids[1:])

    def _spells_special(self, content: str) -> bool:
        added = self._tokenizer.added_tokens_decoder.values()
        return any(token.special and token.content in content for token in added)


def _closing(tokenizer: Any, between: str) -> list[int]:
    """The special token that the text after a message begins with."""
    added = tokenizer.added_tokens_decoder.items()
    return [
        id for id, token in added if token.special and between.lstrip().startswith(token.content)
    ]


class Template:
    """The chat template of a Hugging Face tokenizer: prompts, and replies behind responses.

    Args:
        tokenizer: with a `chat_template`.
        options: further arguments of `apply_chat_template`, such as `enable_thinking`.
    """

    def __init__(self, tokenizer: Any, options: Mapping[str, Any] | None = None) -> None:
        self._tokenizer = tokenizer
        self._options = dict(options or {})

    @functools.cached_property
    def turns(self) -> Turns:
        """What stands between turns. Raises `OptionError` where the template has no place for a reply."""
        return Turns(self._tokenizer, options=self._options)

    def prompt(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The tokens of a conversation that the model is to go on with."""
        text = self._tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            add_generation_prompt=True,
            tokenize=False,
            **self._options,
        )
        return list(self._tokenizer(str(text), add_special_tokens=False)["input_ids"])

    def reply(self, response: Sequence[int], text: str) -> list[int]:
        """What goes between `response`, as the model wrote it, and its next one.

        `text` is data: where it spells a marker of the template, perhaps because it quotes the
        model, it becomes ordinary tokens and begins no turn.
        """
        return self.turns.reply(text, response[-1] if response else None)

    def text(self, response: Sequence[int]) -> str:
        """What the model wrote, without the markers of its template."""
        return str(self._tokenizer.decode(list(response), skip_special_tokens=True))
