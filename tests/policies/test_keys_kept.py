"""Keys and passwords that a server, a proxy or an address gives back reach nobody."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import pickle
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core import secrets
from rlvr.core.errors import OptionError
from rlvr.core.http import checked_url
from rlvr.policies.base import PolicyError
from rlvr.policies.openai import OpenAIPolicy
from tests.bad_server import Bad, ask, models, reply, said

KEY = 'sk-S3cret/key+1="q"&x'


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
    """Say if the key's middle can be read from a text in any encoding."""
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
