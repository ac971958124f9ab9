"""`Partner`: a policy that plays a part in episodes of another, such as a user, an opponent or a sub-agent."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias, cast

from rlvr.core.episode import Child, Episode
from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.task import Message, as_message
from rlvr.core.verdict import Cause
from rlvr.policies.base import (
    AsyncPolicy,
    Generation,
    Policy,
    PolicyError,
    Request,
    name_of,
    seed_of,
)
from rlvr.policies.batching import Batcher, generation_of

PartnerPolicy: TypeAlias = Policy | AsyncPolicy | Mapping[str, Any] | Literal["self"]
"""A policy; the options of `rlvr.policies.OpenAIPolicy` for one behind a server; or `self`."""


class Partner:
    """A policy's part in the episodes of an environment::

        class Interview(rlvr.Episode):
            async def open(self):
                await guest.open()
                self.talk = guest.talk(self, [{"role": "system", "content": self.task.metadata["persona"]}])

            async def reply(self, message):
                return (await self.talk.ask(message.content)).text

        guest = rlvr.partners.Partner({"model": "Qwen/Qwen3-4B", "base_url": "http://localhost:8000/v1"}, "guest")

    One object serves all episodes of an environment. What a policy says is recorded in `Episode.children`. If it doesn't
    answer, the episode is unscored (`partner`), since the policy under training isn't the reason.

    Args:
        policy: a policy; a mapping of `rlvr.policies.OpenAIPolicy`'s options; or `self`: the policy that plays the
            episode, if its driver can be asked for more, as that of `rlvr.evaluate` can.
        role: the part, such as `user`, `opponent` or `sub-agent`.

    Raises `OptionError` if `policy` is none of these.
    """

    def __init__(self, policy: PartnerPolicy, role: str) -> None:
        if isinstance(policy, Mapping):
            from rlvr.policies.openai import OpenAIPolicy  # httpx

            try:
                policy = OpenAIPolicy(**policy)
            except TypeError as error:
                raise OptionError(
                    f"A partner behind a server has the options of OpenAIPolicy: {error}."
                ) from None
        if isinstance(policy, str):
            if policy != "self":
                raise OptionError(
                    f"A partner's policy is a policy, a mapping with model and base_url, or 'self', not {policy!r:.80}."
                )
            self._name = "self"
        else:
            self._name = name_of(policy)
            if hasattr(policy, "generate") and hasattr(policy, "start"):
                # Its connections belong to one loop, and the evaluator may use the same object on another.
                policy = copy.copy(policy)
        self.role = role
        self._policy = policy
        self._batcher: Batcher | None = None
        self._starting: asyncio.Lock | None = None
        self._is_started = False

    @property
    def name(self) -> str:
        """The policy's name."""
        return self._name

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what belongs to this process."""
        return self.__dict__ | {"_batcher": None, "_starting": None, "_is_started": False}

    async def open(self) -> None:
        """Connect to the policy's server, once. Call it in `Episode.open`. Raises `CannotScore` if it is away."""
        start = getattr(self._policy, "start", None)
        if start is None or self._is_started:
            return
        self._starting = self._starting or asyncio.Lock()
        async with self._starting:
            if not self._is_started:
                try:
                    await start()
                except PolicyError as error:
                    raise self._away(error) from None
                self._is_started = True

    def talk(self, episode: Episode, messages: Sequence[Mapping[str, Any]] = ()) -> Talk:
        """Begin a conversation, which is recorded in the episode.

        Args:
            episode: the episode that the partner is in.
            messages: the conversation's first messages, such as the system's. Raises `TaskError` if one isn't valid.
        """
        child = Child(self.role, self._name, [as_message(message) for message in messages])
        episode.children.append(child)
        return Talk(self, episode, child, len(episode.children))

    async def answer(self, request: Request, episode: Episode) -> Generation:
        """Return the policy's response. Raises `CannotScore` if there is none, unless the prompt was too long for it."""
        try:
            generation = await self._answer(request, episode)
        except PolicyError as error:
            raise self._away(error) from None
        if generation.stop == "error" and not generation.overflow:
            raise self._away(generation.error)
        return generation

    async def _answer(self, request: Request, episode: Episode) -> Generation:
        if self._policy == "self":
            if episode.policy is None:
                raise OptionError(
                    f"The {self.role} is played by the episode's own policy, and what drives this episode can't ask it "
                    f"for more. Give the environment a policy for it, such as one behind a server."
                )
            return cast(Generation, await episode.policy(request))
        if hasattr(self._policy, "generate"):
            return await generation_of(cast(AsyncPolicy, self._policy), request)
        if self._batcher is None:
            self._batcher = Batcher(cast(Policy, self._policy))
        return await asyncio.wrap_future(self._batcher.submit(request))

    def _away(self, reason: object) -> CannotScore:
        return CannotScore(Cause.PARTNER, f"the {self.role} gave no response: {reason!s:.500}")

    def __repr__(self) -> str:
        return f"Partner({self._name!r}, {self.role!r})"


class Talk:
    """A conversation with a partner in one episode; `Partner.talk` begins it.

    Attributes:
        child: the record of it.
    """

    def __init__(self, partner: Partner, episode: Episode, child: Child, number: int) -> None:
        self.child = child
        self._partner = partner
        self._episode = episode
        self._number = number
        self._turns = 0

    @property
    def messages(self) -> list[Message]:
        """The conversation so far, as the partner sees it. Append to it what the partner shall read."""
        return self.child.messages

    async def ask(
        self, content: str | None = None, *, tools: Sequence[dict[str, Any]] = ()
    ) -> Generation:
        """Say something to the partner and return its response, which becomes a message of the conversation.

        The seed depends on the task, the part and the turn: the episodes of one task meet the same partner.

        Args:
            content: a user's message for it; None if `messages` ends with one already.
            tools: the schemas of the tools that it is offered.

        Returns:
            The response. If the conversation doesn't fit into the partner's context, its `overflow` is True and it has
            no text: what the policy under training wrote may be the reason, so that this is no fault.

        Raises `CannotScore` (`partner`) if there's no response.
        """
        child, task = self.child, self._episode.task
        if content is not None:
            child.messages.append({"role": "user", "content": content})
        seed = seed_of(task.id, child.role, self._number, self._turns)
        request = Request(tuple(child.messages), task, seed, tuple(tools))
        generation = await self._partner.answer(request, self._episode)
        self._turns += 1
        child.sent_tokens += generation.prompt_tokens or 0
        child.completion_tokens += generation.completion_tokens or 0
        if not generation.overflow:
            child.messages.append(generation.message)
        return generation
