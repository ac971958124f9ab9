"""Guards of the reward: it correlates with length, or it has no differences within groups."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rlvr.core.verdict import Scored, Status
from rlvr.runs.rollouts import Rollout
from rlvr.training.guards.base import Alarm, GroupShares, GuardRail, Step, Window, responses


class _GroupPairs(NamedTuple):
    """Sums over one group's pairs with different rewards.

    Attributes:
        pairs: Number of pairs.
        order: Pairs in which the better paid response is the longer, minus those in which it is the shorter.
        longer: Excess length of the better paid response.
    """

    pairs: float
    order: float
    longer: float


class _LengthRelation(NamedTuple):
    """Somers' D of the groups of some steps, its standard error, and the excess length as a share of the mean."""

    d: float
    error: float
    gap: float
    groups: int


class RewardLengthGuard(GuardRail):
    """Warns if reward correlates with length, in either direction, within groups, over ten steps or more.

    The figure is Somers' D of length given reward (1962): among pairs of a task's responses with different rewards, the
    share in which the better paid is the longer, minus the share in which it is the shorter. This rank correlation stays
    comparable if a group has one right answer of eight, where Spearman's can't exceed 0.58. Across tasks it would
    measure their difficulty (hard ones get long and wrong answers), and advantages are within groups, too. The standard
    error is over groups, since the pairs of a group aren't independent.

    Responses cut at the limit are left out, since the limit decides their length: the guard `truncation` covers them.
    """

    name = "reward_length"
    # Steps: the last ten; if those have few groups, the last twenty or forty.
    WINDOWS = (10, 20, 40)
    LIMIT = 0.6  # of two responses to one task, the better paid is the longer (or the shorter) in four of five
    # The least difference, as a share of the mean length: a right answer that is one digit longer than a wrong one is
    # longer each time, and means nothing.
    GAP = 0.1
    # Standard errors above 65% of the pairs, and groups to estimate them from.
    ERRORS, USUAL, GROUPS = 4.0, 0.3, 20

    def __init__(self) -> None:
        super().__init__()
        self._steps: deque[list[_GroupPairs]] = deque(maxlen=self.WINDOWS[-1])
        self._first: float | None = None
        self._length = Window(self.WINDOWS[0])

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Take in the mean length at the run's start."""
        if self._first is None:
            self._first = metrics.get("guards/length")

    def look(self, step: Step) -> Alarm | None:
        """Return an alarm if the class's condition holds."""
        if not step.rollouts:
            return None
        unit, lengths = _lengths(step.rollouts)
        mean = sum(lengths.values()) / len(lengths)
        self._length.add(mean)
        self.figures = {"guards/length": mean}
        self.remember(self.figures)
        self._steps.append([_compare(group, lengths) for group in step.groups])
        if (lately := self._relation(self.WINDOWS[0])) is not None:
            self.figures["guards/reward_length"] = lately.d
        if len(self._steps) < self.WINDOWS[0]:
            return None
        for steps in sorted({min(steps, len(self._steps)) for steps in self.WINDOWS}):
            relation = self._relation(steps)
            if (
                relation is None
                or abs(relation.d) < self.LIMIT
                or relation.gap * np.sign(relation.d) < self.GAP
            ):
                return None
            if (
                relation.groups >= self.GROUPS
                and abs(relation.d) - self.USUAL >= self.ERRORS * relation.error
            ):
                return self._alarm(step, relation, steps, unit)
        return None

    def _relation(self, steps: int) -> _LengthRelation | None:
        groups = [group for groups in [*self._steps][-steps:] for group in groups if group.pairs]
        if not groups:
            return None
        pairs, order, longer = np.array(groups).T
        d = float(order.sum() / pairs.sum())
        off = order - d * pairs
        error = float(np.sqrt((off**2).sum() * len(groups) / max(1, len(groups) - 1)) / pairs.sum())
        gap = float(longer.sum() / pairs.sum()) / max(self._length.mean, 1e-9)
        return _LengthRelation(d, error, gap, len(groups))

    def _alarm(self, step: Step, relation: _LengthRelation, steps: int, unit: str) -> Alarm:
        d = relation.d
        longer_word, opposite = ("longer", "shorter") if d > 0 else ("shorter", "longer")
        return Alarm(
            self.name,
            f"of two responses to one task, the {longer_word} one earned more in {(1 + abs(d)) / 2:.0%} of "
            f"the pairs (Somers' D {d:+.2f}, {relation.groups} groups, {steps} steps), by {abs(relation.gap):.0%} of the "
            f"length on average; the mean length went from {self._first:.0f} to "
            f"{self._length.mean:.0f} {unit}",
            f"{step.view('longest')} shows whether the reward is for the length or for the content; "
            f"check whether right answers that are {opposite} are refused",
        )


class ZeroVarianceGuard(GuardRail):
    """Warns if four fifths of the groups have no difference in reward, and says whether they are solved or failed.

    Such groups have advantages of 0. The figure is from verdicts, not from TRL's `frac_reward_zero_std`, which includes
    unscored groups and is always 0 with RLOO's penalty in the reward.
    """

    name = "zero_variance"
    WINDOW = 5
    # If less than a fifth of the groups has a difference, one step's gradient costs five times the generation. A task
    # that is being learned gets near it: the quickstart up to two thirds (docs/guards.md).
    LIMIT, USUAL = 0.8, 0.65

    def __init__(self) -> None:
        super().__init__()
        self._solved, self._failed = Window(self.WINDOW), Window(self.WINDOW)
        self._alike = GroupShares()

    def look(self, step: Step) -> Alarm | None:
        """Return an alarm if the class's condition holds."""
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
        sighting = self._alike.high(self.LIMIT, self.USUAL)
        if sighting is None:
            return None
        return Alarm(
            self.name,
            f"{sighting.mean:.0%} of the groups had no difference in reward over the last {sighting.steps} steps "
            f"(of the last {self.WINDOW}: {self._solved.mean:.0%} all solved, {self._failed.mean:.0%} none solved)",
            self._advice(step),
        )

    def _advice(self, step: Step) -> str:
        if self._solved.mean >= self._failed.mean:
            return (
                f"{step.view('all')} shows the solved tasks, which have nothing more to teach: "
                f"use harder ones, or stop"
            )
        return (
            f"{step.view('wrong')} shows the refused responses with the reasons; use easier tasks, a better "
            f"starting model or more samples per task, or check whether right answers are refused"
        )


def _lengths(rollouts: Sequence[Rollout]) -> tuple[str, dict[int, float]]:
    """Return the unit and each rollout's length by its id(); in tokens if every rollout has its number of them."""
    counts = [rollout.completion_tokens for rollout in rollouts]
    if all(count is not None for count in counts):
        return "tokens", {id(r): float(n or 0) for r, n in zip(rollouts, counts, strict=True)}
    return "characters", {id(r): float(sum(map(len, responses(r)))) for r in rollouts}


def _compare(group: Sequence[Rollout], lengths: Mapping[int, float]) -> _GroupPairs:
    """Sum over all pairs of the group's responses that weren't cut."""
    uncut = [
        (r.verdict.reward, lengths[id(r)])
        for r in group
        if isinstance(r.verdict, Scored) and r.stop != "length"
    ]
    if len(uncut) < 2:
        return _GroupPairs(0, 0, 0)
    rewards, sizes = np.array(uncut).T
    better = rewards[:, None] > rewards[None, :]
    apart = sizes[:, None] - sizes[None, :]
    return _GroupPairs(
        float(better.sum()), float(np.sign(apart)[better].sum()), float(apart[better].sum())
    )
