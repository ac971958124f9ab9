"""`SubAgents`: a tool by which the policy starts others, each with a task, a budget and tools."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rlvr.core.episode import Episode
from rlvr.core.errors import OptionError, ToolError
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.task import Task, content_text
from rlvr.envs.toolboxes.base import Part, Toolbox
from rlvr.partners.partner import Partner, PartnerPolicy
from rlvr.verifiers.transcript import Turns

if TYPE_CHECKING:
    from rlvr.core.environment import Environment
    from rlvr.envs.tools import Calls

_MOST_ASSIGNMENT = 8000  # characters
_MOST_ANSWER = 2000
_DEADLINE_S = 1800.0

_INSTRUCTIONS = (
    "You work for another agent, who gives you a task. Do it with your tools, and answer in a message without a call: "
    "only that message is read, and only once. Say briefly what was asked for, or what kept you from it."
)


class SubAgentsSession(Episode):
    """The sub-agents of one episode."""

    def __init__(self, task: Task, toolbox: SubAgents) -> None:
        super().__init__(task)
        self._toolbox = toolbox
        self._started = 0

    async def open(self) -> None:
        """Connect to the sub-agents' policy."""
        await self._toolbox.partner.open()

    async def delegate(self, tasks: list[str], turns: int = 8) -> list[str]:
        """Start a sub-agent for each task, all at the same time, and return their answers in order.

        A sub-agent knows nothing but its task.

        Args:
            tasks: what each of them shall do and answer, with all that it needs to know.
            turns: the most messages that each may write, the answer included.
        """
        toolbox = self._toolbox
        if not tasks:
            raise ToolError("give at least one task")
        if not 1 <= turns <= toolbox.max_turns:
            raise ToolError(f"turns is from 1 to {toolbox.max_turns}")
        left = toolbox.most - self._started
        if len(tasks) > left:
            raise ToolError(f"there may be {toolbox.most} sub-agents in all, and {left} are left")
        if any(len(task) > _MOST_ASSIGNMENT for task in tasks):
            raise ToolError(f"a task has at most {_MOST_ASSIGNMENT} characters")
        first = self._started + 1
        self._started += len(tasks)
        try:
            async with asyncio.TaskGroup() as group:
                played = [
                    group.create_task(self._play(text, number, turns))
                    for number, text in enumerate(tasks, first)
                ]
        except BaseExceptionGroup as errors:  # a fault in one of them has ended the others
            raise errors.exceptions[0] from None
        return [_answer_of(live.result()) for live in played]

    async def _play(self, assignment: str, number: int, turns: int) -> LiveEpisode:
        toolbox, parent = self._toolbox, self.task
        task = Task(
            [
                {"role": "system", "content": toolbox.system},
                {"role": "user", "content": assignment or "(empty)"},
            ],
            None,
            f"{parent.id}/agent-{number}",
            {**parent.metadata, "assignment": assignment},
        )
        return await toolbox.partner.play(self, toolbox.environment(turns), task)


@dataclass(frozen=True)
class SubAgents(Toolbox):
    """Sub-agents, which the policy starts by the tool `delegate`::

        env = rlvr.ToolEnv(tasks, verifier, rlvr.tools.SubAgents(toolboxes=(rlvr.tools.Search("corpus.jsonl"),)))

    Each has a conversation of its own, of which the policy reads the last message alone. They are recorded as children
    of the rollout, and their tokens are in the run's cost. Their tools get a task of their own: its metadata are those of
    the episode's task with the `assignment`.

    Attributes:
        policy: who plays them: `self`, the policy that plays the episode; options of `rlvr.policies.OpenAIPolicy`; or a
            policy.
        toolboxes: what they work with, as in a `ToolEnv`. `SubAgents` among them may start others.
        instructions: their system's message, before the description of the tools.
        max_turns: the most messages of one of them.
        most: the most sub-agents of an episode.
        calls: `text` or `native`, as for a `ToolEnv`.
    """

    policy: PartnerPolicy = "self"
    toolboxes: tuple[Part, ...] = ()
    instructions: str = _INSTRUCTIONS
    max_turns: int = 8
    most: int = 16
    calls: Calls = "text"
    varies: bool = True
    name: str = "agents"

    session: ClassVar[type[Any]] = SubAgentsSession

    def __post_init__(self) -> None:
        if self.max_turns < 1 or self.most < 1:
            raise OptionError("max_turns and most are at least 1.")

    @property
    def deadline_s(self) -> float:
        """The seconds that the work of sub-agents may take."""
        return _DEADLINE_S

    @functools.cached_property
    def partner(self) -> Partner:
        """The policy that plays them."""
        return Partner(self.policy, "sub-agent")

    @functools.cached_property
    def system(self) -> str:
        """The first message that each of them reads."""
        from rlvr.envs.tools import describe

        if not self.toolboxes or self.calls == "native":
            return self.instructions
        return f"{self.instructions}\n\n{describe(list(self.toolboxes))}"

    @functools.cached_property
    def _environments(self) -> dict[int, Environment]:
        return {}

    def environment(self, turns: int) -> Environment:
        """Return the environment in which a sub-agent of so many messages works."""
        from rlvr.envs.tools import ToolEnv
        from rlvr.envs.turns import SingleTurn

        if turns not in self._environments:
            none = [Task("", None, "none")]
            self._environments[turns] = (
                ToolEnv(none, Turns(turns), list(self.toolboxes), turns, calls=self.calls)
                if self.toolboxes
                else SingleTurn(none, Turns(1))
            )
        return self._environments[turns]

    def start(self, task: Task, shared: dict[str, Any]) -> SubAgentsSession:
        """Return the session of an episode."""
        return SubAgentsSession(task, self)

    def notes(self) -> Mapping[str, str]:
        """Return the limits."""
        return {
            "delegate": f"There may be {self.most} of them in all, of up to {self.max_turns} messages each."
        }


def _answer_of(live: LiveEpisode) -> str:
    """Return the last message of a sub-agent, or why there is none."""
    last = next((m for m in reversed(live.messages) if m["role"] == "assistant"), None)
    if last is None:
        return "(the sub-agent said nothing)"
    text = content_text(last)
    note = " (it ran out of messages)" if live.stop == "turns" else ""
    return (text if len(text) <= _MOST_ANSWER else f"{text[:_MOST_ANSWER]}… (cut)") + note
