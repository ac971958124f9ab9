"""A small model for any text, made on the spot and taught a few answers by heart.

What the recipes' `--smoke` trains where there's no GPU and no Hub, and what the benchmarks let
write real programs: a policy whose answers are worth scoring, some right and some wrong.
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

_TEMPLATE = (
    "{% for m in messages %}<{{ 'bot' if m['role'] == 'assistant' else m['role'] }}>"
    "{{ m['content'] }}{% if m['role'] == 'assistant' %}<eos>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<bot>{% endif %}"
)
_SPECIAL = ["<pad>", "<eos>", "<user>", "<bot>", "<system>"]


def make_text_tokenizer(texts: Sequence[str], vocabulary: int = 1024) -> PreTrainedTokenizerFast:
    """Byte-level BPE learned from `texts`: it writes those shortly, and any other text at all."""
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
    """A Llama with random weights from `seed`; by default 2 layers of width 64."""
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
        initializer_range=0.1 if width < 256 else 0.02,  # as in small_model.py
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
    """Teach `model` the responses to some prompts, and return the last loss, in nats a token.

    A prompt may come with several responses: the model then gives each as often as it's there.
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
        longest = max(len(ids) for ids, _ in batch)
        inputs = torch.zeros(batch_size, longest, dtype=torch.long)  # padded where nothing looks
        labels = torch.full((batch_size, longest), -100)
        for row, (ids, prompt) in enumerate(batch):
            inputs[row, : len(ids)] = torch.tensor(ids)
            labels[row, prompt : len(ids)] = torch.tensor(ids[prompt:])
        logits = model(input_ids=inputs.to(model.device)).logits
        loss = torch.nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1),
            labels[:, 1:].flatten().to(model.device),
            ignore_index=-100,
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        last = loss.item()
    return last


def _encode(tokenizer: Any, prompt: Sequence[Message], response: str) -> tuple[list[int], int]:
    """The tokens of prompt and response, and how many of them are the prompt."""
    asked = Template(tokenizer).prompt(prompt)
    said = tokenizer(response, add_special_tokens=False)["input_ids"]
    return [*asked, *said, tokenizer.eos_token_id], len(asked)
