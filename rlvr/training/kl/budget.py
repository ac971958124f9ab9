"""A KL budget: how far from the reference a run may go, and what happens when it's there.

What is spent is not a sum over steps but the distance now: the KL of whole responses to the
reference, in nats a sequence, by k1. Far away k3's tail makes a batch's mean jump (docs/kl.md); near
the start, where k1 is the noisier one, no budget is spent.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from rlvr.core.errors import OptionError

Action: TypeAlias = Literal["stop", "raise_beta"]

# Measurements that are judged together: with 32 completions one alone is some 15% off by chance.
WINDOW = 5


@dataclass(frozen=True)
class KLBudget:
    """What a run may spend.

    Attributes:
        limit: nats a sequence.
        action: `stop` ends the run, after a checkpoint. `raise_beta` adapts the weight of the KL
            penalty so that the KL comes back to the limit.
        gain: of the controller: beta changes by this much times the relative error a measurement,
            which is clipped to ±0.2. Ziegler et al. 2019 have 0.1, for tens of thousands of steps;
            0.5 doubles beta in seven measurements.
        least_beta: where it starts from, and what it doesn't fall below, for a run that has no
            penalty or a smaller one. Small enough to change nothing, and never 0: TRL computes no
            reference where it is.
        most_beta: what it doesn't rise above.
        first_beta: what it is at least, once the limit is passed: below that it hardly pulls, and
            a factor a step would take hundreds of steps to get there.

    Raises `OptionError` where one of them can't be.
    """

    limit: float
    action: Action = "stop"
    gain: float = 0.5
    least_beta: float = 1e-6
    first_beta: float = 0.005
    most_beta: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise OptionError(f"A KL budget's limit is in nats and above 0, not {self.limit}.")
        if self.action not in get_args(Action):
            raise OptionError(
                f"action is one of {', '.join(get_args(Action))}, not {self.action!r}."
            )
        if not 0 < self.gain <= 5:
            raise OptionError(f"gain is above 0 and at most 5, not {self.gain}.")
        if not 0 < self.least_beta <= self.first_beta <= self.most_beta:
            raise OptionError(
                f"beta's bounds have an order: 0 < least_beta ({self.least_beta}) <= first_beta "
                f"({self.first_beta}) <= most_beta ({self.most_beta})."
            )


class Spent:
    """What is spent of a budget, from one measurement to the next.

    Attributes:
        now: the last measurement, in nats a sequence; NaN before the first.
    """

    def __init__(self, budget: KLBudget) -> None:
        self.budget = budget
        self.now = math.nan
        self._error = math.nan
        self._last: deque[float] = deque(maxlen=WINDOW)

    def add(self, kl: float, error: float = math.nan) -> None:
        """Take in a measurement and its standard error; one that's no number is none."""
        if math.isfinite(kl):
            self.now, self._error = kl, error
            self._last.append(kl)

    @property
    def over(self) -> bool:
        """Whether it's spent: five measurements are over it together, or one is beyond doubt."""
        together = len(self._last) == WINDOW and sum(self._last) / WINDOW > self.budget.limit
        return together or self.now - 2 * self._error > self.budget.limit

    @property
    def message(self) -> str:
        """What to say when a run is stopped."""
        return (
            f"the KL budget is spent: {self.now:.3g} nats a sequence (k1) of {self.budget.limit:g}. "
            f"`rlvr kl RUN` plots what it bought; with a larger limit, a larger beta or a smaller "
            f"learning rate the run goes on"
        )


def next_beta(budget: KLBudget, beta: float, kl: float, floor: float) -> float:
    """The proportional controller of Ziegler et al. 2019 (arXiv 1909.08593, section 2.2), bounded.

    e = clip((kl - limit) / limit, ±0.2); beta' = beta · (1 + gain · e).

    Args:
        budget: with the limit as its target.
        beta: now.
        kl: spent now, in nats a sequence.
        floor: what beta was configured as; within the budget it goes back to that and no further.
    """
    error = min(0.2, max(-0.2, (kl - budget.limit) / budget.limit))
    if error > 0:
        beta = max(beta, budget.first_beta)
    least = max(budget.least_beta, floor)
    return min(max(beta * (1 + budget.gain * error), least), max(budget.most_beta, floor))
