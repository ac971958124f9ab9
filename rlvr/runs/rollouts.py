"""The line of a rollout in `rollouts.jsonl`, and what is read off it again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlvr.core.task import Message, Task
from rlvr.core.verdict import Cause, Scored, Status, Unscored, Verdict
from rlvr.policies.base import Generation


@dataclass(slots=True)
class Rollout:
    """One episode.

    Attributes:
        env, part: which of the evaluation's environments. `part` is `dev` or `unseen`, or None.
        sample: which of the task's, from 0.
        messages: the whole conversation.
        stop: of the last response (`stop`, `length`, `error`), or `turns` where the environment
            had more to say and the turns were spent.
        prompt_tokens: of the last prompt, which holds the ones before; None where unknown.
        completion_tokens: of all responses together.
        sent_tokens: of all prompts together; a prompt sent once for several samples counts for the
            first of them alone. What a provider bills.
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

    def respond(self, generation: Generation) -> None:
        """Take a response of the policy."""
        self.messages.append({"role": "assistant", "content": generation.text})
        self.stop = generation.stop
        self.prompt_tokens = generation.prompt_tokens
        if generation.completion_tokens is not None:
            self.completion_tokens = (self.completion_tokens or 0) + generation.completion_tokens
        if generation.token_ids is not None and generation.logprobs is not None:
            self.token_ids = [*(self.token_ids or []), list(generation.token_ids)]
            self.logprobs = [*(self.logprobs or []), list(generation.logprobs)]

    def to_json(self, **labels: str | int) -> dict[str, Any]:
        """The line, with `labels` on it."""
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
        if self.task.metadata:
            row["metadata"] = self.task.metadata
        if self.logprobs is not None:
            row |= {"token_ids": self.token_ids, "logprobs": self.logprobs}
        return row

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Rollout:
        """A rollout from its line. Its task's prompt is what comes before the first response."""
        messages = row["messages"]
        first = next((i for i, m in enumerate(messages) if m["role"] == "assistant"), len(messages))
        asked = row.get("prompt_messages", max(first, 1))
        task = Task(messages[:asked], row["reference"], row["task"], row.get("metadata"))
        return cls(
            row["env"],
            row.get("part"),
            task,
            row["sample"],
            messages,
            verdict_of(row["verdict"]),
            row["stop"],
            row["tokens"]["prompt"],
            row["tokens"]["completion"],
            row["seconds"]["generate"],
            row["seconds"]["verify"],
            row.get("token_ids"),
            row.get("logprobs"),
            row["tokens"].get("sent", row["tokens"]["prompt"] or 0),
        )


def verdict_of(found: dict[str, Any]) -> Verdict:
    """The verdict that a line holds."""
    detail = found.get("detail") or {}
    if found["scored"]:
        status = Status(found["status"])
        return Scored(found["reward"], status, found["components"], found["feedback"], detail)
    return Unscored(Cause(found["cause"]), found["message"], detail)
