"""What a chat template puts between two responses, as tokens.

A multi-turn rollout is one sequence of tokens: the prompt, what the model wrote, what the
environment replied, what the model wrote next. Rendering the whole conversation again and
tokenising it would change the model's own tokens (the same text has many tokenisations) and the
loss would be on tokens that nobody sampled. So only what stands after a response is rendered.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from rlvr.core.errors import OptionError

_SAID = "rlvr-response"
_REPLY = "rlvr-reply"


class Template:
    """The chat template of a Hugging Face tokenizer.

    Args:
        tokenizer: with a `chat_template`.
        options: further arguments of `apply_chat_template`, such as `enable_thinking`.
    """

    def __init__(self, tokenizer: Any, options: Mapping[str, Any] | None = None) -> None:
        self._tokenizer = tokenizer
        self._options = dict(options or {})

    @functools.cached_property
    def between(self) -> tuple[list[int], list[int]]:
        """The tokens after a response up to a reply, and from there to the next response.

        Raises `OptionError` where the template has no place for a reply.
        """
        asked = [{"role": "user", "content": "rlvr-prompt"}]
        said = {"role": "assistant", "content": _SAID}
        rendered = self._render([*asked, said, {"role": "user", "content": _REPLY}])
        before, found, after = rendered.rpartition(_REPLY)
        _, closing, before = before.rpartition(_SAID)
        if not (found and closing):
            raise OptionError(
                "The tokenizer's chat template doesn't render a user's message after an "
                "assistant's, so there can be no second turn with it."
            )
        return self._tokens(before), self._tokens(after)

    def prompt(self, messages: Sequence[Mapping[str, str]]) -> list[int]:
        """The tokens of a conversation that the model is to go on with."""
        return self._tokens(self._render([dict(message) for message in messages]))

    def reply(self, response: Sequence[int], text: str) -> list[int]:
        """What goes between `response`, as the model wrote it, and its next one.

        `text` is data: where it spells a marker of the template, perhaps because it quotes the
        model, it becomes ordinary tokens and begins no turn.
        """
        before, after = self.between
        if response and before and response[-1] == before[0]:
            before = before[1:]  # the model has ended its own turn
        quoted = self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        return [*before, *quoted["input_ids"], *after]

    def text(self, response: Sequence[int]) -> str:
        """What the model wrote, without the markers of its template."""
        return str(self._tokenizer.decode(list(response), skip_special_tokens=True))

    def _render(self, messages: list[dict[str, str]]) -> str:
        return str(
            self._tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=False, **self._options
            )
        )

    def _tokens(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])
