"""The package's HTTP client, for requests to servers that needn't be trusted.

An answer is bounded in time, in bytes on the wire, in bytes after decompression and in the memory of its parsed
JSON; no address holds a password; and no key of this process appears in a message. Callers decide how often
a request is sent again.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import os
import re
import time
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from rlvr.core.errors import OptionError
from rlvr.core.secrets import protect_environment, scrubbed

RETRIED = frozenset({408, 409, 425, 429})
"""Statuses below 500 after which the same request may succeed."""

LEAST_BYTES = 1 << 20
"""The limit for a short answer."""
_ERROR_BYTES = 1 << 16  # of an answer that says what's wrong
_PIECE = 1 << 18
_OBJECT_BYTES = 64  # at least
_OBJECTS_BYTES = 16 << 20
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
_ADDRESS = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?(?:/[^\s?#@\\]*)?", re.I)


class BadAnswer(Exception):
    """An answer is longer than its limit, or in an encoding that wasn't asked for."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A server's response.

    Attributes:
        status: the HTTP status.
        headers: the headers, as httpx has them.
        content: the body, decompressed; only its beginning unless the status is 200.
    """

    status: int
    headers: httpx.Headers
    content: bytes

    def json(self) -> Any:
        """Return the body as JSON, with None for NaN and the infinities. Raises `ValueError`."""
        if len(self.content) > LEAST_BYTES and _is_dense(self.content):
            raise ValueError("it holds more objects than an answer has")
        try:
            return json.loads(self.content, parse_constant=lambda name: None)
        except RecursionError:
            raise ValueError("it's nested too deeply") from None

    @property
    def text(self) -> str:
        """The body as text, without secrets."""
        return scrubbed(self.content.decode("utf-8", "replace"))

    @property
    def message(self) -> str:
        """The server's message about an error, otherwise its body, without secrets."""
        try:
            body = self.json()
            error = body.get("error", body)
            message = error.get("message") if isinstance(error, dict) else error
            message = message or body.get("detail")
        except (ValueError, AttributeError):
            message = None
        # Scrub first, then cut: half a key wouldn't be recognized.
        return (scrubbed(str(message)) if message else self.text)[:500]


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server asks to wait; 0 if it doesn't."""
    asked = headers.get("retry-after", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(asked).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return 0.0
    return max(0.0, min(seconds, 600.0)) if seconds == seconds else 0.0


def checked_url(url: str, option: str = "base_url") -> str:
    """Return a server's address without its last slash.

    Raises `OptionError` if it isn't an address, or holds a user, a password or a query, since addresses are
    written into runs and reports. The message doesn't repeat the address.
    """
    check_without_secrets(url, option)
    if not _ADDRESS.fullmatch(url.strip()):
        raise OptionError(f"{option} is a server's address, such as http://localhost:8000/v1.")
    return url.strip().rstrip("/")


def check_without_secrets(url: str, option: str = "base_url") -> None:
    """Raise `OptionError` if an address holds a user, a password or a query."""
    if not isinstance(url, str):
        raise OptionError(f"{option} is a server's address as text, not {type(url).__name__}.")
    if "@" in url or "?" in url or "#" in url:
        raise OptionError(
            f"{option} takes no user or password, and nothing behind a ? or #: addresses are written "
            f"into runs. Give the key by its environment variable (api_key_env, --api-key-env)."
        )


def open_client(
    key: str | None, timeout_s: float, connections: int = 100, tls: Any = True
) -> httpx.AsyncClient:
    """Return a client that sends `key` with each request.

    Raises `OptionError` if the environment names a proxy that can't be used.
    """
    protect_environment()
    headers = {"Accept-Encoding": "gzip"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    try:
        return httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(timeout_s, connect=min(30.0, timeout_s), pool=None),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            verify=tls,
            follow_redirects=False,
        )
    except (ValueError, ImportError, httpx.InvalidURL) as error:
        raise OptionError(
            f"The proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names can't be used: "
            f"{described(error)}."
        ) from None


async def fetch(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    body: Any = None,
    *,
    timeout_s: float,
    most_bytes: int = LEAST_BYTES,
) -> HttpAnswer:
    """Send one request and read its answer.

    Args:
        client: of `open_client`.
        method: the HTTP method, such as "POST".
        url: the whole address.
        body: sent as JSON.
        timeout_s: seconds for the whole exchange, even if the answer trickles in.
        most_bytes: the limit of the answer after decompression.

    Raises `TimeoutError`, `BadAnswer`, and `httpx.HTTPError` or `httpx.InvalidURL`, whose messages go
    through `described`.
    """
    # httpx's own limit applies to each read: a trickling answer would never end.
    async with asyncio.timeout(timeout_s):
        async with client.stream(method, url, json=body) as response:
            status = response.status_code
            most = most_bytes if status == 200 else _ERROR_BYTES
            content = await _body(response, most, whole=status == 200)
            return HttpAnswer(status, response.headers, content)


def fetch_now(method: str, url: str, body: Any = None, *, timeout_s: float) -> HttpAnswer:
    """Call `fetch` from synchronous code. A running event loop is blocked meanwhile."""

    async def go() -> HttpAnswer:
        async with open_client(None, timeout_s) as client:
            return await fetch(client, method, url, body, timeout_s=timeout_s)

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, go()).result()


def hub_answers(timeout_s: float = 5.0) -> bool:
    """Return False if the Hugging Face Hub can't be reached.

    Its own client tries for a minute before it says so; callers use what is in its cache instead, or fail at once.
    """
    try:
        httpx.head(os.environ.get("HF_ENDPOINT") or "https://huggingface.co", timeout=timeout_s)
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return True


def described(error: BaseException) -> str:
    """Return an exception's type and message, without secrets."""
    return scrubbed(f"{type(error).__name__}: {error}".rstrip(": "))


def sent_bytes(body: Mapping[str, Any]) -> int:
    """Return how long a request is, as JSON."""
    return len(json.dumps(body, default=str))


def _is_dense(content: bytes) -> bool:
    """Tell whether JSON is mostly brackets or empty strings, which take thirty times as much memory in Python."""
    if content.count(b'"') - content.count(b'\\"') > len(content) // 4:
        return True
    outside = _STRING.sub(b"", content)  # a model's text may be brackets alone
    objects = outside.count(b"{") + outside.count(b"[")
    return _OBJECT_BYTES * objects > 4 * len(content) + _OBJECTS_BYTES


async def _body(response: httpx.Response, most: int, whole: bool) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip", ""):
        raise BadAnswer(f"an answer in the encoding {encoding[:40]!r}, which wasn't asked for")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if "gzip" in encoding else None
    content = bytearray()
    count = sent = 0
    async for raw in response.aiter_raw():
        count += 1
        sent += len(raw)
        if sent > most + _PIECE or (unpack is not None and unpack.eof):
            # Empty blocks, or bytes behind the end of the gzip stream.
            if not whole:
                return bytes(content)
            raise BadAnswer(f"an answer of more than {most} bytes")
        if count % 64 == 0:  # many tiny pieces may be there at once: let other tasks run
            await asyncio.sleep(0)
        while raw:
            if unpack is None:
                piece, raw = raw[: most + 1], b""
            else:
                try:
                    piece = unpack.decompress(raw, _PIECE)
                except zlib.error as error:
                    raise BadAnswer(f"an answer that's no gzip: {error}") from None
                raw = b"" if unpack.eof else unpack.unconsumed_tail
                if raw:
                    await asyncio.sleep(0)
            content += piece
            if len(content) > most:
                if not whole:
                    return bytes(content[:most])
                raise BadAnswer(f"an answer of more than {most} bytes")
    if unpack is not None:
        content += unpack.flush()  # the end of the last match, a few bytes
        if whole and not unpack.eof:
            raise BadAnswer("an answer whose gzip is cut off")
    return bytes(content)
