"""A KL budget: a limit of the distance to the reference, and the action at the limit.

The spent amount is not a sum over steps but the present distance: the KL of whole responses to the reference, in nats per
sequence, by k1. At a large distance k3's tail makes a batch's mean jump (docs/kl.md). Near the start k1 is the noisier
one, but no budget is spent there.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import get_args

from rlvr.core.errors import OptionError
from rlvr.training.config import KLAction

# Measurements that are judged together: one alone, of 32 completions, is some 15% off by chance.
WINDOW = 5


@dataclass(frozen=True)
class KLBudget:
    """The limit of a run's KL, and the action when it is spent.

    Attributes:
        limit: Largest KL, in nats per sequence.
        action: `stop` ends the run, after a checkpoint. `raise_beta` adapts the weight of the KL
            penalty so that the KL returns to the limit.
        gain: Gain of the controller: a measurement changes beta by this factor times the relative error, which is
            clipped to ±0.2. Ziegler et al. 2019 use 0.1, for tens of thousands of steps; 0.5 doubles beta in seven
            measurements.
        least_beta: Smallest beta, and the first one of a run that has no penalty or a smaller one. It is small enough to
            change nothing, and never 0, since TRL computes no reference at 0.
        most_beta: Largest beta.
        first_beta: Smallest beta once the limit is passed. A smaller one hardly pulls, and reaching this one step by
            step would take hundreds of steps.

    Raises `OptionError` if a value is invalid.
    """

    limit: float
    action: KLAction = "stop"
    gain: float = 0.5
    least_beta: float = 1e-6
    first_beta: float = 0.005
    most_beta: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.limit) and self.limit > 0):
            raise OptionError(f"A KL budget's limit is in nats and above 0, not {self.limit}.")
        if self.action not in get_args(KLAction):
            raise OptionError(
                f"action is one of {', '.join(get_args(KLAction))}, not {self.action!r}."
            )
        if not 0 < self.gain <= 5:
            raise OptionError(f"gain is above 0 and at most 5, not {self.gain}.")
        if not 0 < self.least_beta <= self.first_beta <= self.most_beta:
            raise OptionError(
                f"beta's bounds have an order: 0 < least_beta ({self.least_beta}) <= first_beta "
                f"({self.first_beta}) <= most_beta ({self.most_beta})."
            )


class Spent:
    """The spent part of a budget, from one measurement to the next.

    Attributes:
        now: The last measurement, in nats per sequence; NaN before the first.
    """

    def __init__(self, budget: KLBudget) -> None:
        self.budget = budget
        self.now = math.nan
        self._error = math.nan
        self._last: deque[float] = deque(maxlen=WINDOW)

    def add(self, kl: float, error: float = math.nan) -> None:
        """Add a measurement and its standard error. A value that isn't finite is ignored."""
        if math.isfinite(kl):
            self.now, self._error = kl, error
            self._last.append(kl)

    @property
    def over(self) -> bool:
        """True if the mean of five measurements is above the limit, or one is beyond doubt."""
        together = len(self._last) == WINDOW and sum(self._last) / WINDOW > self.budget.limit
        return together or self.now - 2 * self._error > self.budget.limit

    @property
    def message(self) -> str:
        """The message when the budget stops a run."""
        return (
            f"the KL budget is spent: {self.now:.3g} nats per sequence (k1) of {self.budget.limit:g}. "
            f"`rlvr kl RUN` plots the reward against it; resume with a larger limit, a larger beta or a "
            f"smaller learning rate"
        )


def next_beta(budget: KLBudget, beta: float, kl: float, floor: float) -> float:
    """Return the next beta by the controller of Ziegler et al. 2019 (arXiv 1909.08593, section 2.2), bounded.

    e = clip((kl - limit) / limit, ±0.2); beta' = beta · (1 + gain · e).

    Args:
        budget: The budget, whose limit is the target.
        beta: The present beta.
        kl: The present KL, in nats per sequence.
        floor: The configured beta, to which it returns within the budget.
    """
    error = min(0.2, max(-0.2, (kl - budget.limit) / budget.limit))
    if error > 0:
        beta = max(beta, budget.first_beta)
    lowest = max(budget.least_beta, floor)
    return min(max(beta * (1 + budget.gain * error), lowest), max(budget.most_beta, floor))
