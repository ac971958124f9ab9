"""Responses that are cut at the length limit: they're judged on an answer that isn't there yet."""

from __future__ import annotations

from collections.abc import Mapping

from rlvr.training.guards.base import Alarm, GroupShares, Sighting, Step, Window, shares_of

WINDOW = 5
# Recipes that train to think long live with 5–15% (DAPO, arXiv 2503.14476, starts its soft penalty
# there). From a quarter on, the reward says more about the limit than about the answers.
LIMIT, USUAL = 0.25, 0.15


class TruncationGuard:
    """Warns if a quarter of the responses is cut, and surely more than 15%."""

    name = "truncation"

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self._groups, self._logged = GroupShares(), Window(WINDOW)

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Nothing: five steps are soon there."""

    def look(self, step: Step) -> Alarm | None:
        """See the class. Without rollouts it takes TRL's `completions/clipped_ratio`."""
        if step.rollouts:
            shares = shares_of(step.rollouts, lambda rollout: rollout.stop == "length")
            cut = sum(rollout.stop == "length" for rollout in step.rollouts)
            self.figures = {"guards/truncated": cut / len(step.rollouts)}
            self._groups.add(shares)
            seen = self._groups.high(LIMIT, USUAL)
        elif (share := step.metrics.get("completions/clipped_ratio")) is not None:
            self.figures = {"guards/truncated": share}
            self._logged.add(share)
            over = self._logged.full and self._logged.mean >= LIMIT
            seen = Sighting(self._logged.mean, WINDOW) if over else None
        else:
            return None
        if seen is None:
            return None
        return Alarm(
            self.name,
            f"{seen.mean:.0%} of the responses were cut at the length limit over the last "
            f"{seen.steps} steps",
            f"{step.view('truncated')} shows whether they loop or were on their way; raise the "
            f"maximal completion length, or ask for shorter answers",
        )
