"""An episode of a TRL trainer, as tokens and as messages."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.episode import Child
from rlvr.core.live_episode import LiveEpisode
from rlvr.core.task import Message, Task
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Verdict
from rlvr.runs.rollouts import Rollout


@dataclass(slots=True, eq=False)
class TrlEpisode:
    """A conversation between the policy and an environment.

    Attributes:
        live: The episode, if `rollout` plays it; None if TRL generated the completion itself.
        env: The environment.
        name: Its name among the trainer's environments.
        task: The task.
        sample: The episode's number among those of its task, from 0.
        messages: The conversation as text.
        prompt_ids: The first prompt.
        ids: The tokens after it, the model's and the environment's.
        mask: For each of `ids`, 1 for the model's tokens and 0 for the environment's.
        logprobs: For each of `ids`, 0.0 for the environment's tokens; empty if the backend has none.
        turns: Number of responses.
        prompt_tokens: Tokens of the last prompt, which includes the earlier ones.
        generate_s: Seconds of generation, as a share of its batch's.
        stop: The reason for the end, as in `Rollout`.
        verdict: The verdict or its future; None until the episode is over.
    """

    env: Environment = field(repr=False)
    name: str
    task: Task = field(repr=False)
    sample: int
    messages: list[Message]
    prompt_ids: list[int] = field(default_factory=list, repr=False)
    ids: list[int] = field(default_factory=list, repr=False)
    mask: list[int] = field(default_factory=list, repr=False)
    logprobs: list[float] = field(default_factory=list, repr=False)
    turns: int = 0
    prompt_tokens: int | None = None
    generate_s: float = 0.0
    stop: str = "stop"
    verdict: Verdict | Future[Verdict] | None = None
    live: LiveEpisode | None = field(default=None, repr=False)
    outcome: Any = None
    step_rewards: Sequence[float] = ()
    children: list[Child] = field(default_factory=list, repr=False)

    @classmethod
    def of(cls, env: Environment, name: str, task: Task, sample: int) -> TrlEpisode:
        """Return an episode of a task that TRL generates itself."""
        return cls(env, name, task, sample, [dict(message) for message in task.prompt])

    @classmethod
    def played(cls, env: Environment, name: str, task: Task, sample: int) -> TrlEpisode:
        """Return an episode of a task to be played."""
        live = env.episode(task)
        steps = live.step_rewards
        return cls(env, name, task, sample, live.messages, live=live, step_rewards=steps)

    @property
    def transcript(self) -> Transcript:
        """The episode as its verifier may see it."""
        return Transcript(self.messages, self.outcome, self.step_rewards, len(self.task.prompt))

    @property
    def last(self) -> list[int]:
        """The model's last token; empty if its last response has none."""
        return self.ids[-1:] if self.ids and self.mask[-1] else []

    def add_response(self, ids: list[int], logprobs: list[float]) -> None:
        """Add the tokens of a response of the model."""
        self.turns += 1
        self.prompt_tokens = len(self.prompt_ids) + len(self.ids)
        self._append(ids, 1, logprobs)

    def add_reply(self, ids: list[int]) -> None:
        """Add the tokens of a reply of the environment."""
        self._append(ids, 0, [0.0] * len(ids))

    def pad(self, stop_token_id: int) -> None:
        """Add a token without a loss if the episode has none, since TRL reads the last."""
        if not self.ids:
            self._append([stop_token_id], 0, [0.0])

    def rollout(self, verdict: Verdict) -> Rollout:
        """Return the rollout that a run keeps."""
        return Rollout(
            self.name,
            None,
            self.task,
            self.sample,
            self.messages,
            verdict,
            self.stop,
            self.prompt_tokens,
            sum(self.mask),
            self.generate_s,
            outcome=self.outcome if self.live is None else self.live.outcome,
            step_rewards=list(self.step_rewards),
            children=self.children if self.live is None else self.live.children,
        )

    def _append(self, ids: list[int], mask: int, logprobs: list[float]) -> None:
        self.ids += ids
        self.mask += [mask] * len(ids)
        self.logprobs += logprobs
