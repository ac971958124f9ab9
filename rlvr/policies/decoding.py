"""Stop strings, thinking budgets and templates of base models, with equal effect in every backend.

- A response ends before the first of its stop strings, which isn't in the text; its tokens are counted to the token
  that completes the string.
- With a thinking budget of N, generation stops at N tokens of a response that is still thinking, `</think>` is
  written, and the answer is generated behind it. The tokens of all three parts count, and `max_tokens` limits them.
- `plain` is the template of a base model: the messages' contents with empty lines between them, behind the token
  with which the tokenizer begins every text, if it has one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, MissingExtraError, OptionError
from rlvr.core.task import content_text
from rlvr.policies.template import Template

CLOSING = "\n</think>\n\n"
PLAIN = "plain"
_PLAIN = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if not loop.last %}{{ '\n\n' }}{% endif %}{% endfor %}"
)
_OF_TOKENIZER = {"bos_token", "eos_token", "pad_token", "unk_token"}


@dataclass(frozen=True)
class ResponseLimits:
    """The point at which a response ends.

    Attributes:
        max_tokens: the most tokens of a response, thoughts included.
        stop: the strings before which it ends.
        thinking_tokens: the tokens after which thoughts are closed; None for no such limit.

    Raises `OptionError` if a stop string is empty or the budget leaves no token for the answer.
    """

    max_tokens: int
    stop: Sequence[str] = ()
    thinking_tokens: int | None = None

    def __post_init__(self) -> None:
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)
        if not all(isinstance(text, str) and text for text in stop):
            raise OptionError(f"stop is a list of texts, none of them empty, not {self.stop!r}.")
        object.__setattr__(self, "stop", stop)
        budget = self.thinking_tokens
        if budget is not None and not 0 < budget < self.max_tokens:
            raise OptionError(
                f"thinking_tokens is from 1 to below max_tokens ({self.max_tokens}), so that there's room "
                f"for an answer, not {budget}."
            )

    @property
    def first(self) -> int:
        """The most tokens before thoughts may have to be closed."""
        return min(self.max_tokens, self.thinking_tokens or self.max_tokens)


def cut_at(text: str, stop: Sequence[str]) -> int | None:
    """Return where the first of the stop strings begins in a text; None if there is none."""
    return min((at for s in stop if (at := text.find(s)) >= 0), default=None)


def read_response(
    template: Template, ids: Sequence[int], stop: Sequence[str]
) -> tuple[str, list[int], bool]:
    """Return a response's text, its tokens and whether a stop string ended it.

    Args:
        ids: the sampled tokens; those behind the token that completes a stop string are left out.
    """
    own = list(ids)
    raw = template.decode(own) if stop else ""
    if cut_at(raw, stop) is None:
        return template.text(own), own, False
    # The shortest beginning that has one. A longer one has it too, so that it can be halved.
    low, high = 0, len(own)
    while high - low > 1:
        middle = (low + high) // 2
        if cut_at(template.decode(own[:middle]), stop) is None:
            low = middle
        else:
            high = middle
    own = own[:high]
    raw = template.decode(own)
    behind = len(raw) - (cut_at(raw, stop) or 0)
    text = template.text(own)  # its end is the raw text's, whatever tags of thoughts it has before
    return text[: len(text) - behind], own, True


def calls_in(
    template: Template, text: str, ids: Sequence[int], cut: bool, tools: Sequence[dict[str, Any]]
) -> tuple[str, tuple[dict[str, Any], ...]]:
    """Return a response's text without its calls of tools, and the calls.

    Args:
        text, ids, cut: what `read_response` returned.
        tools: the tools that the model was offered.
    """
    if not tools:
        return text, ()
    message = template.message(ids, tools)
    calls = tuple(message.get("tool_calls", ()))
    return (message["content"] if calls or not cut else text), calls


class StopStrings:
    """A stopping criterion of transformers: a row is done when its response has a stop string.

    The library's own compares tokens' texts one by one, and differs from the decoded text where a tokenizer joins
    pieces in another way than it splits them.
    """

    def __init__(
        self, template: Template, stop: Sequence[str], start: int, before: Sequence[list[int]]
    ) -> None:
        self._template = template
        self._stop = stop
        self._start = start
        self._before = before
        self._window = 4 * max(map(len, stop)) + 8  # tokens; a character may have four

    def __call__(self, ids_B_L: Any, scores: Any, **_: Any) -> Any:
        """Return which rows are done."""
        import torch

        done = []
        for row, before in zip(ids_B_L[:, self._start :].tolist(), self._before, strict=True):
            whole = before + row
            near = cut_at(self._template.decode(whole[-self._window :]), self._stop)
            done.append(
                near is not None and cut_at(self._template.decode(whole), self._stop) is not None
            )
        return torch.tensor(done, dtype=torch.bool, device=ids_B_L.device)


def chat_template(option: str | None, tokenizer: Any) -> str | None:
    """Return the chat template that an option names, as jinja; None for the tokenizer's own.

    Args:
        option: `plain`, or the path of a jinja file.
    """
    if option is None:
        return None
    if option != PLAIN:
        return read_template(option)
    with_start = list(tokenizer("x")["input_ids"])
    bos = getattr(tokenizer, "bos_token_id", None)
    starts = bos is not None and with_start[:1] == [bos]
    return ("{{ bos_token }}" if starts else "") + _PLAIN


def read_template(path: str) -> str:
    """Read a jinja template. Raises `DataError` if it can't be read."""
    try:
        return Path(path).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise DataError(
            f"The template {path!r} can't be read: {error}. A template is 'plain' or a jinja file."
        ) from error


def template_digest(option: str | None) -> str | None:
    """Return a digest of a template file, for a run's record; None for `plain` and the tokenizer's own."""
    if option in (None, PLAIN):
        return None
    assert option is not None
    return hashlib.sha256(read_template(option).encode()).hexdigest()[:16]


def renderer(option: str | None) -> Callable[[Sequence[Mapping[str, str]]], str]:
    """Return a function that writes messages as one text, without a tokenizer: for servers.

    Raises `DataError` if the template needs a token that only the tokenizer knows.
    """
    if option in (None, PLAIN):
        return lambda messages: "\n\n".join(map(content_text, messages))
    assert option is not None
    environment, tree = _parsed(read_template(option), option)
    from jinja2 import TemplateError, meta

    unknown = _OF_TOKENIZER & meta.find_undeclared_variables(tree)
    if unknown:
        raise DataError(
            f"The template {option!r} uses {min(unknown)}, which only the model's tokenizer knows, and it is "
            f"rendered here for the server. Write the token itself into the file."
        )
    compiled = environment.from_string(tree)

    def render(messages: Sequence[Mapping[str, str]]) -> str:
        try:
            return str(compiled.render(messages=list(messages), add_generation_prompt=True))
        except (TemplateError, TypeError) as error:
            raise DataError(f"The template {option!r} refuses these messages: {error}") from error

    return render


def _parsed(text: str, path: str) -> tuple[Any, Any]:
    """Return an environment as transformers sets it up, and the template's syntax tree."""
    try:
        from jinja2 import TemplateError
        from jinja2.exceptions import TemplateSyntaxError
        from jinja2.ext import loopcontrols
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise MissingExtraError(
            "A template file needs the package jinja2: pip install jinja2."
        ) from error

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )
    environment.globals["raise_exception"] = raise_exception
    try:
        return environment, environment.parse(text)
    except TemplateSyntaxError as error:
        raise DataError(
            f"The template {path!r} is no jinja: {error} (line {error.lineno})"
        ) from error


def opens_thoughts(prompt: str) -> bool:
    """Return True if a prompt ends inside a thinking part."""
    return prompt.rfind("<think>") > prompt.rfind("</think>") and prompt.rstrip().endswith(
        "<think>"
    )


def is_thinking(text: str, opened: bool) -> bool:
    """Return True if a response's text is inside its thinking part.

    Args:
        opened: True if the prompt opened it.
    """
    return (opened or text.lstrip().startswith("<think>")) and "</think>" not in text
