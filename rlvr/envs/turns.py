"""The two environment classes that authors use."""

from __future__ import annotations

from typing import Any

from rlvr import scoring
from rlvr.core.environment import Environment
from rlvr.core.errors import OptionError
from rlvr.core.task import Message, Task
from rlvr.core.tasks import TaskSet
from rlvr.core.verdict import Verdict
from rlvr.core.verifier import Verifier


class SingleTurn(Environment):
    """One prompt, one response, one verdict::

    SingleTurn(tasks=TaskSet([Task("2+2?", "4")]), verifier=Math())
    """

    def judge(self, task: Task, messages: list[Message]) -> Verdict:
        """The verdict on the last message, by way of the scoring pool."""
        return scoring.score([task], [messages[-1]["content"]], self.verifier)[0]


class MultiTurn(SingleTurn):
    """A conversation. Subclass it and write `reply`::

        class Guess(MultiTurn):
            def reply(self, task, messages):
                guess = messages[-1]["content"].strip()
                if guess == task.reference:
                    return None                         # over: the verifier judges this message
                if not guess.isdecimal():
                    return "a number, please"           # a model may write anything
                return "higher" if int(guess[:9]) < int(task.reference) else "lower"

    `reply` keeps no state of its own: all it may use is in `task` and `messages`. After
    `max_turns` responses the episode is cut and the last message is judged as it stands.
    """

    def __init__(
        self, tasks: TaskSet, verifier: Verifier, max_turns: int = 8, **options: Any
    ) -> None:
        super().__init__(tasks, verifier, max_turns=max_turns, **options)

    def reply(self, task: Task, messages: list[Message]) -> str | None:
        """What the environment answers to the last message, or None where the episode is over."""
        raise OptionError(f"{type(self).__name__} needs a reply(task, messages) method.")
