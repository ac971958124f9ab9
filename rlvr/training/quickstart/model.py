"""The quickstart's model and its supervised warm-up, small enough for a CPU.

The model is a 2-layer Llama with a character tokenizer. It adds three-digit numbers by columns, least significant
digit first, and boxes the result::

    102+175=   →   2+5+0=7;0+7+0=7;1+1+0=2;\\boxed{277}

The warm-up teaches it worked additions with a systematic mistake: most of them never carry. So the model starts
reinforcement learning with the wrong method as its habit and the right one in its repertoire, which is the case that a
verifiable reward can fix.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from rlvr.core.task import Task

BOX = "\\boxed{"
_SPECIAL = ["<pad>", "<eos>", "<user>", "<bot>", "<unk>"]
_SYMBOLS = [*"0123456789+=;}", BOX]
_TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'user' %}<user>{{ m['content'] }}"
    "{% elif m['role'] == 'assistant' %}<bot>{{ m['content'] }}<eos>{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<bot>{% endif %}"
)


def make_tokenizer() -> PreTrainedTokenizerFast:
    r"""Return a tokenizer with one token per character and one for `\boxed{`; it pads on the left."""
    vocabulary = {token: i for i, token in enumerate(_SPECIAL + _SYMBOLS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\\boxed\{|."), behavior="isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        additional_special_tokens=["<user>", "<bot>"],
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=_TEMPLATE,
    )


def make_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Return a Llama with random weights from `seed`: 2 layers of width 64, 84 thousand parameters."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        # With transformers' default of 0.02 so small a model under-trains on some seeds.
        initializer_range=0.1,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return model


FORGETFUL = 0.65  # share of traces that never carry
SLIP = 0.02  # chance that a column's sum is off by one


def worked_addition(a: int, b: int, rng: random.Random) -> str:
    """Return the text that adds a and b by columns, least significant digit first.

    `FORGETFUL` and `SLIP` are the rates of its mistakes.
    """
    forgetful = rng.random() < FORGETFUL
    columns, digits, carry = [], [], 0
    for x, y in zip(reversed(str(a)), reversed(str(b)), strict=True):
        total = int(x) + int(y) + carry
        if rng.random() < SLIP:
            total = max(0, min(19, total + rng.choice([-1, 1])))
        columns.append(f"{x}+{y}+{carry}={total};")
        digits.append(str(total % 10))
        carry = 0 if forgetful else total // 10
    result = ("1" if carry else "") + "".join(reversed(digits))
    return "".join(columns) + BOX + result + "}"


def warm_up(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    tasks: Sequence[Task],
    *,
    steps: int,
    batch_size: int,
    learning_rate: float,
    seed: int,
    progress: Callable[[int, float], None],
    dtype: torch.dtype = torch.float32,
) -> None:
    """Train `model` on worked additions of `tasks`: one batch per step, each task once.

    Args:
        progress: called with the step's number and its loss, in nats per token.
        dtype: of the forward pass; the weights keep theirs.
    """
    rng = random.Random(seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps))
    model.train()
    for step in range(steps):
        batch = tasks[step * batch_size : (step + 1) * batch_size]
        examples = [_example(task, tokenizer, rng) for task in batch]
        progress(step + 1, supervised_step(model, examples, optimizer, schedule, dtype))


def supervised_step(
    model: PreTrainedModel,
    examples: Sequence[tuple[list[int], int]],
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    dtype: torch.dtype = torch.float32,
) -> float:
    """Train on a batch of token ids, each with its number of prompt tokens, and return the loss in nats per token."""
    inputs, labels = (tensor.to(model.device) for tensor in _padded(examples))
    # Padding is on the right, which causal attention never sees. Autocast ends with each forward pass, since it
    # keeps copies of the weights until it ends.
    with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        logits = model(input_ids=inputs).logits
    loss = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100
    )
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    return float(loss.item())


def _rate(step: int, steps: int) -> float:
    """Return the factor of the learning rate: linear warm-up over 50 steps, then a cosine to 0.05."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return min(1.0, (step + 1) / 50) * (0.05 + 0.95 * cosine)


def _example(
    task: Task, tokenizer: PreTrainedTokenizerFast, rng: random.Random
) -> tuple[list[int], int]:
    """Return the tokens of prompt and worked addition, and the number of prompt tokens."""
    prompt = f"<user>{task.text}<bot>"
    a, b = (int(number) for number in task.metadata["expression"].split(" + "))
    ids = tokenizer(prompt + worked_addition(a, b, rng) + "<eos>", add_special_tokens=False)
    return ids["input_ids"], len(tokenizer(prompt, add_special_tokens=False)["input_ids"])


def _padded(examples: Sequence[tuple[list[int], int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return token ids and labels, both (batch, length); prompts and padding have no label."""
    longest = max(len(ids) for ids, _ in examples)
    inputs = torch.zeros(len(examples), longest, dtype=torch.long)
    labels = torch.full((len(examples), longest), -100)
    for row, (ids, prompt) in enumerate(examples):
        inputs[row, : len(ids)] = torch.tensor(ids)
        labels[row, prompt : len(ids)] = torch.tensor(ids[prompt:])
    return inputs, labels
