"""Policies: the requests they get, the generations they return, and the two protocols.

A synchronous policy has a name and one method, which is called with a batch in a thread of its own::

    class Shout:
        name = "shout"

        def respond(self, requests):
            return [request.prompt[-1]["content"].upper() for request in requests]

An asynchronous policy, for servers, has `generate`, which is called for many requests at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from rlvr.core.errors import OptionError, RlvrError
from rlvr.core.task import Message, Task

Stop: TypeAlias = Literal["stop", "length", "error"]


class PolicyError(RlvrError, RuntimeError):
    """A policy can't go on: there's no server or no such model. It is never a wrong answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One conversation that waits for a response.

    Attributes:
        prompt: the messages so far; the last one isn't the policy's.
        task: the problem. Only scripts may read it: a model answers from `prompt`.
        seed: the sampling seed: distinct per task, sample and turn, and the same in every process.
        tools: the tools that the model is offered, as JSON schemas in OpenAI's form.
    """

    prompt: tuple[Message, ...]
    task: Task
    seed: int = 0
    tools: tuple[dict[str, Any], ...] = ()

    @classmethod
    def of(cls, task: Task, seed: int = 0) -> Request:
        """Make the first request of a task."""
        return cls(task.prompt, task, seed)


@dataclass(frozen=True, slots=True)
class Generation:
    """One response.

    Attributes:
        text: the text without the template's special tokens.
        stop: `stop` if it came to its own end, `length` if it was cut, `error` if there
            is no response and the model isn't the reason. Then `error` has the reason, and the rollout is
            unscored.
        prompt_tokens, completion_tokens: numbers of tokens; None if unknown.
        token_ids: the completion's token ids, if requested.
        logprobs: the natural logarithms of those tokens' probabilities.
        overflow: True, together with `error`, if the prompt doesn't fit into the model's context.
        tool_calls: the calls of tools that the response makes, in OpenAI's form.
    """

    text: str
    stop: Stop = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    error: str = ""
    overflow: bool = False
    tool_calls: tuple[dict[str, Any], ...] = ()

    @property
    def message(self) -> Message:
        """The response as a message."""
        message: Message = {"role": "assistant", "content": self.text}
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls)
        return message


class Policy(Protocol):
    """Answers batches. Any object with this method is a policy; without a `name` it has its class's."""

    name: str

    def respond(self, requests: Sequence[Request], /) -> Sequence[str | Generation]:
        """Return one response per request, in order. The policy may have an attribute `batch_size`."""
        ...


class StreamPolicy(Policy, Protocol):
    """Answers batches in parts, so that progress is reported and a kill loses little."""

    @property
    def window(self) -> int:
        """The best number of requests per call."""
        ...

    def stream(self, requests: Sequence[Request], /) -> Iterator[list[tuple[int, Generation]]]:
        """Yield responses with the positions of their requests: each once, in any order."""
        ...


class AsyncPolicy(Protocol):
    """Answers many requests at once.

    It may also have `async def start()`, which raises `PolicyError` if no request can succeed, and
    `async def aclose()`; both run on the loop that `generate` runs on.
    """

    name: str
    concurrency: int
    """The most requests at a time."""

    async def generate(self, request: Request, n: int = 1, /) -> Sequence[Generation]:
        """Return n responses to one request."""
        ...


def name_of(policy: object) -> str:
    """Return a policy's name, by default its class's. Raises `OptionError` if it isn't a policy."""
    if not (callable(getattr(policy, "respond", None)) or hasattr(policy, "generate")):
        raise OptionError(
            f"A policy has a method respond(requests) that returns one response per request, and "
            f"{policy!r:.80} has none. rlvr.policies.OpenAIPolicy asks a server."
        )
    return str(getattr(policy, "name", "") or type(policy).__name__)


def seed_of(*parts: str | int) -> int:
    """Return a seed below 2**31 that depends on the parts alone."""
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big") >> 1
