"""What a chat template puts between the model's message and its next one, as tokens.

The model's own tokens are never written again. What follows them is read off the template once,
from a conversation of placeholders, so it's right for any template that shows messages in order,
also for one that leaves things out of earlier messages (as Qwen3's does with thoughts).
"""

from __future__ import annotations

from typing import Any

from rlvr.core.errors import OptionError

_SAID, _REPLY = "RLVR7SAID7RLVR", "RLVR7REPLY7RLVR"


class Turns:
    """The tokens of an environment's reply, ready to stand behind what the model wrote.

    Args:
        tokenizer: with a chat template.
        ends: token ids that end a message of the model.
        chat_template: instead of the tokenizer's own.
        options: for the template (`enable_thinking=False`).
    """

    def __init__(
        self,
        tokenizer: Any,
        ends: list[int],
        chat_template: str | None = None,
        options: dict[str, Any] | None = None,
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
