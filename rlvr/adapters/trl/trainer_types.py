"""The parts of TRL's trainers that rlvr builds upon, as types. Written against TRL 1.16.

They are parts of `GRPOTrainer` and its subclasses; `RLOOTrainer` lacks `rollout_func` and tools. Names with an underscore
are private to TRL: check them against each new release.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor, device, nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback, TrainerState
    from trl import GRPOConfig

    from rlvr.adapters.trl.rollout import RolloutFunction


class Accelerator(Protocol):
    """The used part of accelerate's `Accelerator`: the processes that train together.

    Attributes:
        state: accelerate's state, with its DeepSpeed and FSDP plugins.
    """

    num_processes: int
    process_index: int
    is_main_process: bool
    device: device
    state: Any

    def gather(self, tensor: Tensor) -> Tensor:
        """Return the rows of all processes."""
        raise NotImplementedError

    def pad_across_processes(self, tensor: Tensor, dim: int, pad_index: float) -> Tensor:
        """Return the tensor padded to the largest size that it has in any process."""
        raise NotImplementedError

    def reduce(self, tensor: Tensor, reduction: str) -> Tensor:
        """Return the sum or mean over all processes."""
        raise NotImplementedError

    def unwrap_model(self, model: nn.Module) -> Any:
        """Return the model without the wrappers of distributed training."""
        raise NotImplementedError

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context of mixed precision."""
        raise NotImplementedError

    def prepare_model(self, model: nn.Module, evaluation_mode: bool = False) -> Any:
        """Return the model wrapped for distributed training."""
        raise NotImplementedError


class VllmEngine(Protocol):
    """The used part of TRL's `VLLMGeneration`."""

    temperature: float
    max_completion_length: int
    llm: Any

    def sync_weights(self) -> None:
        """Send the trained weights to vLLM."""
        raise NotImplementedError

    def generate(self, prompts: list[list[int]], images: None, num_generations: int) -> Any:
        """Return prompts, completions as token ids, and their log-probabilities."""
        raise NotImplementedError


class TrlTrainer:
    """The used part of a TRL trainer. For type checkers it is the base of the mixins before a trainer's class."""

    model: PreTrainedModel
    ref_model: PreTrainedModel | None
    args: GRPOConfig
    state: TrainerState
    accelerator: Accelerator
    processing_class: PreTrainedTokenizerBase
    chat_template: str | None
    chat_template_kwargs: dict[str, Any]
    generation_config: Any
    eos_token_ids: list[int]
    max_completion_length: int
    mask_truncated_completions: bool
    num_generations: int
    num_generations_eval: int
    temperature: float
    beta: float
    reward_funcs: list[Any]
    reward_weights: Tensor
    scale_rewards: str
    multi_objective_aggregation: str
    tools: Sequence[Any] | None
    rollout_func: RolloutFunction | None
    use_vllm: bool
    use_transformers_continuous_batching: bool
    vllm_mode: str
    vllm_generation: VllmEngine
    is_deepspeed_enabled: bool
    is_fsdp_enabled: bool
    _tokenizer: PreTrainedTokenizerBase
    _last_loaded_step: int
    _metrics: dict[str, dict[str, list[float]]]

    def add_callback(self, callback: TrainerCallback) -> None:
        """Add a callback behind the others."""
        raise NotImplementedError

    def remove_callback(self, callback: type[TrainerCallback]) -> None:
        """Remove a callback."""
        raise NotImplementedError

    def train(self, resume_from_checkpoint: str | None = None) -> Any:
        """Train, from a checkpoint if there is one."""
        raise NotImplementedError

    def create_optimizer(self, model: nn.Module | None = None) -> Any:
        """Return the optimizer, made at the first call."""
        raise NotImplementedError

    def _generate(self, prompts: Sequence[Any], *rest: Any, **options: Any) -> Any:
        raise NotImplementedError

    def _tokenize_prompts(self, prompts: Sequence[Any]) -> tuple[Any, ...]:
        raise NotImplementedError

    def _generate_single_turn(self, prompt_ids: list[list[int]], *rest: Any, **options: Any) -> Any:
        raise NotImplementedError

    def _calculate_rewards(self, *args: Any, **options: Any) -> Tensor:
        raise NotImplementedError

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Tensor]:
        raise NotImplementedError

    def _compute_loss(self, model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
        raise NotImplementedError

    def _get_per_token_logps_and_entropies(
        self, model: nn.Module, ids: Tensor, attention: Tensor, length: int, batch_size: int
    ) -> tuple[Tensor, ...]:
        raise NotImplementedError
