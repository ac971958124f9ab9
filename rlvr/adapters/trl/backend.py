"""Generation by the trainer's own backend: transformers, vLLM colocated, or a vLLM server.

`GRPOTrainer._generate_single_turn` takes and gives token ids, and is what TRL's own tool loop
calls turn by turn; so nothing of sampling, weight sync or logprobs is done again here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from rlvr.core.errors import OptionError
from rlvr.policies import transformers as policies
from rlvr.policies.template import Template

Generated: TypeAlias = tuple[list[list[int]], list[list[float]] | None]
"""Token ids of each completion, and their logprobs where the backend has them."""


class Backend:
    """What rollouts need of a `GRPOTrainer`.

    Attributes:
        budget: tokens that a trajectory may have behind its prompt, the environment's included.
        context: tokens that the model takes, the prompt's included.
        ends: token ids that end a message.
        template: what the trainer writes its prompts with.
    """

    def __init__(self, trainer: Any) -> None:
        for name in ("_generate_single_turn", "_tokenize_prompts", "eos_token_ids"):
            if not hasattr(trainer, name):
                raise OptionError(
                    f"rlvr.trl.rollout plays its episodes with GRPOTrainer of TRL 1.16, and "
                    f"{type(trainer).__name__} has no {name}. RLOOTrainer takes no rollout_func."
                )
        if trainer.tools:
            raise OptionError(
                "rollout_func and tools (or environment_factory) can't be used together: TRL would "
                "read the whole episode for tool calls again. Leave one of them out."
            )
        self._trainer = trainer
        self.tokenizer: Any = trainer._tokenizer
        self.budget: int = trainer.max_completion_length
        self.ends: list[int] = list(trainer.eos_token_ids)
        self.context = context_of(trainer)
        self.template = Template(
            self.tokenizer, trainer.chat_template_kwargs, trainer.chat_template, self.ends
        )

    @property
    def group(self) -> int:
        """Samples of each prompt."""
        trainer = self._trainer
        return int(
            trainer.num_generations if trainer.model.training else trainer.num_generations_eval
        )

    def widest(self, count: int) -> int:
        """The largest of all processes' counts. All of them must ask."""
        accelerator = self._trainer.accelerator
        if accelerator.num_processes == 1:
            return count
        import torch

        counts = torch.tensor([count], device=accelerator.device)
        return int(accelerator.gather(counts).max())

    def prompt_ids(self, prompts: list[Any]) -> list[list[int]]:
        """The prompts as the chat template writes them."""
        ids, _, _ = self._trainer._tokenize_prompts(prompts)
        return [list(one) for one in ids]

    def generate(self, prompts: list[list[int]], room: int) -> Generated:
        """A completion of each prompt.

        Some backends generate for all processes at once and want as many prompts of each, so where
        others have more, fillers are completed too and thrown away. All processes must call.

        Args:
            prompts: token ids; may be empty.
            room: new tokens that the prompt with the most room has left.
        """
        asked = self.widest(len(prompts))
        filled = [*prompts, *[self.ends[:1]] * (asked - len(prompts))]
        with self._at_most(self.widest(room)):
            ids, logprobs = self._trainer._generate_single_turn(filled, None, {}, 1)
        return ids[: len(prompts)], None if logprobs is None else logprobs[: len(prompts)]

    @contextmanager
    def _at_most(self, new_tokens: int) -> Iterator[None]:
        """Later turns have less room than the trainer's setting, which is for whole trajectories."""
        trainer = self._trainer
        if trainer.use_vllm:
            holder, name = trainer.vllm_generation, "max_completion_length"
        else:
            holder, name = trainer.generation_config, "max_new_tokens"
        before = getattr(holder, name)
        setattr(holder, name, max(1, min(before, new_tokens)))
        try:
            yield
        finally:
            setattr(holder, name, before)


def context_of(trainer: Any) -> int:
    """Tokens that the model takes where the trainer generates, the prompt's included."""
    if trainer.use_vllm and trainer.vllm_mode == "colocate":
        return int(trainer.vllm_generation.llm.llm_engine.model_config.max_model_len)
    context = policies.context_of(trainer.model)
    return min(context, trainer.args.vllm_max_model_length or context)


def too_long(tokens: int, context: int) -> str:
    """Return what is said of a prompt that leaves no room for a completion."""
    return f"its prompt has {tokens} tokens, and the model takes {context}"
