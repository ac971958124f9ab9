"""Episodes as authors write them: `Episode`, the messages that it gets, and the replies that it gives.

`rlvr.core.live_episode` plays them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self, TypeAlias

from rlvr.core.task import Message, Task, as_message
from rlvr.core.tool_calls import ToolCall


@dataclass(frozen=True, slots=True)
class ModelMessage:
    """A message of the model, as `Episode.reply` gets it.

    Attributes:
        content: the text; "" if it has none.
        tool_calls: the calls that it makes, in either form.
    """

    content: str
    tool_calls: tuple[ToolCall, ...] = ()

    def __str__(self) -> str:
        return self.content


@dataclass(frozen=True, slots=True)
class Reply:
    """An environment's reply with more than its text.

        def reply(self, message):
            if message.content == self.task.reference:
                return rlvr.Reply("You found it.", reward=1.0, over=True)
            return rlvr.Reply("Two letters are right.", reward=0.2)

    Attributes:
        content: text, or a list of parts; it becomes a user's message.
        reward: the reward of this step, a finite number within the environment's `step_reward_range`. That range also
            bounds the sum of an episode's step rewards: what would exceed it isn't paid, so that no policy lives on
            repeating a step.
        over: True if the episode ends here. The model doesn't read the content then.
        messages: messages instead of `content`, such as the results of tools.
    """

    content: str | list[Any] = ""
    reward: float = 0.0
    over: bool = False
    messages: Sequence[Mapping[str, Any]] = ()

    @property
    def all_messages(self) -> list[Message]:
        """The reply as messages. Raises `TaskError` if one isn't valid."""
        if self.messages:
            return [as_message(message) for message in self.messages]
        return [as_message({"role": "user", "content": self.content})]


@dataclass(slots=True)
class Child:
    """The conversation of another policy within an episode: of a user, an opponent or a sub-agent.

    Attributes:
        role: what it is in the episode, such as `user`.
        policy: the name of the policy that plays it.
        messages: its conversation, as that policy sees it.
        sent_tokens: tokens of all its prompts together.
        completion_tokens: tokens of all its responses together.
        reward: what it earned; None if nothing judges it.
        children: those within its own conversation.
    """

    role: str
    policy: str
    messages: list[Message] = field(default_factory=list)
    sent_tokens: int = 0
    completion_tokens: int = 0
    reward: float | None = None
    children: list[Child] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as a rollout's row has it."""
        row: dict[str, Any] = {
            "role": self.role,
            "policy": self.policy,
            "messages": self.messages,
            "tokens": {"sent": self.sent_tokens, "completion": self.completion_tokens},
        }
        if self.reward is not None:
            row["reward"] = self.reward
        if self.children:
            row["children"] = [child.to_json() for child in self.children]
        return row

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Child:
        """Read what `to_json` wrote. Raises `KeyError`, `TypeError` or `TaskError` for something else."""
        tokens = row["tokens"]
        return cls(
            row["role"],
            row["policy"],
            [as_message(message) for message in row["messages"]],
            tokens["sent"],
            tokens["completion"],
            row.get("reward"),
            [cls.from_json(child) for child in row.get("children") or ()],
        )


def all_children(children: Sequence[Child]) -> Iterator[Child]:
    """Yield children and theirs."""
    for child in children:
        yield child
        yield from all_children(child.children)


AskPolicy: TypeAlias = Callable[[Any], Awaitable[Any]]
"""Takes an `rlvr.policies.Request` and returns a `Generation` of the policy that plays the episode."""


class Episode:
    """The environment's side of one episode. Subclass it and write `reply`; each episode has an object of its own::

        class Guess(rlvr.Episode):
            def __init__(self, task):
                self.task, self.left = task, 6

            def reply(self, message):
                self.left -= 1
                guess = message.content.strip()
                if guess == self.task.reference or not self.left:
                    return None                          # over: the verifier judges this message
                if not guess.isdecimal():
                    return "a number, please"            # a model may write anything
                return "higher" if int(guess[:9]) < int(self.task.reference) else "lower"

        env = rlvr.MultiTurn(tasks, verifier, Guess, max_turns=6)

    Every method may be `async def`. Sync ones run in one thread of the episode's own, async ones in one task of a loop
    that all episodes share. A call is made once and has a deadline (`deadline_s` of the environment). What a method
    raises leaves the episode unscored; raise `rlvr.CannotScore` to name a cause.
    """

    varies: bool = False
    """True if the same messages may get other replies the next time, as from a partner that is a model."""

    conversation: Sequence[Message] = ()
    """The messages so far, with the one to reply to. Read it; rlvr keeps it."""

    task: Task
    """The task of the episode. It is there before `__init__` runs, which needn't set it."""

    children: list[Child]
    """The conversations of other policies in this episode; they are written with its rollout."""

    policy: AskPolicy | None = None
    """Asks the policy that plays the episode for more, such as a sub-agent's messages; None if its driver can't."""

    shared: Mapping[str, Any] = MappingProxyType({})
    """The objects that several toolboxes of an episode share, by name, such as the `workspace` of `rlvr.tools.Python`."""

    def __new__(cls, *arguments: Any, **options: Any) -> Self:
        """Make the object, with its task."""
        episode = super().__new__(cls)
        episode.children = []
        if arguments and isinstance(arguments[0], Task):
            episode.task = arguments[0]
        return episode

    def __init__(self, task: Task) -> None:
        self.task = task

    def open(self) -> Any:
        """Start what the episode needs: a jail, a connection, a partner. Called before the first message."""

    def reply(self, message: ModelMessage) -> Any:
        """Return the reply to the model's message: a str, a `Reply`, or None if the episode is over."""
        raise NotImplementedError(f"{type(self).__name__} needs a method reply(message).")

    def outcome(self) -> Any:
        """Return what the verifier may see beside the messages, such as a database's final state: plain JSON data."""
        return None

    def close(self) -> Any:
        """End what `open` started. Called once and in any case: after the end, a fault, a cancel, at exit."""


def share(episode: Episode, part: Episode) -> None:
    """Give an object that is a part of an episode what rlvr keeps: the conversation, the children and the policy.

    It is no method of `Episode`, whose methods' names no tool can have.
    """
    part.conversation, part.children, part.policy = (
        episode.conversation, episode.children, episode.policy
    )  # fmt: skip
