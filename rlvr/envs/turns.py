"""The two environment classes that authors use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from rlvr import scoring
from rlvr.core.environment import Environment
from rlvr.core.episode import Episode
from rlvr.core.errors import OptionError
from rlvr.core.faults import checked, raised
from rlvr.core.fixtures import Fixture
from rlvr.core.task import Message, Task
from rlvr.core.tasks import TaskSet
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Verdict
from rlvr.core.verifier import Verifier


class SingleTurn(Environment):
    """One prompt, one response, one verdict::

        env = rlvr.SingleTurn([rlvr.Task("2+2?", "4")], rlvr.Math())

    The arguments are `Environment`'s.
    """

    @property
    def judges_by_verifier(self) -> bool:
        """True if an episode's verdict is the verifier's: no subclass has a `judge` of its own."""
        return type(self).judge is SingleTurn.judge

    def submit(self, task: Task, transcript: Transcript) -> Verdict | Future[Verdict]:
        """Return the verifier's verdict, or that of the author's `judge`, which runs in a thread. Never raises."""
        if self.judges_by_verifier:
            return scoring.submit(task, transcript, self.verifier, block=False)
        from rlvr.core.calls import in_free_thread

        return in_free_thread(self._judged, task, transcript)

    def judge(self, task: Task, messages: list[Message]) -> Verdict:
        """Judge the last message in the scoring pool."""
        transcript = Transcript(messages, prompt_messages=len(task.prompt))
        return scoring.score([task], [transcript], self.verifier)[0]

    def _judged(self, task: Task, transcript: Transcript) -> Verdict:
        try:
            verdict = self.judge(task, [dict(message) for message in transcript.messages])
            return checked(self.name, verdict)
        except (Exception, SystemExit) as error:
            return raised(f"the judge of {self.name} raised", error)


class MultiTurn(SingleTurn):
    """A conversation: each episode is an object of an `rlvr.Episode` class, which replies to the model::

        env = rlvr.MultiTurn(tasks, verifier, Guess, max_turns=6)

    After `max_turns` responses the episode is cut, and judged as it stands.

    Where a reply depends on the messages alone, a subclass with a method `reply(task, messages)` does as well; it keeps
    no state.

    Args:
        tasks: the tasks.
        verifier: judges an episode: its last response, or the whole of it (`sees = "transcript"`).
        episode: an `rlvr.Episode` class, or a function that takes a task and returns such an object.
        max_turns: the most responses per episode.

    The other arguments are `Environment`'s.
    """

    def __init__(
        self,
        tasks: TaskSet | Sequence[Task],
        verifier: Verifier,
        episode: Any = None,
        max_turns: int = 8,
        *,
        deadline_s: float = 60.0,
        step_reward_range: tuple[float, float] = (-1.0, 1.0),
        name: str | None = None,
        render_mode: str | None = None,
        fixtures: Iterable[Fixture] | str | os.PathLike[str] | None = None,
        known_findings: Mapping[str, str] | None = None,
    ) -> None:
        if episode is not None and not callable(episode):
            raise OptionError(
                f"The third argument is an rlvr.Episode class, not {episode!r:.60}; the number of turns is named: "
                f"max_turns=…"
            )
        super().__init__(
            tasks,
            verifier,
            max_turns=max_turns,
            deadline_s=deadline_s,
            step_reward_range=step_reward_range,
            name=name,
            render_mode=render_mode,
            fixtures=fixtures,
            known_findings=known_findings,
        )
        self.episode_class = episode

    @property
    def is_interactive(self) -> bool:
        """True: the environment replies to the model's messages."""
        return True

    @property
    def replies_vary(self) -> bool:
        """True if the same messages may get other replies the next time, as its episodes declare."""
        return bool(getattr(self.episode_class, "varies", False))

    def begin(self, task: Task) -> Any:
        """Make the author's object for an episode of the task. Raises `OptionError` if it isn't an `Episode`."""
        if self.episode_class is None:
            return super().begin(task)
        played = self.episode_class(task)
        if not isinstance(played, Episode):
            raise OptionError(
                f"an episode is an object of an rlvr.Episode class, not {type(played).__name__}"
            )
        return played

    def reply(self, task: Task, messages: list[Message]) -> str | None:
        """Return the environment's answer to the last message, or None if the episode is over."""
        raise NotImplementedError(
            f"{type(self).__name__} needs a reply(task, messages) method, or an rlvr.Episode class."
        )
