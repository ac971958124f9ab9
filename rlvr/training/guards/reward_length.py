"""Reward that goes with length: a policy that is paid by the word, or for saying less."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rlvr.core.verdict import Scored
from rlvr.runs.rollouts import Rollout
from rlvr.training.guards.base import Alarm, Step, Window, responses

# The last ten steps; with few groups in them, the last twenty or forty.
WINDOWS = (10, 20, 40)
# Of two responses to one task, the better paid is the longer (or the shorter) in four of five.
LIMIT = 0.6
# ... and longer by a tenth of the mean: a right answer that has one digit more than a wrong one
# is longer each time, and means nothing.
GAP = 0.1
# Standard errors above what is usual (65% of the pairs), and groups to estimate them from.
Z, USUAL, GROUPS = 4.0, 0.3, 20


class _Group(NamedTuple):
    """Of one group: pairs of different reward, how often the better paid is the longer minus the
    shorter, and by how much it's longer, summed over pairs."""

    pairs: float
    order: float
    longer: float


class _Relation(NamedTuple):
    """Of the groups of some steps: Somers' D, its standard error, the better paid's surplus of the mean length."""

    d: float
    error: float
    gap: float
    groups: int


class RewardLengthGuard:
    """Warns if reward goes with length, up or down, within groups, over ten steps or more.

    The figure is Somers' D of length given reward (1962): of the pairs of a task's responses with
    different rewards, the share in which the better paid is the longer, minus that in which it's
    the shorter. It is the rank correlation that stays comparable when a group has one right
    answer of eight, where Spearman's can't exceed 0.58. Between tasks it would be about their
    difficulty (hard ones are answered at length and wrongly); advantages are within groups too. Its
    standard error is of groups, whose pairs aren't independent.

    Responses cut at the limit are left out: their length is the limit's (`truncation` is about
    them).
    """

    name = "reward_length"

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}
        self._steps: deque[list[_Group]] = deque(maxlen=WINDOWS[-1])
        self._first: float | None = None
        self._length = Window(WINDOWS[0])

    def remember(self, metrics: Mapping[str, float]) -> None:
        """The mean length that the run began with."""
        if self._first is None:
            self._first = metrics.get("guards/length")

    def look(self, step: Step) -> Alarm | None:
        """See the class."""
        if not step.rollouts:
            return None
        unit, lengths = _lengths(step.rollouts)
        mean = sum(lengths.values()) / len(lengths)
        self._length.add(mean)
        self.figures = {"guards/length": mean}
        self.remember(self.figures)
        self._steps.append([_compare(group, lengths) for group in step.groups])
        if (lately := self._relation(WINDOWS[0])) is not None:
            self.figures["guards/reward_length"] = lately.d
        if len(self._steps) < WINDOWS[0]:
            return None
        for steps in sorted({min(steps, len(self._steps)) for steps in WINDOWS}):
            found = self._relation(steps)
            if found is None or abs(found.d) < LIMIT or found.gap * np.sign(found.d) < GAP:
                return None
            if found.groups >= GROUPS and abs(found.d) - USUAL >= Z * found.error:
                return self._alarm(step, found, steps, unit)
        return None

    def _relation(self, steps: int) -> _Relation | None:
        groups = [group for groups in [*self._steps][-steps:] for group in groups if group.pairs]
        if not groups:
            return None
        pairs, order, longer = np.array(groups).T
        d = float(order.sum() / pairs.sum())
        off = order - d * pairs
        error = float(np.sqrt((off**2).sum() * len(groups) / max(1, len(groups) - 1)) / pairs.sum())
        gap = float(longer.sum() / pairs.sum()) / max(self._length.mean, 1e-9)
        return _Relation(d, error, gap, len(groups))

    def _alarm(self, step: Step, found: _Relation, steps: int, unit: str) -> Alarm:
        d = found.d
        way, other = ("longer", "shorter") if d > 0 else ("shorter", "longer")
        return Alarm(
            self.name,
            f"of two responses to one task, the {way} one earned more in {(1 + abs(d)) / 2:.0%} of "
            f"the pairs (Somers' D {d:+.2f}, {found.groups} groups, {steps} steps), by {abs(found.gap):.0%} of the "
            f"length on average; the mean length went from {self._first:.0f} to "
            f"{self._length.mean:.0f} {unit}",
            f"{step.view('longest')} shows whether the reward is for the {way} answer or for what "
            f"it says; see whether what is {other} and right is refused",
        )


def _lengths(rollouts: Sequence[Rollout]) -> tuple[str, dict[int, float]]:
    """Each rollout's length by its id(): tokens only where every rollout has them."""
    counts = [rollout.completion_tokens for rollout in rollouts]
    if all(count is not None for count in counts):
        return "tokens", {id(r): float(n or 0) for r, n in zip(rollouts, counts, strict=True)}
    return "characters", {id(r): float(sum(map(len, responses(r)))) for r in rollouts}


def _compare(group: Sequence[Rollout], lengths: Mapping[int, float]) -> _Group:
    """All pairs of the group's responses that came to their own end."""
    whole = [
        (r.verdict.reward, lengths[id(r)])
        for r in group
        if isinstance(r.verdict, Scored) and r.stop != "length"
    ]
    if len(whole) < 2:
        return _Group(0, 0, 0)
    rewards, sizes = np.array(whole).T
    better = rewards[:, None] > rewards[None, :]
    apart = sizes[:, None] - sizes[None, :]
    return _Group(
        float(better.sum()), float(np.sign(apart)[better].sum()), float(apart[better].sum())
    )
