"""Mixins for TRL's trainers: keep within the model's context, and skip steps without a verdict."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from rlvr.adapters.trl.backend import context_of, too_long
from rlvr.policies.transformers import context_of as context_of_model
from rlvr.training.held_out import is_sharded

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from rlvr.adapters.trl.trainer_types import TrlTrainer
else:
    TrlTrainer = object


Arguments: TypeAlias = Sequence[Any]
Options: TypeAlias = dict[str, Any]


class WithinContext(TrlTrainer):
    """A mixin before the class of a TRL trainer that keeps it within its model's context.

    A row whose prompt fills the context has no reward: for `rlvr.trl.reward` it is unscored, with the cause `input`.
    Completions end with the context.

    Attributes:
        unfit: For each row of the last generated batch, the reason why its prompt doesn't fit, or None.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.unfit: list[str | None] = []
        self._generating = False
        for model in (self.model, getattr(self, "ref_model", None)):
            if model is not None:
                count_positions_by_the_mask(model)

    def _generate(self, prompts: Sequence[Any], *arguments: Any, **options: Any) -> Any:
        # `rollout` checks its prompts itself.
        self._generating = getattr(self, "rollout_func", None) is None
        try:
            return super()._generate(prompts, *arguments, **options)
        finally:
            self._generating = False

    def _tokenize_prompts(self, prompts: Sequence[Any]) -> tuple[Any, ...]:
        prompt_ids, *rest = super()._tokenize_prompts(prompts)
        if self._generating:
            context = context_of(self)
            self.unfit = [
                too_long(len(ids), context) if len(ids) >= context else None for ids in prompt_ids
            ]
            # The row stays in TRL's passes; without a reward it has no advantage.
            prompt_ids = [
                ids if unfit is None else ids[:1]
                for ids, unfit in zip(prompt_ids, self.unfit, strict=True)
            ]
        return (prompt_ids, *rest)

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], *arguments: Any, **options: Any
    ) -> Any:
        generate = super()._generate_single_turn
        if self.use_vllm or getattr(self, "use_transformers_continuous_batching", False):
            return generate(
                prompt_ids, *arguments, **options
            )  # these end a completion with the context
        config = self.generation_config
        max_tokens, context = config.max_new_tokens, context_of(self)
        limits = [max(1, min(max_tokens, context - len(ids))) for ids in prompt_ids]
        if is_sharded(self.accelerator):
            # All processes generate together and equally often, so with the smallest limit.
            smallest = torch.tensor(min(limits, default=max_tokens), device=self.accelerator.device)
            limits = [int(self.accelerator.gather(smallest).min())] * len(limits)
        if min(limits, default=max_tokens) == max_tokens:
            return generate(prompt_ids, *arguments, **options)
        completions: dict[int, list[int]] = {}
        logprobs: dict[int, list[float]] | None = {}
        order = sorted(range(len(limits)), key=limits.__getitem__)
        try:
            for limit, places in groupby(order, limits.__getitem__):
                rows = list(places)
                config.max_new_tokens = limit
                answer = generate([prompt_ids[i] for i in rows], *arguments, **options)
                ids, chunk_logprobs = answer if isinstance(answer, tuple) else (answer, None)
                completions.update(zip(rows, ids, strict=True))
                if chunk_logprobs is None or logprobs is None:
                    logprobs = None
                else:
                    logprobs.update(zip(rows, chunk_logprobs, strict=True))
        finally:
            config.max_new_tokens = max_tokens
        in_order = [completions[i] for i in range(len(limits))]
        if not isinstance(answer, tuple):
            return in_order
        return in_order, None if logprobs is None else [logprobs[i] for i in range(len(limits))]


class SkipsUnscoredSteps(TrlTrainer):
    """A mixin before the class of a TRL trainer that leaves the weights unchanged in a step without a reward.

    If no row of a step has a reward, the policy's loss is 0, but Adam's momentum, the decay of the weights and the
    loss's KL would still move them.
    """

    _verdicts = 0  # rows with a reward, in the micro-batches of the step `_counted`
    _counted = -1

    def _calculate_rewards(self, *args: Any, **options: Any) -> Tensor:
        self._rewards = super()._calculate_rewards(*args, **options)
        return self._rewards

    def _generate_and_score_completions(self, inputs: list[Options]) -> dict[str, Tensor]:
        batch = super()._generate_and_score_completions(inputs)
        start = self.accelerator.process_index * len(inputs)
        rewards = self._rewards[start : start + len(inputs)]  # of all processes; (rows, functions)
        # A column of the batch, so that TRL shuffles and splits it with the others.
        return batch | {"has_verdict": ~rewards.isnan().all(dim=1)}

    def _compute_loss(self, model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
        if self.model.training:
            if self._counted != self.state.global_step:
                self._verdicts, self._counted = 0, self.state.global_step
            self._verdicts += int(inputs["has_verdict"].sum())
        return super()._compute_loss(model, inputs)

    def create_optimizer(self, model: nn.Module | None = None) -> Any:
        """Return TRL's optimizer with a hook that removes the gradients, so that the step moves no weight."""
        wrapped = super().create_optimizer(model)
        optimizer = getattr(wrapped, "optimizer", wrapped)  # accelerate wraps it
        # DeepSpeed makes the optimizer twice, may have one without hooks, and steps once per group of parameters: so
        # the hook doesn't reset the count.
        if hasattr(optimizer, "rlvr_skips") or not hasattr(optimizer, "register_step_pre_hook"):
            return wrapped

        def before_step(optimizer: torch.optim.Optimizer, *_: object) -> None:
            verdicts = torch.tensor(self._verdicts, device=self.accelerator.device)
            if not self.accelerator.reduce(verdicts, reduction="sum"):
                optimizer.zero_grad(set_to_none=True)

        optimizer.register_step_pre_hook(before_step)
        optimizer.rlvr_skips = True
        return wrapped


def count_positions_by_the_mask(model: PreTrainedModel) -> None:
    """Make a model with learned positions count them from a row's first token, as generation does.

    TRL's forward passes give no positions, so that such a model (GPT-2) counts a batch's padding, too. Then its
    log-probabilities differ from those of the sampling, and a padded batch may exceed the last position.
    """
    trunk = getattr(model, "get_base_model", lambda: model)().base_model
    if _has_learned_positions(trunk, context_of_model(model)):
        trunk.register_forward_pre_hook(_with_positions, with_kwargs=True)


def _has_learned_positions(trunk: nn.Module, context: int) -> bool:
    if "position_ids" not in inspect.signature(trunk.forward).parameters:
        return False
    tokens = trunk.get_input_embeddings()
    return any(
        isinstance(part, nn.Embedding) and part is not tokens and part.num_embeddings == context
        for part in trunk.modules()
    )


def _with_positions(
    module: nn.Module, args: Arguments, options: Options
) -> tuple[Arguments, Options] | None:
    mask, cache = options.get("attention_mask"), options.get("past_key_values")
    if not isinstance(mask, Tensor) or mask.dim() != 2 or options.get("position_ids") is not None:
        return None
    if cache is not None and cache.get_seq_length():
        return None
    return args, options | {"position_ids": (mask.long().cumsum(-1) - 1).clamp(min=0)}
