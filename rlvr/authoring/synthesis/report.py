"""`SynthesisReport`: how many candidates came how far, and why the others didn't."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from rlvr.authoring.synthesis.proposal import STAGES


@dataclass
class SynthesisReport:
    """The figures of a synthesis.

    Attributes:
        wanted: the number of tasks that was asked for.
        kept: the number of kept tasks.
        replies: the policy's replies with tasks, including those that can't be read and errors.
        failed_replies: requests for tasks without a reply (errors).
        candidates: the tasks in the replies that were decided.
        undecided: the tasks in the replies that weren't looked at, since enough were kept before.
        rejected: the number of rejections per stage and reason. Those of the stage `reply` are whole replies.
        examples: the number of usable examples.
        unusable: the unusable examples by id, with the reason.
        personas: the number of personas.
        left_out: checks that don't fit the environment, as too many examples fail them.
        solved: kept tasks by their number of solved samples.
        prompt_tokens, completion_tokens: of the answers whose tokens are known.
        stopped: the reason why it stopped early; "" if all tasks were made.
    """

    wanted: int
    kept: int = 0
    replies: int = 0
    failed_replies: int = 0
    candidates: int = 0
    undecided: int = 0
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: int = 0
    unusable: dict[str, str] = field(default_factory=dict)
    personas: int = 0
    left_out: list[str] = field(default_factory=list)
    solved: Counter[int] = field(default_factory=Counter)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    stopped: str = ""

    @property
    def is_complete(self) -> bool:
        """True if as many tasks were kept as were asked for."""
        return self.kept >= self.wanted

    @property
    def share_kept(self) -> float | None:
        """The share of the decided candidates that was kept; None if there was no candidate."""
        return self.kept / self.candidates if self.candidates else None

    def stages(self) -> dict[str, int]:
        """Return the number of rejections per stage, in the order of the stages."""
        counts: Counter[str] = Counter()
        for (stage, _), count in self.rejected.items():
            counts[stage] += count
        return {stage: counts[stage] for stage in STAGES if counts[stage]}

    def to_json(self) -> dict[str, Any]:
        """Return `report.json`."""
        stages = {
            stage: {
                "count": count,
                "reasons": {
                    reason: times
                    for (of, reason), times in self.rejected.most_common()
                    if of == stage
                },
            }
            for stage, count in self.stages().items()
        }
        return {
            "wanted": self.wanted,
            "kept": self.kept,
            "complete": self.is_complete,
            "stopped": self.stopped,
            "replies": self.replies,
            "failed_replies": self.failed_replies,
            "candidates": self.candidates,
            "undecided": self.undecided,
            "share_kept": self.share_kept,
            "rejected": stages,
            "examples": self.examples,
            "unusable_examples": self.unusable,
            "personas": self.personas,
            "checks_left_out": self.left_out,
            "kept_by_solved_samples": {str(n): self.solved[n] for n in sorted(self.solved)},
            "note": "Tasks were selected by these samples, so their pass rates are no estimates for other samples.",
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
        }

    def lines(self) -> list[str]:
        """Return the report for a person."""
        lines = [
            f"{self.kept} of {self.wanted} tasks, from {self.examples} examples"
            + (f" and {self.personas} personas" if self.personas else ""),
            f"{self.replies} replies, {self.candidates} candidates"
            + (f", {self.undecided} more not looked at" if self.undecided else ""),
        ]
        for stage, count in self.stages().items():
            lines.append(f"  {count} rejected: {stage}")
            lines += [
                f"    {times}: {reason}"
                for (of, reason), times in self.rejected.most_common()
                if of == stage
            ]
        if self.unusable:
            lines.append(f"{len(self.unusable)} examples weren't used")
        if self.left_out:
            lines.append(f"checks that the examples fail, left out: {', '.join(self.left_out)}")
        return lines
