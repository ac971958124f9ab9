"""Chat templates with tools, in forms that TRL's files don't have, written as the families document them."""

from __future__ import annotations

_HEAD = (
    "{%- if tools %}{{- '<|im_start|>system\\nTools: ' + (tools | tojson) + '<|im_end|>\\n' }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'tool' %}"
    "{{- '<|im_start|>tool\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- else %}{{- '<|im_start|>' + message.role + '\\n' + (message.content or '') }}"
)
_FOOT = (
    "{{- '<|im_end|>\\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
_EACH = "{%- for call in message.tool_calls or [] %}{%- set f = call.function %}"


def _chatml(calls: str) -> str:
    return _HEAD + calls + _FOOT


# Mistral 7B Instruct v0.3's: a list behind a token, with ids of nine letters that it checks, and results by id.
MISTRAL_V3 = (
    "{{- bos_token }}"
    "{%- for message in messages %}"
    "{%- if message.role == 'user' %}"
    "{%- if tools is not none and loop.first %}"
    "{{- '[AVAILABLE_TOOLS] ' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{%- endif %}"
    "{{- '[INST] ' + message.content + '[/INST]' }}"
    "{%- elif message.tool_calls is defined and message.tool_calls is not none %}"
    "{{- '[TOOL_CALLS] [' }}"
    "{%- for tool_call in message.tool_calls %}"
    "{%- set out = tool_call.function|tojson %}{{- out[:-1] }}"
    "{%- if not tool_call.id is defined or tool_call.id|length != 9 %}"
    "{{- raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{%- endif %}"
    "{{- ', \"id\": \"' + tool_call.id + '\"}' }}"
    "{%- if not loop.last %}{{- ', ' }}{%- else %}{{- ']' + eos_token }}{%- endif %}"
    "{%- endfor %}"
    "{%- elif message.role == 'assistant' %}{{- ' ' + message.content + eos_token }}"
    "{%- elif message.role == 'tool' %}"
    "{{- '[TOOL_RESULTS] {\"content\": ' + message.content + ', ' }}"
    "{%- if not message.tool_call_id is defined or message.tool_call_id|length != 9 %}"
    "{{- raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}{%- endif %}"
    "{{- '\"call_id\": \"' + message.tool_call_id + '\"}[/TOOL_RESULTS]' }}"
    "{%- endif %}{%- endfor %}"
)
# Mistral's later ones: a token, the name, a token, the arguments.
MISTRAL_V11 = (
    "{{- bos_token }}"
    "{%- if tools %}{{- '[AVAILABLE_TOOLS]' + (tools | tojson) + '[/AVAILABLE_TOOLS]' }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'user' %}{{- '[INST]' + message.content + '[/INST]' }}"
    "{%- elif message.role == 'assistant' %}{{- message.content }}"
    "{%- for call in message.tool_calls or [] %}"
    "{{- '[TOOL_CALLS]' + call.function.name + '[ARGS]' + (call.function.arguments | tojson) }}{%- endfor %}"
    "{{- eos_token }}"
    "{%- else %}{{- '[TOOL_RESULTS]' + message.content + '[/TOOL_RESULTS]' }}{%- endif %}"
    "{%- endfor %}"
)
# DeepSeek V3.1's.
DEEPSEEK_V31 = (
    "{{- bos_token }}{%- if tools %}{{- '## Tools\\n' + (tools | tojson) }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'user' %}{{- '<｜User｜>' + message.content }}"
    "{%- elif message.role == 'assistant' %}{{- '<｜Assistant｜></think>' + (message.content or '') }}"
    "{%- for call in message.tool_calls or [] %}"
    "{%- if loop.first %}{{- '<｜tool▁calls▁begin｜>' }}{%- endif %}"
    "{{- '<｜tool▁call▁begin｜>' + call.function.name + '<｜tool▁sep｜>' + call.function.arguments }}"
    "{{- '<｜tool▁call▁end｜>' }}"
    "{%- if loop.last %}{{- '<｜tool▁calls▁end｜>' }}{%- endif %}{%- endfor %}"
    "{{- '<｜end▁of▁sentence｜>' }}"
    "{%- else %}{{- '<｜tool▁output▁begin｜>' + message.content + '<｜tool▁output▁end｜>' }}{%- endif %}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<｜Assistant｜></think>' }}{%- endif %}"
)
CALL_TEMPLATES = {
    "mistral_v3": MISTRAL_V3,
    "mistral_v11": MISTRAL_V11,
    "deepseek_v31": DEEPSEEK_V31,
    "hermes": _chatml(
        _EACH
        + '{{- \'\\n<tool_call>\\n{"name": "\' + f.name + \'", "arguments": \' + (f.arguments | tojson)'
        " + '}\\n</tool_call>' }}{%- endfor %}"
    ),
    # Granite's, Phi-4-mini's and Jamba's: a list, behind a token or between tags.
    "granite": _chatml(
        "{%- if message.tool_calls %}{{- '<|tool_call|>[' }}"
        + _EACH
        + "{{- {'name': f.name, 'arguments': f.arguments}"
        " | tojson }}{{- '' if loop.last else ', ' }}{%- endfor %}{{- ']' }}{%- endif %}"
    ),
    "jamba": _chatml(
        "{%- if message.tool_calls %}{{- '<tool_calls>[\\n' }}"
        + _EACH
        + "{{- {'name': f.name, 'arguments':"
        " f.arguments} | tojson }}{{- '\\n' if loop.last else ',\\n' }}{%- endfor %}{{- ']</tool_calls>' }}{%- endif %}"
    ),
    # Command R's, with other keys, in a fence.
    "command_r": _chatml(
        "{%- if message.tool_calls %}{{- 'Action: ```json\\n[\\n' }}"
        + _EACH
        + "{{- {'tool_name': f.name,"
        " 'parameters': f.arguments} | tojson }}{{- '' if loop.last else ',\\n' }}{%- endfor %}"
        "{{- '\\n]\\n```' }}{%- endif %}"
    ),
    # xLAM's, a list and nothing else.
    "xlam": _chatml(
        "{%- if message.tool_calls %}{{- '[' }}"
        + _EACH
        + "{{- {'name': f.name, 'arguments': f.arguments} | tojson }}"
        "{{- '' if loop.last else ', ' }}{%- endfor %}{{- ']' }}{%- endif %}"
    ),
    # The whole of OpenAI's object in tags.
    "openai_object": _chatml(_EACH + "{{- '<call>' + (call | tojson) + '</call>' }}{%- endfor %}"),
    # MiniMax's: tags within tags, with the names as attributes.
    "minimax": _chatml(
        "{%- if message.tool_calls %}{{- '<minimax:tool_call>\\n' }}"
        + _EACH
        + "{{- '<invoke name=\"' + f.name +"
        " '\">\\n' }}{%- for key, value in f.arguments.items() %}{{- '<parameter name=\"' + key + '\">' + (value if value"
        " is string else value | tojson) + '</parameter>\\n' }}{%- endfor %}{{- '</invoke>\\n' }}{%- endfor %}"
        "{{- '</minimax:tool_call>' }}{%- endif %}"
    ),
    # Llama 3.2's and 4's documented one: Python, a list and nothing else.
    "pythonic": _chatml(
        "{%- if message.tool_calls %}{{- '[' }}"
        + _EACH
        + "{{- f.name + '(' }}{%- for key, value in f.arguments.items() %}"
        "{{- key + '=' + (value | tojson) }}{{- '' if loop.last else ', ' }}{%- endfor %}{{- ')' }}"
        "{{- '' if loop.last else ', ' }}{%- endfor %}{{- ']' }}{%- endif %}"
    ),
}
