"""A model behind an OpenAI-compatible server, such as vLLM's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from rlvr.core.errors import DataError, OptionError
from rlvr.core.http import LEAST_BYTES, checked_url, sent_bytes
from rlvr.core.secrets import api_key, excerpt
from rlvr.policies.base import Generation, PolicyError, Request, seed_of
from rlvr.policies.decoding import (
    CLOSING,
    ResponseLimits,
    cut_at,
    is_thinking,
    opens_thoughts,
    renderer,
)
from rlvr.policies.http import Endpoint, GaveUp, Refused
from rlvr.policies.openai_answers import generations, read_ids, served_models
from rlvr.policies.openai_tools import sent_messages, tool_fields

_TOO_LONG = (
    "context_length", "context length", "maximum context", "max_model_len", "maximum model length",
    "longer than the maximum", "prompt is too long",
)  # fmt: skip

# ResponseLimits on the size of a server's answer: generous for every honest one, and bounded.
_TOKEN_BYTES = 64
_LOGPROB_BYTES = 256
_CONTEXT = 1 << 17  # tokens, if only the server knows how many it may generate
_LIST_BYTES = 3 << 20  # some list thousands of models


class OpenAIPolicy:
    """Answers through `POST /chat/completions` or `/completions`.

    Args:
        model: the model's name on the server.
        base_url: the address with its `/v1`, without a user, a password or a query.
        api: `completions` sends the prompt as one text, for base models: the messages with empty lines between.
        template: `plain` or a jinja file that makes that text; with one of them `api` is `completions`.
        stop: strings before which a response ends.
        thinking_tokens: the tokens after which thoughts are closed and the answer begins. It needs a vLLM server
            and a `template` file, since a chat endpoint keeps thoughts to itself.
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
        api: Literal["chat", "completions"] | None = None,
        template: str | None = None,
        stop: Sequence[str] = (),
        thinking_tokens: int | None = None,
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
        api = api or ("chat" if template is None else "completions")
        if api not in ("chat", "completions"):
            raise OptionError(f"api is 'chat' or 'completions', not {api!r}.")
        if template is not None and api == "chat":
            raise OptionError(
                "A chat server uses its own template: with a template of yours, api is 'completions'."
            )
        self.limits = ResponseLimits(max_tokens, stop, thinking_tokens)
        self.stop = self.limits.stop
        if thinking_tokens is not None and template in (None, "plain"):
            raise OptionError(
                "thinking_tokens needs the prompt as one text, in which thoughts can be closed: give the "
                "model's chat template as a file (template='model.jinja', --template FILE.jinja)."
            )
        if thinking_tokens is not None and logprobs:
            raise OptionError(
                "thinking_tokens writes tokens that nobody sampled: leave out logprobs."
            )
        if concurrency < 1:
            raise OptionError(f"concurrency is at least 1, not {concurrency}.")
        self.name = model
        self.concurrency = concurrency
        self._api = api
        self._path = "/chat/completions" if api == "chat" else "/completions"
        self._template = template
        self._body: dict[str, Any] = {"model": model, "max_tokens": max_tokens}
        self._body |= {"temperature": temperature, **(extra or {})}
        if self.stop:
            self._body["stop"] = list(self.stop)
        if logprobs:
            self._body |= {"logprobs": True} if api == "chat" else {"logprobs": 1}
        if token_ids:
            self._body["return_token_ids"] = True
        self._base_url = checked_url(base_url)
        self._key_env = api_key_env
        self._key = api_key(api_key_env)
        self._times = (timeout_s, patience_s, backoff_s)
        self._render = renderer(template)
        self._endpoint: Endpoint | None = None
        self._closing: tuple[
            int, ...
        ] = ()  # the tokens that close thoughts, as the server has them
        self._answers = False  # True once it has answered a request

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the key, which must not be written to a file, and the connections."""
        return self.__dict__ | {"_key": None, "_endpoint": None, "_render": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(
            state, _key=api_key(state["_key_env"]), _render=renderer(state["_template"])
        )

    async def start(self) -> None:
        """Connect. Raises `PolicyError` if the server doesn't answer or doesn't have the model."""
        self._endpoint = Endpoint(self._base_url, self._key, self.concurrency, *self._times)
        try:
            await self._check_model()
            if self.limits.thinking_tokens is not None:
                await self._find_closing()
        except BaseException:
            await self.aclose()
            raise

    async def _check_model(self) -> None:
        models: list[dict[str, Any]] = []
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
            if self._template not in (None, "plain"):
                self._body["add_special_tokens"] = False  # the template writes them

    async def aclose(self) -> None:
        """Close all connections."""
        if self._endpoint is not None:
            await self._endpoint.aclose()
            self._endpoint = None

    async def generate(self, request: Request, n: int = 1) -> Sequence[Generation]:
        """Return n responses to a request, from one request to the server; a thinking budget may take more."""
        if self._endpoint is None:
            await self.start()
        try:
            body = self._request_body(request, n)
        except DataError as error:  # the template refuses the messages
            return [Generation("", "error", error=str(error))] * n
        opened = self._template is not None and opens_thoughts(body["prompt"])
        if self.limits.thinking_tokens is None:
            responses = await self._send(body, n)
        else:
            responses = await self._within_budget(body, n, opened)
        return [self._as_read(response, opened) for response in responses]

    def _request_body(self, request: Request, n: int) -> dict[str, Any]:
        """Return the JSON of the request to the server."""
        body = self._body | {"n": n, "seed": request.seed}
        if self._api == "chat":
            body["messages"] = sent_messages(request.prompt)
        else:
            body["prompt"] = self._render(request.prompt)
        return body | tool_fields(request.tools, self._api, body)

    def _as_read(self, response: Generation, opened: bool) -> Generation:
        """Return a response up to its first stop string, whatever the server did, with the tag of its thoughts."""
        end = cut_at(response.text, self.stop)
        if end is not None:
            response = replace(response, text=response.text[:end], stop="stop")
        if opened and response.stop != "error" and not response.text.lstrip().startswith("<think>"):
            response = replace(response, text=f"<think>{response.text}")
        return response

    async def _find_closing(self) -> None:
        """Ask the server for the tokens of `</think>`. Raises `PolicyError` if it doesn't say them."""
        prompts: list[tuple[int, ...]] = []
        if self._body.get("return_token_ids"):
            for text in (CLOSING, "</think>", "<think>"):
                await self._send(self._body | {"n": 1, "prompt": text, "max_tokens": 1}, 1, prompts)
        if len(prompts) < 3:
            raise PolicyError(
                f"thinking_tokens needs a vLLM server, which says what its tokens are; the one at "
                f"{self._base_url} doesn't. Leave the budget out, or load the model here (without a base URL)."
            )
        self._closing, *self._tags = prompts

    async def _within_budget(self, body: dict[str, Any], n: int, opened: bool) -> list[Generation]:
        prompts: list[tuple[int, ...]] = []
        first = await self._send(body | {"max_tokens": self.limits.first}, n, prompts)
        for response in first:
            self._check_tags(response)
        if not prompts:
            return first
        prompt = prompts[0]
        return list(
            await asyncio.gather(
                *(
                    self._go_on(
                        body | {"n": 1, "seed": seed_of(body["seed"], "answer", sample)},
                        prompt,
                        response,
                        opened,
                    )
                    for sample, response in enumerate(first)
                )
            )
        )

    def _check_tags(self, response: Generation) -> None:
        """Raise `PolicyError` if the server leaves the tags of thoughts out of its texts: they are special tokens."""
        ids = list(response.token_ids or ())
        for tag, text in zip(self._tags, ("</think>", "<think>"), strict=True):
            shown = any(tuple(ids[at : at + len(tag)]) == tag for at in range(len(ids)))
            if shown and text not in response.text:
                raise PolicyError(
                    f"The model {self.name!r} marks its thoughts by special tokens, which the server leaves "
                    f"out of its texts, so that thinking_tokens can't close them. Load the model here instead "
                    f"(without a base URL)."
                )

    async def _go_on(
        self, body: dict[str, Any], prompt: tuple[int, ...], first: Generation, opened: bool
    ) -> Generation:
        """Close the thoughts of a response that reached the thinking budget, and ask for the rest of it."""
        begun = first.token_ids
        if first.stop != "length" or begun is None or cut_at(first.text, self.stop) is not None:
            return first
        thinking = is_thinking(first.text, opened)
        if thinking:
            begun += self._closing
        left = self.limits.max_tokens - len(begun)
        if left < 1:
            return first
        (rest,) = await self._send(body | {"prompt": [*prompt, *begun], "max_tokens": left}, 1)
        if rest.stop == "error":
            return rest
        ids = None if rest.token_ids is None else (*begun, *rest.token_ids)
        return Generation(
            first.text + (CLOSING if thinking else "") + rest.text,
            rest.stop,
            len(prompt),
            None if rest.completion_tokens is None else len(begun) + rest.completion_tokens,
            ids,
        )

    async def _send(
        self, body: dict[str, Any], n: int, prompts: list[tuple[int, ...]] | None = None
    ) -> list[Generation]:
        """Return n responses from one request; the prompt's token ids go into `prompts` if the server says them."""
        assert self._endpoint is not None

        def read(answer: Any) -> list[Generation]:
            responses = generations(answer, n)
            self._answers = True
            ids = answer["choices"][0].get("prompt_token_ids") or answer.get("prompt_token_ids")
            if prompts is not None and ids:
                prompts.append(read_ids(ids) or ())
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
        return await self._endpoint.call("GET", "/models", served_models, most_bytes=_LIST_BYTES)

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


def _too_long(error: Refused) -> bool:
    return error.status in (400, 413, 422) and any(s in error.message.lower() for s in _TOO_LONG)
