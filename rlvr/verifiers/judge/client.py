"""One vote of a judge: a request to an OpenAI-compatible server, retried, whose answer is parsed strictly.

An answer that isn't a verdict in the requested form is a `JudgeFault`, never a verdict.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import httpx

from rlvr.core.errors import OptionError
from rlvr.core.http import (
    LEAST_BYTES,
    RETRIED,
    BadAnswer,
    HttpAnswer,
    described,
    fetch,
    open_client,
    retry_after_s,
    sent_bytes,
)
from rlvr.core.secrets import excerpt, scrubbed, scrubbed_answer
from rlvr.core.thinking import after_thinking
from rlvr.verifiers.judge.prompt import SCALE, response_format

_LONGEST_WAIT_S = 30.0
_FENCE = re.compile(r"```(?:json)?[^\S\n]*+\n(.*)\n[^\S\n]*+```", re.DOTALL)
_LONGEST_ANSWER = 100_000  # characters of a judge's message

_free: set[tuple[str, str]] = set()
"""URL and model of judges that have refused `response_format` in this process."""


class JudgeFault(Exception):
    """No vote could be obtained; the message has the reason."""


@dataclass(frozen=True, slots=True)
class Vote:
    """One sample of a judge: points in [0, 1], which are 0 or 1 for fail or pass."""

    points: float
    reason: str


@dataclass(frozen=True)
class Server:
    """A judge's server and its retry policy.

    Attributes:
        url: the address with its `/v1`.
        model: the model's name on the server.
        key: the API key or None; not in the repr.
        timeout_s: seconds for one attempt.
        attempts: the most attempts per vote.
        backoff_s: seconds before the second attempt; doubled each time, and varied by half.
    """

    url: str
    model: str
    key: str | None = field(repr=False)
    timeout_s: float
    attempts: int
    backoff_s: float

    def client(self) -> httpx.AsyncClient:
        """Open a client for the votes on one response; its connections end with them and with their loop.

        Raises `JudgeFault` if the environment names a proxy that can't be used.
        """
        try:
            return open_client(self.key, self.timeout_s, tls=_tls())
        except OptionError as error:
            raise JudgeFault(str(error)) from None

    async def vote(self, client: httpx.AsyncClient, body: dict[str, Any], scored: bool) -> Vote:
        """Obtain one vote. Raises `JudgeFault` if no attempt succeeds."""
        failure = ""
        for attempt in range(self.attempts):
            wait_s = min(self.backoff_s * 2.0**attempt, _LONGEST_WAIT_S) * random.uniform(0.5, 1.5)
            # Another seed per attempt, since the same one may give the same malformed answer.
            request = body | {"seed": body["seed"] + attempt}
            try:
                return read_vote(await self._ask(client, request, scored), scored)
            except _Later as error:
                failure, wait_s = str(error), max(wait_s, error.wait_s)
            except (_Nonsense, BadAnswer) as error:
                failure = f"an answer that is no verdict: {error}"
            except TimeoutError:
                failure = f"no answer within {self.timeout_s:g} s"
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                failure = described(error)
            if attempt + 1 < self.attempts:
                await asyncio.sleep(wait_s)
        raise JudgeFault(self._message(f"{failure} ({self.attempts} attempts)"))

    async def _ask(self, client: httpx.AsyncClient, body: dict[str, Any], scored: bool) -> Any:
        """Return the server's answer, with a `response_format` if the server accepts one."""
        url = f"{self.url.rstrip('/')}/chat/completions"
        server = (self.url, self.model)
        most_bytes = LEAST_BYTES + 8 * sent_bytes(body)

        async def post(body: dict[str, Any]) -> HttpAnswer:
            return await fetch(
                client, "POST", url, body, timeout_s=self.timeout_s, most_bytes=most_bytes
            )

        if server not in _free:
            answer = await post(body | {"response_format": response_format(scored)})
            if answer.status not in (400, 422, 501):
                return self._json(answer)
        parsed = self._json(await post(body))
        _free.add(server)  # without the format it succeeded, so the format was the reason
        return parsed

    def _json(self, answer: HttpAnswer) -> Any:
        if answer.status == 200:
            try:
                return answer.json()
            except ValueError:
                raise _Nonsense(f"not JSON: {answer.text[:100]!r}") from None
        failure = f"HTTP {answer.status}: {answer.text[:300]}"
        if answer.status >= 500 or answer.status in RETRIED:
            raise _Later(failure, _retry_after(answer))
        raise JudgeFault(self._message(failure))

    def _message(self, message: str) -> str:
        """Return a message that names the judge, without the key, which some servers repeat."""
        return f"the judge {self.model!r} at {self.url}: {scrubbed(message)}"


class _Nonsense(Exception):
    """The answer isn't a verdict in the requested form."""


class _Later(Exception):
    """The server can't answer at the moment."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def read_vote(answer: Any, scored: bool) -> Vote:
    """Parse the vote in a server's answer, which is one JSON object in the requested form and nothing else.

    Raises `_Nonsense`, after which the request is sent again.
    """
    try:
        (choice,) = answer["choices"]
        message = choice["message"]
        content, refusal = message.get("content"), message.get("refusal")
        reason = choice.get("finish_reason")
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _Nonsense(f"no message in {excerpt(answer, 200)}") from None
    if refusal:
        raise _Nonsense(f"the judge refuses: {excerpt(refusal, 200)}")
    if reason not in ("stop", None):
        raise _Nonsense(f"its message ended by {excerpt(reason, 40)!r}")
    if not isinstance(content, str) or len(content) > _LONGEST_ANSWER:
        raise _Nonsense(f"its message is {excerpt(content, 60)!r}")
    text = after_thinking(scrubbed_answer(content)).strip()
    fenced = _FENCE.fullmatch(text)
    try:
        ballot = json.loads(fenced.group(1) if fenced else text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _Nonsense(f"no JSON object alone: {text[:200]!r}") from None
    name = "score" if scored else "verdict"
    if not isinstance(ballot, dict) or set(ballot) != {"reason", name}:
        raise _Nonsense(f"not an object with reason and {name}: {text[:200]!r}")
    value = ballot[name]
    if scored and type(value) is int and 0 <= value <= SCALE:
        return Vote(value / SCALE, str(ballot["reason"])[:1000])
    if not scored and value in ("pass", "fail"):
        return Vote(float(value == "pass"), str(ballot["reason"])[:1000])
    raise _Nonsense(f"its {name} is {value!r:.60}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dictionary. Raises `ValueError` for a repeated key, whose first and last values may differ."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a key is repeated")
    return dict(pairs)


def _retry_after(answer: HttpAnswer | httpx.Response) -> float:
    """Return the seconds that the server asks to wait, at most `_LONGEST_WAIT_S`."""
    return min(retry_after_s(answer.headers), _LONGEST_WAIT_S)


@lru_cache(maxsize=1)
def _tls() -> Any:
    return httpx.create_ssl_context()
