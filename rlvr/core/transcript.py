"""`Transcript`: an episode that is over, as a verifier with `sees = "transcript"` gets it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rlvr.core.task import Message, Task, content_text
from rlvr.core.tool_calls import calls_with_results
from rlvr.core.verdict import Scored, Verdict

STEP_REWARD = "step_reward"
"""The component with the sum of an episode's step rewards."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A whole episode as plain data.

        @rlvr.verifier(sees="transcript")
        def looked_it_up(task, transcript):
            return any(call["name"] == "search" for call in transcript.tool_calls)

    Attributes:
        messages: the whole conversation, with the prompt.
        outcome: what the episode's `outcome` returned, such as the final state of a database; None by default.
        step_rewards: one per turn.
        prompt_messages: the number of messages that are the prompt's.
    """

    messages: Sequence[Message]
    outcome: Any = None
    step_rewards: Sequence[float] = field(default_factory=list)
    prompt_messages: int = 1

    @classmethod
    def of(cls, task: Task, response: str) -> Transcript:
        """Return the transcript of an episode of one turn."""
        messages = [*task.prompt, {"role": "assistant", "content": response}]
        return cls(messages, prompt_messages=len(task.prompt))

    @property
    def completion(self) -> Sequence[Message]:
        """The messages after the prompt."""
        return self.messages[self.prompt_messages :]

    @property
    def response(self) -> str:
        """The text of the model's last message; "" if there is none."""
        last = (m for m in reversed(self.completion) if m["role"] == "assistant")
        return content_text(next(last, {}))

    @property
    def turns(self) -> int:
        """The number of the model's messages."""
        return sum(message["role"] == "assistant" for message in self.completion)

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """The calls that were answered: each with `turn`, `name`, `arguments`, `result` and `failed`."""
        return calls_with_results(self.completion)

    def digest(self, key: bytes = b"") -> bytes:
        """Return a digest of everything in it."""
        seen = [self.messages, self.outcome, list(self.step_rewards), self.prompt_messages]
        text = json.dumps(seen, sort_keys=True, default=str)
        return hashlib.blake2b(
            text.encode("utf-8", "surrogatepass"), digest_size=16, key=key
        ).digest()

    def with_step_rewards(self, verdict: Verdict) -> Verdict:
        """Return the verifier's verdict with the step rewards added, as the component `step_reward`."""
        if not isinstance(verdict, Scored) or not any(self.step_rewards):
            return verdict
        steps = math.fsum(self.step_rewards)
        return dataclasses.replace(
            verdict,
            reward=verdict.reward + steps,
            components={**verdict.components, STEP_REWARD: steps},
            detail={**verdict.detail, "step_rewards": list(self.step_rewards)},
        )
