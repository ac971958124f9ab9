"""Posting JSON to a server that may drop, refuse or garble a request: tried again until it's through.

An answer is either what the server meant or none at all: nothing that looks wrong gets further.
"""

from __future__ import annotations

import asyncio
import email.utils
import itertools
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from rlvr.policies.base import PolicyError

Answer = TypeVar("Answer")
_RETRIED = {408, 409, 425, 429}
_LONGEST_WAIT_S = 30.0


class Nonsense(Exception):
    """What is wrong with an answer, in words. It's asked for again."""


class Refused(Exception):
    """The server won't have this request, however often it's sent."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


class GaveUp(Exception):
    """One request failed for the whole of the patience, while the server answered others."""


class Endpoint:
    """A server's base URL, a connection pool, and patience.

    Args:
        base_url: such as `http://localhost:8000/v1`.
        headers: of each request.
        connections: at most so many.
        timeout_s: seconds for one attempt.
        patience_s: seconds for one request, all attempts together. Where the server answered
            nobody in that time, it's away: `PolicyError`; else the request alone is given up.
        backoff_s: seconds before the second attempt; doubled each time, up to 30, and varied by
            half, so that those who failed together don't come back together.
    """

    def __init__(
        self,
        base_url: str,
        headers: dict[str, str],
        connections: int,
        timeout_s: float,
        patience_s: float,
        backoff_s: float,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._patience_s = patience_s
        self._backoff_s = backoff_s
        self._answered = -float("inf")  # when the server last did
        self._headers = headers
        self._timeout = httpx.Timeout(timeout_s, connect=min(30.0, timeout_s), pool=None)
        self._slots = asyncio.Semaphore(connections)
        # A client for each connection: httpx looks at all of a client's connections at each request,
        # which costs more than the request where there are many.
        self._tls = httpx.create_ssl_context()
        self._idle: list[httpx.AsyncClient] = []

    async def call(
        self, method: str, path: str, read: Callable[[Any], Answer], body: Any = None
    ) -> Answer:
        """What `read` makes of the JSON answered; it raises `Nonsense` where that isn't one.

        Raises `Refused` for a 4xx that trying again won't mend, `PolicyError` and `GaveUp` as above.
        """
        began = time.monotonic()
        failed = 0.0  # when it first did
        for attempt in itertools.count():
            failure, wait_s = "", 0.0
            try:
                response = await self._request(method, self.base_url + path, body)
                status = response.status_code
                if status == 200:
                    answer = read(_json(response))
                    self._answered = time.monotonic()
                    return answer
                if status < 500 and status not in _RETRIED:
                    raise Refused(status, _message(response))
                failure = f"HTTP {status}: {_message(response)}"
                wait_s = _retry_after(response)
            except Nonsense as error:
                failure = f"an answer that makes no sense: {error}"
            except httpx.InvalidURL as error:
                raise PolicyError(f"{self.base_url!r} is no URL: {error}.") from None
            except httpx.HTTPError as error:
                failure = f"{type(error).__name__}: {error}".rstrip(": ")
            failed = failed or time.monotonic()
            if attempt and time.monotonic() - began > self._patience_s:
                self._give_up(failed, failure)
            doubled = self._backoff_s * 2.0 ** min(attempt, 20)
            wait_s = max(wait_s, min(doubled, _LONGEST_WAIT_S) * random.uniform(0.5, 1.5))
            await asyncio.sleep(min(wait_s, max(self._patience_s, self._backoff_s)))
        raise AssertionError  # itertools.count has no end

    async def _request(self, method: str, url: str, body: Any) -> httpx.Response:
        async with self._slots:
            client = self._idle.pop() if self._idle else self._client()
            try:
                return await client.request(method, url, json=body)
            finally:
                self._idle.append(client)

    def _client(self) -> httpx.AsyncClient:
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        return httpx.AsyncClient(
            headers=self._headers, timeout=self._timeout, limits=one, verify=self._tls
        )

    def _give_up(self, failed: float, failure: str) -> None:
        # Answers from before this request first failed say nothing: the server may have died then.
        if self._answered >= failed:
            raise GaveUp(failure)
        raise PolicyError(
            f"The server at {self.base_url} answered nothing for {self._patience_s:g} s; last: "
            f"{failure}. Is it running, and is the base URL right (it often ends in /v1)?"
        )

    async def aclose(self) -> None:
        """Close all connections."""
        while self._idle:
            await self._idle.pop().aclose()


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        raise Nonsense(f"not JSON: {response.text[:100]!r}") from None


def _message(response: httpx.Response) -> str:
    """The server's own words, where they are."""
    try:
        body = response.json()
        error = body.get("error", body)
        said = error.get("message") if isinstance(error, dict) else error
        return str(said or body.get("detail") or response.text)[:500]
    except (ValueError, AttributeError, RecursionError):
        return response.text[:500]


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks for; 0 where it doesn't."""
    asked = response.headers.get("retry-after", "")
    try:
        return max(0.0, min(float(asked), 600.0))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(asked).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0
