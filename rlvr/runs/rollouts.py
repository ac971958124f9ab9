"""`Rollout`: one episode, as an evaluation or a trainer writes it to `rollouts.jsonl` and as it is read back."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from rlvr.core.episode import Child
from rlvr.core.errors import TaskError
from rlvr.core.task import Message, Task, as_message, content_text
from rlvr.core.transcript import Transcript
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict
from rlvr.policies.base import Generation


@dataclass(slots=True)
class Rollout:
    """One episode.

    Attributes:
        env, part: the environment's name and its part of a suite (`dev`, `unseen`) or of a training run
            (`train`, `held-out`); None otherwise.
        sample: the number of this sample of the task, from 0.
        messages: the whole conversation.
        stop: why the last response ended (`stop`, `length`, `error`), or `turns` if the environment
            had more to say and no turns were left; "" if the run does not say.
        prompt_tokens: tokens of the last prompt, which holds the earlier ones; None if unknown.
        completion_tokens: tokens of all responses together.
        sent_tokens: tokens of all prompts together, as a provider bills them; a prompt sent once for
            several samples counts for the first of them alone.
        outcome: what the episode's `outcome` returned.
        step_rewards: the step rewards, one per turn; empty if there are none.
        children: the conversations of other policies in it: of users, opponents, sub-agents.
        generate_s: seconds until the responses were there; for a batch, a rollout's share of it.
        verify_s: seconds from the last response to the verdict.
    """

    env: str
    part: str | None
    task: Task
    sample: int
    messages: list[Message]
    verdict: Verdict | None = None
    stop: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    generate_s: float = 0.0
    verify_s: float = 0.0
    token_ids: list[list[int]] | None = None
    logprobs: list[list[float]] | None = None
    sent_tokens: int = 0
    outcome: Any = None
    step_rewards: list[float] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)

    @property
    def transcript(self) -> Transcript:
        """The episode as a verifier that sees transcripts gets it."""
        return Transcript(self.messages, self.outcome, self.step_rewards, len(self.task.prompt))

    @property
    def prompt(self) -> list[Message]:
        """The messages before the first response."""
        return list(self.task.prompt)

    @property
    def completion(self) -> list[Message]:
        """The messages from the first response on, including the environment's replies."""
        return self.messages[len(self.task.prompt) :]

    @property
    def response(self) -> str | None:
        """The last response; None if there is none."""
        return next(
            (content_text(m) for m in reversed(self.completion) if m["role"] == "assistant"), None
        )

    @property
    def characters(self) -> int:
        """The length of all responses together."""
        return sum(len(content_text(m)) for m in self.completion if m["role"] == "assistant")

    @property
    def truncated(self) -> bool:
        """True if the episode was cut at the token limit or ran out of turns."""
        return self.stop in ("length", "turns")

    def count(self, generation: Generation) -> None:
        """Add the tokens of a response of the policy."""
        self.stop = generation.stop
        self.prompt_tokens = generation.prompt_tokens
        if generation.completion_tokens is not None:
            self.completion_tokens = (self.completion_tokens or 0) + generation.completion_tokens
        if generation.token_ids is not None and generation.logprobs is not None:
            self.token_ids = [*(self.token_ids or []), list(generation.token_ids)]
            self.logprobs = [*(self.logprobs or []), list(generation.logprobs)]

    def to_json(self, **labels: str | int) -> dict[str, Any]:
        """Return the row of `rollouts.jsonl`, with `labels` in it."""
        assert self.verdict is not None
        row: dict[str, Any] = {"task": self.task.id, "sample": self.sample, "env": self.env}
        if self.part is not None:
            row["part"] = self.part
        row |= labels
        row |= {
            "messages": self.messages,
            "reference": self.task.reference,
            "verdict": self.verdict.to_json() | {"detail": self.verdict.detail},
            "stop": self.stop,
            "tokens": {
                "prompt": self.prompt_tokens,
                "completion": self.completion_tokens,
                "sent": self.sent_tokens,
            },
            "seconds": {
                "generate": round(self.generate_s, 4),
                "verify": round(self.verify_s, 4),
            },
        }
        if any(message["role"] == "assistant" for message in self.task.prompt):
            row["prompt_messages"] = len(self.task.prompt)  # the examples in it aren't responses
        if self.outcome is not None:
            row["outcome"] = self.outcome
        if any(self.step_rewards):
            row["step_rewards"] = self.step_rewards
        if self.children:
            row["children"] = [child.to_json() for child in self.children]
        if self.task.metadata:
            row["metadata"] = self.task.metadata
        if self.logprobs is not None:
            row |= {"token_ids": self.token_ids, "logprobs": self.logprobs}
        return row

    @classmethod
    def from_json(cls, row: dict[str, Any], env: str = "") -> Rollout:
        """Read a row of `rollouts.jsonl`.

        The task's prompt is the messages before the first response. Fields that earlier versions did not
        write may be missing.

        Args:
            env: the environment of rows that do not name theirs.

        Raises `KeyError`, `TypeError` or `ValueError` if the row is not a rollout.
        """
        messages = row["messages"]
        try:
            messages = [as_message(message) for message in messages]
        except TaskError as error:
            raise TypeError(str(error)) from error
        first = next((i for i, m in enumerate(messages) if m["role"] == "assistant"), len(messages))
        asked = row.get("prompt_messages", max(first, 1))
        sample = row["sample"]
        if type(sample) is not int or sample.bit_length() > 63:
            raise TypeError(f"a sample that is not a whole number: {sample!r:.40}")
        task = Task(messages[:asked], row.get("reference"), row["task"], row.get("metadata"))
        tokens, seconds = row.get("tokens") or {}, row.get("seconds") or {}
        prompt_tokens = tokens.get("prompt")
        return cls(
            row.get("env", env),
            row.get("part"),
            task,
            sample,
            messages,
            read_verdict(row["verdict"]),
            row.get("stop", ""),
            prompt_tokens,
            tokens.get("completion"),
            seconds.get("generate", 0.0),
            seconds.get("verify", 0.0),
            row.get("token_ids"),
            row.get("logprobs"),
            tokens.get("sent", prompt_tokens or 0),
            row.get("outcome"),
            row.get("step_rewards") or [],
            [Child.from_json(child) for child in row.get("children") or ()],
        )


def read_verdict(row: dict[str, Any]) -> Verdict:
    """Return the verdict in a rollout's row."""
    detail = row.get("detail") or {}
    if row["scored"]:
        status, components = Status(row["status"]), row.get("components") or {}
        return Scored(row["reward"], status, components, row.get("feedback", ""), detail)
    return Unscored(Cause(row["cause"]), row.get("message", ""), detail)


def answer_of(verdict: Verdict) -> str | None:
    """Return the answer that extraction found in the response; None if the verdict does not say."""
    answer = verdict.detail.get("answer")
    return None if answer is None else text_of(answer)


def text_of(value: Any) -> str:
    """Return a string unchanged and anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def number(value: Any) -> float | None:
    """Return a finite number, or None for anything else (a bool is not one)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
