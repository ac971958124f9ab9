"""Training within a model's context: prompts that leave no room, and positions beside padding."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from rlvr.adapters.trl.backend import context_of, too_long
from rlvr.policies.transformers import context_of as context_of_model
from rlvr.training.held_out import is_sharded


class WithinContext:
    """Keeps one of TRL's trainers within its model's context; mixed in before the trainer's class.

    A row whose prompt leaves no room has no reward: `rlvr.trl.reward` takes it for unscored, with the cause
    `input`. Completions end where the context does.

    Attributes:
        unfit: for each row of the batch that was generated last, why its prompt doesn't fit; None where it does.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.unfit: list[str | None] = []
        self._generating = False
        for model in (self.model, getattr(self, "ref_model", None)):  # type: ignore[attr-defined]
            if model is not None:
                count_positions_by_the_mask(model)

    def _generate(self: Any, prompts: Any, *rest: Any, **options: Any) -> Any:
        # `rollout` sees to its prompts itself.
        self._generating = getattr(self, "rollout_func", None) is None
        try:
            return super()._generate(prompts, *rest, **options)  # type: ignore[misc]
        finally:
            self._generating = False

    def _tokenize_prompts(self: Any, prompts: Any) -> Any:
        found, *rest = super()._tokenize_prompts(prompts)  # type: ignore[misc]
        if self._generating:
            context = context_of(self)
            self.unfit = [
                too_long(len(ids), context) if len(ids) >= context else None for ids in found
            ]
            # TRL's passes take the row all the same; it has no reward, and so no advantage.
            found = [
                ids if unfit is None else ids[:1]
                for ids, unfit in zip(found, self.unfit, strict=True)
            ]
        return (found, *rest)

    def _generate_single_turn(
        self: Any, prompt_ids: list[list[int]], *rest: Any, **options: Any
    ) -> Any:
        generate = functools.partial(super()._generate_single_turn, **options)  # type: ignore[misc]
        if self.use_vllm or getattr(self, "use_transformers_continuous_batching", False):
            return generate(prompt_ids, *rest)  # it ends a completion with the context itself
        config = self.generation_config
        most, context = config.max_new_tokens, context_of(self)
        limits = [max(1, min(most, context - len(ids))) for ids in prompt_ids]
        if is_sharded(self.accelerator):
            # All processes generate together, and so equally often: with the room that all have.
            least = torch.tensor(min(limits, default=most), device=self.accelerator.device)
            limits = [int(self.accelerator.gather(least).min())] * len(limits)
        if min(limits, default=most) == most:
            return generate(prompt_ids, *rest)
        found: dict[int, Any] = {}
        beside: dict[int, Any] | None = {}
        order = sorted(range(len(limits)), key=limits.__getitem__)
        try:
            for limit, places in groupby(order, limits.__getitem__):
                rows = list(places)
                config.max_new_tokens = limit
                answer = generate([prompt_ids[i] for i in rows], *rest)
                ids, logprobs = answer if isinstance(answer, tuple) else (answer, None)
                found.update(zip(rows, ids, strict=True))
                if logprobs is None or beside is None:
                    beside = None
                else:
                    beside.update(zip(rows, logprobs, strict=True))
        finally:
            config.max_new_tokens = most
        in_order = [found[i] for i in range(len(limits))]
        if not isinstance(answer, tuple):
            return in_order
        return in_order, None if beside is None else [beside[i] for i in range(len(limits))]


def count_positions_by_the_mask(model: Any) -> None:
    """Have a model with learned positions count them from a row's first token, as generation does.

    TRL's forward passes give no positions, and such a model (GPT-2) then counts a batch's padding too: its
    log-probabilities aren't those that the completion was sampled with, and a padded batch may go beyond the
    last position that there is.
    """
    trunk = getattr(model, "get_base_model", lambda: model)().base_model
    if _has_learned_positions(trunk, context_of_model(model)):
        trunk.register_forward_pre_hook(_with_positions, with_kwargs=True)


def _has_learned_positions(trunk: Any, context: int) -> bool:
    if "position_ids" not in inspect.signature(trunk.forward).parameters:
        return False
    tokens = trunk.get_input_embeddings()
    return any(
        isinstance(part, nn.Embedding) and part is not tokens and part.num_embeddings == context
        for part in trunk.modules()
    )


def _with_positions(
    module: nn.Module, args: Sequence[Any], given: dict[str, Any]
) -> tuple[Sequence[Any], dict[str, Any]] | None:
    mask, cache = given.get("attention_mask"), given.get("past_key_values")
    if not isinstance(mask, Tensor) or mask.dim() != 2 or given.get("position_ids") is not None:
        return None
    if cache is not None and cache.get_seq_length():
        return None
    return args, given | {"position_ids": (mask.long().cumsum(-1) - 1).clamp(min=0)}
