"""A model of the transformers library, generating in batches."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from rlvr.core.errors import DataError, MissingExtraError
from rlvr.policies.base import Generation, PolicyError, Request
from rlvr.policies.template import Template


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
        batch_size: sequences per call of `generate`. Halved, for good, when memory runs out.
        chat_template_kwargs: for the chat template, such as `{"enable_thinking": False}`.

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
        batch_size: int = 64,
        chat_template_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(model, str):
            self.name = model
            model, tokenizer = load(model)
            import torch

            model = model.to("cuda" if torch.cuda.is_available() else "cpu")
        else:
            self.name = type(model).__name__
        self.model = model
        self.tokenizer = tokenizer
        self.template = Template(tokenizer, chat_template_kwargs)
        self.max_new_tokens = max_new_tokens
        self.temperature = temperature
        self.batch_size = batch_size

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        """Return one response per request, in order.

        A prompt that leaves no room in the model's context gets an `error` with `overflow`. The
        model's mode (training or not) and torch's global random state are left as they were.

        Raises `PolicyError` if memory doesn't suffice for a single sequence.
        """
        import torch

        prompts = [self.template.prompt(request.prompt) for request in requests]
        context = _context(self.model)
        said = f"the prompt doesn't fit the model's context of {context} tokens"
        responses = [Generation("", "error", error=said, overflow=True)] * len(requests)
        # The longest first: then a batch has little padding, and memory runs out at once or never.
        order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]), reverse=True)
        fits = [i for i in order if len(prompts[i]) < context]
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad(), _plain_generation(self.model, self._pad, self._ends):
                for limit, rows in groupby(
                    fits, lambda i: min(self.max_new_tokens, context - len(prompts[i]))
                ):
                    for i, response in self._batches(list(rows), prompts, requests, limit):
                        responses[i] = response
        finally:
            self.model.train(was_training)
        return responses

    def _batches(
        self,
        rows: Sequence[int],
        prompts: Sequence[list[int]],
        requests: Sequence[Request],
        limit: int,
    ) -> Iterator[tuple[int, Generation]]:
        """Yield each row and its response, after batches of a size that memory suffices for."""
        import torch

        at = 0
        while at < len(rows):
            batch = rows[at : at + self.batch_size]
            try:
                completions = self._generate(
                    [prompts[i] for i in batch], [requests[i].seed for i in batch], limit
                )
            except torch.cuda.OutOfMemoryError as error:
                if len(batch) == 1:
                    raise PolicyError(
                        f"Memory doesn't suffice for one sequence of {len(prompts[batch[0]])} tokens "
                        f"and {limit} new ones: lower the number of new tokens."
                    ) from error
                self.batch_size = len(batch) // 2
                torch.cuda.empty_cache()
                continue
            for i, ids in zip(batch, completions, strict=True):
                yield i, self._generation(ids, len(prompts[i]))
            at += len(batch)

    def _generate(
        self, prompts: Sequence[list[int]], seeds: Sequence[int], limit: int
    ) -> list[list[int]]:
        """Return up to `limit` new token ids per prompt, in columns that may end in padding."""
        import torch

        # Padded here and not by the tokenizer: on its right side, as many have it, a shorter prompt
        # would be continued from padding.
        longest = max(map(len, prompts))
        ids_B_L = torch.full((len(prompts), longest), self._pad)
        mask_B_L = torch.zeros_like(ids_B_L)
        for row, prompt in enumerate(prompts):
            ids_B_L[row, longest - len(prompt) :] = torch.tensor(prompt)
            mask_B_L[row, longest - len(prompt) :] = 1
        device = self.model.device
        sampler = [_Sampler(self.temperature, seeds, limit)] if self.temperature > 0 else None
        output = self.model.generate(
            input_ids=ids_B_L.to(device),
            attention_mask=mask_B_L.to(device),
            max_new_tokens=limit,
            do_sample=False,  # the sampler leaves only its own choice
            logits_processor=sampler,
        )
        completions: list[list[int]] = output[:, longest:].tolist()
        return completions

    def _generation(self, ids: list[int], prompt_tokens: int) -> Generation:
        ends = self._ends
        end = next((place for place, id in enumerate(ids) if id in ends), None)
        own = ids if end is None else ids[: end + 1]  # padding follows
        return Generation(
            self.template.text(own),
            "length" if end is None else "stop",
            prompt_tokens,
            len(own),
            tuple(own),
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

    def __init__(self, temperature: float, seeds: Iterable[int], tokens: int) -> None:
        self._temperature = temperature
        uniform_B_T = np.stack([np.random.default_rng(seed).random(tokens) for seed in seeds])
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
    """Set aside what the model's configuration adds to sampling: penalties, min-p, banned words.

    With them, greedy isn't the likeliest token, and the tokens aren't samples of the model's distribution.
    `generate` falls back to the configuration for each setting that a call leaves out.
    """
    from transformers import GenerationConfig

    # PEFT hands its own configuration on to the model inside.
    owners = [model, model.get_base_model()] if hasattr(model, "get_base_model") else [model]
    before = [owner.generation_config for owner in owners]
    plain = GenerationConfig(eos_token_id=sorted(ends) or None, pad_token_id=pad)
    try:
        for owner in owners:
            owner.generation_config = plain
        yield
    finally:
        for owner, own in zip(owners, before, strict=True):
            owner.generation_config = own


def load(name: str, **options: Any) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer, from a folder or the Hub.

    Args:
        name: a local folder or a Hub id.
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
        what = "no config.json in" if folder.is_dir() else "no folder"
        raise DataError(f"There's {what} {name!r}. A model's folder has config.json and weights.")
    transformers.logging.disable_progress_bar()
    source = str(folder) if name.startswith("~") else name
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model = AutoModelForCausalLM.from_pretrained(source, **options)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())  # theirs has many lines
        raise DataError(
            f"The model {name!r} can't be loaded: {why:.300}. Give a local folder with "
            f"config.json, weights and tokenizer, or the id of a model on the Hub."
        ) from error
    if tokenizer.chat_template is None:
        raise DataError(f"The tokenizer of {name!r} has no chat template, so it can't be prompted.")
    return model, tokenizer


def _context(model: Any) -> int:
    """Return how many tokens the model takes, prompt and response together."""
    config = model.config.get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or sys.maxsize)
