"""One episode for a trainer that works on tokens: generate, reply, judge.

Tokens in, tokens out: the model's responses are never tokenised again, and the mask marks the model's own tokens. A fault
of the environment is an unscored verdict, never an exception.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from rlvr.core.environment import Environment
from rlvr.core.faults import checked, raised
from rlvr.core.task import Message, Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.envs.turns import MultiTurn, SingleTurn
from rlvr.policies.template import Template
from rlvr.scoring import ascore
from rlvr.scoring.prints import call_judging

Result = TypeVar("Result")


@dataclass(frozen=True)
class Generated:
    """A response of the trainer's server: its token ids, and their log-probabilities if the server has them."""

    token_ids: Sequence[int]
    logprobs: Sequence[float] | None = None


@dataclass
class TokenEpisode:
    """A conversation as tokens.

    Attributes:
        prompt: P token ids.
        response: R token ids after the prompt: the model's and the environment's.
        mask: R numbers, 1 for the model's tokens and 0 for the environment's.
        logprobs: R numbers, 0.0 for the environment's tokens; None if the server gives none.
        ranges: The start and end of each of the model's responses in `response`.
        messages: The conversation as text.
        turns: Number of responses.
        verdict: The verdict on the episode.
    """

    prompt: list[int]
    messages: list[Message]
    response: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    logprobs: list[float] | None = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    turns: int = 0
    verdict: Verdict = field(
        default_factory=lambda: Unscored(Cause.INTERNAL, "the episode isn't over")
    )

    def add_response(self, generated: Generated) -> None:
        """Add a response of the model."""
        start, ids = len(self.response), list(generated.token_ids)
        self._add(ids, 1, generated.logprobs)
        self.ranges.append((start, start + len(ids)))
        self.turns += 1

    def add_reply(self, tokens: list[int]) -> None:
        """Add a reply of the environment."""
        self._add(tokens, 0, [0.0] * len(tokens))

    def _add(self, tokens: list[int], mask: int, logprobs: Sequence[float] | None) -> None:
        self.response += tokens
        self.mask += [mask] * len(tokens)
        if logprobs is None or self.logprobs is None:
            self.logprobs = None  # a row with half of them is useless
        else:
            self.logprobs += logprobs


async def play(
    env: Environment,
    task: Task,
    template: Template,
    prompt: list[int],
    max_tokens: int,
    generate: Callable[[list[int], int], Awaitable[Generated]],
    deadline_s: float,
) -> TokenEpisode:
    """Play one episode to its verdict.

    As in `Environment.step`, the last response is judged when the environment has no reply, or the turns or the tokens
    are used up.

    Args:
        env: The environment.
        task: One of its tasks.
        template: The chat template of the model's tokenizer.
        prompt: Token ids of the task's messages.
        max_tokens: Most tokens of responses and replies together.
        generate: Called with the token ids so far and the number of tokens left, at least 1.
        deadline_s: Most seconds of each reply and of the verdict, without generation.

    Exceptions of `generate` are the trainer's, and pass through.
    """
    episode = TokenEpisode(list(prompt), [dict(message) for message in task.prompt])
    while True:
        left = max_tokens - len(episode.response)
        generated = await generate(episode.prompt + episode.response, left)
        ids = list(generated.token_ids)
        if not ids or len(ids) > left:
            count = "no token" if not ids else f"{len(ids)} tokens with {left} left"
            episode.verdict = Unscored(Cause.INTERNAL, f"the server generated {count}")
            return episode
        episode.add_response(generated)
        episode.messages.append({"role": "assistant", "content": template.text(ids)})
        if env.max_turns > 1:
            reply = await _reply(env, task, episode.messages, deadline_s)
            if isinstance(reply, Unscored):
                episode.verdict = reply
                return episode
            if reply is not None and episode.turns < env.max_turns:
                tokens = template.reply(ids, reply)
                if len(episode.response) + len(tokens) < max_tokens:
                    episode.add_reply(tokens)
                    episode.messages.append({"role": "user", "content": reply})
                    continue
        episode.verdict = await judged(env, task, episode.messages, deadline_s)
        return episode


async def judged(
    env: Environment, task: Task, messages: list[Message], deadline_s: float
) -> Verdict:
    """Return the verdict on a finished conversation, by the scoring pool. Never raises."""
    try:
        if type(env).judge in (SingleTurn.judge, MultiTurn.judge):
            last = messages[-1]["content"]
            return (await ascore([task], [last], env.verifier, deadline_s=deadline_s))[0]
        verdict = await _in_a_thread(functools.partial(env.judge, task, messages), deadline_s)
        return checked(env.name, verdict)
    except TimeoutError:
        return Unscored(Cause.TIMEOUT, f"the judge of {env.name} took over {deadline_s:g} s")
    except (Exception, SystemExit) as error:
        return raised(f"the judge of {env.name} raised", error)


async def _reply(
    env: Environment, task: Task, messages: list[Message], deadline_s: float
) -> str | Unscored | None:
    try:
        reply = await _in_a_thread(functools.partial(env.reply, task, messages), deadline_s)
    except TimeoutError:
        return Unscored(Cause.TIMEOUT, f"the reply of {env.name} took over {deadline_s:g} s")
    except (Exception, SystemExit) as error:  # a fault, as in Environment.step, and no wrong answer
        return raised(f"the reply of {env.name} raised", error)
    if reply is None or isinstance(reply, str):
        return reply
    return Unscored(Cause.INTERNAL, f"the reply of {env.name} is a {type(reply).__name__}")


async def _in_a_thread(call: Callable[[], Result], deadline_s: float) -> Result:
    """Return the result of `call`. After the deadline it isn't awaited any more, and goes on by itself."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.run_in_executor(_threads(), call_judging, call)
    return await asyncio.wait_for(future, deadline_s)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    # A pool of its own: replies wait for sandboxes, and a trainer uses the loop's default threads.
    return ThreadPoolExecutor(64, thread_name_prefix="rlvr-reply")
