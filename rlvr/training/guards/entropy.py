"""Entropy collapse: a policy that says the same each time has nothing to learn from."""

from __future__ import annotations

from collections.abc import Mapping

from rlvr.core.verdict import Status
from rlvr.training.guards.base import Alarm, Step, Window

FIRST = 5  # steps whose mean is the start
WINDOW = 5
# GRPO's entropy falls as it learns: the quickstart's to a third of the start, and to 0.014 nats in a
# single step at the lowest (docs/guards.md). A tenth is a collapse; so are 0.003 nats a token, where
# anything but the policy's first choice comes about once in 3,000 tokens.
OF_THE_START = 0.1
NEAR_ZERO = 0.003
# A task that is solved may be answered the same way each time.
SOLVED = 0.95


class EntropyGuard:
    """Warns where the entropy is a tenth of what it was, or near 0, and the tasks aren't solved.

    It reads TRL's `entropy`: the mean over tokens, in nats, at the training temperature.
    """

    name = "entropy"

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self._first: list[float] = []
        self._entropy = Window(WINDOW)
        self._solved = Window(WINDOW)

    def remember(self, metrics: Mapping[str, float]) -> None:
        """The first steps of the run as it began."""
        if "entropy" in metrics and len(self._first) < FIRST:
            self._first.append(metrics["entropy"])

    def look(self, step: Step) -> Alarm | None:
        """See the class."""
        entropy = step.metrics.get("entropy")
        if entropy is None:
            return None
        self.remember(step.metrics)
        self._entropy.add(entropy)
        statuses = [r.verdict.status for group in step.groups for r in group if r.verdict.scored]  # type: ignore[union-attr]
        if statuses:
            self._solved.add(statuses.count(Status.CORRECT) / len(statuses))
        if not self._entropy.full or self._solved.mean >= SOLVED:
            return None
        start, now = sum(self._first) / len(self._first), self._entropy.mean
        if now >= NEAR_ZERO and now >= OF_THE_START * start:
            return None
        solved = f", with {self._solved.mean:.0%} solved" if statuses else ""
        return Alarm(
            self.name,
            f"the policy's entropy was {now:.3g} nats a token over the last {WINDOW} steps, from "
            f"{start:.3g} over the run's first {FIRST}{solved}",
            f"{step.view('disagreed')} shows what samples still differ in; lower the learning "
            f"rate, raise the temperature or beta, or add an entropy bonus",
        )
