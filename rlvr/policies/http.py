"""Requests of policies to a server that may drop, refuse or garble them; they are retried until one succeeds.

An answer is passed on whole or not at all: one that looks wrong is discarded.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from rlvr.core.http import (
    LEAST_BYTES,
    RETRIED,
    BadAnswer,
    HttpAnswer,
    checked_url,
    described,
    fetch,
    open_client,
    retry_after_s,
)
from rlvr.core.secrets import scrubbed
from rlvr.policies.base import PolicyError

T = TypeVar("T")
_LONGEST_WAIT_S = 30.0


class Nonsense(Exception):
    """An answer is malformed; the message says how. The request is sent again."""


class Refused(Exception):
    """The server refuses this request, and would refuse it again."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


class GaveUp(Exception):
    """One request failed for all of `patience_s`, while the server answered others."""


class Endpoint:
    """A server's base URL with a connection pool and a retry policy.

    Args:
        base_url: an address such as `http://localhost:8000/v1`, without a password or a query.
        key: sent with each request.
        connections: the most connections at a time.
        timeout_s: seconds for one attempt, until the last byte of its answer.
        patience_s: seconds for one request, all attempts together. If the server answered
            no request in that time, it is away: `PolicyError`; otherwise only this request is given up.
        backoff_s: seconds before the second attempt; doubled each time, up to 30, and varied by
            half, so that requests that failed together don't return together.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None,
        connections: int,
        timeout_s: float,
        patience_s: float,
        backoff_s: float,
    ) -> None:
        self.base_url = checked_url(base_url)
        self._patience_s = patience_s
        self._backoff_s = backoff_s
        self._answered = -float("inf")  # the time of the server's last answer
        self._key = key
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(connections)
        # One client per connection: httpx scans all of a client's connections at each request,
        # which costs more than the request if there are many.
        self._tls = httpx.create_ssl_context()
        self._idle: list[httpx.AsyncClient] = []

    async def call(
        self,
        method: str,
        path: str,
        read: Callable[[Any], T],
        body: Any = None,
        most_bytes: int = LEAST_BYTES,
    ) -> T:
        """Send a request and return the result of `read` on the JSON of its answer.

        `read` raises `Nonsense` for a malformed answer. Raises `Refused` for a 4xx that would be repeated, `PolicyError`
        and `GaveUp` as above. No message holds a key.
        """
        began = time.monotonic()
        failed = 0.0  # the time of the first failure
        for attempt in itertools.count():
            failure, wait_s = "", 0.0
            try:
                answer = await self._request(method, self.base_url + path, body, most_bytes)
                if answer.status == 200:
                    result = read(_json(answer))
                    self._answered = time.monotonic()
                    return result
                if answer.status < 500 and answer.status not in RETRIED:
                    raise Refused(answer.status, answer.message)
                failure = f"HTTP {answer.status}: {answer.message}"
                wait_s = retry_after_s(answer.headers)
            except (Nonsense, BadAnswer) as error:
                failure = scrubbed(f"an answer that makes no sense: {error}")
            except TimeoutError:
                failure = f"no whole answer within {self._timeout_s:g} s"
            except httpx.InvalidURL as error:
                raise PolicyError(f"{self.base_url!r} is no URL: {described(error)}.") from None
            except httpx.HTTPError as error:
                failure = described(error)
            failed = failed or time.monotonic()
            if attempt and time.monotonic() - began > self._patience_s:
                self._give_up(failed, failure)
            doubled = self._backoff_s * 2.0 ** min(attempt, 20)
            wait_s = max(wait_s, min(doubled, _LONGEST_WAIT_S) * random.uniform(0.5, 1.5))
            await asyncio.sleep(min(wait_s, max(self._patience_s, self._backoff_s)))
        raise AssertionError  # itertools.count has no end

    async def _request(self, method: str, url: str, body: Any, most_bytes: int) -> HttpAnswer:
        async with self._slots:
            client = (
                self._idle.pop()
                if self._idle
                else open_client(self._key, self._timeout_s, 1, self._tls)
            )
            try:
                return await fetch(
                    client, method, url, body, timeout_s=self._timeout_s, most_bytes=most_bytes
                )
            finally:
                self._idle.append(client)

    def _give_up(self, failed: float, failure: str) -> None:
        # Answers from before this request first failed prove nothing: the server may have died then.
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


def _json(answer: HttpAnswer) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise Nonsense(f"not JSON: {answer.text[:100]!r}") from None
