"""Unscored rollouts over a limit: the reward itself has failed, so training stops."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from rlvr.core.verdict import Cause, Unscored
from rlvr.training.guards.base import Alarm, Step, at_least

# One step may be a service that restarts; three in a row aren't.
WINDOW = 3
# Two standard errors: at 20% of failures and the default limit of 30%, a false stop is 4 standard
# deviations away with 64 rollouts in the window, and 6 with 384 (the quickstart's).
Z = 2.0

_DO = {
    Cause.SANDBOX: "`rlvr sandbox check` tests the jail on this machine",
    Cause.GOLD: "the references themselves can't be used: leave those tasks out",
    Cause.JUDGE: "see whether the judge's server answers",
    Cause.TIMEOUT: "scoring isn't done by its deadline: more scoring processes, or a longer deadline",
    Cause.INPUT: "rows of the training data are malformed",
    Cause.INTERNAL: "a verifier raises: its message stands with each rollout",
}


class UnscoredGuard:
    """Stops the run where surely more than `limit` of the window's rollouts have no reward.

    Those rows teach nothing; that many are no accident, and what is left is a biased sample.
    """

    name = "unscored"

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.figures: dict[str, float] = {}
        self._steps: deque[tuple[int, Counter[Cause]]] = deque(maxlen=WINDOW)

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Nothing: a resumed run has mended its sandbox or not."""

    def look(self, step: Step) -> Alarm | None:
        """See the class."""
        if not step.rollouts:
            return None
        causes = Counter(r.verdict.cause for r in step.rollouts if isinstance(r.verdict, Unscored))
        self._steps.append((len(step.rollouts), causes))
        total = sum(rollouts for rollouts, _ in self._steps)
        together = sum((causes for _, causes in self._steps), Counter[Cause]())
        share = together.total() / total
        self.figures = {"guards/unscored": share}
        if len(self._steps) < WINDOW or at_least(together.total(), total, Z) <= self.limit:
            return None
        by_cause = ", ".join(f"{c} {n / total:.0%}" for c, n in together.most_common())
        first = together.most_common(1)[0][0]
        return Alarm(
            self.name,
            f"unscored {share:.0%} over the last {WINDOW} steps ({by_cause}), "
            f"over the limit of {self.limit:.0%}",
            f"{step.view('unscored')} shows each with its message; {_DO[first]}",
            stops=True,
        )
