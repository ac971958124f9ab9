"""`Environment`: the Gymnasium contract over text.

An observation is the text that a policy reads next; an action is the policy's response. `rlvr.envs.turns` has
the two classes that authors use; every trainer and evaluator relies on the class in this module.
"""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import gymnasium

from rlvr.core.episode import Episode
from rlvr.core.errors import OptionError, ResponseError, RlvrError
from rlvr.core.fixtures import Fixture, Turn, as_fixtures
from rlvr.core.spaces import Text
from rlvr.core.task import Message, Task, content_text
from rlvr.core.tasks import TaskSet
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Scored, Unscored, Verdict
from rlvr.core.verifier import Verifier, a_verifier

if TYPE_CHECKING:
    from rlvr.core.live_episode import LiveEpisode


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
        deadline_s: the most seconds of each call of an author's method in an episode.
        step_reward_range: the least and the most that the step rewards of an episode may add up to.
        tool_schemas: the tools that a model is offered natively, as JSON schemas in OpenAI's form; None without.
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
        deadline_s: float = 60.0,
        step_reward_range: tuple[float, float] = (-1.0, 1.0),
        name: str | None = None,
        render_mode: str | None = None,
        fixtures: Iterable[Fixture] | str | os.PathLike[str] | None = None,
        known_findings: Mapping[str, str] | None = None,
    ) -> None:
        if render_mode not in (None, "ansi"):
            raise OptionError(f"render_mode is None or 'ansi', not {render_mode!r}.")
        if max_turns < 1:
            raise OptionError(f"max_turns must be at least 1, not {max_turns}.")
        if not deadline_s > 0:
            raise OptionError(f"deadline_s is a number of seconds above 0, not {deadline_s!r:.40}.")
        low, high = step_reward_range
        if not (math.isfinite(low) and math.isfinite(high) and low <= 0.0 <= high):
            raise OptionError(
                f"step_reward_range is (low, high) with low <= 0 <= high, not {step_reward_range!r:.60}."
            )
        self.tasks = tasks if isinstance(tasks, TaskSet) else TaskSet(tasks)
        self.verifier = a_verifier(verifier)
        self.max_turns = max_turns
        self.deadline_s = deadline_s
        self.step_reward_range = (float(low), float(high))
        self.tool_schemas: list[dict[str, Any]] | None = None
        self.name = name or self.tasks.name
        self.render_mode = render_mode
        self.made_with: dict[str, Any] | None = None
        self.known_findings = dict(known_findings or {})
        self._fixtures = fixtures
        self.observation_space = Text()
        self.action_space = Text()
        self._episode: LiveEpisode | None = None
        self._over = True

    @property
    def fixtures(self) -> tuple[Fixture, ...]:
        """Responses whose verdicts the author knows. Raises `DataError` where their file can't be read."""
        if not isinstance(self._fixtures, tuple):
            self._fixtures = as_fixtures(self._fixtures)
        return self._fixtures

    @property
    def is_interactive(self) -> bool:
        """True if the environment replies to the model's messages."""
        return type(self).reply is not Environment.reply

    def episode(self, task: Task, *, deadline_s: float | None = None) -> LiveEpisode:
        """Return a new episode of a task, which isn't open yet: `async with env.episode(task) as episode: …`.

        Args:
            task: one of the environment's tasks, or another.
            deadline_s: most seconds of each call of an author's method (default: the environment's).
        """
        from rlvr.core.live_episode import LiveEpisode  # asyncio, which judging alone doesn't need

        return LiveEpisode(self, task, deadline_s)

    def begin(self, task: Task) -> Any:
        """Make the author's object for an episode of the task. Called in the episode's thread."""
        return _Replies(self, task)

    def demonstrate(self, task: Task) -> tuple[Turn, ...] | None:
        """Return the messages of an episode that earns full reward; None if none is known.

        By default it is the one that the verifier demonstrates. Override it if an answer has to be prepared: by calls of
        tools, written as text or in `tool_calls`. The last message is the answer, as text.
        """
        response = self.verifier.demonstrate(task)
        return None if response is None else (response,)

    def submit(self, task: Task, transcript: Transcript) -> Verdict | Future[Verdict]:
        """Return the verdict on an episode that is over, at once or as a future; step rewards aren't in it."""
        return self.judge(task, [dict(message) for message in transcript.messages])

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
        task = self._choose(dict(options or {}))
        self.close()
        self._episode = self.episode(task)
        self._episode.begin_open().result()
        self._over = False
        return task.text, self._info(self._episode)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take the policy's response.

        Returns:
            observation: the environment's reply, or "" at the end of the episode.
            reward: the step's reward; at the end what makes the sum of all steps the verdict's reward. **NaN if the
                verdict is unscored**: leave such an episode out of every average.
            terminated: the episode came to its own end.
            truncated: the episode was cut: it ran out of turns, or no verdict could be reached.
            info: `task_id`, `messages`, and at the end `verdict`.
        """
        episode = self._episode
        if episode is None or self._over:
            raise ResetNeededError(
                "Call env.reset() before env.step(): the episode is over or none was begun."
            )
        if not isinstance(action, str):
            raise ResponseError(f"An action is the response as a str, not {type(action).__name__}.")
        if episode.fault is None:  # otherwise it couldn't be opened
            new = episode.begin_respond(str(action)).result()
            if not episode.over:
                texts = [content_text(message) for message in new]
                return (
                    "\n\n".join(texts),
                    episode.step_rewards[-1],
                    False,
                    False,
                    self._info(episode),
                )
        return self._ended(episode)

    def close(self) -> None:
        """Close the episode, if one is under way."""
        if self._episode is not None and not self._over:
            self._over = True
            self._episode.begin_close().result()

    def _ended(self, episode: LiveEpisode) -> tuple[str, float, bool, bool, dict[str, Any]]:
        verdict = judged(self, episode)
        self._over = True
        info = self._info(episode) | {"verdict": verdict}
        if isinstance(verdict, Scored):
            cut = episode.stop == "turns"
            reward = verdict.reward - math.fsum(episode.step_rewards[:-1])
            return "", reward, not cut, cut, info
        return "", float("nan"), False, True, info

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, verifier={self.verifier!r})"

    # Gymnasium's own says `<SingleTurn instance>`.
    __str__ = __repr__

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_episode": None, "_over": True}  # an episode stays where it's played

    def render(self) -> str | None:
        """Return the conversation so far if `render_mode="ansi"`, otherwise None."""
        if self.render_mode != "ansi":
            return None
        messages = [] if self._episode is None else self._episode.messages
        return "\n\n".join(f"[{m['role']}]\n{content_text(m)}" for m in messages)

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

    def _info(self, episode: LiveEpisode) -> dict[str, Any]:
        return {"task_id": episode.task.id, "messages": [dict(m) for m in episode.messages]}


def judged(env: Environment, episode: LiveEpisode) -> Verdict:
    """End an episode and wait for its verdict, with the step rewards in it."""
    ended = episode.begin_end().result()
    if isinstance(ended, Unscored):
        return ended
    verdict = env.submit(episode.task, ended)
    return ended.with_step_rewards(verdict.result() if isinstance(verdict, Future) else verdict)


def judged_alone(env: Environment, task: Task, *turns: Turn) -> Verdict:
    """Return the verdict on an episode in which the model says these messages alone.

    One message is played only if the verifier sees whole episodes: they have an outcome, and a bare response has none.
    """
    response = turns[-1]
    is_seen = env.verifier.sees == "transcript" and env.is_interactive
    if len(turns) == 1 and isinstance(response, str) and not is_seen:
        verdict = env.submit(task, Transcript.of(task, response))
        return verdict.result() if isinstance(verdict, Future) else verdict
    episode = env.episode(task)
    try:
        episode.begin_open().result()
        for turn in turns:
            if not episode.over:
                episode.begin_respond(turn).result()
        if not episode.over:
            episode.cut("turns")
        return judged(env, episode)
    finally:
        episode.begin_close().result()


class _Replies(Episode):
    """An episode of an environment with a method `reply(task, messages)`, which keeps no state."""

    def __init__(self, env: Environment, task: Task) -> None:
        super().__init__(task)
        self._env = env

    def reply(self, message: object) -> Any:
        """Ask the environment."""
        return self._env.reply(self.task, list(self.conversation))
