"""One episode for a trainer that works on tokens: generate, reply, judge.

Tokens in, tokens out: the model's responses are never tokenised again, and the mask marks the model's own tokens. A fault
of the environment is an unscored verdict, never an exception.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from rlvr.adapters.side_requests import asking
from rlvr.core.environment import Environment
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.task import Message, Task
from rlvr.core.verdict import Cause, Unscored, Verdict
from rlvr.policies.template import Template


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
        step_rewards: The reward of each step, one per response.
        verdict: The verdict on the episode.
    """

    prompt: list[int]
    messages: list[Message]
    response: list[int] = field(default_factory=list)
    mask: list[int] = field(default_factory=list)
    logprobs: list[float] | None = field(default_factory=list)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    turns: int = 0
    step_rewards: Sequence[float] = ()
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

    The last response is judged when the environment has no reply, or the turns or the tokens are used up.

    Args:
        env: The environment.
        task: One of its tasks.
        template: The chat template of the model's tokenizer.
        prompt: Token ids of the task's messages.
        max_tokens: Most tokens of responses and replies together.
        generate: Called with the token ids so far and the number of tokens left, at least 1.
        deadline_s: Most seconds of each call of the environment and of the verdict, without generation.

    Exceptions of `generate` are the trainer's, and pass through.
    """
    live = env.episode(task, deadline_s=deadline_s)

    async def more(ids: list[int], left: int) -> Sequence[int]:
        return (await generate(ids, left)).token_ids

    live.policy = asking(template, more, len(prompt) + max_tokens)
    async with live:
        episode = TokenEpisode(list(prompt), live.messages, step_rewards=live.step_rewards)
        while not live.over:
            left = max_tokens - len(episode.response)
            generated = await generate(episode.prompt + episode.response, left)
            ids = list(generated.token_ids)
            if not ids or len(ids) > left:
                count = "no token" if not ids else f"{len(ids)} tokens with {left} left"
                live.fail(Unscored(Cause.INTERNAL, f"the server generated {count}"))
                break
            episode.add_response(generated)
            new = await live.respond(
                template.message(ids, env.tool_schemas) if env.tool_schemas else template.text(ids)
            )
            if not live.over:
                tokens = template.reply(ids, new)
                if len(episode.response) + len(tokens) < max_tokens:
                    episode.add_reply(tokens)
                else:
                    live.cut("length")
        episode.verdict = await _verdict(env, live, deadline_s)
        return episode


async def judged(env: Environment, task: Task, response: str, deadline_s: float) -> Verdict:
    """Return the verdict on an episode of one response."""
    async with env.episode(task, deadline_s=deadline_s) as live:
        await live.respond(response)
        return await _verdict(env, live, deadline_s)


async def _verdict(env: Environment, live: LiveEpisode, deadline_s: float) -> Verdict:
    try:
        return await asyncio.wait_for(live.verdict(), deadline_s)
    except TimeoutError:
        return Unscored(Cause.TIMEOUT, f"the verdict of {env.name} took over {deadline_s:g} s")
