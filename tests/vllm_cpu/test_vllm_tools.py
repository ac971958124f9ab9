"""Tools by a real vLLM: a server with a parser of calls, and the engine in this process.

A model this small calls nothing by itself: the engine's constrained decoding has it write a clerk's words, token by token.
From there on all is vLLM's: the chat template with the tools, the tokens, the parser.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from rlvr.core.tool_calls import calls_of
from rlvr.policies.base import Generation, Request
from rlvr.policies.openai import OpenAIPolicy
from rlvr.policies.vllm import VllmPolicy
from tests.evaluation.test_native_calls import Clerk, shop, verdicts
from tests.policies.families import tokenizer_of
from tests.vllm_cpu.conftest import NAME, Server, serve, stop

SIZE = 6


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model with Qwen2.5's template, which has tools in Hermes' form."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tokenizer_of("qwen2_5")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, max_position_embeddings=16_384, eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("caller")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def words(clerk: Clerk, request: Request) -> str:
    """Return the clerk's response as the template has the model write it."""
    found = clerk.answer(request)
    text = found.text
    for call in found.tool_calls:
        f = call["function"]
        text += f'\n<tool_call>\n{{"name": {json.dumps(f["name"])}, "arguments": {f["arguments"]}}}\n</tool_call>'
    return text.strip()


class Constrained(OpenAIPolicy):
    """The client of a server that has its model write a clerk's words."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.asked: list[Request] = []
        self.answers: list[Generation] = []

    async def generate(self, request: Request, n: int = 1) -> Sequence[Generation]:
        self._body["structured_outputs"] = {"choice": [words(Clerk("native"), request)]}
        self.asked.append(request)
        self.answers += await super().generate(request, n)
        return self.answers[-n:]


@pytest.fixture(scope="module")
def tool_server(caller: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("log") / "vllm.log"
    flags = (
        "--max-model-len",
        "16384",
        "--enable-auto-tool-choice",
        "--tool-call-parser",
        "hermes",
    )
    server = serve(caller, log, *flags)
    yield server
    stop(server)


@pytest.mark.sweep
def test_a_server_s_parser_gives_the_verdicts_of_text(tool_server: Server, tmp_path: Path) -> None:
    """Also for parallel, unknown and malformed calls; those that the parser leaves in the text count as text."""
    expected = verdicts(shop("text", 2, SIZE), Clerk("text"), tmp_path / "text", SIZE)
    policy = Constrained(
        NAME, tool_server.base_url, max_tokens=1000, concurrency=1, patience_s=60.0
    )
    found = verdicts(shop("native", 2, SIZE), policy, tmp_path / "native", SIZE)
    assert found == expected
    assert all(scored for *_, scored in found)
    assert len({reward for _, _, reward, _ in found}) == 2
    calling = [answer for answer in policy.answers if answer.tool_calls]
    assert len(calling) > SIZE
    for answer in calling:
        assert "<tool_call>" not in answer.text
        assert all(call.name and call.id and not call.error for call in calls_of(answer.message))
    assert all(request.tools for request in policy.asked)


def test_a_call_in_process_is_read_by_the_template(caller: Path) -> None:
    from vllm.sampling_params import StructuredOutputsParams

    policy = VllmPolicy(
        str(caller),
        max_tokens=400,
        dtype="float32",
        enforce_eager=True,
        max_model_len=16_384,
        max_num_seqs=4,
    )
    env = shop("native", 1, 4)
    requests: list[Any] = [
        Request(env.tasks[i].prompt, env.tasks[i], i, tuple(env.tool_schemas or ()))
        for i in range(2)
    ]
    text = (
        'Let me ask.\n<tool_call>\n{"name": "price", "arguments": {"item": "lamp"}}\n</tool_call>'
    )
    policy._sampling["structured_outputs"] = StructuredOutputsParams(choice=[text])
    for found in policy.respond(requests):
        (call,) = calls_of(found.message)
        assert (call.name, json.loads(call.arguments)) == ("price", {"item": "lamp"})
        assert (found.text, found.stop) == ("Let me ask.", "stop")
        assert found.token_ids is not None
        assert tokenizer_of("qwen2_5").decode(found.token_ids).startswith(text)
    talk = [
        *requests[0].prompt,
        found.message,
        {"role": "tool", "tool_call_id": call.id, "name": "price", "content": "7"},
    ]
    (again,) = policy.respond([Request(tuple(talk), requests[0].task, 1, requests[0].tools)])
    assert again.tool_calls
