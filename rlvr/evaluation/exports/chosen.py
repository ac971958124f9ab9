"""The candidates for training data: a run's scored rollouts by task, without their texts.

Rollouts of one task lie far apart in a run, so texts are read twice: once to note what each is
worth, some hundred bytes a rollout, and then again those that were chosen.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from rlvr.core.task import Message
from rlvr.core.verdict import Scored
from rlvr.runs.reading import Record

TOLERANCE = 1e-9  # weights add up to 0.9999999999999999 here and there

# Environment, part, task and a digest of the prompt: what is compared was asked the same.
TaskKey: TypeAlias = tuple[str, str | None, str, bytes]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that training may learn from.

    Attributes:
        offset: the offset of its line.
        reward: its reward.
        characters: the length of its responses.
        truncated: True if it was cut at the token limit or ran out of turns.
        digest: a digest of its messages.
    """

    offset: int
    reward: float
    characters: int
    truncated: bool
    digest: bytes


@dataclass
class Candidates:
    """The texts of a run by task, each text once.

    Attributes:
        tasks: the candidates of each task, in the order in which the tasks come first.
        left_out: the number of rollouts that were left out, by reason.
    """

    tasks: dict[TaskKey, list[Candidate]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, records: Iterable[Record]) -> Candidates:
        """Return the candidates among `records`.

        Left out are rollouts without a reward, rollouts of an evaluation's `unseen` part, which nobody
        may train on, repetitions of a text, and texts that earned several rewards.
        """
        candidates = cls()
        texts: dict[TaskKey, dict[bytes, Candidate | None]] = {}  # None: it earned several rewards
        for record in records:
            verdict, completion = record.rollout.verdict, record.completion
            if not isinstance(verdict, Scored):
                candidates.left_out["unscored"] += 1
                continue
            if record.rollout.part == "unseen":
                candidates.left_out["of the part unseen"] += 1
                continue
            if not completion or completion[-1]["role"] != "assistant":
                candidates.left_out["without a response"] += 1
                continue
            key = (*record.part, record.rollout.task.id, _digest(record.prompt))
            digest = _digest(completion)
            of_task = texts.setdefault(key, {})
            if digest not in of_task:
                of_task[digest] = Candidate(
                    record.offset,
                    verdict.reward,
                    sum(len(m["content"]) for m in completion if m["role"] == "assistant"),
                    record.truncated,
                    digest,
                )
                continue
            before = of_task[digest]
            if before is not None and abs(before.reward - verdict.reward) <= TOLERANCE:
                candidates.left_out["repeated"] += 1
                continue
            if before is not None:
                candidates.left_out["of a text with several rewards"] += 1
                of_task[digest] = None
            candidates.left_out["of a text with several rewards"] += 1
        candidates.tasks = {
            key: [candidate for candidate in of_task.values() if candidate is not None]
            for key, of_task in texts.items()
        }
        return candidates

    def notes(self) -> list[str]:
        """Return a line for each reason."""
        return [f"left out: {count} {why}" for why, count in self.left_out.most_common()]


def _digest(messages: list[Message]) -> bytes:
    text = json.dumps([[m["role"], m["content"]] for m in messages])
    return hashlib.blake2b(text.encode(), digest_size=12).digest()
