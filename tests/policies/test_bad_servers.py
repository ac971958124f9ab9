"""Servers that mean harm: bombs, drips, endless answers, and keys that come back in every form."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import pickle
import resource
import subprocess
import sys
import threading
import time
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
import pytest

import rlvr
from rlvr.core import secrets
from rlvr.core.errors import OptionError
from rlvr.core.http import checked_url, fetch, open_client
from rlvr.policies.base import Generation, PolicyError, Request
from rlvr.policies.openai import OpenAIPolicy, generations

KEY = 'sk-S3cret/key+1="q"&x'


class Bad:
    """A server on loopback: `answer(head, body)` yields the bytes of an answer, piece by piece."""

    def __init__(self, answer: Callable[[str, dict[str, Any]], Iterator[bytes]]) -> None:
        self._answer = answer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Bad:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(60)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._server.wait_closed()
        await asyncio.sleep(0.01)  # aborted connections are closed by the loop

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = [line for line in head.lower().split("\r\n") if "content-length" in line]
                size = int(length[0].split(":")[1]) if length else 0
                body = json.loads(await reader.readexactly(size)) if size else {}
                for piece in self._answer(head, body):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0 if len(piece) > 10 else 0.01)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()


def reply(status: int, body: Any, headers: str = "") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(data)}\r\n\r\n"
    return head.encode("latin-1") + data


def said(text: str, **more: Any) -> dict[str, Any]:
    return {
        "choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}],
        **more,
    }


def models() -> bytes:
    return reply(200, {"data": [{"id": "m"}]})


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


def twice(head: str, body: Any) -> Iterator[bytes]:
    yield reply(200, gzip.compress(BOMB, 9), "Content-Encoding: gzip, gzip\r\n")


BOMB = gzip.compress(b" " * (200 << 20), 1)
HARMFUL = [
    drip, endless, tiny_chunks, headers, informational, trailers, bomb, bomb_in_an_error, objects,
    deflated, twice,
]  # fmt: skip


def ask(url: str, **options: Any) -> Generation:
    async def go() -> Generation:
        policy = OpenAIPolicy("m", url, backoff_s=0.01, **options)
        try:
            await policy.start()
            (found,) = await policy.generate(Request.of(rlvr.Task("1", "1")))
            return found
        finally:
            await policy.aclose()

    return asyncio.run(go())


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
        policy = OpenAIPolicy("m", server.url, timeout_s=0.3, patience_s=0.1, backoff_s=0.01)
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


# ------------------------------------------------------------------------------ keys


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_secrets", {})


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY


def forms() -> list[str]:
    raw = KEY.encode()
    return [
        f"Bearer {KEY}",
        KEY.upper(),
        json.dumps({"error": {"header": KEY}}),
        repr(KEY),
        urllib.parse.quote(KEY),
        urllib.parse.quote_plus(KEY),
        urllib.parse.quote(KEY, safe="").lower(),
        base64.b64encode(raw).decode(),
        base64.b64encode(b"user:" + raw).decode(),
        base64.b64encode(b"me:" + raw + b"\n").decode(),
        base64.urlsafe_b64encode(b"x:" + raw).decode(),
        raw.hex(),
        "x" * 480 + KEY,  # cut in its middle, were it cut first
        f"http://host/v1?api_key={urllib.parse.quote(KEY)}&x=1",
        KEY.replace("&", "&amp;").replace('"', "&quot;"),
    ]


def leaks(text: str) -> bool:
    """Whether the key's middle can be read from it in any way."""
    raw = KEY.encode()
    cores = ["s3cret", base64.b64encode(raw[3:9]).decode()[:6].lower(), raw[3:9].hex()]
    for shift in range(3):
        cores.append(base64.b64encode(b"x" * shift + raw).decode()[4:12].lower())
    return any(core in text.lower() for core in cores)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_key_that_comes_back_reaches_nobody(status: int, key: str, tmp_path: Path) -> None:
    answers = iter(forms() if status < 500 else forms()[-1:])
    known = True  # that it answers at all

    def repeat(head: str, body: Any) -> Iterator[bytes]:
        nonlocal known
        if "models" in head:
            yield models()
        elif known:
            known = False
            yield reply(200, said("\\boxed{1}"))
        elif status == 200:
            yield reply(200, said(f"My header was {next(answers)}, \\boxed{{1}}"))
        else:
            yield reply(status, {"error": {"message": f"no: {next(answers, KEY)}"}})

    run = tmp_path / "run"
    limit = 1 + len(forms())
    said_of_it = ""
    with Bad(repeat) as server:
        policy = OpenAIPolicy("m", server.url, patience_s=0.1, backoff_s=0.01, concurrency=1)
        try:
            report = rlvr.evaluate("arithmetic", policy, limit=limit, run=run)
        except PolicyError as error:
            said_of_it = str(error)
        else:
            assert (report.rollouts, report.scored) == (limit, limit if status == 200 else 1)
    assert bool(said_of_it) == (status == 500)
    assert not leaks(said_of_it)
    for file in run.iterdir():
        for line in file.read_text(encoding="utf-8").splitlines():
            assert not leaks(line), file
    assert not leaks(repr(policy) + repr(vars(policy)["_endpoint"]))
    assert key.encode() not in pickle.dumps(policy)


@pytest.mark.parametrize("form", forms()[:1] + forms()[7:8])
def test_a_judge_that_repeats_the_key_in_its_verdict(form: str) -> None:
    def repeat(head: str, body: Any) -> Iterator[bytes]:
        yield reply(200, said(json.dumps({"reason": f"they sent {form}", "verdict": "pass"})))

    with Bad(repeat) as server:
        judge = rlvr.Judge("Is it right?", "m", server.url, api_key=KEY)
        (verdict,) = rlvr.score([rlvr.Task("1", "1")], ["an answer"], judge)
    assert verdict.scored
    assert verdict.reward == 1.0
    assert not leaks(repr(verdict))


@pytest.mark.parametrize("word", ["EMPTY", "none", "x", "password"])
def test_a_placeholder_for_a_key_changes_no_response(
    word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", word)
    text = f"The {word} set, 1 none x; password."

    def answer(head: str, body: Any) -> Iterator[bytes]:
        yield models() if "models" in head else reply(200, said(text + f" Bearer {word}"))

    with Bad(answer) as server:
        shown = "[secret]" if len(word) > 3 else word
        assert ask(server.url).text == f"{text} Bearer {shown}"


@pytest.mark.parametrize("key", ["two words", "line\nend-key-12", "tab\tkey-123456", "ключ-123456"])
def test_a_key_that_no_header_takes_is_refused_unshown(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(OptionError, match="OPENAI_API_KEY") as raised:
        OpenAIPolicy("m")
    assert key not in str(raised.value)


def test_a_key_from_a_file_with_a_line_end_is_sent_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def answer(head: str, body: Any) -> Iterator[bytes]:
        seen.append(head)
        yield models() if "models" in head else reply(200, said("x"))

    monkeypatch.setenv("OPENAI_API_KEY", " sk-from-a-file-1\n")
    with Bad(answer) as server:
        ask(server.url)
    assert all("authorization: bearer sk-from-a-file-1\r\n" in head.lower() for head in seen)


# ------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://user:S3cretPW@host/v1", "http://S3cretPW@host:80", "user:S3cretPW@host/v1",
        "http:/user:S3cretPW@host", "http://user%3AS3cretPW%40host/v1", "http://host/v1?api_key=S3cretPW",
        "http://host/v1#S3cretPW", "ftp://user:S3cretPW@host", "http:\\\\user:S3cretPW@host", "http://ho st/S3cretPW",
        "http://host/v1;\n@S3cretPW", "//user:S3cretPW@host", "http://host:S3cretPW/v1", "",
    ],
)  # fmt: skip
def test_an_address_with_a_password_is_refused_unshown(url: str, tmp_path: Path) -> None:
    for make in (
        lambda: OpenAIPolicy("m", url),
        lambda: checked_url(url),
        lambda: rlvr.TrainConfig("m", "arithmetic", base_url=url),
    ):
        with pytest.raises(OptionError) as raised:
            make()
        assert "S3cretPW" not in str(raised.value)
    with pytest.raises((OptionError, rlvr.CannotScore)) as raised:
        asyncio.run(
            rlvr.Judge("Is it right?", "m", url or " ").verify(rlvr.Task("1", "1"), "an answer")
        )
    assert "S3cretPW" not in str(raised.value)


def test_the_password_of_a_proxy_is_used_and_told_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def proxy(head: str, body: Any) -> Iterator[bytes]:
        seen.append(head)
        sent = next(line for line in head.split("\r\n") if line.lower().startswith("proxy-auth"))
        yield reply(407, {"error": f"bad {sent}, that is S3cret%PW:1"})

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with Bad(proxy) as server:
        host = server.url.removeprefix("http://").removesuffix("/v1")
        monkeypatch.setenv("HTTP_PROXY", f"http://me:S3cret%25PW%3A1@{host}")
        monkeypatch.setenv("http_proxy", f"http://me:S3cret%25PW%3A1@{host}")
        with pytest.raises(PolicyError) as raised:
            ask("http://model.invalid/v1", patience_s=0.05)
    assert base64.b64encode(b"me:S3cret%PW:1").decode() in seen[0]
    assert "S3cret" not in str(raised.value)
    assert base64.b64encode(b"me:S3cret%PW:1").decode()[8:-4] not in str(raised.value)


@pytest.mark.parametrize("proxy", ["gopher://me:S3cretPW@host:1", "http://me:S3cretPW@host:x"])
def test_a_proxy_that_is_none_is_told_without_its_password(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    with pytest.raises(OptionError, match="HTTP_PROXY") as raised:
        ask("http://model.invalid/v1", patience_s=0.05)
    assert "S3cretPW" not in str(raised.value)


def test_a_redirect_is_not_followed(key: str) -> None:
    asked = []

    def redirect(head: str, body: Any) -> Iterator[bytes]:
        asked.append(head)
        where = f"Location: http://127.0.0.1:1/?k={urllib.parse.quote(KEY, safe='')}\r\n"
        yield models() if "models" in head else reply(307, {"to": where}, where)

    with Bad(redirect) as server, pytest.raises(PolicyError) as raised:
        ask(server.url)
    assert len(asked) == 2
    assert not leaks(str(raised.value))


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


def test_what_the_command_line_says_of_an_error_holds_no_key(tmp_path: Path) -> None:
    def repeat(head: str, body: Any) -> Iterator[bytes]:
        yield reply(401, {"error": f"bad key {KEY} or {base64.b64encode(KEY.encode()).decode()}"})

    command = [sys.executable, "-m", "rlvr", "eval", "arithmetic", "--model", "m", "--limit", "1"]
    with Bad(repeat) as server:
        done = subprocess.run(
            [*command, "--base-url", server.url, "--run", str(tmp_path / "run"), "--debug"],
            capture_output=True,
            text=True,
            env=os.environ | {"OPENAI_API_KEY": KEY},
        )
    assert done.returncode == 2
    assert "refused the request with 401" in done.stderr
    assert not leaks(done.stdout + done.stderr)
