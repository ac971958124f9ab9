"""The guard of unscored rollouts: above its limit the reward itself has failed, so training stops."""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Any, TypeAlias

import numpy as np

from rlvr.core.verdict import Cause, Unscored
from rlvr.training.guards.base import Alarm, GuardRail, Step

Array: TypeAlias = Any  # of NumPy: () or (runs,), and values (groups,) or (runs, groups)

WINDOW = 3  # steps: a service that restarts may fail for one step, but not for three in a row

_DO = {
    Cause.SANDBOX: "`rlvr sandbox check` tests the jail on this machine",
    Cause.GOLD: "the references themselves are invalid: leave those tasks out",
    Cause.JUDGE: "see whether the judge's server answers",
    Cause.TIMEOUT: "scoring isn't done by its deadline: more scoring processes, or a longer deadline",
    Cause.INPUT: "rows of the training data are malformed",
    Cause.INTERNAL: "a verifier raises: its message is with each rollout",
}


class Evidence:
    """A sequential test of whether a mean is above `bound`, checked after every step.

    The test is a bet at fair odds (Waudby-Smith and Ramdas 2024): the stake is multiplied by 1 + λ(x - bound) for each
    value x in [0, 1]. If the mean isn't above the bound, the stake is a supermartingale, whatever the distribution of
    the values and however λ is chosen from earlier values. So it ever exceeds 1/α with a probability of at most α,
    however often it is checked (Ville 1939).

    λ suits a mean of `target` and the spread of the values so far (few values count if whole groups fail together). In
    the long run Kelly's λ is the best one. In the first steps the test uses the λ near Kelly's that has the best chance to
    have won enough by step `_SOON`: a bolder one if few groups remain until then, a more careful one if many do.

    Most of the stake is bet from the start of the run, and the rest from later steps, for failures that begin then.
    """

    _FIRST, _EVERY = 0.9, 10  # the share of the stake at the start; steps between two of the others
    _PRIOR = 8  # values of a coin that the spread is taken from before there are real ones
    _SOON = 15
    _BOLDNESS = np.linspace(0.6, 2.0, 8)  # times Kelly's bet

    def __init__(self, bound: float, target: float, alpha: float) -> None:
        self._bound, self._target = bound, target
        self._enough = math.log(1 / alpha)
        self._stakes: list[Array] = []  # logarithms, one for each start
        self._steps = self._count = 0
        self._sum = self._squares = np.float64(0)

    def add(self, values: Array) -> Array:
        """Add a step's values, and return True if all values so far are enough evidence.

        Values are (groups,) or, of many runs at once, (runs, groups); the result is () or (runs,).
        """
        if self._steps % self._EVERY == 0:
            start = self._steps // self._EVERY
            late_share = (1 - self._FIRST) * 6 / math.pi**2  # over the squares of 1, 2, 3, …
            self._stakes.append(np.log(late_share / start**2 if start else self._FIRST))
        groups = values.shape[-1]
        won = np.log1p(self._bet(groups)[..., None] * (values - self._bound)).sum(-1)
        gain = np.minimum(self._enough / 2.05, won)  # two steps alone are never enough
        self._stakes = [stake + gain for stake in self._stakes]
        self._steps += 1
        self._count += groups
        self._sum = self._sum + values.sum(-1)
        self._squares = self._squares + (values * values).sum(-1)
        return (self._steps >= WINDOW) & (self._stake > self._enough)

    @property
    def _stake(self) -> Array:
        return np.logaddexp.reduce(np.broadcast_arrays(*self._stakes), axis=0)

    def _bet(self, groups: int) -> Array:
        """Return λ for a step of so many values, from earlier steps alone."""
        coin, gap = self._bound * (1 - self._bound), self._target - self._bound
        mean = self._sum / max(1, self._count)
        spread = self._PRIOR * coin + self._squares - self._count * mean**2
        # 1 if groups fail as a whole, and 1/n if each of their n rollouts fails by itself.
        share = (spread / (self._PRIOR * coin + self._count * mean * (1 - mean))).clip(0.02, 1)
        kelly = gap / (share * coin + (1 - share) * gap**2)
        limit = 0.9 / self._bound
        if self._steps >= self._SOON:
            return np.minimum(kelly, limit)
        bets = np.minimum(np.multiply.outer(self._BOLDNESS, kelly), limit)
        # A value's gain, as if it had two outcomes, with the target's mean and this share of a coin's variance.
        up = np.log1p(bets * (self._target + (1 - self._target) * share**0.5 - self._bound))
        down = np.log1p(bets * (self._target - self._target * share**0.5 - self._bound))
        values = (self._SOON - self._steps) * groups
        wins = values * (self._target * up + (1 - self._target) * down)
        deviation = (up - down) * math.sqrt(values * self._target * (1 - self._target)) + 1e-9
        best = np.argmax((wins - (self._enough - self._stake)) / deviation, axis=0)
        return np.take_along_axis(bets, best[None], axis=0)[0]


_ALPHA, _ALPHA_NOTHING = 8e-4, 1e-4


class UnscoredGuard(GuardRail):
    """Stops the run if the share of unscored rollouts is certainly above a limit.

    Unscored rows teach nothing, and if there are many, the other rows are a biased sample. A bad reference or a prompt
    that is too long leaves a whole group unscored, so the guard counts groups, each by its share. A share of five sixths
    of the limit stops at most one run in 1,000, and a share of four thirds of it stops a run within about ten steps of 16
    groups. If nothing is scored at all, three steps of at least four groups suffice (at the default limit). A resumed run
    starts without memory, since the cause may be fixed.
    """

    name = "unscored"

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = limit
        self._steps: deque[tuple[int, Counter[Cause]]] = deque(maxlen=WINDOW)
        possible = 0 < limit < 1  # at 0 any share is too high, and at 1 no share is
        self._evidence = (
            Evidence(limit * 5 / 6, min(limit * 4 / 3, 1.0), _ALPHA) if possible else None
        )
        self._nothing_steps: Array = 0  # in a row without a scored rollout
        self._nothing_groups: Array = 0
        # So many groups in a row, at the permitted share, happen by chance in at most 1 of 10,000 runs of 1,000 steps.
        self._chance = (
            math.log(_ALPHA_NOTHING / 1000) / math.log(limit * 5 / 6) if possible else 0.0
        )

    def look(self, step: Step) -> Alarm | None:
        """Return an alarm if the class's condition holds."""
        if not step.rollouts:
            return None
        groups: dict[tuple[str, str], list[bool]] = {}
        for rollout in step.rollouts:
            unscored = isinstance(rollout.verdict, Unscored)
            groups.setdefault((rollout.env, rollout.task.id), []).append(unscored)
        causes = Counter(r.verdict.cause for r in step.rollouts if isinstance(r.verdict, Unscored))
        self._steps.append((len(step.rollouts), causes))
        total = sum(rollouts for rollouts, _ in self._steps)
        together = sum((causes for _, causes in self._steps), Counter[Cause]())
        share = together.total() / total
        self.figures = {"guards/unscored": share}
        if self._evidence is not None:
            surely = bool(
                self.weigh(np.array([sum(flags) / len(flags) for flags in groups.values()]))
            )
        else:
            surely = len(self._steps) == WINDOW and share > self.limit
        # A fault that is already fixed stops nothing.
        if not surely or share <= self.limit:
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

    def weigh(self, shares: Array) -> Array:
        """Add the unscored share of each of a step's groups, and return True if the shares are certainly too high.

        Many runs at once are weighed as by `Evidence.add`.
        """
        assert self._evidence is not None
        all_unscored = shares.min(-1) == 1.0
        self._nothing_steps = np.where(all_unscored, self._nothing_steps + 1, 0)
        self._nothing_groups = np.where(all_unscored, self._nothing_groups + shares.shape[-1], 0)
        nothing_scored = (self._nothing_steps >= WINDOW) & (self._nothing_groups >= self._chance)
        return self._evidence.add(shares) | nothing_scored
