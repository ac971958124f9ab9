"""The model that is trained, its tokenizer, and the adapters on it."""

from __future__ import annotations

from typing import Any

from rlvr.core.errors import MissingExtraError
from rlvr.policies.transformers import load as load_model


def load(name: str, half: bool = False) -> tuple[Any, Any]:
    """Load a causal language model to be trained, and its tokenizer, from a folder or the Hub.

    In float32: in bfloat16 most of an update of RL's small learning rates would be rounded away. GPUs
    compute in bfloat16 all the same. Raises `DataError` if it can't be loaded or has no chat template.

    Args:
        half: in bfloat16 after all, which will do if it's frozen and only adapters are trained.
    """
    import torch

    model, tokenizer = load_model(name, dtype=torch.bfloat16 if half else torch.float32)
    tokenizer.padding_side = "left"  # trainers pad prompts with it
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def lora(rank: int, model: Any) -> Any:
    """LoRA on all linear layers, alpha twice the rank (Hu et al. 2021, arXiv 2106.09685).

    But Mamba's output projections: its kernels read their weights without calling them, so PEFT has no adapter there.
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


def save(trainer: Any, tokenizer: Any, folder: str) -> None:
    """The trained model as a whole one, adapters merged. Called in all processes, written by one."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        if trainer.accelerator.is_main_process:
            model.merge_and_unload().save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        return
    trainer.save_model(folder)
