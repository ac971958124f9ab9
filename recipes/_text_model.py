"""A small model for any text that memorises a few answers.

The recipes' `--smoke` trains it without a GPU and without the Hub, and a benchmark writes real programs with it: it is a
policy whose answers are partly right and partly wrong.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from rlvr.core.task import Message
from rlvr.policies.template import Template
from rlvr.training.quickstart.model import supervised_step

_TEMPLATE = (
    "{% for m in messages %}<{{ 'bot' if m['role'] == 'assistant' else m['role'] }}>"
    "{{ m['content'] }}{% if m['role'] == 'assistant' %}<eos>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<bot>{% endif %}"
)
_SPECIAL = ["<pad>", "<eos>", "<user>", "<bot>", "<system>"]


def make_text_tokenizer(texts: Sequence[str], vocabulary: int = 1024) -> PreTrainedTokenizerFast:
    """Return byte-level BPE trained on `texts`, which have few tokens; other texts have more."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        additional_special_tokens=_SPECIAL[2:],
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=_TEMPLATE,
    )


def make_text_model(
    tokenizer: Any, seed: int = 0, *, width: int = 64, layers: int = 2, positions: int = 2048
) -> LlamaForCausalLM:
    """Return a Llama with random weights from `seed`, by default with 2 layers of width 64."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=max(1, width // 32),
        num_key_value_heads=max(1, width // 32),
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        initializer_range=0.1 if width < 256 else 0.02,  # as in rlvr/training/quickstart/model.py
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


def memorise(
    model: Any,
    tokenizer: Any,
    examples: Sequence[tuple[Sequence[Message], str]],
    *,
    steps: int = 60,
    batch_size: int = 16,
    learning_rate: float = 1e-2,
    seed: int = 0,
) -> float:
    """Train `model` on responses to prompts, and return the last loss, in nats per token.

    A prompt may have several responses; the model then gives each as often as it occurs.
    """
    rng = random.Random(seed)
    encoded = [_encode(tokenizer, prompt, response) for prompt, response in examples]
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 10) * (1 - 0.9 * step / steps)
    )
    model.train()
    last = float("nan")
    for _ in range(steps):
        batch = [encoded[rng.randrange(len(encoded))] for _ in range(batch_size)]
        last = supervised_step(model, batch, optimizer, schedule)
    return last


def _encode(tokenizer: Any, prompt: Sequence[Message], response: str) -> tuple[list[int], int]:
    """Return the tokens of prompt and response, and the number of prompt tokens."""
    prompt_ids = Template(tokenizer).prompt(prompt)
    response_ids = tokenizer(response, add_special_tokens=False)["input_ids"]
    return [*prompt_ids, *response_ids, tokenizer.eos_token_id], len(prompt_ids)
