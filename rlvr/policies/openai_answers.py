"""Reading the answers of an OpenAI-compatible server: whole or not at all."""

from __future__ import annotations

import math
from typing import Any

from rlvr.core.secrets import excerpt, scrubbed_answer, scrubbed_data
from rlvr.policies.base import Generation
from rlvr.policies.http import Nonsense
from rlvr.policies.openai_tools import returned_calls

_MOST_TOKENS = 1 << 40


def generations(answer: Any, n: int) -> list[Generation]:
    """Read the n responses in a server's answer. Raises `Nonsense` unless all are there and whole."""
    try:
        choices = sorted(answer["choices"], key=lambda choice: choice.get("index", 0))
        if len(choices) != n:
            raise Nonsense(f"{len(choices)} choices where {n} were asked for")
        usage = answer.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        whole, rest = divmod(_count(usage.get("completion_tokens")) or 0, n)
        return [
            _generation(choice, answer, usage, whole + (i < rest) or None)
            for i, choice in enumerate(choices)
        ]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Nonsense(
            f"{type(error).__name__}: {excerpt(error, 200)} in {excerpt(answer, 200)}"
        ) from None


def _generation(
    choice: dict[str, Any], answer: dict[str, Any], usage: dict[str, Any], share: int | None
) -> Generation:
    chat = "message" in choice
    text = choice["message"].get("content") if chat else choice["text"]
    reason = choice.get("finish_reason")
    calls = returned_calls(choice["message"]) if chat else ()
    if text is None and (calls or reason in ("stop", "length", "tool_calls")):
        text = ""  # a parser took all of it, such as reasoning that never ended
    if not isinstance(text, str):
        raise Nonsense(f"a text that is {excerpt(text, 100)!r}")
    if reason in ("abort", "error"):
        raise Nonsense(f"a response cut off by the server ({reason})")
    ids = read_ids(choice.get("token_ids"))
    prompt_ids = read_ids(choice.get("prompt_token_ids") or answer.get("prompt_token_ids"))
    table = choice.get("logprobs") or {}
    logprobs = (
        [token["logprob"] for token in table.get("content") or []]
        if chat
        else table.get("token_logprobs")
    )
    safe_text, safe_calls = scrubbed_answer(text), tuple(scrubbed_data(list(calls)))
    if (safe_text, safe_calls) != (text, calls):
        ids, logprobs = None, None  # they'd spell the secret
    return Generation(
        safe_text,
        "length" if reason == "length" else "stop",
        _count(usage.get("prompt_tokens")) or (len(prompt_ids) if prompt_ids else None),
        len(ids) if ids is not None else share,
        ids,
        _logprobs(logprobs) if logprobs else None,
        tool_calls=safe_calls,
    )


def _count(value: Any) -> int | None:
    """Return a number of tokens, or None for any other value, as if the server had left it out."""
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else None


def read_ids(value: Any) -> tuple[int, ...] | None:
    """Read token ids; None if there are none. Raises `Nonsense` for anything else."""
    if value is None:
        return None
    if not isinstance(value, list) or not all(type(i) is int and 0 <= i < 1 << 31 for i in value):
        raise Nonsense(f"token ids that are {excerpt(value, 100)}")
    return tuple(value)


def _logprobs(value: Any) -> tuple[float, ...]:
    logprobs = tuple(map(float, value))
    if not all(map(math.isfinite, logprobs)):
        raise Nonsense("a log-probability that is no number")
    return logprobs


def served_models(answer: Any) -> list[dict[str, Any]]:
    """Read the list of models. Raises `Nonsense` if it isn't one."""
    models = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
        raise Nonsense(f"no list of models: {excerpt(answer, 100)}")
    return models
