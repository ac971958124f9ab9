"""One vote of a judge: a request to an OpenAI-compatible server, tried again, and its answer read strictly.

Whatever isn't a verdict in the asked form is a `JudgeFault`, never a verdict.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx

from rlvr.verifiers.extraction import after_thinking
from rlvr.verifiers.judge.prompt import SCALE, response_format

_RETRIED = {408, 409, 425, 429}
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
    key: str | None
    timeout_s: float
    attempts: int
    backoff_s: float

    def __repr__(self) -> str:
        return f"Server({self.url!r}, {self.model!r})"

    def client(self) -> httpx.AsyncClient:
        """A client for the votes on one response: no connection outlives them, nor the loop they're on."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return httpx.AsyncClient(headers=headers, timeout=self.timeout_s, verify=_tls())

    async def vote(self, client: httpx.AsyncClient, body: dict[str, Any], scored: bool) -> Vote:
        """One vote. Raises `JudgeFault` where no attempt had one."""
        failure = ""
        for attempt in range(self.attempts):
            wait_s = min(self.backoff_s * 2.0**attempt, _LONGEST_WAIT_S) * random.uniform(0.5, 1.5)
            asked = body | {
                "seed": body["seed"] + attempt
            }  # the same nonsense isn't asked for twice
            try:
                # httpx's limit is for each read: one that drips would never end.
                async with asyncio.timeout(self.timeout_s):
                    answer = await self._ask(client, asked, scored)
                return read_vote(answer, scored)
            except _Later as error:
                failure, wait_s = str(error), max(wait_s, error.wait_s)
            except _Nonsense as error:
                failure = f"an answer that is no verdict: {error}"
            except TimeoutError:
                failure = f"no answer within {self.timeout_s:g} s"
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ValueError) as error:
                failure = f"{type(error).__name__}: {error}".rstrip(": ")
            if attempt + 1 < self.attempts:
                await asyncio.sleep(wait_s)
        raise JudgeFault(self._told(f"{failure} ({self.attempts} attempts)"))

    async def _ask(self, client: httpx.AsyncClient, body: dict[str, Any], scored: bool) -> Any:
        """What the server answers, with its form asked for where it takes that."""
        url = f"{self.url.rstrip('/')}/chat/completions"
        known = (self.url, self.model)
        if known not in _free:
            formed = body | {"response_format": response_format(scored)}
            response = await client.post(url, json=formed)
            if response.status_code not in (400, 422, 501):
                return self._answer(response)
        response = await client.post(url, json=body)
        answer = self._answer(response)
        _free.add(known)  # it wasn't something else that it refused
        return answer

    def _answer(self, response: httpx.Response) -> Any:
        status = response.status_code
        if status == 200:
            try:
                return response.json()
            except (ValueError, RecursionError):
                raise _Nonsense(f"not JSON: {response.text[:100]!r}") from None
        said = f"HTTP {status}: {response.text[:300]}"
        if status >= 500 or status in _RETRIED:
            raise _Later(said, _retry_after(response))
        raise JudgeFault(self._told(said))

    def _told(self, message: str) -> str:
        """A message without the key, which some servers repeat."""
        shown = message.replace(self.key, "…") if self.key else message
        return f"the judge {self.model!r} at {self.url}: {shown}"


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
        raise _Nonsense(f"no message in {str(answer)[:200]}") from None
    if refusal:
        raise _Nonsense(f"the judge refuses: {str(refusal)[:200]}")
    if reason not in ("stop", None):
        raise _Nonsense(f"its message ended by {str(reason)[:40]!r}")
    if not isinstance(content, str) or len(content) > _LONGEST_ANSWER:
        raise _Nonsense(f"its message is {str(content)[:60]!r}")
    text = after_thinking(content).strip()
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


def _retry_after(response: httpx.Response) -> float:
    """Seconds that the server asks for, as far as we're patient; 0 where it doesn't."""
    try:
        asked = float(response.headers.get("retry-after", ""))
    except ValueError:
        return 0.0
    return max(0.0, min(asked, _LONGEST_WAIT_S)) if asked == asked else 0.0


@lru_cache(maxsize=1)
def _tls() -> Any:
    return httpx.create_ssl_context()
