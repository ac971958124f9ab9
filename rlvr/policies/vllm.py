"""vLLM in this process. Its engine does the batching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlvr.core.errors import MissingExtraError, OptionError
from rlvr.policies.base import Generation, Request, seed_of
from rlvr.policies.decoding import ResponseLimits, calls_in, chat_template, read_response
from rlvr.policies.template import Template


class VllmPolicy:
    """Answers with a `vllm.LLM` and the model's chat template.

    Args:
        model: a local folder, a Hub id, or an `LLM`.
        max_tokens: the most tokens per response.
        temperature: 0 for greedy decoding.
        logprobs: return each token's log-probability.
        batch_size: the requests per call of the engine.
        chat_template_kwargs: arguments of the chat template, such as `{"enable_thinking": False}`.
        stop: strings before which a response ends.
        thinking_tokens: the tokens after which thoughts are closed and the answer begins; None for no such limit.
        template: `plain` or a jinja file, in place of the tokenizer's chat template (`rlvr.policies.decoding`).
        options: arguments of `vllm.LLM`, such as `max_model_len=4096` or `dtype="float32"` (needed on a CPU).

    Example:
        >>> policy = VllmPolicy("Qwen/Qwen3-4B", max_tokens=2048)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Any,
        *,
        max_tokens: int = 512,
        temperature: float = 0.0,
        logprobs: bool = False,
        batch_size: int = 1024,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        stop: Sequence[str] = (),
        thinking_tokens: int | None = None,
        template: str | None = None,
        **options: Any,
    ) -> None:
        try:
            import vllm
        except ImportError as error:
            raise MissingExtraError(
                "vLLM in process needs vllm: pip install 'rlvr[vllm]'."
            ) from error
        self.limits = ResponseLimits(max_tokens, stop, thinking_tokens)
        self.stop = self.limits.stop
        if logprobs and thinking_tokens is not None:
            raise OptionError(
                "thinking_tokens writes tokens that nobody sampled: leave out logprobs."
            )
        self.name = model if isinstance(model, str) else type(model).__name__
        self.llm = vllm.LLM(model=model, **options) if isinstance(model, str) else model
        self.batch_size = batch_size
        tokenizer = self.llm.get_tokenizer()
        own = chat_template(template, tokenizer)
        self._template = Template(tokenizer, chat_template_kwargs, own)
        if thinking_tokens is not None:
            self._template.closing()  # refused here, not in the middle of a run
        self._sampling = {
            "temperature": temperature,
            "logprobs": 0 if logprobs else None,
            "stop": list(self.stop) or None,
        }

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        """Return one response per request, each sampled with its own seed."""
        context = self.llm.llm_engine.model_config.max_model_len
        prompts = [self._template.prompt(request.prompt, request.tools) for request in requests]
        # The engine would refuse the whole batch because of one prompt that doesn't fit.
        fits = [i for i, prompt in enumerate(prompts) if len(prompt) < context]
        outputs = self._generate(
            [prompts[i] for i in fits],
            [requests[i].seed for i in fits],
            [self.limits.first] * len(fits),
        )
        reason = f"the prompt doesn't fit the model's context of {context} tokens"
        responses = [Generation("", "error", error=reason, overflow=True)] * len(requests)
        for i, output in zip(fits, outputs, strict=True):
            responses[i] = self._generation(output, requests[i].tools)
        if self.limits.first < self.limits.max_tokens:
            interrupted = [i for i in fits if responses[i].stop == "length"]
            self._go_on(requests, prompts, interrupted, responses)
        return responses

    def _go_on(
        self,
        requests: Sequence[Request],
        prompts: Sequence[list[int]],
        interrupted: Sequence[int],
        responses: list[Generation],
    ) -> None:
        """Close the thoughts that reached the thinking budget, and generate the rest of what it interrupted."""
        context = self.llm.llm_engine.model_config.max_model_len
        begun: dict[int, list[int]] = {}
        for i in interrupted:
            ids = list(responses[i].token_ids or ())
            closing = self._template.closing() if self._template.is_thinking(ids) else []
            ids += closing[: self.limits.max_tokens - len(ids)]
            if len(prompts[i]) + len(ids) < context and len(ids) < self.limits.max_tokens:
                begun[i] = ids
        outputs = self._generate(
            [prompts[i] + ids for i, ids in begun.items()],
            [seed_of(requests[i].seed, "answer") for i in begun],
            [self.limits.max_tokens - len(ids) for ids in begun.values()],
        )
        for (i, ids), output in zip(begun.items(), outputs, strict=True):
            responses[i] = self._generation(output, requests[i].tools, ids)

    def _generate(
        self, prompts: Sequence[list[int]], seeds: Sequence[int], limits: Sequence[int]
    ) -> list[Any]:
        import vllm

        if not prompts:
            return []
        outputs: list[Any] = self.llm.generate(
            [{"prompt_token_ids": prompt} for prompt in prompts],
            [
                vllm.SamplingParams(seed=seed, max_tokens=limit, **self._sampling)
                for seed, limit in zip(seeds, limits, strict=True)
            ],
            use_tqdm=False,
        )
        return outputs

    def _generation(
        self, output: Any, tools: Sequence[dict[str, Any]], before: Sequence[int] = ()
    ) -> Generation:
        """Return a response, whose tokens `before` the prompt held already."""
        (completion,) = output.outputs
        text, own, cut = read_response(
            self._template, [*before, *completion.token_ids], self.limits.stop
        )
        ids = tuple(own)
        logprobs = None
        if completion.logprobs is not None:
            logprobs = tuple(
                at_token[id].logprob
                for at_token, id in zip(
                    completion.logprobs, ids, strict=False
                )  # up to a stop string
            )
        text, calls = calls_in(self._template, text, own, cut, tools)
        return Generation(
            text,
            "length" if completion.finish_reason == "length" and not cut else "stop",
            len(output.prompt_token_ids) - len(before),
            len(ids),
            ids,
            logprobs,
            tool_calls=calls,
        )
