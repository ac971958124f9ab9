"""`User`: a simulated user behind any policy, whose own errors aren't the agent's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from rlvr.core.episode import Episode
from rlvr.core.errors import CannotScore, OptionError
from rlvr.core.verdict import Cause
from rlvr.partners.partner import Partner, PartnerPolicy, Talk
from rlvr.policies.base import Generation, Request

END = "[END]"
"""What a user writes at the end of the last message."""

_MOST_HEARD = 8000  # characters of an agent's message that a user reads
_MOST_SAID = 4000

_SYSTEM = """\
You play the user of a service, and you talk to its agent. Stay in this part, whatever the agent says.

Who you are: {persona}

What you want, in this order:
{goal}
{facts}
Write the user's next message and nothing else, in one to three sentences. Ask for one thing at a time. Say only what is \
written here or what the agent has told you, and make nothing up: no numbers, names or addresses of your own. Give what \
you know when the agent asks for it. Once each of your wishes was met or refused, write {end}."""


@dataclass(frozen=True, slots=True)
class UserBrief:
    """A user's instructions: who it is, its wishes, and its knowledge.

    Attributes:
        persona: who the user is, in a sentence or two.
        goal: what it wants, in order.
        facts: what it says when it is asked, by name, such as `{"passcode": "lamp-72"}`.
    """

    persona: str
    goal: tuple[str, ...]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def instructions(self) -> str:
        """The system's message for a model that plays the user."""
        facts = "".join(f"- your {name}: {value}\n" for name, value in self.facts.items())
        return _SYSTEM.format(
            persona=self.persona,
            goal="".join(f"{place}. {wish}\n" for place, wish in enumerate(self.goal, 1)),
            facts=f"What you know:\n{facts}" if facts else "",
            end=END,
        )

    @property
    def text(self) -> str:
        """All that the user knows, for rules to look into."""
        return "\n".join((self.persona, *self.goal, *self.facts.values()))

    def to_json(self) -> dict[str, Any]:
        """Return plain data, such as a task's metadata keep."""
        return {"persona": self.persona, "goal": list(self.goal), "facts": dict(self.facts)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> UserBrief:
        """Read what `to_json` wrote. Raises `KeyError` for something else."""
        return cls(row["persona"], tuple(row["goal"]), dict(row["facts"]))


@dataclass(frozen=True, slots=True)
class UserTurn:
    """A message of the user, as rules see it.

    Attributes:
        brief: the user's instructions.
        text: the message, without `END`.
        over: True if the user ends the conversation with it.
        own_messages: the user's earlier messages.
        heard: the agent's messages so far.
    """

    brief: UserBrief
    text: str
    over: bool
    own_messages: tuple[str, ...]
    heard: tuple[str, ...]


UserRule: TypeAlias = Callable[[UserTurn], str | None]
"""Returns what is wrong with a user's message, or None. Its `name` stands in the message of the unscored verdict."""


@dataclass(frozen=True)
class InCharacter:
    """A user says something, in a user's form: no call of a tool, no agent's message word by word."""

    name: ClassVar[str] = "in-character"

    def __call__(self, turn: UserTurn) -> str | None:
        """Look at the message's form."""
        text = turn.text.strip()
        if not text and not turn.over:
            return "it said nothing"
        if len(text) > _MOST_SAID:
            return f"it said over {_MOST_SAID} characters"
        if "<tool_call>" in text:
            return "it called a tool"
        if len(text) > 40 and any(text == heard.strip() for heard in turn.heard):
            return "it repeated the agent"
        return None


@dataclass(frozen=True)
class KnownValues:
    """A user makes no values up: each one that matches a pattern stands in its brief or was said by the agent.

    Args:
        pattern: a regular expression of values that can be told from other text, such as the numbers of orders.
    """

    pattern: str
    name: ClassVar[str] = "known-values"

    def __call__(self, turn: UserTurn) -> str | None:
        """Look for a value that nobody has said before."""
        sources = "\n".join((turn.brief.text, *turn.heard))
        values = set(re.findall(self.pattern, sources))
        invented = [value for value in re.findall(self.pattern, turn.text) if value not in values]
        return f"it made up {invented[0]!r:.60}" if invented else None


@dataclass(frozen=True)
class SaysAll:
    """A user doesn't end before it has said what it wants: each value of its goal that matches the pattern.

    Args:
        pattern: a regular expression, such as that of the numbers of orders.
    """

    pattern: str
    name: ClassVar[str] = "says-all"

    def __call__(self, turn: UserTurn) -> str | None:
        """Look for a value that was never said, once the user ends."""
        if not turn.over:
            return None
        stated = set(re.findall(self.pattern, "\n".join((*turn.own_messages, turn.text))))
        for value in re.findall(self.pattern, "\n".join(turn.brief.goal)):
            if value not in stated:
                return f"it ended without a word of {value!r:.60}"
        return None


@dataclass(frozen=True, slots=True)
class UserReply:
    """A user's message.

    Attributes:
        text: the message.
        over: True if the conversation is over.
    """

    text: str
    over: bool


class User:
    """A simulated user in one episode::

        class Desk(rlvr.Episode):
            async def open(self):
                self.user = rlvr.partners.User(
                    guest, "A busy person.", ["Cancel order W10213."], facts={"passcode": "lamp-72"},
                    rules=[rlvr.partners.KnownValues(r"W\\d{5}"), rlvr.partners.SaysAll(r"W\\d{5}")],
                )
                await self.user.open(self, "Hello, I need help with an order.")

            async def reply(self, message):
                reply = await self.user.hear(message.content)
                return rlvr.Reply(reply.text, over=reply.over)

        guest = rlvr.partners.Partner({"model": "Qwen/Qwen3-4B", "base_url": "http://localhost:8000/v1"}, "user")

    A user that breaks its instructions would teach the agent what the user got wrong. So the episode is unscored then
    (`partner`), and the message has the rule's name: `rlvr eval` counts them, and `user_errors` says how often each was
    broken.

    Args:
        policy: a `Partner`, or what makes one. Share a partner between episodes if it is behind a server.
        persona: who the user is.
        goal: what it wants; several wishes in order.
        facts: what it says when it is asked, by name.
        rules: what its messages are checked by, beside `InCharacter`.
    """

    def __init__(
        self,
        policy: Partner | PartnerPolicy,
        persona: str,
        goal: str | Sequence[str],
        *,
        facts: Mapping[str, str] | None = None,
        rules: Sequence[UserRule] = (),
    ) -> None:
        wishes = (goal,) if isinstance(goal, str) else tuple(goal)
        if not wishes:
            raise OptionError("A user has a goal: what it wants, in one or more texts.")
        self.brief = UserBrief(persona, wishes, dict(facts or {}))
        self._partner = policy if isinstance(policy, Partner) else Partner(policy, "user")
        self._rules: tuple[UserRule, ...] = (InCharacter(), *rules)
        self._talk: Talk | None = None
        self._said: list[str] = []
        self._heard: list[str] = []

    async def open(self, episode: Episode, opening: str) -> None:
        """Begin the conversation.

        Args:
            episode: the episode that the user is in.
            opening: the user's first message, with which the task's prompt ends.
        """
        await self._partner.open()
        first = [
            {"role": "system", "content": self.brief.instructions},
            {"role": "user", "content": "(The agent waits for your first message.)"},
            {"role": "assistant", "content": opening},
        ]
        self._talk = self._partner.talk(episode, first)
        self._said.append(opening)

    async def hear(self, text: str) -> UserReply:
        """Hand over a message of the agent, and return what the user says.

        Raises `CannotScore` (`partner`) if the user breaks its instructions or doesn't answer. A conversation that is too
        long for the user's context is over, and judged as it stands.
        """
        assert self._talk is not None, "open comes before hear"
        text = text.strip()[:_MOST_HEARD]
        self._heard.append(text)
        generation = await self._talk.ask(text or "(The agent says nothing.)")
        if generation.overflow:
            return UserReply("", True)
        answer, marker, _ = generation.text.partition(END)
        answer = answer.strip()
        turn = UserTurn(self.brief, answer, bool(marker), tuple(self._said), tuple(self._heard))
        for rule in self._rules:
            broken = rule(turn)
            if broken is not None:
                name = getattr(rule, "name", None) or getattr(rule, "__name__", "rule")
                raise CannotScore(
                    Cause.PARTNER, f"the user broke its instructions ({name}): {broken}"
                )
        self._said.append(answer)
        return UserReply(answer, bool(marker))


_BROKEN = re.compile(r"the user broke its instructions \(([^)]*)\)")


def user_errors(messages: Sequence[str]) -> dict[str, int]:
    """Return how often each rule was broken, from the messages of unscored verdicts; other messages count as none.

    rows = rlvr.runs.run.read_rollouts("runs/support")
    user_errors([row["verdict"].get("message", "") for row in rows])    # {"known-values": 3}
    """
    counts: dict[str, int] = {}
    for message in messages:
        broken = _BROKEN.search(message)
        if broken:
            counts[broken[1]] = counts.get(broken[1], 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


class ControlUser:
    """The scripted user that makes no errors: it bounds what a policy can earn with a simulated one.

    It reads its brief in the task's metadata, under `user` (`UserBrief.to_json`). It gives the facts that the agent asks
    for by name, and otherwise its next wish; after the last one it ends.
    """

    name = "control"

    def respond(self, requests: Sequence[Request]) -> list[str | Generation]:
        """Return each user's next message."""
        return [self.line(request) for request in requests]

    def line(self, request: Request) -> str:
        """Return the user's next message."""
        brief = UserBrief.from_json(request.task.metadata["user"])
        own_messages = [str(m["content"]) for m in request.prompt if m["role"] == "assistant"]
        heard = str(request.prompt[-1]["content"]).lower()
        if "?" in heard or "please" in heard:
            facts = [
                f"My {name} is {value}." for name, value in brief.facts.items() if name in heard
            ]
            if facts:
                return " ".join(facts)
        for wish in brief.goal:
            if not any(wish in text for text in own_messages):
                return wish
        return f"Thank you. {END}"
