"""The two environment classes that authors use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from rlvr import scoring
from rlvr.core.environment import Environment
from rlvr.core.fixtures import Fixture
from rlvr.core.task import Message, Task
from rlvr.core.tasks import TaskSet
from rlvr.core.verdict import Verdict
from rlvr.core.verifier import Verifier


class SingleTurn(Environment):
    """One prompt, one response, one verdict::

        env = rlvr.SingleTurn([rlvr.Task("2+2?", "4")], rlvr.Math())

    The arguments are `Environment`'s.
    """

    def judge(self, task: Task, messages: list[Message]) -> Verdict:
        """Judge the last message in the scoring pool."""
        return scoring.score([task], [messages[-1]["content"]], self.verifier)[0]


class MultiTurn(SingleTurn):
    """A conversation. Subclass it and write `reply`::

        class Guess(rlvr.MultiTurn):
            def reply(self, task, messages):
                guess = messages[-1]["content"].strip()
                if guess == task.reference:
                    return None                         # over: the verifier judges this message
                if not guess.isdecimal():
                    return "a number, please"           # a model may write anything
                return "higher" if int(guess[:9]) < int(task.reference) else "lower"

    `reply` keeps no state of its own: it uses `task` and `messages` alone. After
    `max_turns` responses the episode is cut, and the last message is judged as it is.
    The other arguments are `Environment`'s.
    """

    def __init__(
        self,
        tasks: TaskSet | Sequence[Task],
        verifier: Verifier,
        max_turns: int = 8,
        *,
        name: str | None = None,
        render_mode: str | None = None,
        fixtures: Iterable[Fixture] | str | os.PathLike[str] | None = None,
        known_findings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            tasks,
            verifier,
            max_turns=max_turns,
            name=name,
            render_mode=render_mode,
            fixtures=fixtures,
            known_findings=known_findings,
        )

    def reply(self, task: Task, messages: list[Message]) -> str | None:
        """Return the environment's answer to the last message, or None if the episode is over."""
        raise NotImplementedError(f"{type(self).__name__} needs a reply(task, messages) method.")
