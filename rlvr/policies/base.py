"""What a policy is asked, what it answers, and the two ways to be one.

The plain way is a name and one method, called with a batch in a thread of its own::

    class Shout:
        name = "shout"

        def respond(self, requests):
            return [request.prompt[-1]["content"].upper() for request in requests]

The asynchronous way, for servers: `generate` is called for many requests at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from rlvr.core.errors import RlvrError
from rlvr.core.task import Message, Task

Stop: TypeAlias = Literal["stop", "length", "error"]


class PolicyError(RlvrError, RuntimeError):
    """A policy can't go on: no server, no such model. No fault of a task's, and nobody's answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """One conversation that waits for a response.

    Attributes:
        prompt: the messages so far, the last one not the policy's.
        task: the problem. For scripts alone: a model answers from `prompt`.
        seed: for whoever samples: another one for each task, sample and turn, the same in each
            process.
    """

    prompt: tuple[Message, ...]
    task: Task
    seed: int = 0

    @classmethod
    def of(cls, task: Task, seed: int = 0) -> Request:
        """The first request of a task."""
        return cls(task.prompt, task, seed)


@dataclass(frozen=True, slots=True)
class Generation:
    """One response.

    Attributes:
        text: without the template's special tokens.
        stop: `stop` where it came to its own end, `length` where it was cut; `error` where there
            is no response, for no reason of the model's. Then `error` says why, and the rollout is
            unscored.
        prompt_tokens, completion_tokens: how many; None where they aren't known.
        token_ids: of the completion, where asked for.
        logprobs: of those tokens, natural logarithms.
        overflow: the prompt doesn't fit into the model's context; with `error`.
    """

    text: str
    stop: Stop = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    token_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    error: str = ""
    overflow: bool = False


class Policy(Protocol):
    """Answers batches. Anything with a name and this method is one."""

    name: str

    def respond(self, requests: Sequence[Request], /) -> Sequence[str | Generation]:
        """One response for each request, in order. May have an attribute `batch_size`."""
        ...


class StreamPolicy(Policy, Protocol):
    """Answers batches, and has answers before it has them all: progress is told, and a kill loses little."""

    @property
    def window(self) -> int:
        """Requests that it's best given at once."""
        ...

    def stream(self, requests: Sequence[Request], /) -> Iterator[list[tuple[int, Generation]]]:
        """Yield responses with the places of their requests: each once, in any order."""
        ...


class AsyncPolicy(Protocol):
    """Answers many requests at once.

    It may also have `async def start()`, which raises `PolicyError` where nothing can work, and
    `async def aclose()`; both run on the loop that `generate` runs on.
    """

    name: str
    concurrency: int
    """How many requests may be under way."""

    async def generate(self, request: Request, n: int = 1, /) -> Sequence[Generation]:
        """n responses to one request."""
        ...


def seed_of(*parts: str | int) -> int:
    """A seed below 2**31 that depends on the parts alone."""
    text = "\0".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "big") >> 1
