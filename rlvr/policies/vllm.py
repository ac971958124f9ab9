"""vLLM in this process. Its engine does the batching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rlvr.core.errors import MissingExtraError
from rlvr.policies.base import Generation, Request
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
        **options: Any,
    ) -> None:
        try:
            import vllm
        except ImportError as error:
            raise MissingExtraError(
                "vLLM in process needs vllm: pip install 'rlvr[vllm]'."
            ) from error
        self.name = model if isinstance(model, str) else type(model).__name__
        self.llm = vllm.LLM(model=model, **options) if isinstance(model, str) else model
        self.batch_size = batch_size
        self._template = Template(self.llm.get_tokenizer(), chat_template_kwargs)
        self._sampling = {
            "max_tokens": max_tokens,
            "temperature": temperature,
            "logprobs": 0 if logprobs else None,
        }

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        """Return one response per request, each sampled with its own seed."""
        import vllm

        context = self.llm.llm_engine.model_config.max_model_len
        prompts = [self._template.prompt(request.prompt, request.tools) for request in requests]
        # The engine would refuse the whole batch because of one prompt that doesn't fit.
        fits = [i for i, prompt in enumerate(prompts) if len(prompt) < context]
        outputs = self.llm.generate(
            [{"prompt_token_ids": prompts[i]} for i in fits],
            [vllm.SamplingParams(seed=requests[i].seed, **self._sampling) for i in fits],
            use_tqdm=False,
        )
        reason = f"the prompt doesn't fit the model's context of {context} tokens"
        responses = [Generation("", "error", error=reason, overflow=True)] * len(requests)
        for i, output in zip(fits, outputs, strict=True):
            responses[i] = self._generation(output, requests[i].tools)
        return responses

    def _generation(self, output: Any, tools: Sequence[dict[str, Any]]) -> Generation:
        (completion,) = output.outputs
        ids = tuple(completion.token_ids)
        logprobs = None
        if completion.logprobs is not None:
            logprobs = tuple(
                at_token[id].logprob for at_token, id in zip(completion.logprobs, ids, strict=True)
            )
        message = self._template.message(ids, tools)
        return Generation(
            message["content"],
            "length" if completion.finish_reason == "length" else "stop",
            len(output.prompt_token_ids),
            len(ids),
            ids,
            logprobs,
            tool_calls=tuple(message.get("tool_calls", ())),
        )
