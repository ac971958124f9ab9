"""The model that is trained, its tokenizer, and the adapters on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlvr.core.errors import MissingExtraError
from rlvr.policies.transformers import load as load_model

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer


def load(name: str, half: bool = False) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a causal language model to train, and its tokenizer, from a folder or the Hub.

    The weights are in float32, since bfloat16 would round away most updates of RL's small learning rates. GPUs compute
    in bfloat16 all the same. Raises `DataError` if the model can't be loaded or has no chat template.

    Args:
        name: A local folder or a Hub id.
        half: Load in bfloat16, which suffices if the model is frozen and only adapters are trained.
    """
    import torch

    model, tokenizer = load_model(name, dtype=torch.bfloat16 if half else torch.float32)
    tokenizer.padding_side = "left"  # trainers pad prompts with it
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def lora(rank: int, model: PreTrainedModel) -> LoraConfig:
    """Return the configuration of LoRA on all linear layers, with alpha twice the rank (Hu et al. 2021, arXiv 2106.09685).

    Mamba's output projections are left out: its kernels read their weights without calling the layers, so that PEFT
    can't adapt them.
    """
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise MissingExtraError("LoRA needs peft: pip install 'rlvr[train]'.") from error
    mamba = any(name.endswith("mixer.out_proj") for name, _ in model.named_modules())
    return LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        target_modules="all-linear",
        exclude_modules=["out_proj", "conv1d"] if mamba else None,
        task_type="CAUSAL_LM",
    )


def save(trainer: Trainer, tokenizer: PreTrainedTokenizerBase, folder: str) -> None:
    """Save the trained model with adapters merged. All processes call it, and one writes."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        if trainer.accelerator.is_main_process:
            model.merge_and_unload().save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        return
    trainer.save_model(folder)
