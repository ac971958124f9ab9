"""The value model, which predicts the return from each state: a head on the policy's trunk, or a model of its own."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification

from rlvr.core.errors import OptionError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class ValueHead(nn.Module):  # type: ignore[misc]
    """A linear layer from a hidden state to a value, in float32 whatever the trunk computes in."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear.float()

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the values, (…, H) → (…)."""
        with torch.autocast(hidden.device.type, enabled=False):
            return self.linear(hidden.float()).squeeze(-1)


class ValueModel(nn.Module):  # type: ignore[misc]
    """A transformer without a language model's head, and a `ValueHead` on its last hidden state."""

    def __init__(self, trunk: nn.Module, head: ValueHead) -> None:
        super().__init__()
        self.trunk = trunk.requires_grad_(True)
        self.head = head

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return the value of the state that ends with each token, (B, L) → (B, L)."""
        output = self.trunk(input_ids=input_ids, attention_mask=attention_mask, use_cache=False)
        return self.head(output.last_hidden_state)


def make_value_model(kind: str, policy: PreTrainedModel, vocabulary: int) -> ValueHead | ValueModel:
    """Return the value model that `PPOConfig.value_model` names; a new head starts at 0.

    Args:
        kind: "head", "policy", or the path of a reward model.
        policy: The policy. A copy of one with adapters has them merged.
        vocabulary: Number of tokens that the policy reads.
    """
    if kind not in ("head", "policy"):
        return _from_reward_model(kind, policy.dtype, vocabulary)
    linear = nn.Linear(policy.config.get_text_config().hidden_size, 1)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    if kind == "head":
        return ValueHead(linear)
    twin = copy.deepcopy(policy)
    merged = twin.merge_and_unload() if hasattr(twin, "merge_and_unload") else twin
    return ValueModel(merged.base_model, ValueHead(linear))


def _from_reward_model(path: str, dtype: torch.dtype, vocabulary: int) -> ValueModel:
    try:
        model, loading = AutoModelForSequenceClassification.from_pretrained(
            path, num_labels=1, dtype=dtype, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise OptionError(
            f"value_model={path!r} is neither 'head' nor 'policy' nor a reward model with one "
            f"output: {error}"
        ) from error
    head = getattr(model, "score", None)
    if loading["missing_keys"] or not isinstance(head, nn.Linear):
        raise OptionError(
            f"{path!r} is no reward model: it lacks a linear layer called 'score'. To start from a "
            f"language model, train it and use value_model='policy'."
        )
    size = model.get_input_embeddings().num_embeddings
    if size < vocabulary:
        raise OptionError(
            f"The reward model {path!r} has {size} tokens and the policy {vocabulary}: a value model reads the "
            f"policy's completions, so both need the same tokenizer."
        )
    return ValueModel(model.base_model, ValueHead(head))
