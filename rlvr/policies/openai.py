"""A model behind an OpenAI-compatible server, such as vLLM's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from rlvr.core.errors import OptionError
from rlvr.core.http import LEAST_BYTES, checked_url, sent_bytes
from rlvr.core.secrets import api_key, excerpt, scrubbed_answer, scrubbed_data
from rlvr.core.task import content_text
from rlvr.policies.base import Generation, PolicyError, Request
from rlvr.policies.http import Endpoint, GaveUp, Nonsense, Refused
from rlvr.policies.openai_tools import returned_calls, sent_messages, tool_fields

_TOO_LONG = (
    "context_length", "context length", "maximum context", "max_model_len", "maximum model length",
    "longer than the maximum", "prompt is too long",
)  # fmt: skip

# Limits on the size of a server's answer: generous for every honest one, and bounded.
_TOKEN_BYTES = 64
_LOGPROB_BYTES = 256
_CONTEXT = 1 << 17  # tokens, if only the server knows how many it may generate
_LIST_BYTES = 3 << 20  # some list thousands of models
_MOST_TOKENS = 1 << 40


class OpenAIPolicy:
    """Answers through `POST /chat/completions` or `/completions`.

    Args:
        model: the model's name on the server.
        base_url: the address with its `/v1`, without a user, a password or a query.
        api: `completions` sends the prompt as one text, without a chat template, for base models.
        max_tokens: the most tokens per response.
        temperature: 0 for greedy decoding.
        logprobs: request each token's log-probability.
        token_ids: request token ids, which vLLM's servers provide.
        concurrency: the most requests at a time.
        api_key_env: the environment variable with the API key. The key is sent with the requests and stored
            nowhere: if a server repeats it, `[secret]` is read in its place.
        timeout_s, patience_s, backoff_s: see `rlvr.policies.http.Endpoint`.
        extra: further fields of the request, such as `{"top_p": 0.95}`.

    Example:
        >>> policy = OpenAIPolicy("Qwen/Qwen3-4B", "http://localhost:8000/v1")  # doctest: +SKIP
        >>> rlvr.evaluate("gsm8k", policy, limit=100)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str,
        base_url: str = "http://localhost:8000/v1",
        *,
        api: Literal["chat", "completions"] = "chat",
        max_tokens: int = 512,
        temperature: float = 0.0,
        logprobs: bool = False,
        token_ids: bool = False,
        concurrency: int = 64,
        api_key_env: str = "OPENAI_API_KEY",
        timeout_s: float = 600.0,
        patience_s: float = 300.0,
        backoff_s: float = 0.5,
        extra: dict[str, Any] | None = None,
    ) -> None:
        if api not in ("chat", "completions"):
            raise OptionError(f"api is 'chat' or 'completions', not {api!r}.")
        if concurrency < 1:
            raise OptionError(f"concurrency is at least 1, not {concurrency}.")
        self.name = model
        self.concurrency = concurrency
        self._api = api
        self._path = "/chat/completions" if api == "chat" else "/completions"
        self._body = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
        self._body |= extra or {}
        if logprobs:
            self._body |= {"logprobs": True} if api == "chat" else {"logprobs": 1}
        if token_ids:
            self._body["return_token_ids"] = True
        self._base_url = checked_url(base_url)
        self._key_env = api_key_env
        self._key = api_key(api_key_env)
        self._times = (timeout_s, patience_s, backoff_s)
        self._endpoint: Endpoint | None = None
        self._answers = False  # True once it has answered a request

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the key, which must not be written to a file, and the connections."""
        return self.__dict__ | {"_key": None, "_endpoint": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _key=api_key(state["_key_env"]))

    async def start(self) -> None:
        """Connect. Raises `PolicyError` if the server doesn't answer or doesn't have the model."""
        self._endpoint = Endpoint(self._base_url, self._key, self.concurrency, *self._times)
        try:
            await self._check_model()
        except BaseException:
            await self.aclose()
            raise

    async def _check_model(self) -> None:
        try:
            models = await self._models()
        except Refused as error:
            if error.status in (401, 403):
                raise self._refusal(error) from None
            return  # not every server lists its models
        served = {str(model.get("id")): model for model in models}
        if self.name not in served:
            raise self._no_model(list(served))
        if served[self.name].get("owned_by") == "vllm":
            # The only way to know the length of each of several samples.
            self._body["return_token_ids"] = True

    async def aclose(self) -> None:
        """Close all connections."""
        if self._endpoint is not None:
            await self._endpoint.aclose()
            self._endpoint = None

    async def generate(self, request: Request, n: int = 1) -> Sequence[Generation]:
        """Return n responses from one request to the server."""
        if self._endpoint is None:
            await self.start()
        assert self._endpoint is not None
        body = self._body | {"n": n, "seed": request.seed}
        if self._api == "chat":
            body["messages"] = sent_messages(request.prompt)
        else:
            body["prompt"] = "\n\n".join(map(content_text, request.prompt))
        body |= tool_fields(request.tools, self._api, body)

        def read(answer: Any) -> list[Generation]:
            responses = generations(answer, n)
            self._answers = True
            return responses

        try:
            try:
                return await self._endpoint.call(
                    "POST", self._path, read, body, self._most_bytes(body)
                )
            except Refused as error:
                if not _too_long(error) or self._api != "chat":
                    raise
                # The prompt alone may fit: without max_tokens, the rest of the context is the limit.
                del body["max_tokens"]
                return await self._endpoint.call(
                    "POST", self._path, read, body, self._most_bytes(body)
                )
        except GaveUp as error:
            return [Generation("", "error", error=f"the server failed: {error}")] * n
        except Refused as error:
            if _too_long(error):
                reason = f"the prompt doesn't fit the model's context: {error.message}"
                return [Generation("", "error", error=reason, overflow=True)] * n
            if error.status == 404:
                raise await self._not_found(error) from None
            if error.status in (401, 403) or not self._answers:
                raise self._refusal(error) from None
            # It answers others, so it refuses this request in particular (perhaps by a content filter).
            reason = f"the server refused the request with {error.status}: {error.message}"
            return [Generation("", "error", error=reason)] * n
        except UnicodeError as error:
            return [Generation("", "error", error=f"the prompt is no Unicode text: {error}")] * n

    async def _models(self) -> list[dict[str, Any]]:
        assert self._endpoint is not None
        return await self._endpoint.call("GET", "/models", _served, most_bytes=_LIST_BYTES)

    def _most_bytes(self, body: dict[str, Any]) -> int:
        """Return the greatest size of an honest answer to this request: the prompt's token ids, and each
        token of the responses."""
        per_token = _TOKEN_BYTES
        if body.get("logprobs"):
            top = body.get("top_logprobs") or body["logprobs"]
            per_token += _LOGPROB_BYTES * (1 + (int(top) if isinstance(top, int) else 1))
        limits = [body.get(name) for name in ("max_tokens", "max_completion_tokens")]
        most = max((limit for limit in limits if isinstance(limit, int)), default=_CONTEXT)
        tokens = body["n"] * most
        per_prompt_byte = 64 if body.get("prompt_logprobs") or body.get("echo") else 8
        return int(LEAST_BYTES + per_prompt_byte * sent_bytes(body) + per_token * tokens)

    async def _not_found(self, error: Refused) -> PolicyError:
        try:
            served = [str(model.get("id")) for model in await self._models()]
        except (Refused, GaveUp):
            return self._refusal(error)
        return self._refusal(error) if self.name in served else self._no_model(served)

    def _no_model(self, served: list[Any]) -> PolicyError:
        names = ", ".join(excerpt(name, 100) for name in served[:20]) or "none"
        return PolicyError(
            f"The server at {self._base_url} has no model {self.name!r}. It has: {names}."
        )

    def _refusal(self, error: Refused) -> PolicyError:
        hint = ""
        if error.status in (401, 403):
            hint = " Set the API key's environment variable (OPENAI_API_KEY, or --api-key-env)."
        elif error.status == 404:
            hint = " Is the base URL's path right (it often ends in /v1)?"
        elif "tool" in error.message.lower():
            hint = (
                " The environment offers tools: start the server with a parser for its model's calls (vLLM: "
                "--enable-auto-tool-choice --tool-call-parser NAME), or use calls='text'."
            )
        return PolicyError(
            f"The server at {self._base_url} refused the request with {error.status}: "
            f"{error.message}.{hint}"
        )


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
    ids = _ids(choice.get("token_ids"))
    prompt_ids = _ids(choice.get("prompt_token_ids") or answer.get("prompt_token_ids"))
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


def _ids(value: Any) -> tuple[int, ...] | None:
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


def _served(answer: Any) -> list[dict[str, Any]]:
    models = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(models, list) or not all(isinstance(model, dict) for model in models):
        raise Nonsense(f"no list of models: {excerpt(answer, 100)}")
    return models


def _too_long(error: Refused) -> bool:
    return error.status in (400, 413, 422) and any(s in error.message.lower() for s in _TOO_LONG)
