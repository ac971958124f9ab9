"""One episode as tokens and as messages, side by side."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field

from rlvr.core.environment import Environment
from rlvr.core.task import Message, Task
from rlvr.core.verdict import Verdict
from rlvr.runs.rollouts import Rollout


@dataclass(slots=True, eq=False)
class Episode:
    """What the policy and an environment said to each other.

    Attributes:
        name: of the environment among the trainer's.
        sample: which of the task's, from 0.
        prompt_ids: the first prompt.
        ids: what came after it, the model's tokens and the environment's.
        mask: beside them, 1 for the model's.
        logprobs: beside them, 0.0 for the environment's; empty where the backend has none.
        turns: responses so far.
        asked: tokens of the last prompt, which holds the ones before.
        generate_s: seconds until the responses were there; of a batch's, its share.
        stop: as in `Rollout`.
        verdict: None until the episode is over.
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
    asked: int | None = None
    generate_s: float = 0.0
    stop: str = "stop"
    verdict: Verdict | Future[Verdict] | None = None

    @classmethod
    def of(cls, env: Environment, name: str, task: Task, sample: int) -> Episode:
        """One that begins."""
        return cls(env, name, task, sample, [dict(message) for message in task.prompt])

    @property
    def last(self) -> list[int]:
        """The model's last token; none where its last response has none."""
        return self.ids[-1:] if self.ids and self.mask[-1] else []

    def said(self, text: str, ids: list[int], logprobs: list[float]) -> None:
        """Take a response of the model."""
        self.turns += 1
        self.asked = len(self.prompt_ids) + len(self.ids)
        self.messages.append({"role": "assistant", "content": text})
        self._append(ids, 1, logprobs)

    def told(self, text: str, ids: list[int]) -> None:
        """Take a reply of the environment."""
        self.messages.append({"role": "user", "content": text})
        self._append(ids, 0, [0.0] * len(ids))

    def padded(self, end: int) -> None:
        """Make sure that there's a token: TRL looks at the last. No loss falls on it."""
        if not self.ids:
            self._append([end], 0, [0.0])

    def rollout(self, verdict: Verdict) -> Rollout:
        """As a run keeps it."""
        return Rollout(
            self.name,
            None,
            self.task,
            self.sample,
            self.messages,
            verdict,
            self.stop,
            self.asked,
            sum(self.mask),
            self.generate_s,
        )

    def _append(self, ids: list[int], mask: int, logprobs: list[float]) -> None:
        self.ids += ids
        self.mask += [mask] * len(ids)
        self.logprobs += logprobs
