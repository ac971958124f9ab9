"""Unscored rollouts over a limit: the reward itself has failed, so training stops."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence

import numpy as np

from rlvr.core.verdict import Cause, Unscored
from rlvr.training.guards.base import Alarm, Step

WINDOW = 3  # steps: one may be a service that restarts; three in a row aren't

_DO = {
    Cause.SANDBOX: "`rlvr sandbox check` tests the jail on this machine",
    Cause.GOLD: "the references themselves can't be used: leave those tasks out",
    Cause.JUDGE: "see whether the judge's server answers",
    Cause.TIMEOUT: "scoring isn't done by its deadline: more scoring processes, or a longer deadline",
    Cause.INPUT: "rows of the training data are malformed",
    Cause.INTERNAL: "a verifier raises: its message stands with each rollout",
}


class Evidence:
    """Weighs what speaks for a mean above `bound`, looked at after every step.

    A bet at fair odds against it (Waudby-Smith and Ramdas 2024): the stake grows by 1 + λ(x - bound) with each
    value x in [0, 1]. Where the mean isn't above the bound it's a martingale at most, whatever the values are
    distributed like, so it ever exceeds 1/α with a probability of at most α, however often one looks (Ville
    1939). λ suits a mean of `target` and the spread of the values so far: few where whole groups fail together.

    Most of the stake is laid at the start of the run; the rest at later steps, for what fails only then.
    """

    _FIRST, _EVERY = 0.8, 10  # the share of the stake at the start; steps between two of the others
    _PRIOR = 8  # values that the spread is taken to be a coin's of, before there are any

    def __init__(self, bound: float, target: float, alpha: float) -> None:
        self._bound, self._gap = bound, target - bound
        self._enough = math.log(1 / alpha)
        self._stakes: list[float] = []  # logarithms, one for each start
        self._steps = self._count = 0
        self._sum = self._squares = 0.0

    def add(self, values: Sequence[float]) -> bool:
        """Take in a step's values. Returns True if they, with those before, are enough."""
        if self._steps % self._EVERY == 0:
            late = self._steps // self._EVERY
            rest = (1 - self._FIRST) * 6 / math.pi**2  # over the squares of 1, 2, 3, …
            self._stakes.append(math.log(rest / late**2 if late else self._FIRST))
        self._steps += 1
        x = np.asarray(values)
        spread = self._squares - (self._sum**2 / self._count if self._count else 0.0)
        coin = self._bound * (1 - self._bound)
        variance = (self._PRIOR * coin + spread) / (self._PRIOR + self._count)
        bet = min(self._gap / (variance + self._gap**2), 0.9 / self._bound)
        # No two steps are enough by themselves.
        gain = min(self._enough / 2.5, float(np.log1p(bet * (x - self._bound)).sum()))
        self._stakes = [stake + gain for stake in self._stakes]
        self._count += len(x)
        self._sum += float(x.sum())
        self._squares += float((x * x).sum())
        return self._steps >= WINDOW and float(np.logaddexp.reduce(self._stakes)) > self._enough


_ALPHA = 7e-4


class UnscoredGuard:
    """Stops the run where surely more of the rollouts have no reward than it can bear.

    Those rows teach nothing; that many are no accident, and what is left is a biased sample. A bad reference
    or a prompt that is too long leaves a whole group unscored, so it's groups that are counted, each by its share.
    A share of five sixths of the limit stops one run in 1,400, and a share of four thirds within about ten
    steps of 16 groups. Where nothing at all is scored three steps suffice, of four groups or more (at the default limit).
    """

    name = "unscored"

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.figures: dict[str, float] = {}
        self._steps: deque[tuple[int, Counter[Cause]]] = deque(maxlen=WINDOW)
        possible = 0 < limit < 1  # at 0 any is too much, at 1 none
        self._evidence = (
            Evidence(limit * 5 / 6, min(limit * 4 / 3, 1.0), _ALPHA) if possible else None
        )

        self._nothing: list[int] = []  # groups of each step since anything was scored
        # So many in a row by chance, at the share that is borne, happen in fewer than one run of 1,000 steps in 1,400.
        self._chance = math.log(_ALPHA / 1000) / math.log(limit * 5 / 6) if possible else 0.0

    def remember(self, metrics: Mapping[str, float]) -> None:
        """Nothing: a resumed run has mended its sandbox or not."""

    def look(self, step: Step) -> Alarm | None:
        """See the class."""
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
            shares = [sum(some) / len(some) for some in groups.values()]
            self._nothing = [*self._nothing, len(groups)] if min(shares) == 1.0 else []
            surely = self._evidence.add(shares) or (
                len(self._nothing) >= WINDOW and sum(self._nothing) >= self._chance
            )
        else:
            surely = len(self._steps) == WINDOW and share > self.limit
        # What was so once and is mended stops nothing.
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
