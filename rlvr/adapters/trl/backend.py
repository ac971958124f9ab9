"""Generation by the trainer's own backend: transformers, vLLM colocated, or a vLLM server.

`GRPOTrainer._generate_single_turn` takes and returns token ids, and TRL's own tool loop calls it turn by turn. So sampling,
weight sync and log-probabilities stay TRL's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from rlvr.adapters.side_requests import SidePolicy
from rlvr.core.errors import OptionError
from rlvr.core.task import Message
from rlvr.policies import transformers as policies
from rlvr.policies.template import Template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from rlvr.adapters.trl.trainer_types import TrlTrainer

Completions: TypeAlias = tuple[list[list[int]], list[list[float]] | None]
"""Token ids of each completion, and their log-probabilities if the backend has them."""


class TrlBackend:
    """The generation of a `GRPOTrainer`, for rollouts.

    Attributes:
        budget: Most tokens of a trajectory after its prompt, with the environment's.
        context: Most tokens that the model takes, with the prompt.
        stop_token_ids: Token ids that end a message.
        template: The chat template of the trainer's prompts.
    """

    def __init__(self, trainer: TrlTrainer) -> None:
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
        self.tokenizer: PreTrainedTokenizerBase = trainer._tokenizer
        self.budget: int = trainer.max_completion_length
        self.stop_token_ids: list[int] = list(trainer.eos_token_ids)
        self.context = context_of(trainer)
        self.template = Template(
            self.tokenizer, trainer.chat_template_kwargs, trainer.chat_template, self.stop_token_ids
        )

    @property
    def group(self) -> int:
        """The number of completions per prompt."""
        trainer = self._trainer
        return int(
            trainer.num_generations if trainer.model.training else trainer.num_generations_eval
        )

    def widest(self, count: int) -> int:
        """Return the largest count of all processes. All of them must call it."""
        accelerator = self._trainer.accelerator
        if accelerator.num_processes == 1:
            return count
        import torch

        counts = torch.tensor([count], device=accelerator.device)
        return int(accelerator.gather(counts).max())

    def prompt_ids(self, prompts: list[list[Message]]) -> list[list[int]]:
        """Return the prompts as token ids, by the chat template."""
        ids, _, _ = self._trainer._tokenize_prompts(prompts)
        return [list(prompt) for prompt in ids]

    def generate(self, prompts: list[list[int]], max_tokens: int) -> Completions:
        """Return a completion of each prompt. All processes must call it.

        Some backends generate for all processes at once and need equally many prompts from each. So a process with fewer
        prompts completes fillers, too, and drops their completions.

        Args:
            prompts: Token ids; may be empty.
            max_tokens: Most new tokens of the prompt that has the most left.
        """
        count = self.widest(len(prompts))
        filled = [*prompts, *[self.stop_token_ids[:1]] * (count - len(prompts))]
        with self._at_most(self.widest(max_tokens)):
            ids, logprobs = self._trainer._generate_single_turn(filled, None, {}, 1)
        return ids[: len(prompts)], None if logprobs is None else logprobs[: len(prompts)]

    def side_policy(self) -> SidePolicy | None:
        """Return the policy for what episodes ask beside their turns; None if several processes generate together."""
        if self._trainer.accelerator.num_processes > 1:
            return None

        def generate(prompts: list[list[int]], limits: list[int]) -> Sequence[Sequence[int]]:
            return self.generate(prompts, max(limits))[0]

        return SidePolicy(self.template, generate, self.context, self.budget, self.stop_token_ids)

    @contextmanager
    def _at_most(self, new_tokens: int) -> Iterator[None]:
        """Lower the trainer's limit, which is for whole trajectories, to that of a later turn."""
        trainer = self._trainer
        if trainer.use_vllm:
            settings, name = trainer.vllm_generation, "max_completion_length"
        else:
            settings, name = trainer.generation_config, "max_new_tokens"
        before = getattr(settings, name)
        setattr(settings, name, max(1, min(before, new_tokens)))
        try:
            yield
        finally:
            setattr(settings, name, before)


def context_of(trainer: TrlTrainer) -> int:
    """Return the most tokens, with the prompt's, that the model takes in the trainer's generation."""
    if trainer.use_vllm and trainer.vllm_mode == "colocate":
        return int(trainer.vllm_generation.llm.llm_engine.model_config.max_model_len)
    context = policies.context_of(trainer.model)
    return min(context, trainer.args.vllm_max_model_length or context)


def too_long(tokens: int, context: int) -> str:
    """Return the message about a prompt that leaves no room for a completion."""
    return f"its prompt has {tokens} tokens, and the model takes {context}"
