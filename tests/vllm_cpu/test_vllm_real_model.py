"""A real model by vLLM and by transformers: the same prompts, answers, log-probabilities and figures."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import httpx
import numpy as np
import pytest

import rlvr
from rlvr.policies.base import Generation, Request
from rlvr.policies.openai import OpenAIPolicy
from rlvr.policies.template import Template
from rlvr.policies.transformers import TransformersPolicy
from rlvr.policies.vllm import VllmPolicy
from rlvr.runs.run import read_rollouts
from rlvr.training.config import Source, TrainConfig
from rlvr.training.train import train
from tests.vllm_cpu.conftest import NAME, Server, serve, stop

pytestmark = pytest.mark.sweep

CONTEXT = 1024
SUMS = {"digits": 1, "terms": 2, "operators": "+"}


@pytest.fixture(scope="module")
def model(real_model: Path) -> Path:
    return real_model / "float32"


@pytest.fixture(scope="module")
def here(model: Path) -> TransformersPolicy:
    import torch

    torch.set_num_threads(os.cpu_count() or 1)  # vLLM has set it to one
    return TransformersPolicy(str(model), max_new_tokens=24)


@pytest.fixture(scope="module")
def real_server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("log") / "vllm.log"
    one = serve(model, log, "--max-model-len", str(CONTEXT), "--max-num-seqs", "16")
    yield one
    stop(one)


@pytest.fixture(scope="module")
def requests(data: Path) -> list[Request]:
    """The two hundred shortest of IFEval's prompts."""
    rows = (data / "ifeval" / "input_data.jsonl").read_text().splitlines()
    texts = sorted((json.loads(row)["prompt"] for row in rows), key=len)[:200]
    return [Request.of(rlvr.Task(text, "x", str(i))) for i, text in enumerate(texts)]


@pytest.fixture(scope="module")
def greedy(here: TransformersPolicy, requests: list[Request]) -> list[Generation]:
    return here.respond(requests)


def logprobs(here: TransformersPolicy, request: Request, ids: Sequence[int]) -> np.ndarray:
    import torch

    before = here.template.prompt(request.prompt)
    with torch.no_grad():
        logits = here.model(torch.tensor([[*before, *ids]])).logits[0, len(before) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0].numpy()


def test_vllm_in_process_answers_as_transformers(
    model: Path, here: TransformersPolicy, requests: list[Request], greedy: list[Generation]
) -> None:
    policy = VllmPolicy(
        str(model), max_tokens=24, logprobs=True,
        dtype="float32", enforce_eager=True, max_model_len=CONTEXT, max_num_seqs=16,
    )  # fmt: skip
    found = policy.respond(requests)
    same = sum(a.token_ids == b.token_ids for a, b in zip(found, greedy, strict=True))
    assert same >= 190
    worst = 0.0
    for request, one, own in zip(requests, found, greedy, strict=True):
        assert (one.text == own.text) == (one.token_ids == own.token_ids)
        assert one.prompt_tokens == own.prompt_tokens
        assert one.token_ids is not None
        error = np.abs(np.array(one.logprobs) - logprobs(here, request, one.token_ids))
        worst = max(worst, float(error.max()))
    assert worst < 1e-3
    print(f"{same} of {len(requests)} answers are the same; log-probabilities within {worst:.1e}")


def test_a_server_s_prompts_are_the_chat_template_s_own(
    real_server: Server, here: TransformersPolicy, requests: list[Request]
) -> None:
    template = Template(here.tokenizer)
    talk = [*requests[0].prompt, {"role": "assistant", "content": "Why?"}, *requests[1].prompt]
    for messages in (talk, *(request.prompt for request in requests[:8])):
        answer = httpx.post(
            f"{real_server.base_url}/chat/completions",
            json={"model": NAME, "messages": list(messages), "max_tokens": 1, "return_token_ids": True},
            timeout=120,
        ).json()  # fmt: skip
        assert answer["prompt_token_ids"] == template.prompt(messages)


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_eval_by_a_server(
    real_server: Server, tmp_path: Path, api: Literal["chat", "completions"]
) -> None:
    env = rlvr.make("arithmetic", split="test", size=24, **SUMS)
    policy = OpenAIPolicy(NAME, real_server.base_url, api=api, max_tokens=24, temperature=1.0)
    report = rlvr.evaluate(env, policy, 4, run=str(tmp_path / "run"))
    assert (report.rollouts, report.scored) == (96, 96)
    assert report.pass_at_k[3].value >= report.pass_at_k[0].value
    samples = [row["messages"][-1]["content"] for row in read_rollouts(tmp_path / "run")]
    assert len(set(samples)) > 24  # completions often end at once


class Again(rlvr.MultiTurn):
    """Asks for another sum, twice."""

    def reply(self, task: rlvr.Task, messages: list[dict[str, str]]) -> str | None:
        turn = len(messages) // 2
        return f"And what is {turn + 2} + {turn}?" if turn < 3 else None


class Shop:
    """Prices."""

    def __init__(self, task: rlvr.Task) -> None: ...

    def price(self, item: str) -> int:
        """Tell what an item costs.

        Args:
            item: its name.
        """
        return 7


def talk_of_calls(item: int) -> list[dict[str, str]]:
    """Asks for a price, behind three examples: alone, so small a model makes no call."""
    talk = []
    for lamp in (11, 12, 13, item):
        made = json.dumps({"name": "price", "arguments": {"item": f"lamp {lamp}"}})
        talk += [
            {"role": "user", "content": f"What is the price of lamp {lamp}?"},
            {"role": "assistant", "content": f"<tool_call>\n{made}\n</tool_call>"},
        ]
    return talk[:-1]


def conversations() -> list[rlvr.Environment]:
    sums = [rlvr.Task(f"What is {i} + {i + 1}?", "5", f"again-{i}") for i in range(8)]
    calls = [rlvr.Task(talk_of_calls(i), "7", f"shop-{i}") for i in range(8)]
    return [
        Again(rlvr.TaskSet(sums, "again"), rlvr.Math(), max_turns=3),
        rlvr.ToolEnv(rlvr.TaskSet(calls, "shop"), rlvr.Math(), Shop, max_turns=3),
    ]


@pytest.mark.parametrize("number", [0, 1], ids=["turns", "tools"])
def test_several_turns_by_a_server_and_by_transformers(
    real_server: Server, here: TransformersPolicy, tmp_path: Path, number: int
) -> None:
    env = conversations()[number]
    policy = OpenAIPolicy(NAME, real_server.base_url, max_tokens=40)
    talks = []
    local = TransformersPolicy(here.model, here.tokenizer, max_new_tokens=40)
    for name, one in (("server", policy), ("here", local)):
        report = rlvr.evaluate(env, one, run=str(tmp_path / name))
        assert (report.rollouts, report.scored) == (8, 8)
        rows = sorted(read_rollouts(tmp_path / name), key=lambda row: row["task"])
        talks.append([row["messages"] for row in rows])
    told = [[m["content"] for m in messages if m["role"] == "user"] for messages in talks[0]]
    assert any(len(some) > (4 if number else 1) for some in told)
    assert sum(a == b for a, b in zip(*talks, strict=True)) >= 7  # rounding may tip one


def config(model: Path, **options: Any) -> TrainConfig:
    held_out = Source("arithmetic", split="test", options=SUMS, limit=8)
    source = Source("arithmetic", split="train", options=SUMS)
    given: dict[str, Any] = {
        "steps": 2, "batch": 8, "group": 4, "max_tokens": 16, "learning_rate": 1e-5,
        "measure_every": 2, "held_out": held_out, "trl": {"vllm_max_model_length": 256},
    } | options  # fmt: skip
    return TrainConfig(str(model), source, **given)


def check(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [row for row in rows if "reward" in row]
    assert [row["step"] for row in steps] == [1, 2]
    for row in steps:
        # vLLM had the weights of each step: one step's weights behind would be off by more.
        assert row["sampling/sampling_logp_difference/max"] < 1e-3
        assert row["rlvr/unscored"] == 0


@pytest.mark.parametrize("lora", [None, 16], ids=["all", "lora"])
@pytest.mark.usefixtures("vllm_trains")
@pytest.mark.parametrize("vllm", ["colocate", "server"])
def test_training_by_vllm(
    real_server: Server, model: Path, tmp_path: Path, vllm: Any, lora: int | None
) -> None:
    where = {"base_url": real_server.base_url} if vllm == "server" else {}
    check(train(config(model, vllm=vllm, lora=lora, **where), tmp_path / "run").run)


@pytest.mark.usefixtures("vllm_trains")
def test_several_turns_are_trained_on_by_vllm(model: Path, tmp_path: Path) -> None:
    env = conversations()[0]
    options = {"held_out": None, "max_tokens": 128}
    given = TrainConfig(**{**vars(config(model, vllm="colocate", **options)), "environments": env})
    outcome = train(given, tmp_path / "run")
    check(outcome.run)
    assert max(len(row["messages"]) for row in read_rollouts(outcome.run)) == 6
