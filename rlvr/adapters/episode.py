"""One episode for a trainer that works on tokens: generate, reply, judge.

Token in, token out: what the model wrote is never tokenised again, and the mask says which tokens
are its own. Whatever goes wrong in the environment is an unscored verdict, never an exception.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

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
    """What the trainer's server wrote: token ids, their logprobs where it has them."""

    token_ids: Sequence[int]
    logprobs: Sequence[float] | None = None


@dataclass
class Episode:
    """A conversation as tokens.

    Attributes:
        prompt: P token ids.
        response: R token ids after the prompt: the model's and the environment's.
        mask: R numbers, 1 where the token is the model's.
        logprobs: R numbers, 0.0 on the environment's tokens; None where the server gave none.
        ranges: of each of the model's responses, its first token in `response` and the one after.
        messages: the conversation as text.
        turns: responses so far.
        verdict: on the whole.
    """

    prompt: list[int]
    messages: list[Message]
    response: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    logprobs: list[float] | None = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    turns: int = 0
    verdict: Verdict = field(default_factory=lambda: Unscored(Cause.INTERNAL, "it isn't over"))

    def said(self, generated: Generated) -> None:
        """Add what the model wrote."""
        start, ids = len(self.response), list(generated.token_ids)
        self._add(ids, 1, generated.logprobs)
        self.ranges.append((start, start + len(ids)))
        self.turns += 1

    def heard(self, tokens: list[int]) -> None:
        """Add what the environment replied."""
        self._add(tokens, 0, [0.0] * len(tokens))

    def _add(self, tokens: list[int], own: int, logprobs: Sequence[float] | None) -> None:
        self.response += tokens
        self.mask += [own] * len(tokens)
        if logprobs is None or self.logprobs is None:
            self.logprobs = None  # half a row of them is of no use
        else:
            self.logprobs += logprobs


async def play(
    env: Environment,
    task: Task,
    template: Template,
    prompt: list[int],
    room: int,
    generate: Callable[[list[int], int], Awaitable[Generated]],
    deadline_s: float,
) -> Episode:
    """Play one episode to its verdict.

    As in `Environment.step`, the last response is judged when the environment has nothing to reply,
    the turns are used up, or the tokens are.

    Args:
        template: of the model's tokenizer.
        prompt: token ids of the task's messages.
        room: tokens that response and replies together may take.
        generate: called with the token ids so far and the tokens that are left, at least 1.
        deadline_s: seconds that each reply and the verdict may take, apart from generation.

    What `generate` raises is the trainer's, and is raised.
    """
    episode = Episode(list(prompt), [dict(message) for message in task.prompt])
    while True:
        left = room - len(episode.response)
        generated = await generate(episode.prompt + episode.response, left)
        own = list(generated.token_ids)
        if not own or len(own) > left:
            said = "no token" if not own else f"{len(own)} tokens where {left} were left"
            episode.verdict = Unscored(Cause.INTERNAL, f"the server generated {said}")
            return episode
        episode.said(generated)
        episode.messages.append({"role": "assistant", "content": template.text(own)})
        if env.max_turns > 1:
            answer = await _reply(env, task, episode.messages, deadline_s)
            if isinstance(answer, Unscored):
                episode.verdict = answer
                return episode
            if answer is not None and episode.turns < env.max_turns:
                tokens = template.reply(own, answer)
                if len(episode.response) + len(tokens) < room:
                    episode.heard(tokens)
                    episode.messages.append({"role": "user", "content": answer})
                    continue
        episode.verdict = await judged(env, task, episode.messages, deadline_s)
        return episode


async def judged(
    env: Environment, task: Task, messages: list[Message], deadline_s: float
) -> Verdict:
    """The verdict on a finished conversation, by way of the scoring pool. Never raises."""
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
        answer = await _in_a_thread(functools.partial(env.reply, task, messages), deadline_s)
    except TimeoutError:
        return Unscored(Cause.TIMEOUT, f"the reply of {env.name} took over {deadline_s:g} s")
    except (Exception, SystemExit) as error:  # as in Environment.step: nobody's wrong answer
        return raised(f"the reply of {env.name} raised", error)
    if answer is None or isinstance(answer, str):
        return answer
    return Unscored(Cause.INTERNAL, f"the reply of {env.name} is a {type(answer).__name__}")


async def _in_a_thread(call: Callable[[], Result], deadline_s: float) -> Result:
    """What `call` returns. One that overstays isn't waited for, and goes on by itself."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.run_in_executor(_threads(), call_judging, call)
    result: Result = await asyncio.wait_for(future, deadline_s)
    return result


@functools.cache
def _threads() -> ThreadPoolExecutor:
    # Of our own: replies wait for sandboxes, and the loop's default threads are a trainer's too.
    return ThreadPoolExecutor(64, thread_name_prefix="rlvr-reply")
