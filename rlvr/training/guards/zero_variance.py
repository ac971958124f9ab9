"""Groups whose rollouts all earned the same: their advantages are 0, and the step is for nothing."""

from __future__ import annotations

from collections.abc import Mapping

from rlvr.core.verdict import Scored, Status
from rlvr.training.guards.base import Alarm, GroupShares, Step, Window

WINDOW = 5
# Below a fifth of groups with a difference, five times the generation buys one step's gradient.
# A task that is being learned gets near it: the quickstart up to two thirds (docs/guards.md).
LIMIT, USUAL = 0.8, 0.65


class ZeroVarianceGuard:
    """Warns where four fifths of the groups have no difference in reward, and says which way.

    Verdicts decide, not TRL's `frac_reward_zero_std`: that takes unscored groups in, and with
    RLOO's penalty in the reward it is always 0.
    """

    name = "zero_variance"

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self._solved, self._failed = Window(WINDOW), Window(WINDOW)
        self._alike = GroupShares()

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Nothing: five steps are soon there."""

    def look(self, step: Step) -> Alarm | None:
        """See the class."""
        if not step.groups:
            return None
        solved = failed = alike = 0
        for group in step.groups:
            verdicts = [r.verdict for r in group if isinstance(r.verdict, Scored)]
            if len({verdict.reward for verdict in verdicts}) > 1:
                continue
            alike += 1
            solved += verdicts[0].status is Status.CORRECT
            failed += verdicts[0].status not in (Status.CORRECT, Status.PARTIAL)
        total = len(step.groups)
        self._solved.add(solved / total)
        self._failed.add(failed / total)
        self._alike.add([1.0] * alike + [0.0] * (total - alike))
        self.figures = {
            "guards/zero_variance": alike / total,
            "guards/all_solved": solved / total,
            "guards/none_solved": failed / total,
        }
        seen = self._alike.high(LIMIT, USUAL)
        if seen is None:
            return None
        return Alarm(
            self.name,
            f"{seen.mean:.0%} of the groups had no difference in reward over the last {seen.steps} steps "
            f"(of the last {WINDOW}: {self._solved.mean:.0%} all solved, {self._failed.mean:.0%} none solved)",
            self._advice(step),
        )

    def _advice(self, step: Step) -> str:
        if self._solved.mean >= self._failed.mean:
            return (
                f"{step.view('all')} shows what is solved; these tasks have nothing more to teach: "
                f"take harder ones, or stop"
            )
        return (
            f"{step.view('wrong')} shows what is refused, and why; take easier tasks or a better "
            f"start, more samples a task, or see whether right answers are refused"
        )
