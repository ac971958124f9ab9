"""The policies against a real vLLM: over HTTP, and in this process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rlvr
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.base import Generation, PolicyError, Request
from rlvr.policies.openai import OpenAIPolicy
from rlvr.policies.transformers import TransformersPolicy
from rlvr.policies.vllm import VllmPolicy
from rlvr.runs.run import Run, read_rollouts
from tests.vllm_cpu.conftest import CONTEXT, NAME, Server, ask, logprobs_by_torch

PROMPTS = ["102+175=", "999+1=", "508+77=", "4+4="]


def sums(count: int, **options: Any) -> rlvr.Environment:
    options = {"digits": 3, "terms": 2, "operators": "+", "prompt": "{compact}="} | options
    return rlvr.make("arithmetic", split="test", size=count, **options)


def greedy(model: Path) -> list[Generation]:
    policy = TransformersPolicy(str(model), max_new_tokens=40)
    return policy.respond([Request.of(rlvr.Task(prompt, "0")) for prompt in PROMPTS])


def test_greedy_over_http_is_the_model_s_own(server: Server, warmed: Path) -> None:
    policy = OpenAIPolicy(NAME, server.base_url, max_tokens=40, logprobs=True, token_ids=True)
    for prompt, own in zip(PROMPTS, greedy(warmed), strict=True):
        (one,) = ask(policy, prompt)
        assert (one.text, one.token_ids, one.stop) == (own.text, own.token_ids, "stop")
        assert (one.prompt_tokens, one.completion_tokens) == (
            own.prompt_tokens,
            own.completion_tokens,
        )
        assert one.token_ids is not None
        expected = logprobs_by_torch(warmed, prompt, one.token_ids)
        assert np.abs(np.array(one.logprobs) - expected).max() < 5e-4


def test_greedy_in_process_is_the_model_s_own(warmed: Path) -> None:
    policy = VllmPolicy(
        str(warmed), max_tokens=40, logprobs=True,
        dtype="float32", enforce_eager=True, max_model_len=CONTEXT, max_num_seqs=16,
    )  # fmt: skip
    found = policy.respond([Request.of(rlvr.Task(prompt, "0")) for prompt in PROMPTS])
    for prompt, one, own in zip(PROMPTS, found, greedy(warmed), strict=True):
        assert (one.text, one.token_ids, one.stop) == (own.text, own.token_ids, "stop")
        assert one.prompt_tokens == own.prompt_tokens
        assert one.token_ids is not None
        expected = logprobs_by_torch(warmed, prompt, one.token_ids)
        assert np.abs(np.array(one.logprobs) - expected).max() < 5e-4
    too_long = Request.of(rlvr.Task("1" * 2 * CONTEXT, "0"))
    (over, fits) = policy.respond([too_long, Request.of(rlvr.Task(PROMPTS[0], "0"))])
    assert (over.stop, over.overflow) == ("error", True)
    assert fits.text == found[0].text
    tasks = [rlvr.Task("1" * 2 * CONTEXT, "0", "long"), rlvr.Task(PROMPTS[0], "277", "short")]
    report = evaluate(rlvr.SingleTurn(tasks, rlvr.Math()), policy)
    assert (report.scored, report.unscored) == (1, {"input": 1})


def test_samples_in_one_request_are_several_and_come_again_with_their_seed(server: Server) -> None:
    # As hot as vLLM goes, and kept from its end: whatever the weights are, some token differs.
    policy = OpenAIPolicy(
        NAME,
        server.base_url,
        max_tokens=40,
        temperature=2.0,
        token_ids=True,
        extra={"min_tokens": 12},
    )
    first, again = ask(policy, "508+77=", 8), ask(policy, "508+77=", 8)
    assert [one.text for one in first] == [one.text for one in again]
    assert len({one.text for one in first}) > 1
    assert all(one.token_ids and one.completion_tokens == len(one.token_ids) for one in first)
    other = ask(policy, "508+77=", 8, seed=6)
    assert [one.text for one in other] != [one.text for one in first]


def test_a_prompt_without_a_template(server: Server) -> None:
    policy = OpenAIPolicy(NAME, server.base_url, api="completions", max_tokens=5, logprobs=True)
    (one,) = ask(policy, "102+175=")
    assert one.prompt_tokens == 8
    assert one.logprobs is not None
    assert one.completion_tokens == len(one.logprobs) <= 5


def test_what_is_cut_says_so(server: Server) -> None:
    (one,) = ask(OpenAIPolicy(NAME, server.base_url, max_tokens=3), "102+175=")
    assert (one.stop, one.completion_tokens, len(one.text)) == ("length", 3, 3)


def test_more_tokens_than_there_is_room_for_is_what_room_there_is(server: Server) -> None:
    (one,) = ask(OpenAIPolicy(NAME, server.base_url, max_tokens=10 * CONTEXT), "102+175=")
    assert one.stop == "stop"
    assert 3 < one.completion_tokens < CONTEXT


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_a_prompt_beyond_the_context_has_no_response(server: Server, api: Any) -> None:
    policy = OpenAIPolicy(NAME, server.base_url, api=api)
    for one in ask(policy, "1" * 2 * CONTEXT, 3):
        assert (one.stop, one.text, one.overflow) == ("error", "", True)
        assert "context" in one.error


def test_a_wrong_model_and_a_wrong_path_are_told(server: Server) -> None:
    with pytest.raises(PolicyError, match=rf"no model 'nobody'. It has: {NAME}"):
        ask(OpenAIPolicy("nobody", server.base_url), "1")
    with pytest.raises(PolicyError, match="Is the base URL's path right"):
        ask(OpenAIPolicy(NAME, server.url), "1")
    with pytest.raises(PolicyError, match="temperature"):
        ask(OpenAIPolicy(NAME, server.base_url, extra={"temperature": "hot"}), "1")


def test_eval_of_a_server_is_eval_of_its_model(
    server: Server, warmed: Path, tmp_path: Path
) -> None:
    env = sums(64)
    over_http = evaluate(env, OpenAIPolicy(NAME, server.base_url, max_tokens=40))
    here = evaluate(env, TransformersPolicy(str(warmed), max_new_tokens=40))
    # Rounding may tip the scales where two tokens are as likely: in one answer of 64, not in three.
    assert abs(over_http.correct.value - here.correct.value) <= 2 / 64
    assert over_http.tokens["prompt"] == here.tokens["prompt"]
    assert over_http.tokens["completion"] == pytest.approx(here.tokens["completion"], rel=0.05)


@pytest.mark.sweep
def test_the_command_with_k_samples_and_resumed_after_a_kill(
    server: Server, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = [
        sys.executable, "-m", "rlvr", "eval", "arithmetic", "--split", "test", "--limit", "300", "-k", "4",
        "--model", NAME, "--base-url", server.base_url, "--temperature", "1", "--max-tokens", "40",
        "--env", "digits=3", "--env", "terms=2", "--env", "operators=+", "--env", "prompt={compact}=",
        "--concurrency", "8", "--run", str(run),
    ]  # fmt: skip
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file = run / "rollouts.jsonl"
    while first.poll() is None and (not file.exists() or file.stat().st_size < 50_000):
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    kept = len(list(read_rollouts(run)))
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert 0 < kept < 1200
    rows = list(read_rollouts(run))
    assert len({(row["task"], row["sample"]) for row in rows}) == len(rows) == 1200
    report = json.loads((run / "report.json").read_text())["reports"][0]
    values = [one["value"] for one in report["pass_at_k"]]
    assert values == sorted(values)
    assert values[0] + 0.1 < values[3]
    assert report["tokens"]["completion"] == sum(row["tokens"]["completion"] for row in rows)


@pytest.mark.sweep
def test_a_server_that_hangs_for_a_while_loses_nothing(server: Server, tmp_path: Path) -> None:
    policy = OpenAIPolicy(
        NAME, server.base_url, max_tokens=40, timeout_s=2.0, backoff_s=0.1, concurrency=8
    )
    env = sums(200)
    before = evaluate(env, policy).correct

    def hang() -> None:
        time.sleep(0.3)
        os.kill(server.process.pid, signal.SIGSTOP)
        time.sleep(5)
        os.kill(server.process.pid, signal.SIGCONT)

    hanging = threading.Thread(target=hang)
    hanging.start()
    with Run.create(tmp_path / "run", "eval", {}) as run:
        report = evaluate(env, policy, run=run)
    hanging.join()
    assert (report.rollouts, report.scored) == (200, 200)
    assert report.correct == before
