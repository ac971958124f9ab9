"""A tokenizer's chat template: prompts as token ids, and replies after the model's own tokens.

A rollout of several turns is one sequence of tokens: the prompt, the model's response, the
environment's reply, the model's next response. Rendering the whole conversation again and tokenizing it
would change the model's own tokens (the same text has many tokenizations), and the loss would be on tokens
that nobody sampled. So the model's own tokens are kept as they are, and a reply is the text that the template
writes after a placeholder for the model's message. That is right for any template that shows messages
in order, even one that omits parts of earlier messages (as Qwen3's does with thoughts).
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlvr.core.errors import DataError, OptionError
from rlvr.core.task import Message
from rlvr.core.thinking import after_thinking
from rlvr.policies.call_forms import CallForm, Harmony, Marks, without_marks
from rlvr.policies.call_learning import PROBE_TOOLS, learned, shown_by
from rlvr.policies.template_messages import (
    answered_calls,
    calls_message,
    message_of,
    plain_message,
    schemas_of,
    variants,
)
from rlvr.policies.template_parts import (
    ASKED,
    BEFORE,
    REPLY,
    SAID,
    Quotes,
    TemplateFrame,
    Thoughts,
    learn_thoughts,
    opening_token,
)


class _Refusal(Exception):
    """The template doesn't take these messages."""


class Template:
    """The chat template of a Hugging Face tokenizer.

    Args:
        tokenizer: a tokenizer with a chat template.
        options: further arguments of `apply_chat_template`, such as `enable_thinking`.
        chat_template: used instead of the tokenizer's own.
        ends: token ids that end a message of the model (default: the tokenizer's end token and
            the token with which the template closes a message).

    Example:
        >>> template = Template(tokenizer)
        >>> ids = template.prompt([{"role": "user", "content": "1+1="}])
        >>> ids += response
        >>> ids += template.reply(response, "And 2+2?")
    """

    def __init__(
        self,
        tokenizer: Any,
        options: Mapping[str, Any] | None = None,
        chat_template: str | None = None,
        ends: Sequence[int] | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._options = dict(options or {})
        if chat_template is not None:
            self._options["chat_template"] = chat_template
        self._given_ends = ends

    def prompt(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> list[int]:
        """Return the tokens of a conversation that the model is to continue.

        Args:
            messages: in OpenAI's form, with calls of tools and their results.
            tools: the tools that the model is offered, as JSON schemas in OpenAI's form.

        Raises `DataError` if the template refuses the messages (Gemma's has no system message), and `OptionError` if
        there are tools and the template has no place for them.
        """
        if tools:
            self._check_tools()
        messages = [plain_message(message) for message in messages]
        if any(message.get("role") == "assistant" for message in messages):
            messages = [self._without_thoughts(message) for message in messages]
        # The template writes the special tokens itself; the tokenizer would put a second one in front.
        return self._encode(self._render(messages, tools=tools or ()))

    def _without_thoughts(self, message: Mapping[str, str]) -> Mapping[str, str]:
        """Remove the `<think>` tags that `text` added and that this model's template doesn't know."""
        content = message["content"]
        own = not (self._thoughts.opening or self._thoughts.closers)
        if own or message.get("role") != "assistant" or not content.startswith("<think>"):
            return message
        return {**message, "content": content.partition("</think>")[2]}

    def check(self, tools: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Raise `OptionError` if the template has no place for a reply, or for tools if there are some."""
        self._frame  # noqa: B018
        if tools:
            self._check_tools()

    def _check_tools(self) -> None:
        if self._form is None:
            raise OptionError(
                "The model's chat template doesn't show the model its tools, or not how it calls them. Use an "
                "environment with calls='text', whose prompts explain the tools, or a tokenizer with a template for tools."
            )

    def message(
        self, response: Sequence[int], tools: Sequence[Mapping[str, Any]] | None = None
    ) -> Message:
        """Return the model's message, with the calls that it makes in the template's form.

        The text outside of the calls is the content, with the thoughts as in `text`. Calls in thoughts don't count. A
        call that ends and can't be read is one without a name, which an environment answers with an error; a call
        without its end is text.

        Args:
            response: token ids.
            tools: the tools that the model was offered; None if they aren't known. Without tools there are no calls.
                Where a template writes arguments without quotes, their schemas tell a text from a number.
        """
        text = self.text(response)
        form = self._form if tools is None or tools else None
        if form is None:
            return message_of(text, (), response)
        ids = list(response)
        # A form with a recipient before each call tells calls from thoughts by itself.
        decode = self._marks.of_ids
        marked = decode(ids) if form.has_recipients else self._with_thoughts(ids, decode)
        answer = marked if form.has_recipients else after_thinking(marked)
        outside, calls = form.read(answer, schemas_of(tools or ()))
        if calls:
            thoughts = marked[: len(marked) - len(answer)]
            text = without_marks(thoughts + outside).rstrip()
        return message_of(text, calls, ids)

    def reply(self, response: Sequence[int], reply: str | Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the tokens between the model's `response` and its next one.

        Contents are data: if one spells a marker of the template, perhaps because it quotes the model, the marker
        becomes ordinary tokens and begins no turn.

        Args:
            response: token ids; only the last matters. If it ends a message, the template's
                own end isn't written again; if the response was cut, it is.
            reply: the content of a user's message, or messages, such as the results of tools with their ids.

        Raises `OptionError` if the template has no place for such a reply.
        """
        messages = [{"role": "user", "content": reply}] if isinstance(reply, str) else reply
        messages = [plain_message(message) for message in messages]
        quoted = Quotes(self._frame.markers, self._frame.tool_markers, messages)
        hidden = [quoted.hidden(message) for message in messages]
        calls = answered_calls(hidden, SAID)
        text = self._behind_calls(hidden, calls) if calls else self._after_said(hidden)
        end = self._tokenizer.convert_ids_to_tokens(response[-1]) if response else None
        closing, opening = self._frame.closing, opening_token(text, self._frame.special)
        if end and end in text and (end in self._frame.ends or end == opening):
            text = text.partition(end)[2]
        elif end in self._frame.ends and closing and closing == opening:
            text = text.partition(closing)[2]
        # Behind a special token, as it will stand: tokenizers treat the start of a text as special.
        start = self._frame.start
        ids: list[int] = []
        for piece in quoted.pieces(text):
            ids += self._encode(f"{start}{piece}")[bool(start) :]
        return ids

    def text(self, response: Sequence[int]) -> str:
        """Decode the model's text, without special tokens, with its thoughts in `<think>…</think>`.

        Some models close their thoughts with special tokens (gpt-oss, Gemma 4), which a decoded text
        doesn't show; with other templates (DeepSeek-R1's) the prompt opens the thoughts and the model only
        closes them. Unmarked, a thought would be judged as the answer.
        """
        return self._with_thoughts(list(response), self.decode)

    def _with_thoughts(self, ids: list[int], decode: Callable[[list[int]], str]) -> str:
        thoughts, answer = self._thoughts.split(ids)
        before = decode(ids[:thoughts])
        if answer is None:
            return f"<think>{before}"
        after = decode(ids[answer:])
        closed, opened = answer > 0, self._thoughts.opened
        if closed:
            return f"<think>{before}</think>{after}" if before or opened else after
        return f"<think>{after}" if opened and not after.lstrip().startswith("<think>") else after

    def is_thinking(self, response: Sequence[int]) -> bool:
        """Return True if a response is still inside its thinking part."""
        ids = list(response)
        _, answer = self._thoughts.split(ids)
        if answer is None:
            return True
        text = self.decode(ids[answer:])
        opened = self._thoughts.opened and not answer
        return (opened or text.lstrip().startswith("<think>")) and "</think>" not in text

    def closing(self) -> list[int]:
        """Return the tokens that close the thinking part and begin the answer.

        Raises `OptionError` for a template that writes an answer in a channel of its own (gpt-oss).
        """
        special = self._tokenizer.convert_ids_to_tokens(sorted(self._thoughts.closers))
        if self._thoughts.opening or len(special) > 1:
            raise OptionError(
                "thinking_tokens: this model's template has no single mark that closes its thoughts, so "
                "that they can't be cut. Leave the budget out."
            )
        return self._encode(f"\n{special[0] if special else '</think>'}\n\n")

    def decode(self, ids: list[int]) -> str:
        """Return the text of tokens, without special tokens."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def _encode(self, text: str) -> list[int]:
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _render(
        self,
        messages: Sequence[Mapping[str, Any]],
        opened: bool = True,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        if self._in_parts:
            messages = [_with_parts(message) for message in messages]
        try:
            return self._apply(messages, opened, tools)
        except _Refusal as error:
            for variant in variants(messages):
                with contextlib.suppress(_Refusal):
                    return self._apply(variant, opened, tools)
            roles = ", ".join(str(message.get("role")) for message in messages)
            raise DataError(
                f"The model's chat template refuses these messages ({roles}): {error}. Ask in other "
                f"roles, or give the tokenizer a template that takes them."
            ) from error

    def _apply(
        self,
        messages: Sequence[Mapping[str, Any]],
        opened: bool,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        from jinja2 import TemplateError

        tool_options = {"tools": [dict(tool) for tool in tools]} if tools else {}
        try:
            text = self._tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                add_generation_prompt=opened,
                tokenize=False,
                **tool_options,
                **self._options,
            )
        except (TemplateError, TypeError) as error:  # a TypeError of an expression in the template
            raise _Refusal(str(error)) from error
        return str(text)

    @functools.cached_property
    def _in_parts(self) -> bool:
        """True if the template shows a content only in parts, as those of models that see images do."""
        asked = {**ASKED, "content": REPLY}
        for message in (asked, _with_parts(asked)):
            try:
                if REPLY in self._apply([message], True):
                    return message is not asked
            except _Refusal:
                continue
        raise DataError("The model's chat template doesn't show what a user's message says.")

    def _after_said(
        self,
        messages: Sequence[Mapping[str, Any]],
        opened: bool = True,
        before: Sequence[Mapping[str, Any]] = BEFORE,
    ) -> str:
        """Return what the template writes behind a message of the model."""
        try:
            text = self._render([*before, *messages], opened)
        except DataError as error:
            raise OptionError(f"A conversation can't be continued: {error}") from error
        return text.partition(SAID)[2]

    def _behind_calls(
        self, messages: Sequence[Mapping[str, Any]], calls: Sequence[Mapping[str, Any]]
    ) -> str:
        """Return what the template writes behind a message of the model that makes these calls."""
        before = (ASKED, calls_message(calls))
        text = self._after_said(messages, before=before)
        alone = self._after_said([], opened=False, before=before)
        plain = self._after_said([], opened=False)
        if alone.endswith(plain):
            rest = alone[: len(alone) - len(plain)]
        else:  # it ends in a token of its own, such as gpt-oss's <|call|>
            rest = alone[: max(alone.rfind(token) for token in self._frame.special)]
        if not text.startswith(rest):
            raise OptionError("The chat template doesn't show a call and then the tool's result.")
        return text[len(rest) :]

    @functools.cached_property
    def _marks(self) -> Marks:
        return Marks(self._tokenizer)

    @functools.cached_property
    def _form(self) -> CallForm | Harmony | None:
        """The form in which the template has the model call tools; None if it has no tools."""
        name = PROBE_TOOLS[0]["function"]["name"]
        try:
            if name not in self._apply([ASKED], True, PROBE_TOOLS):
                return None
        except _Refusal:
            return None

        plain_end = self._marks.of_text(self._after_said([], opened=False))
        return learned(shown_by(self._render, ASKED, self._marks), self._marks, plain_end)

    @functools.cached_property
    def _frame(self) -> TemplateFrame:
        """Return the text and tokens that the template puts around a reply."""
        text = self._after_said([{"role": "user", "content": REPLY}])
        between, separator, _ = text.partition(REPLY)
        if not separator:
            raise OptionError(
                "The chat template doesn't show an assistant's message and the user's after it, in "
                "this order: a conversation can't be continued with it."
            )
        tokenizer = self._tokenizer
        added = {id: token for id, token in tokenizer.added_tokens_decoder.items() if token.content}
        special = [token.content for token in added.values() if token.special]
        closed = opening_token(self._after_said([], opened=False), special)
        closing = opening_token(between, special)
        ends = self._given_ends
        end_tokens = (
            tokenizer.convert_ids_to_tokens(list(ends)) if ends is not None else [closing, closed]
        )
        end_tokens += [tokenizer.eos_token] if ends is None else []
        # DeepSeek's markers of turns aren't special to its tokenizers, but begin turns all the same.
        shown = self._render([*BEFORE, ASKED])
        with contextlib.suppress(DataError):
            shown += self._render([{"role": "system", "content": "x"}, ASKED])
        markers = [t.content for t in added.values() if t.special or t.content in shown]
        # Tags around a tool's result, which is quoted text; the results of calls as text are in such tags themselves.
        result = {"role": "tool", "tool_call_id": "rlvr7id01", "name": "x", "content": "x"}
        with contextlib.suppress(DataError):
            call = calls_message(answered_calls([result], "x"))
            shown += self._render([ASKED, call, result])
        return TemplateFrame(
            ends=frozenset(end for end in end_tokens if end),
            # A template that closes no message (GLM's) opens the next one there, and that must stay.
            closing=closing if closed else None,
            start=tokenizer.eos_token or next(iter(special), ""),
            markers=markers,
            tool_markers=[t.content for t in added.values() if t.special or t.content in shown],
            special=special,
        )

    @functools.cached_property
    def _thoughts(self) -> Thoughts:
        """Read off the template how the model's thoughts begin and end."""
        source = str(self._options.get("chat_template") or self._tokenizer.chat_template)
        return learn_thoughts(self._tokenizer, source, self._render, self._encode)


def _with_parts(message: Mapping[str, Any]) -> dict[str, Any]:
    return {**message, "content": [{"type": "text", "text": message["content"]}]}
