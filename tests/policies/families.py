"""Chat templates of real families of models, and a tokenizer for each.

Most are the files that TRL ships. The others are written here, in the form that the family documents.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from pathlib import Path
from typing import Any

MISTRAL = (
    "{{ bos_token }}"
    "{%- if messages[0]['role'] == 'system' %}"
    "{%- set told = messages[0]['content'] %}{%- set rest = messages[1:] %}"
    "{%- else %}{%- set told = '' %}{%- set rest = messages %}{%- endif %}"
    "{%- for message in rest %}"
    "{%- if message['role'] == 'user' %}"
    "{{- '[INST] ' }}"
    "{%- if loop.first and told %}{{- told + '\n\n' }}{%- endif %}"
    "{{- message['content'] + '[/INST]' }}"
    "{%- elif message['role'] == 'assistant' %}{{- ' ' + message['content'] + eos_token }}"
    "{%- elif message['role'] == 'tool' %}"
    "{{- '[TOOL_RESULTS] {\"content\": ' + message['content']|tojson + '}[/TOOL_RESULTS]' }}"
    "{%- else %}{{- raise_exception('Only user, assistant and tool roles are supported.') }}{%- endif %}"
    "{%- endfor %}"
)
SMOLLM3 = (
    "{%- set thinks = enable_thinking is not defined or enable_thinking %}"
    "{%- set told = messages[0]['content'] if messages[0]['role'] == 'system' else '' %}"
    "{{- '<|im_start|>system\n## Metadata\n\nReasoning Mode: ' }}"
    "{{- ('/think' if thinks else '/no_think') + '\n\n## Custom Instructions\n\n' }}"
    "{{- told or 'Put your thoughts between <think> and </think>.' }}{{- '<|im_end|>\n' }}"
    "{%- for message in messages if message['role'] != 'system' %}"
    "{%- if message['role'] == 'assistant' %}"
    "{{- '<|im_start|>assistant\n' + ('' if thinks else '<think>\n\n</think>\n') }}"
    "{{- message['content'].lstrip('\n') + '<|im_end|>\n' }}"
    "{%- else %}{{- '<|im_start|>user\n' + message['content'] + '<|im_end|>\n' }}{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{- '<|im_start|>assistant\n' + ('' if thinks else '<think>\n\n</think>\n') }}{%- endif %}"
)
OWN = {"mistral": MISTRAL, "smollm3": SMOLLM3}

# What a family's models end a message with; the longest beginning of a template's name counts.
ENDS = {
    "cohere": "<|END_OF_TURN_TOKEN|>",
    "cohere2": "<|END_RESPONSE|><|END_OF_TURN_TOKEN|>",
    "deepseek": "<｜end▁of▁sentence｜>",
    "diffusion_gemma": "<turn|>",
    "gemma": "<end_of_turn>",
    "gemma4": "<turn|>",
    "glm4moe": "<|user|>",
    "gptoss": "<|return|>",
    "idefics3": "<end_of_utterance>",
    "lfm2": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "llava_next": "</s>",
    "mistral": "</s>",
    "muse_glimmer": "<|eot|>",
    "nemotron": "<|im_end|>",
    "phi3": "<|end|>",
    "qwen": "<|im_end|>",
    "smollm3": "<|im_end|>",
    "smolvlm": "<end_of_utterance>",
}
# Where a template writes another token behind a message than the model.
CLOSINGS = {"<|return|>": "<|end|>", "<|user|>": ""}

_SHIPPED = importlib.util.find_spec("trl")  # importing it would take ten seconds
_FOLDER = Path(str(_SHIPPED.origin)).parent / "chat_templates" if _SHIPPED else None
NAMES = [*OWN, *sorted(path.stem for path in _FOLDER.glob("*.jinja"))] if _FOLDER else [*OWN]
_MARKER = re.compile(
    r"<\|?[a-z_]+\|>|<\|[A-Za-z_/0-9]+\|?>|<｜[^｜]+｜>|<(?:start_of_turn|end_of_turn|bos|eos|sop)>"
    r"|<end_of_utterance>|</?think>|\[/?[A-Z_]+\]|\[gMASK\]|</?s>"
)


def text_of(name: str) -> str:
    """Return the source of a template."""
    if name in OWN:
        return OWN[name]
    assert _FOLDER is not None
    return (_FOLDER / f"{name}.jinja").read_text(encoding="utf-8")


def end_of(name: str) -> str:
    """Return what the family's models end a message with."""
    return ENDS[max((family for family in ENDS if name.startswith(family)), key=len)]


@functools.cache
def tokenizer_of(name: str, plain: tuple[str, ...] = ("<think>", "</think>")) -> Any:
    """Return a tokenizer of bytes, one token each, and the family's markers.

    Args:
        name: of a template.
        plain: markers that are tokens, but no special ones.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    template = text_of(name)
    markers = list(dict.fromkeys(_MARKER.findall(end_of(name) + template + "<s>")))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_alone = Tokenizer(models.BPE({byte: i for i, byte in enumerate(alphabet)}, merges=[]))
    bytes_alone.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_alone.decoder = decoders.ByteLevel()
    for marker in markers:
        special = marker not in plain
        bytes_alone.add_tokens([AddedToken(marker, special=special, normalized=False)])
    return PreTrainedTokenizerFast(
        tokenizer_object=bytes_alone,
        eos_token=_MARKER.findall(end_of(name))[-1],
        bos_token=next((m for m in markers if "begin" in m or m == "<bos>"), "<s>"),
        chat_template=template,
    )
