"""A model of the transformers library, generating in batches."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rlvr.core.errors import DataError, MissingExtraError
from rlvr.core.http import hub_answers
from rlvr.policies.base import Generation, PolicyError, Request
from rlvr.policies.decoding import (
    ResponseLimits,
    StopStrings,
    calls_in,
    chat_template,
    read_response,
)
from rlvr.policies.memory import bytes_per_token, free_bytes
from rlvr.policies.template import Template

_MOST_ON_GPU, _MOST_ELSEWHERE = 256, 32  # sequences of a batch; processors gain nothing by more
_SHARE_OF_MEMORY = 0.7  # of what is free, for a batch


class TransformersPolicy:
    """A policy that answers with a causal language model and its tokenizer's chat template.

    A greedy response in float32 is the same in a batch as alone, whatever side the tokenizer pads on
    and whether it has a padding token. (In bfloat16 rounding depends on the batch.) A sampled response depends on the
    seed of its request alone. Sampling settings in the model's own `generation_config`, such as a
    repetition penalty, don't apply.

    Args:
        model: a local folder, a Hub id, or a loaded model; a loaded model needs its `tokenizer`.
        max_new_tokens: the most tokens of a response. A response also ends where the context does.
        temperature: 0 for greedy decoding.
        batch_size: the most sequences per call of `generate`: by default 256 on a GPU and 32 elsewhere. There
            are fewer where free memory doesn't suffice for so many; when memory runs out all the same, half of
            them from then on.
        chat_template_kwargs: for the chat template, such as `{"enable_thinking": False}`.
        stop: strings before which a response ends.
        thinking_tokens: the tokens after which thoughts are closed and the answer begins; None for no such limit.
        template: `plain` or a jinja file, in place of the tokenizer's chat template (`rlvr.policies.decoding`).

    Raises `DataError` if the model can't be loaded or its tokenizer has no chat template.

    Example:
        >>> policy = TransformersPolicy("path/to/model", max_new_tokens=256)  # doctest: +SKIP
        >>> rlvr.evaluate("gsm8k", policy, limit=100)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        max_new_tokens: int = 512,
        temperature: float = 0.0,
        batch_size: int | None = None,
        chat_template_kwargs: Mapping[str, Any] | None = None,
        stop: Sequence[str] = (),
        thinking_tokens: int | None = None,
        template: str | None = None,
    ) -> None:
        self.limits = ResponseLimits(max_new_tokens, stop, thinking_tokens)
        self.stop = self.limits.stop
        if isinstance(model, str):
            self.name = model
            model, tokenizer = load(model, template)
            import torch

            model = model.to("cuda" if torch.cuda.is_available() else "cpu")
        else:
            self.name = type(model).__name__
        self.model = model
        self.tokenizer = tokenizer
        own = chat_template(template, tokenizer)
        self.template = Template(tokenizer, chat_template_kwargs, own)
        if thinking_tokens is not None:
            self.template.closing()  # refused here, not in the middle of a run
        self.temperature = temperature
        on_gpu = self.model.device.type == "cuda"
        self.batch_size = batch_size or (_MOST_ON_GPU if on_gpu else _MOST_ELSEWHERE)

    @property
    def window(self) -> int:
        """Requests that `stream` is best given at once: the more there are to sort, the less padding."""
        return 8 * self.batch_size

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        """Return one response per request, in order.

        A prompt that leaves no room in the model's context gets an `error` with `overflow`. The
        model's mode (training or not) and torch's global random state are left as they were.

        Raises `PolicyError` if memory doesn't suffice for a single sequence.
        """
        responses = dict(itertools.chain.from_iterable(self.stream(requests)))
        return [responses[i] for i in range(len(requests))]

    def stream(self, requests: Sequence[Request]) -> Iterator[list[tuple[int, Generation]]]:
        """Yield the requests' numbers and responses as `respond` finds them, a batch at a time."""
        prompts = [self.template.prompt(request.prompt, request.tools) for request in requests]
        context = context_of(self.model)
        reason = f"the prompt doesn't fit the model's context of {context} tokens"
        over = [i for i, prompt in enumerate(prompts) if len(prompt) >= context]
        if over:
            yield [(i, Generation("", "error", error=reason, overflow=True)) for i in over]
        # The longest first, so that a batch has little padding and memory runs out at once or never.
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]), reverse=True)
        rows = [i for i in order if len(prompts[i]) < context]
        while rows:
            longest = len(prompts[rows[0]])
            limit = min(self.limits.max_tokens, context - longest)
            size = self._suffices_for(longest + limit)
            # All rows of a batch have the same limit: prompts with less room get their own batch.
            batch = [
                i
                for i in rows[:size]
                if min(self.limits.max_tokens, context - len(prompts[i])) == limit
            ]
            seeds = [requests[i].seed for i in batch]
            completions = self._or_less([prompts[i] for i in batch], seeds, limit)
            rows = rows[len(completions) :]
            yield [
                (i, self._generation(ids, len(prompts[i]), requests[i].tools))
                for i, ids in zip(batch, completions, strict=False)  # the first of the batch
            ]

    def _suffices_for(self, tokens: int) -> int:
        """Return the batch size for sequences of `tokens` tokens that fits into free memory: at least 1."""
        free = free_bytes(self.model.device)
        rows = _SHARE_OF_MEMORY * free / (tokens * bytes_per_token(self.model))
        return max(1, int(min(self.batch_size, rows)))

    def _or_less(
        self, prompts: Sequence[list[int]], seeds: Sequence[int], limit: int
    ) -> list[list[int]]:
        """Return new tokens for as many of the first prompts as memory allows."""
        import torch

        while True:
            try:
                first = self._generate(prompts, seeds, min(limit, self.limits.first))
                return self._answered(prompts, seeds, first, limit)
            except torch.cuda.OutOfMemoryError as error:
                if len(prompts) == 1:
                    raise PolicyError(
                        f"Memory doesn't suffice for one sequence of {len(prompts[0])} tokens "
                        f"and {limit} new ones: lower the number of new tokens."
                    ) from error
            torch.cuda.empty_cache()
            self.batch_size = len(prompts) // 2
            prompts, seeds = prompts[: self.batch_size], seeds[: self.batch_size]

    def _answered(
        self,
        prompts: Sequence[list[int]],
        seeds: Sequence[int],
        first: list[list[int]],
        limit: int,
    ) -> list[list[int]]:
        """Close the thoughts that reached the thinking budget, and generate the rest of what it interrupted."""
        used = self.limits.first
        if used >= limit:
            return first
        completions = list(first)
        interrupted: dict[bool, list[int]] = {True: [], False: []}  # by whether it is thinking
        for row, ids in enumerate(first):
            _, own, ended = read_response(self.template, ids, self.stop)
            if not ended and not self._ends & set(own):
                interrupted[self.template.is_thinking(own)].append(row)
        for thinking, rows in interrupted.items():
            closing = self.template.closing()[: limit - used] if thinking and rows else []
            for row in rows:
                completions[row] = first[row] + closing
            left = limit - used - len(closing)
            if rows and left > 0:
                rest = self._generate(
                    [prompts[row] + completions[row] for row in rows],
                    [seeds[row] for row in rows],
                    left,
                    used,
                    [completions[row] for row in rows],
                )
                for row, ids in zip(rows, rest, strict=True):
                    completions[row] = completions[row] + ids
        return completions

    def _generate(
        self,
        prompts: Sequence[list[int]],
        seeds: Sequence[int],
        limit: int,
        used: int = 0,
        before: Sequence[list[int]] | None = None,
    ) -> list[list[int]]:
        """Return up to `limit` new token ids per prompt, in columns that may end in padding.

        Args:
            used: the random numbers of each row's stream that were used before.
            before: the tokens of the response that a prompt ends with already, in which a stop string may begin.
        """
        import torch

        # Padded here, on the left. Many tokenizers pad on the right, where a shorter prompt
        # would be continued from padding.
        longest = max(map(len, prompts))
        ids_B_L = torch.full((len(prompts), longest), self._pad)
        mask_B_L = torch.zeros_like(ids_B_L)
        for row, prompt in enumerate(prompts):
            ids_B_L[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask_B_L[row, longest - len(prompt) :] = 1
        device = self.model.device
        sampler = None
        if self.temperature > 0:
            sampler = [_Sampler(self.temperature, seeds, used, limit)]
        stopping = None
        if self.stop:
            earlier = before or [[] for _ in prompts]
            stopping = [StopStrings(self.template, self.stop, longest, earlier)]
        with torch.no_grad(), _plain_generation(self.model, self._pad, self._ends):
            output = self.model.generate(
                input_ids=ids_B_L.to(device),
                attention_mask=mask_B_L.to(device),
                max_new_tokens=limit,
                do_sample=False,  # the sampler leaves only its own choice
                logits_processor=sampler,
                stopping_criteria=stopping,
            )
        completions: list[list[int]] = output[:, longest:].tolist()
        return completions

    def _generation(
        self, ids: list[int], prompt_tokens: int, tools: Sequence[dict[str, Any]]
    ) -> Generation:
        ends = self._ends
        end = next((place for place, id in enumerate(ids) if id in ends), None)
        own = ids if end is None else ids[: end + 1]  # padding follows
        text, own, cut = read_response(self.template, own, self.stop)
        text, calls = calls_in(self.template, text, own, cut, tools)
        return Generation(
            text,
            "stop" if cut or end is not None else "length",
            prompt_tokens,
            len(own),
            tuple(own),
            tool_calls=calls,
        )

    @property
    def _ends(self) -> set[int]:
        ends = self.model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return {end for end in [*ends, self.tokenizer.eos_token_id] if end is not None}

    @property
    def _pad(self) -> int:
        """The id used for padding. No result depends on it: the mask leaves padding out."""
        pad = self.tokenizer.pad_token_id
        return int(pad) if pad is not None else min(self._ends, default=0)


class _Sampler:
    """A logits processor that samples each row with a random stream of its own.

    torch has one stream for all rows: a response would depend on its neighbours in the batch. A row
    uses one uniform number per token, inverted through the cumulative distribution.
    """

    def __init__(self, temperature: float, seeds: Iterable[int], used: int, tokens: int) -> None:
        self._temperature = temperature
        uniform_B_T = np.stack(
            [np.random.default_rng(seed).random(used + tokens)[used:] for seed in seeds]
        )
        self._columns = iter(uniform_B_T.T)

    def __call__(self, ids_B_L: Any, scores_B_V: Any) -> Any:
        """Return scores that are 0 at the sampled token and minus infinity elsewhere."""
        import torch

        chances_B_V = (scores_B_V.double() / self._temperature).softmax(-1)
        cumulative_B_V = chances_B_V.cumsum(-1)
        uniform_B_1 = torch.as_tensor(next(self._columns).copy(), device=scores_B_V.device)[:, None]
        # Its last value is 1 up to rounding; the product stays below it.
        chosen_B_1 = torch.searchsorted(
            cumulative_B_V, uniform_B_1 * cumulative_B_V[:, -1:], right=True
        ).clamp_max(scores_B_V.shape[-1] - 1)
        return torch.full_like(scores_B_V, -torch.inf).scatter(1, chosen_B_1, 0.0)


@contextmanager
def _plain_generation(model: Any, pad: int, ends: set[int]) -> Iterator[None]:
    """Disable training mode and the configuration's additions to sampling: penalties, min-p, banned words.

    With them, greedy isn't the likeliest token, and the tokens aren't samples of the model's distribution.
    `generate` falls back to the configuration for each setting that a call leaves out.
    """
    from transformers import GenerationConfig

    # PEFT passes its own configuration on to the wrapped model.
    owners = [model, model.get_base_model()] if hasattr(model, "get_base_model") else [model]
    before = [owner.generation_config for owner in owners]
    was_training = model.training
    plain = GenerationConfig(eos_token_id=sorted(ends) or None, pad_token_id=pad)
    try:
        for owner in owners:
            owner.generation_config = plain
        model.eval()
        yield
    finally:
        model.train(was_training)
        for owner, own in zip(owners, before, strict=True):
            owner.generation_config = own


def load(name: str, template: str | None = None, **options: Any) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer, from a folder or the Hub.

    Args:
        name: a local folder or a Hub id.
        template: `plain` or a jinja file; becomes the tokenizer's chat template.
        options: further arguments of the model's `from_pretrained`, such as `dtype`.

    Raises `DataError` if it can't be loaded or has no chat template, and `MissingExtraError` without
    torch and transformers.
    """
    try:
        import transformers
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise MissingExtraError(
            "A local model needs torch and transformers: pip install 'rlvr[train]'."
        ) from error
    folder = Path(name).expanduser()
    if name.startswith((".", "/", "~")) and not (folder / "config.json").is_file():
        missing = "no config.json in" if folder.is_dir() else "no folder"
        raise DataError(
            f"There's {missing} {name!r}. A model's folder has config.json and weights."
        )
    transformers.logging.disable_progress_bar()
    source = str(folder) if name.startswith("~") else name
    # Without the Hub its cache, or an error at once: the library would try for a minute.
    options["local_files_only"] = not folder.exists() and not hub_answers()
    try:
        only = options["local_files_only"]
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=only)
        model = AutoModelForCausalLM.from_pretrained(source, **options)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())  # theirs has many lines
        raise DataError(
            f"The model {name!r} can't be loaded: {why:.300}. Give a local folder with "
            f"config.json, weights and tokenizer, or the id of a model on the Hub."
        ) from error
    if template is not None:
        tokenizer.chat_template = chat_template(template, tokenizer)
    if tokenizer.chat_template is None:
        raise DataError(
            f"The tokenizer of {name!r} has no chat template, so it can't be prompted with messages. A base "
            f"model takes --template plain (template='plain'), or a jinja file."
        )
    return model, tokenizer


def context_of(model: Any) -> int:
    """Return the size of the model's context: the most tokens of prompt and response together."""
    config = model.config.get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or sys.maxsize)
