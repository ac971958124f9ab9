"""One vote of a judge: a request to an OpenAI-compatible server, tried again, and its answer read strictly.

Whatever isn't a verdict in the asked form is a `JudgeFault`, never a verdict.
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
    Answer,
    BadAnswer,
    described,
    fetch,
    open_client,
    retry_after_s,
    sent_bytes,
)
from rlvr.core.secrets import excerpt, scrubbed, scrubbed_answer
from rlvr.verifiers.extraction import after_thinking
from rlvr.verifiers.judge.prompt import SCALE, response_format

_LONGEST_WAIT_S = 30.0
_FENCE = re.compile(r"```(?:json)?[^\S\n]*+\n(.*)\n[^\S\n]*+```", re.DOTALL)
_LONGEST_ANSWER = 100_000  # characters of a judge's message

_free: set[tuple[str, str]] = set()
"""URL and model of judges that take no `response_format`, as they've said in this process."""


class JudgeFault(Exception):
    """No vote was to be had; says why."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one sample of a judge said: points in [0, 1], 0 or 1 where it was pass or fail."""

    points: float
    reason: str


@dataclass(frozen=True)
class Server:
    """Where a judge is, and with how much patience it's asked.

    Attributes:
        url: with its `/v1`.
        model: as the server names it.
        key: the API key, where there's one; not in the repr.
        timeout_s: seconds for one attempt.
        attempts: for one vote.
        backoff_s: seconds before the second; doubled each time, and varied by half.
    """

    url: str
    model: str
    key: str | None = field(repr=False)
    timeout_s: float
    attempts: int
    backoff_s: float

    def client(self) -> httpx.AsyncClient:
        """A client for the votes on one response: no connection outlives them, nor the loop they're on.

        Raises `JudgeFault`.
        """
        try:
            return open_client(self.key, self.timeout_s, tls=_tls())
        except OptionError as error:
            raise JudgeFault(str(error)) from None

    async def vote(self, client: httpx.AsyncClient, body: dict[str, Any], scored: bool) -> Vote:
        """One vote. Raises `JudgeFault` where no attempt had one."""
        failure = ""
        for attempt in range(self.attempts):
            wait_s = min(self.backoff_s * 2.0**attempt, _LONGEST_WAIT_S) * random.uniform(0.5, 1.5)
            asked = body | {
                "seed": body["seed"] + attempt
            }  # the same nonsense isn't asked for twice
            try:
                return read_vote(await self._ask(client, asked, scored), scored)
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
        raise JudgeFault(self._told(f"{failure} ({self.attempts} attempts)"))

    async def _ask(self, client: httpx.AsyncClient, body: dict[str, Any], scored: bool) -> Any:
        """What the server answers, with its form asked for where it takes that."""
        url = f"{self.url.rstrip('/')}/chat/completions"
        known = (self.url, self.model)
        most = LEAST_BYTES + 8 * sent_bytes(body)

        async def post(body: dict[str, Any]) -> Answer:
            return await fetch(client, "POST", url, body, timeout_s=self.timeout_s, most_bytes=most)

        if known not in _free:
            answer = await post(body | {"response_format": response_format(scored)})
            if answer.status not in (400, 422, 501):
                return self._json(answer)
        found = self._json(await post(body))
        _free.add(known)  # it wasn't something else that it refused
        return found

    def _json(self, answer: Answer) -> Any:
        if answer.status == 200:
            try:
                return answer.json()
            except ValueError:
                raise _Nonsense(f"not JSON: {answer.text[:100]!r}") from None
        said = f"HTTP {answer.status}: {answer.text[:300]}"
        if answer.status >= 500 or answer.status in RETRIED:
            raise _Later(said, _retry_after(answer))
        raise JudgeFault(self._told(said))

    def _told(self, message: str) -> str:
        """A message without the key, which some servers repeat."""
        return f"the judge {self.model!r} at {self.url}: {scrubbed(message)}"


class _Nonsense(Exception):
    """The answer isn't one."""


class _Later(Exception):
    """The server can't at the moment."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def read_vote(answer: Any, scored: bool) -> Vote:
    """The vote in a server's answer: one JSON object in the asked form and nothing beside it.

    Raises `_Nonsense`, which is tried again.
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
        found = json.loads(fenced.group(1) if fenced else text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise _Nonsense(f"no JSON object alone: {text[:200]!r}") from None
    name = "score" if scored else "verdict"
    if not isinstance(found, dict) or set(found) != {"reason", name}:
        raise _Nonsense(f"not an object with reason and {name}: {text[:200]!r}")
    value = found[name]
    if scored and type(value) is int and 0 <= value <= SCALE:
        return Vote(value / SCALE, str(found["reason"])[:1000])
    if not scored and value in ("pass", "fail"):
        return Vote(float(value == "pass"), str(found["reason"])[:1000])
    raise _Nonsense(f"its {name} is {value!r:.60}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, in which no key may stand twice: who reads the first is told otherwise than who reads the last."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _retry_after(answer: Answer | httpx.Response) -> float:
    """Seconds that the server asks for, as far as we're patient."""
    return min(retry_after_s(answer.headers), _LONGEST_WAIT_S)


@lru_cache(maxsize=1)
def _tls() -> Any:
    return httpx.create_ssl_context()
