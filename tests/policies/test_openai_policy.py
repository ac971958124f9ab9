"""The client of OpenAI-compatible servers, against one that fails in every way there is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import rlvr
from rlvr.evaluation.evaluate import evaluate
from rlvr.policies.base import Generation, PolicyError, Request
from rlvr.policies.http import Nonsense
from rlvr.policies.openai import OpenAIPolicy
from rlvr.policies.openai_answers import generations
from rlvr.runs.run import Run, read_rollouts
from tests.stub_server import Stub


def sums(count: int) -> rlvr.SingleTurn:
    tasks = [rlvr.Task(f"{i}+{7 * i}=", str(8 * i), f"t{i}") for i in range(count)]
    return rlvr.SingleTurn(rlvr.TaskSet(tasks, "sums"), rlvr.Math())


def ask(policy: OpenAIPolicy, prompt: str, n: int = 1) -> list[Generation]:
    async def go() -> list[Generation]:
        await policy.start()
        try:
            return list(await policy.generate(Request.of(rlvr.Task(prompt, "0"), 5), n))
        finally:
            await policy.aclose()

    return asyncio.run(go())


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize(("tasks", "down_after", "down_s"), [(100, 60, 1.0), (500, 300, 10.0)])
def test_a_server_that_fails_in_every_way_loses_nothing(
    tmp_path: Any, tasks: int, down_after: int, down_s: float
) -> None:
    with Stub(faults=0.3, down_after=down_after, down_s=down_s) as stub:
        policy = OpenAIPolicy("adder", stub.url, backoff_s=0.02, concurrency=16)
        with Run.create(tmp_path / "run", "eval", {}) as run:
            report = evaluate(sums(tasks), policy, k=3, run=run)
    assert set(stub.met) == {"all", "drop", "torn", "429", "500", "nonsense", "short", "none"}
    total = 3 * tasks
    assert (report.rollouts, report.scored, report.mean.value) == (total, total, 1.0)
    rows = list(read_rollouts(run.path))
    assert len({(row["task"], row["sample"]) for row in rows}) == len(rows) == total
    assert report.tokens == {"prompt": 3 * total, "completion": 5 * total, "sent": total}


def test_what_is_asked_for() -> None:
    with Stub() as stub:
        found = ask(OpenAIPolicy("adder", stub.url, max_tokens=9, extra={"top_p": 0.5}), "1+2=", 4)
    assert [one.text for one in found] == ["\\boxed{3}"] * 4
    assert stub.bodies == [
        {
            "model": "adder",
            "max_tokens": 9,
            "temperature": 0.0,
            "top_p": 0.5,
            "n": 4,
            "seed": 5,
            "messages": [{"role": "user", "content": "1+2="}],
        }
    ]


def test_a_wrong_model_is_told_with_those_there_are() -> None:
    with Stub() as stub, pytest.raises(PolicyError, match=r"no model 'subtracter'. It has: adder"):
        ask(OpenAIPolicy("subtracter", stub.url), "1")


def test_no_server_is_told_after_the_patience() -> None:
    with Stub() as stub:
        gone = stub.url
    policy = OpenAIPolicy("adder", gone, patience_s=0.05, backoff_s=0.01)
    with pytest.raises(PolicyError, match=r"answered nothing for 0\.05 s"):
        ask(policy, "1")


def test_a_prompt_beyond_the_context_is_no_wrong_answer() -> None:
    tasks = [rlvr.Task("1+2=", "3", "short"), rlvr.Task("1+2= " + 40 * " ", "3", "long")]
    with Stub(context=20) as stub:
        report = evaluate(rlvr.SingleTurn(tasks, rlvr.Math()), OpenAIPolicy("adder", stub.url))
    assert (report.mean.value, report.unscored) == (1.0, {"input": 1})


def test_a_request_that_always_fails_is_unscored_where_others_are_answered() -> None:
    with Stub() as stub:
        policy = OpenAIPolicy("adder", stub.url, patience_s=2.0, backoff_s=0.01, concurrency=1)
        whole = stub._answer

        async def answer(path: str, body: dict[str, Any]) -> bytes | None:
            if "13" in str(body.get("messages")):
                await whole(path, body)
                return b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n"
            return await whole(path, body)

        stub._answer = answer  # type: ignore[method-assign]
        policy.concurrency = 2

        async def go() -> tuple[Generation, Generation]:
            await policy.start()
            poison = asyncio.create_task(policy.generate(Request.of(rlvr.Task("13", "13"))))
            while not poison.done():
                (good,) = await policy.generate(Request.of(rlvr.Task("1", "1")))
            (bad,) = await poison
            await policy.aclose()
            return good, bad

        good, bad = asyncio.run(go())
    assert good.text == "\\boxed{1}"
    assert (bad.stop, bad.text) == ("error", "")
    assert "HTTP 500" in bad.error


def test_the_key_is_sent_and_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "sesame")
    policy = OpenAIPolicy("adder", api_key_env="MY_KEY", base_url="http://127.0.0.1:9/v1")
    assert "sesame" not in repr(policy)
    assert policy._key == "sesame"


VLLM = {
    "prompt_token_ids": [1, 2, 3],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5},
    "choices": [
        {
            "index": 1,
            "message": {"content": "b"},
            "finish_reason": "length",
            "token_ids": [8, 9, 10],
            "logprobs": {"content": [{"logprob": -0.5}, {"logprob": -1.0}, {"logprob": 0}]},
        },
        {"index": 0, "message": {"content": None}, "finish_reason": "stop", "token_ids": [7, 2]},
    ],
}


def test_token_ids_logprobs_and_why_it_stopped() -> None:
    assert generations(VLLM, 2) == [
        Generation("", "stop", 3, 2, (7, 2)),
        Generation("b", "length", 3, 3, (8, 9, 10), (-0.5, -1.0, 0.0)),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{"message": {"content": 3}}]},
        {"choices": [{"message": {"content": None}}]},
        {"choices": [{"message": {"content": "x"}, "finish_reason": "abort"}]},
    ],
)
def test_nonsense_is_never_an_answer(answer: Any) -> None:
    with pytest.raises(Nonsense):
        generations(answer, 1)


def test_a_prompt_sent_once_for_several_samples_is_paid_once(tmp_path: Any) -> None:
    price = (2.0, 10.0)
    with Stub() as stub:
        policy = OpenAIPolicy("adder", stub.url)
        with Run.create(tmp_path / "run", "eval", {}) as run:
            report = evaluate(sums(10), policy, k=4, run=run, price=price)
        with Run.resume(run.path) as run:
            again = evaluate(sums(10), policy, k=4, run=run, resume=True, price=price)
    assert report.tokens == {"prompt": 120, "completion": 200, "sent": 30}
    assert report.cost == pytest.approx((30 * 2 + 200 * 10) / 1e6)
    assert (again.cost, again.tokens) == (report.cost, report.tokens)


def test_a_server_that_dies_for_good_leaves_nothing_unscored(tmp_path: Any) -> None:
    stub = Stub(latency_s=0.02)
    with stub:
        policy = OpenAIPolicy("adder", stub.url, patience_s=0.5, backoff_s=0.01, concurrency=16)
        run = Run.create(tmp_path / "run", "eval", {})

        def die(evaluation: Any) -> None:
            if evaluation.done == 40:
                stub._loop.call_soon_threadsafe(stub._server.close)
                for writer in list(stub._writers):
                    stub._loop.call_soon_threadsafe(writer.transport.abort)

        with run, pytest.raises(PolicyError, match="answered nothing"):
            evaluate(sums(300), policy, run=run, progress=die)
    rows = list(read_rollouts(run.path))
    assert 40 <= len(rows) < 300
    assert all(row["verdict"]["scored"] for row in rows)  # --resume asks for all the others


def test_a_request_that_is_refused_costs_itself_alone() -> None:
    with Stub() as stub:
        whole = stub._answer

        async def answer(path: str, body: dict[str, Any]) -> bytes | None:
            if "13" in str(body.get("messages")):
                return b'HTTP/1.1 400 X\r\nContent-Length: 20\r\n\r\n{"error": "filtered"}'[:-1]
            return await whole(path, body)

        stub._answer = answer  # type: ignore[method-assign]
        tasks = [rlvr.Task(f"{i}+0=", str(i), str(i)) for i in (1, 2, 13, 4)]
        tasks.append(rlvr.Task("\ud800", "0", "no text"))
        policy = OpenAIPolicy("adder", stub.url, concurrency=1)
        report = evaluate(rlvr.SingleTurn(tasks, rlvr.Math()), policy)
        assert (report.scored, report.mean.value, report.unscored) == (3, 1.0, {"internal": 2})
        with pytest.raises(PolicyError, match="refused the request with 400"):
            ask(OpenAIPolicy("adder", stub.url), "13")  # the first of all: nothing works here
