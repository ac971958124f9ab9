"""Responses that are cut at the length limit: they're judged on an answer that isn't there yet."""

from __future__ import annotations

from collections.abc import Mapping

from rlvr.training.guards.base import Alarm, Step, Window

WINDOW = 5
# Recipes that train to think long live with 5–15% (DAPO, arXiv 2503.14476, starts its soft penalty
# there). From a quarter on, the reward says more about the limit than about the answers.
LIMIT = 0.25


class TruncationGuard:
    """Warns where a quarter of the responses is cut, over five steps."""

    name = "truncation"

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self._share = Window(WINDOW)

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Nothing: five steps are soon there."""

    def look(self, step: Step) -> Alarm | None:
        """See the class. Without rollouts it takes TRL's `completions/clipped_ratio`."""
        share = step.metrics.get("completions/clipped_ratio")
        if step.rollouts:
            share = sum(r.stop == "length" for r in step.rollouts) / len(step.rollouts)
        if share is None:
            return None
        self._share.add(share)
        self.figures = {"guards/truncated": share}
        if not self._share.full or self._share.mean < LIMIT:
            return None
        return Alarm(
            self.name,
            f"{self._share.mean:.0%} of the responses were cut at the length limit over the last "
            f"{WINDOW} steps",
            f"{step.view('truncated')} shows whether they loop or were on their way; raise the "
            f"maximal completion length, or ask for shorter answers",
        )
