"""`Proposal`: a proposed task on its way through the checks, and the record of where it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rlvr.core.task import Task

STAGES = (
    "reply", "row", "text", "duplicate", "contamination", "reference", "unscored", "agreement", "difficulty",
)  # fmt: skip
"""The stages at which a candidate may be rejected, in order. `reply` is of whole replies that can't be read."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The reason why a candidate isn't kept.

    Attributes:
        stage: one of `STAGES`.
        reason: the kind of reason, which is counted.
        detail: the particulars of this candidate.
    """

    stage: str
    reason: str
    detail: str = ""


@dataclass
class Proposal:
    """One proposed task.

    Attributes:
        id: its id, made of the seed, the reply's number and the place in it.
        number: its number among all candidates, from 1.
        item: what the policy wrote.
        origin: where it comes from: examples, persona, policies, seeds, version.
        row: its row in the form of the examples; None if there's none.
        task: the task that the environment makes of the row.
        question: the task's question, without the environment's own text.
        rejection: the reason if it was rejected.
    """

    id: str
    number: int
    item: Any
    origin: dict[str, Any]
    row: dict[str, Any] | None = None
    task: Task | None = None
    question: str = ""
    rejection: Rejection | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def reject(self, stage: str, reason: str, detail: str = "") -> None:
        """Reject it, unless it was rejected before."""
        if self.rejection is None:
            self.rejection = Rejection(stage, reason, detail)

    @property
    def is_open(self) -> bool:
        """True if nothing has rejected it yet."""
        return self.rejection is None

    def to_json(self) -> dict[str, Any]:
        """Return the line of `rejected.jsonl`."""
        assert self.rejection is not None
        return {
            "id": self.id,
            "stage": self.rejection.stage,
            "reason": self.rejection.reason,
            "detail": self.rejection.detail[:1000],
            "item": self.item if self.row is None else self.row,
            "question": self.question,
            "origin": {**self.origin, **self.facts},
        }
