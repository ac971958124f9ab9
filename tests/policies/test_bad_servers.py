"""Servers that mean harm: bombs, drips and endless answers."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import rlvr
from rlvr.core.http import fetch, open_client
from rlvr.policies.base import PolicyError
from rlvr.policies.openai import OpenAIPolicy
from rlvr.policies.openai_answers import generations
from tests.bad_server import Bad, ask, models, reply, said

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def drip(head: str, body: Any) -> Iterator[bytes]:
    yield CHUNKED
    while True:
        yield b"1\r\n \r\n"


def endless(head: str, body: Any) -> Iterator[bytes]:
    yield CHUNKED
    while True:
        yield b"10000\r\n" + b" " * 65536 + b"\r\n"


def tiny_chunks(head: str, body: Any) -> Iterator[bytes]:
    yield CHUNKED
    while True:
        yield b"1\r\n \r\n" * 4096


def headers(head: str, body: Any) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"X: " + b"y" * 20000 + b"\r\n"


def informational(head: str, body: Any) -> Iterator[bytes]:
    while True:
        yield b"HTTP/1.1 102 Processing\r\n\r\n" * 200


def trailers(head: str, body: Any) -> Iterator[bytes]:
    yield CHUNKED + b"0\r\n"
    while True:
        yield b"X: " + b"y" * 20000 + b"\r\n"


def bomb(head: str, body: Any) -> Iterator[bytes]:
    yield reply(200, BOMB, "Content-Encoding: gzip\r\n")


def bomb_in_an_error(head: str, body: Any) -> Iterator[bytes]:
    yield reply(500, BOMB, "Content-Encoding: gzip\r\n")


def objects(head: str, body: Any) -> Iterator[bytes]:
    """Of which Python makes thirty times as much."""
    yield reply(200, b"[" + b"{}," * (8 << 20) + b"{}]")


def deflated(head: str, body: Any) -> Iterator[bytes]:
    yield reply(200, zlib.compress(b" " * 1000), "Content-Encoding: deflate\r\n")


def bytes_behind_a_gzip(head: str, body: Any) -> Iterator[bytes]:
    yield CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n"
    packed = gzip.compress(b" ")
    yield b"%x\r\n%s\r\n" % (len(packed), packed)
    while True:
        yield b"10000\r\n" + b"x" * 65536 + b"\r\n"


def a_gzip_of_nothing(head: str, body: Any) -> Iterator[bytes]:
    yield CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n"
    yield b"a\r\n" + gzip.compress(b"")[:10] + b"\r\n"
    empty = b"\0\0\0\xff\xff" * 13107  # stored blocks without a byte
    while True:
        yield b"%x\r\n%s\r\n" % (len(empty), empty)


def twice(head: str, body: Any) -> Iterator[bytes]:
    yield reply(200, gzip.compress(BOMB, 9), "Content-Encoding: gzip, gzip\r\n")


BOMB = gzip.compress(b" " * (200 << 20), 1)
HARMFUL = [
    drip, endless, tiny_chunks, headers, informational, trailers, bomb, bomb_in_an_error, objects,
    deflated, twice, bytes_behind_a_gzip, a_gzip_of_nothing,
]  # fmt: skip


def grown_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("answer", HARMFUL, ids=lambda f: f.__name__)
def test_an_answer_is_bounded_in_time_and_size(answer: Any) -> None:
    before = grown_mb()
    late = 0.0

    async def go() -> str:
        nonlocal late

        async def watch() -> None:  # the loop has others to serve
            nonlocal late
            while True:
                began = time.thread_time()
                await asyncio.sleep(0.01)
                late = max(late, time.thread_time() - began)

        watcher = asyncio.create_task(watch())
        policy = OpenAIPolicy("m", server.url, timeout_s=0.2, patience_s=0.1, backoff_s=0.01)
        try:
            with pytest.raises(PolicyError) as raised:
                await policy.start()
            return str(raised.value)
        finally:
            watcher.cancel()
            await policy.aclose()

    with Bad(answer) as server:
        message = asyncio.run(asyncio.wait_for(go(), 120))
    assert "answered nothing for 0.1 s" in message
    assert grown_mb() - before < 100
    assert late < 1  # of processor time, in one go


@pytest.mark.parametrize("answer", [drip, bomb], ids=lambda f: f.__name__)
def test_a_judge_is_as_little_trusted(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = grown_mb()
    with Bad(answer) as server:
        judge = rlvr.Judge("Is it right?", "m", server.url, attempts=1, timeout_s=0.3)
        (verdict,) = rlvr.score([rlvr.Task("1", "1")], ["an answer"], judge)
    assert (verdict.scored, str(verdict.cause)) == (False, "judge")
    assert grown_mb() - before < 100


def bomb_behind_a_refusal(piece: bytes) -> Callable[[str, dict[str, Any]], Iterator[bytes]]:
    """Answer as a server that refuses `max_tokens`: without it, a much longer body is read."""

    def answer(head: str, body: dict[str, Any]) -> Iterator[bytes]:
        if "models" in head:
            yield models()
        elif "max_tokens" in body:
            yield reply(400, {"error": "maximum context length"})
        else:
            yield reply(200, b"[" + piece * ((8 << 20) // len(piece)) + b"0]")

    return answer


@pytest.mark.parametrize("piece", [b"{},", b"[[]],", b'{"":0},', b'"",', b'"\\"",'])
def test_few_bytes_do_not_become_many_objects(piece: bytes) -> None:
    before = grown_mb()
    with Bad(bomb_behind_a_refusal(piece)) as server, pytest.raises(PolicyError):
        ask(server.url, patience_s=0.05)
    assert grown_mb() - before < 100


def test_a_response_of_brackets_and_quotes_is_an_answer() -> None:
    for text in ("[{" * 600_000, '"' * 1_200_000, '\\"' * 500_000, "\\" * 900_000):

        def answer(head: str, body: Any, text: str = text) -> Iterator[bytes]:
            yield models() if "models" in head else reply(200, said(text))

        with Bad(answer) as server:
            assert ask(server.url, max_tokens=200_000).text == text


def test_an_honest_answer_may_hold_every_tokens_logprobs() -> None:
    one = {"token": "a", "logprob": -1.5, "bytes": [97]}
    tokens = [one | {"top_logprobs": [one] * 5}] * 5_000
    choice = {
        "message": {"content": "a" * 5_000},
        "finish_reason": "stop",
        "logprobs": {"content": tokens},
    }

    def answer(head: str, body: Any) -> Iterator[bytes]:
        data = json.dumps({"choices": [choice]}, separators=(",", ":")).encode()
        yield models() if "models" in head else reply(200, data)

    with Bad(answer) as server:
        found = ask(server.url, max_tokens=5_000, logprobs=True, extra={"top_logprobs": 5})
    assert found.logprobs == (-1.5,) * 5_000


def test_an_honest_answer_may_be_packed_and_long(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "x" * 30_000

    def honest(head: str, body: Any) -> Iterator[bytes]:
        if "models" in head:
            yield models()
        else:
            data = gzip.compress(json.dumps(said(text)).encode())
            yield reply(200, data, "Content-Encoding: gzip\r\n")

    with Bad(honest) as server:
        assert ask(server.url).text == text


# --------------------------------------------------------------------- odd numbers


@pytest.mark.parametrize(
    "count",
    ['"12"', "NaN", "Infinity", "-5", "1e999", "2.5", "true", "[1]", "{}", "9" * 400, "null"],
)
def test_a_count_that_is_none_is_unknown(count: str, tmp_path: Path) -> None:
    def answer(head: str, body: Any) -> Iterator[bytes]:
        if "models" in head:
            yield models()
            return
        usage = f'{{"prompt_tokens": {count}, "completion_tokens": {count}}}'
        yield reply(
            200, json.dumps(said("\\boxed{1}"))[:-1].encode() + f', "usage": {usage}}}'.encode()
        )

    with Bad(answer) as server:
        report = rlvr.evaluate(
            "arithmetic", OpenAIPolicy("m", server.url), limit=1, run=tmp_path / "run"
        )
    assert (report.rollouts, report.scored) == (1, 1)
    text = (tmp_path / "run" / "rollouts.jsonl").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["tokens"] == {"prompt": None, "completion": None, "sent": 0}


@pytest.mark.parametrize("usage", [[], "x", 3, True, {"prompt_tokens": {}}])
def test_usage_of_any_shape_harms_no_answer(usage: Any) -> None:
    (found,) = generations(said("x", usage=usage), 1)
    assert (found.text, found.prompt_tokens, found.completion_tokens) == ("x", None, None)


def test_a_fetch_leaves_no_connection_behind() -> None:
    async def go() -> None:
        async with open_client(None, 1.0) as client:
            for _ in range(5):
                with pytest.raises((TimeoutError, httpx.HTTPError)):
                    await fetch(client, "GET", server.url, timeout_s=0.05)
            assert client._transport._pool.connections == []  # type: ignore[attr-defined]

    with Bad(drip) as server:
        asyncio.run(go())
