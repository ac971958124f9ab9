"""Requests of an episode to a trainer's policy beside its own turns, such as for the messages of a sub-agent.

The answers aren't trained on: they are the environment's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from rlvr.core.episode import AskPolicy
from rlvr.core.errors import DataError
from rlvr.core.task import Message, content_text
from rlvr.policies.base import Generation, Request
from rlvr.policies.template import Template

Generate = Callable[[list[list[int]], list[int]], Sequence[Sequence[int]]]
"""Takes the prompts' token ids and the most new tokens of each, and returns the completions."""


class SidePolicy:
    """A trainer's policy as one that answers requests.

    Args:
        template: the chat template.
        generate: the trainer's generation.
        context: the most tokens of a prompt and its completion.
        budget: the most tokens of a completion.
        stop_token_ids: the tokens that end a message.
    """

    name = "self"

    def __init__(
        self,
        template: Template,
        generate: Generate,
        context: int,
        budget: int,
        stop_token_ids: Sequence[int],
    ) -> None:
        self._template = template
        self._generate = generate
        self._context = context
        self._budget = budget
        self._stops = set(stop_token_ids)

    def respond(self, requests: Sequence[Request]) -> list[Generation]:
        """Return a response to each request."""
        prompts = [prompt_of(self._template, request) for request in requests]
        rooms = [
            0 if isinstance(prompt, Generation) else min(self._budget, self._context - len(prompt))
            for prompt in prompts
        ]
        answers: dict[int, Generation] = {}
        asked, limits, places = [], [], []
        for place, (prompt, room) in enumerate(zip(prompts, rooms, strict=True)):
            if isinstance(prompt, Generation):
                answers[place] = prompt
            elif room < 1:
                answers[place] = too_long(len(prompt), self._context)
            else:
                asked.append(prompt)
                limits.append(room)
                places.append(place)
        completions = self._generate(asked, limits) if asked else []
        for place, prompt, limit, ids in zip(places, asked, limits, completions, strict=True):
            own = list(ids)[:limit]
            answers[place] = response_of(
                self._template, requests[place], prompt, own, bool(set(own[-1:]) & self._stops)
            )
        return [answers[place] for place in range(len(requests))]


def prompt_of(template: Template, request: Request) -> list[int] | Generation:
    """Return a request's tokens, or the answer that says why the template refuses it."""
    try:
        return template.prompt(request.prompt, list(request.tools) or None)
    except DataError as error:
        return Generation("", "error", error=str(error))


def too_long(tokens: int, context: int) -> Generation:
    """Return the answer to a prompt that leaves no room."""
    message = f"its prompt has {tokens} tokens, and there's room for {context}"
    return Generation("", "error", error=message, overflow=True)


def response_of(
    template: Template, request: Request, prompt: Sequence[int], ids: Sequence[int], ended: bool
) -> Generation:
    """Return a completion's tokens as a response."""
    tools = list(request.tools)
    message: Message = template.message(ids, tools) if tools else {"content": template.text(ids)}
    return Generation(
        content_text(message),
        "stop" if ended else "length",
        len(prompt),
        len(ids),
        tool_calls=tuple(message.get("tool_calls") or ()),
    )


def asking(
    template: Template,
    generate: Callable[[list[int], int], Awaitable[Sequence[int]]],
    context: int,
) -> AskPolicy:
    """Return what asks a trainer's asynchronous generation, from the episodes' loop on the caller's.

    Args:
        template: the chat template.
        generate: called with token ids and the number of tokens left, on the loop that `asking` is called on.
        context: the most tokens of a prompt and its completion.
    """
    loop = asyncio.get_running_loop()

    async def answer(request: Request) -> Generation:
        prompt = prompt_of(template, request)
        if isinstance(prompt, Generation):
            return prompt
        left = context - len(prompt)
        if left < 1:
            return too_long(len(prompt), context)
        ids = list(await generate(prompt, left))[:left]
        return response_of(template, request, prompt, ids, len(ids) < left)

    def ask(request: Request) -> Awaitable[Generation]:
        return asyncio.wrap_future(asyncio.run_coroutine_threadsafe(answer(request), loop))

    return ask
