"""`Environment`: the Gymnasium contract over text.

An observation is the text that a policy reads next; an action is the policy's response. `rlvr.envs.turns` has
the two classes that authors use; every trainer and evaluator relies on the class in this module.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gymnasium

from rlvr.core.errors import OptionError, ResponseError, RlvrError
from rlvr.core.faults import raised
from rlvr.core.fixtures import Fixture, as_fixtures
from rlvr.core.spaces import Text
from rlvr.core.task import Message, Task
from rlvr.core.tasks import TaskSet
from rlvr.core.verdict import Scored, Verdict
from rlvr.core.verifier import Verifier, a_verifier


class ResetNeededError(RlvrError, gymnasium.error.ResetNeeded):
    """`step` was called where only `reset` makes sense."""

    __module__ = "rlvr.core.errors"


class Environment(gymnasium.Env[str, str]):
    """Tasks and a verifier as a `gymnasium.Env[str, str]`::

        env = rlvr.make("arithmetic", split="train")
        prompt, info = env.reset(seed=0)
        _, reward, terminated, truncated, info = env.step("It's \\\\boxed{42}.")
        info["verdict"].feedback

    Attributes:
        tasks: the tasks that `reset` draws from. A list of tasks becomes a `TaskSet`.
        verifier: judges the last response of an episode.
        max_turns: the most responses per episode.
        name: the registered name, used in reports.
        known_findings: findings of `rlvr audit` that the author accepts: the probe's name and the reason.
        made_with: the options given to `rlvr.make`, so that another process can make it again;
            None if it was made otherwise.

    Args:
        fixtures: responses whose verdicts the author knows, or the path of a JSONL file of them
            (`rlvr.core.fixtures`).
    """

    # Text has no frames, but Gymnasium's checkers warn where their rate isn't declared.
    metadata: dict[str, Any] = {"render_modes": ["ansi"], "render_fps": 1}

    def __init__(
        self,
        tasks: TaskSet | Sequence[Task],
        verifier: Verifier,
        *,
        max_turns: int = 1,
        name: str | None = None,
        render_mode: str | None = None,
        fixtures: Iterable[Fixture] | str | os.PathLike[str] | None = None,
        known_findings: Mapping[str, str] | None = None,
    ) -> None:
        if render_mode not in (None, "ansi"):
            raise OptionError(f"render_mode is None or 'ansi', not {render_mode!r}.")
        if max_turns < 1:
            raise OptionError(f"max_turns must be at least 1, not {max_turns}.")
        self.tasks = tasks if isinstance(tasks, TaskSet) else TaskSet(tasks)
        self.verifier = a_verifier(verifier)
        self.max_turns = max_turns
        self.name = name or self.tasks.name
        self.render_mode = render_mode
        self.made_with: dict[str, Any] | None = None
        self.known_findings = dict(known_findings or {})
        self._fixtures = fixtures
        self.observation_space = Text()
        self.action_space = Text()
        self._task: Task | None = None
        self._messages: list[Message] = []
        self._turns = 0
        self._over = True

    @property
    def fixtures(self) -> tuple[Fixture, ...]:
        """Responses whose verdicts the author knows. Raises `DataError` where their file can't be read."""
        if not isinstance(self._fixtures, tuple):
            self._fixtures = as_fixtures(self._fixtures)
        return self._fixtures

    def judge(self, task: Task, messages: list[Message]) -> Verdict:
        """Return the verdict on a finished episode; `messages` is the whole conversation."""
        raise NotImplementedError

    def reply(self, task: Task, messages: list[Message]) -> str | None:
        """Return the environment's answer to the last message, or None if the episode is over."""
        return None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Start an episode.

        Args:
            seed: seeds `self.np_random`, the only source of randomness here.
            options: `{"task": …}` chooses a task by index, id or as a `Task`; otherwise one is drawn.

        Returns:
            The prompt as text, and an info with `task_id` and the prompt's chat `messages`.
        """
        super().reset(seed=seed)
        self._task = self._choose(dict(options or {}))
        self._messages = [dict(m) for m in self._task.prompt]
        self._turns = 0
        self._over = False
        return self._task.text, self._info()

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take the policy's response.

        Returns:
            observation: the environment's reply, or "" at the end of the episode.
            reward: the verdict's reward at the end of the episode, 0.0 before. **NaN if the verdict is
                unscored**: leave such an episode out of every average.
            terminated: the episode came to its own end.
            truncated: the episode was cut: it ran out of turns, or no verdict could be reached.
            info: `task_id`, `messages`, and at the end `verdict`.
        """
        if self._task is None or self._over:
            raise ResetNeededError(
                "Call env.reset() before env.step(): the episode is over or none was begun."
            )
        if not isinstance(action, str):
            raise ResponseError(f"An action is the response as a str, not {type(action).__name__}.")
        self._turns += 1
        self._messages.append({"role": "assistant", "content": str(action)})
        try:
            answer = self.reply(self._task, self._messages)
        except NotImplementedError:
            raise  # the author hasn't written the method yet
        # The environment's fault is nobody's wrong answer.
        except (Exception, SystemExit) as error:
            return self._ended(raised(f"the reply of {self.name} raised", error), cut=True)
        cut = answer is not None and self._turns >= self.max_turns
        if answer is not None and not cut:
            self._messages.append({"role": "user", "content": answer})
            return answer, 0.0, False, False, self._info()
        return self._ended(self.judge(self._task, self._messages), cut)

    def _ended(self, verdict: Verdict, cut: bool) -> tuple[str, float, bool, bool, dict[str, Any]]:
        self._over = True
        info = self._info() | {"verdict": verdict}
        if isinstance(verdict, Scored):
            return "", float(verdict.reward), not cut, cut, info
        return "", float("nan"), False, True, info

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, verifier={self.verifier!r})"

    # Gymnasium's own says `<SingleTurn instance>`.
    __str__ = __repr__

    def render(self) -> str | None:
        """Return the conversation so far if `render_mode="ansi"`, otherwise None."""
        if self.render_mode != "ansi":
            return None
        return "\n\n".join(f"[{m['role']}]\n{m['content']}" for m in self._messages)

    def _choose(self, options: dict[str, Any]) -> Task:
        wanted = options.pop("task", None)
        if options:
            raise OptionError(f"reset takes the option 'task' alone, not {sorted(options)}.")
        if wanted is None:
            return self.tasks[int(self.np_random.integers(len(self.tasks)))]
        if isinstance(wanted, Task):
            return wanted
        if isinstance(wanted, str):
            return self.tasks.find(wanted)
        try:
            index = operator.index(wanted)
        except TypeError:
            raise OptionError(
                f"The option 'task' is an index, an id or a Task, not {wanted!r:.100}."
            ) from None
        count = len(self.tasks)
        if not -count <= index < count:
            raise OptionError(
                f"{self.name!r} has {count} tasks, counted from 0: there's none at {index}."
            )
        return self.tasks[index]

    def _info(self) -> dict[str, Any]:
        assert self._task is not None
        return {"task_id": self._task.id, "messages": [dict(m) for m in self._messages]}
