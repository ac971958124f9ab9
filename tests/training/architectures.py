"""Small random models of many families of transformers, for tests of what must work with each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

# What each family calls its sizes. Contexts are of 128 tokens, where a model has one.
_GPT2 = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
_LLAMA = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 128,
}  # fmt: skip
_HEADS = _LLAMA | {"num_key_value_heads": 2, "head_dim": 8}
FAMILIES: dict[str, dict[str, Any]] = {
    "GPT2": _GPT2,
    "GPTJ": _GPT2 | {"rotary_dim": 8},
    "Bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "Falcon": _LLAMA,
    "Mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "max_seq_len": 128},
    "GPTBigCode": _GPT2,
    "Mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
    "Llama": _LLAMA,
    "Qwen3": _HEADS,
    "Gemma3Text": _HEADS,
    "Phi": _LLAMA,
    "OPT": {
        "hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": 128, "word_embed_proj_dim": 32,
    },
    "GPTNeoX": _LLAMA,
}  # fmt: skip


def make(family: str, tokenizer: Any, seed: int = 0, **sizes: Any) -> Any:
    """Return a model of a family with random weights; `sizes` instead of those above."""
    config: Callable[..., Any] = getattr(transformers, f"{family}Config")
    ids = {
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.eos_token_id,
    }
    torch.manual_seed(seed)
    made = config(vocab_size=len(tokenizer), **ids, **(FAMILIES[family] | sizes))
    return AutoModelForCausalLM.from_config(made, dtype=torch.float32)
