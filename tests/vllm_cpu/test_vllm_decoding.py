"""Stop strings and thinking budgets on a real vLLM are those of transformers, token for token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import OptionError
from rlvr.policies.base import Generation, Request
from rlvr.policies.openai import OpenAIPolicy
from rlvr.policies.transformers import TransformersPolicy
from rlvr.policies.vllm import VllmPolicy
from tests.policies.thinking_model import THINKS, random_model, thinking_tokenizer
from tests.vllm_cpu.conftest import NAME, Server, ask, serve, stop

PROMPTS = ["102+175=", "999+1=", "508+77=", "4+4="]
STOPS = [";", "7+", "}"]
ENGINE = {"dtype": "float32", "enforce_eager": True, "max_model_len": 128, "max_num_seqs": 16}


def requests(prompts: list[str]) -> list[Request]:
    return [Request.of(rlvr.Task(prompt, "0"), i) for i, prompt in enumerate(prompts)]


def compared(one: Generation) -> tuple[Any, ...]:
    return one.text, one.token_ids, one.stop, one.prompt_tokens, one.completion_tokens


def test_stop_strings_have_one_effect_in_three_backends(server: Server, warmed: Path) -> None:
    here = TransformersPolicy(str(warmed), max_new_tokens=40, stop=STOPS)
    expected = here.respond(requests(PROMPTS))
    assert all(one.stop == "stop" and not any(s in one.text for s in STOPS) for one in expected)
    over_http = OpenAIPolicy(NAME, server.base_url, max_tokens=40, stop=STOPS, token_ids=True)
    found = [ask(over_http, prompt)[0] for prompt in PROMPTS]
    assert list(map(compared, found)) == list(map(compared, expected))
    within = VllmPolicy(str(warmed), max_tokens=40, stop=STOPS, **ENGINE)
    found = within.respond(requests(PROMPTS))
    assert list(map(compared, found)) == list(map(compared, expected))


QUESTIONS = ["what?", "how: 3", "why is it", "0"]


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("thinker")
    tokenizer = thinking_tokenizer(THINKS)
    random_model(tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "thinks.jinja").write_text(THINKS)
    return folder


@pytest.fixture(scope="module")
def thinking_server(thinker: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    one = serve(thinker, tmp_path_factory.mktemp("log") / "thinker.log")
    yield one
    stop(one)


@pytest.mark.sweep
def test_a_thinking_budget_has_one_effect_in_three_backends(
    thinker: Path, thinking_server: Server
) -> None:
    budget = {"thinking_tokens": 9, "stop": ["zz"]}
    expected = TransformersPolicy(str(thinker), max_new_tokens=40, **budget).respond(
        requests(QUESTIONS)
    )
    assert any("\n</think>\n\n" in one.text for one in expected)
    settings = {"max_tokens": 40, "template": str(thinker / "thinks.jinja"), **budget}
    over_http = OpenAIPolicy(NAME, thinking_server.base_url, **settings)
    found = [ask(over_http, question)[0] for question in QUESTIONS]
    assert list(map(compared, found)) == list(map(compared, expected))
    sampled = OpenAIPolicy(NAME, thinking_server.base_url, temperature=1.0, **settings)
    several = ask(sampled, QUESTIONS[0], 3)
    assert [one.completion_tokens for one in several] == [len(one.token_ids) for one in several]
    within = VllmPolicy(str(thinker), max_tokens=40, **budget, **ENGINE)
    found = within.respond(requests(QUESTIONS))
    assert list(map(compared, found)) == list(map(compared, expected))
    with pytest.raises(OptionError, match="nobody sampled"):
        VllmPolicy(within.llm, thinking_tokens=9, logprobs=True)
