"""What can be said from samples: pass@k, majority@k, intervals by tasks, two runs compared.

NumPy alone. Rollouts of one task resemble one another, so that the unit drawn with replacement is
the task with all its samples (a clustered bootstrap). Arrays' names end in their axes: T tasks, F
figures, K = 1 … k.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

REPLICATES = 1000
_CELLS = 4_000_000  # of one chunk of the bootstrap's counts: 32 MB


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95% interval. NaN where there is none: of nothing, or of a single task."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def half(self) -> float:
        """Half the width of the interval, for `value ± half`."""
        return (self.high - self.low) / 2

    def to_json(self) -> dict[str, float | None]:
        """Value, low and high, null where there is none."""
        figures = {"value": self.value, "low": self.low, "high": self.high}
        return {name: v if math.isfinite(v) else None for name, v in figures.items()}


def pass_at_k(samples: ArrayLike, correct: ArrayLike, k: int) -> Floats:
    """The chance that one of k samples is correct, from n samples of which c are: unbiased.

    Chen et al. 2021 (arXiv 2107.03374), eq. 1: `1 - C(n-c, k) / C(n, k)`, as a product of ratios, so
    that nothing overflows.

    Args:
        samples: n of each of T tasks.
        correct: c of each.
        k: at least 1.

    Returns:
        T chances; NaN where a task has fewer than k samples.
    """
    n_T, c_T = np.broadcast_arrays(np.asarray(samples, float), np.asarray(correct, float))
    if k < 1:
        raise ValueError(f"k is at least 1, not {k}.")
    none_T = np.ones(n_T.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in range(k):
            none_T = none_T * np.clip((n_T - c_T - i) / (n_T - i), 0.0, 1.0)
    return np.where(n_T >= k, 1.0 - none_T, np.nan)


def majority(votes: Sequence[tuple[Hashable | None, bool]]) -> float:
    """Whether the answer that most samples of a task gave is correct.

    Args:
        votes: each sample's answer and whether it's correct. None is no answer and no vote. All
            correct samples are one answer, however it's written; wrong ones are told apart as given.

    Returns:
        1 or 0; where several answers share the first place, the correct one's chance at a draw
        among them. 0 where nobody voted, NaN where there are no samples.
    """
    if not votes:
        return math.nan
    right = object()
    counts = Counter(
        right if good else answer for answer, good in votes if good or answer is not None
    )
    if not counts:
        return 0.0
    first = max(counts.values())
    return (counts[right] == first) / sum(count == first for count in counts.values())


def bootstrap(
    numerators: ArrayLike,
    denominators: ArrayLike | float = 1.0,
    *,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> list[Estimate]:
    """Ratios of sums over tasks, each with its 95% interval.

    Tasks are drawn with replacement, the same draws for every figure; the interval's ends are
    percentiles. Those of a plain bootstrap are too narrow for few tasks, so they are moved outwards
    as Student's t is from the normal (the expanded percentile interval; Hesterberg 2015,
    arXiv 1411.5279, section 5.3). With fewer than some 20 tasks, or where nearly all tasks agree, it is still
    too narrow: in the extreme, where all do, it has no width at all.

    Args:
        numerators: of F figures for T tasks, shape (T,) or (T, F).
        denominators: of the same shape. 1 for a mean over tasks; how many rollouts a task has, for a
            mean over rollouts.
        seed: the same one gives the same interval.

    Returns:
        F estimates.
    """
    top_T_F = np.asarray(numerators, float)
    if top_T_F.ndim == 1:
        top_T_F = top_T_F[:, None]
    below_T_F = np.asarray(denominators, float)
    if below_T_F.ndim == 1:
        below_T_F = below_T_F[:, None]
    below_T_F = np.broadcast_to(below_T_F, top_T_F.shape)
    tasks, figures = top_T_F.shape
    with np.errstate(divide="ignore", invalid="ignore"):
        values_F = top_T_F.sum(0) / below_T_F.sum(0)
        if tasks < 2:
            return [Estimate(float(value)) for value in values_F]
        both_T_F = np.concatenate([top_T_F, below_T_F], axis=1)
        sums = _resampled(both_T_F, np.random.default_rng(seed), replicates)
        ratios = sums[:, :figures] / sums[:, figures:]
    tail = _tail(tasks)
    return [
        _interval(float(value), ratios_B, tail)
        for value, ratios_B in zip(values_F, ratios.T, strict=True)
    ]


def bootstrap_of(
    values: ArrayLike,
    figure: Callable[[Floats], Floats],
    *,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Estimate:
    """Any figure of sums over tasks, with the interval that `bootstrap` has.

    Args:
        values: F of each of T tasks, shape (T, F).
        figure: takes sums of shape (N, F) and gives the N figures; NaN where there's none.
        seed: the same one gives the same interval.
    """
    values_T_F = np.asarray(values, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(figure(values_T_F.sum(0, keepdims=True))[0])
        if len(values_T_F) < 2:
            return Estimate(value)
        sums = _resampled(values_T_F, np.random.default_rng(seed), replicates)
        return _interval(value, figure(sums), _tail(len(values_T_F)))


def _interval(value: float, drawn_B: Floats, tail: float) -> Estimate:
    there = drawn_B[np.isfinite(drawn_B)]  # a draw may hold no scored rollout at all
    low, high = np.quantile(there, [tail, 1 - tail]) if there.size else (math.nan, math.nan)
    return Estimate(value, float(low), float(high))


def _resampled(values_T_F: Floats, rng: np.random.Generator, replicates: int) -> Floats:
    """Sums over tasks drawn with replacement, shape (replicates, F)."""
    tasks = len(values_T_F)
    chunk = max(1, min(replicates, _CELLS // tasks))
    sums = []
    for start in range(0, replicates, chunk):
        rows = min(chunk, replicates - start)
        drawn = rng.integers(0, tasks, size=(rows, tasks))
        drawn += np.arange(rows)[:, None] * tasks
        counts = np.bincount(drawn.ravel(), minlength=rows * tasks).reshape(rows, tasks)
        sums.append(counts.astype(float) @ values_T_F)
    return np.concatenate(sums)


def _tail(tasks: int) -> float:
    """The share below the expanded percentile interval: of 2.5% where tasks are many."""
    z, v = 1.959963984540054, tasks - 1
    # Student's quantile by the first terms of its expansion in 1/v (Abramowitz and Stegun 26.7.5).
    t = z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    return 0.5 * math.erfc(t * math.sqrt(tasks / v) / math.sqrt(2))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs on the tasks that both have.

    Attributes:
        tasks: how many are in both.
        difference: of the mean reward a task, the second run minus the first.
        gained: tasks that the second alone solves.
        lost: tasks that the first alone solves.
        p: of McNemar's exact test on those: how likely so uneven a split is by chance.
    """

    tasks: int
    difference: Estimate
    gained: int
    lost: int
    p: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "tasks": self.tasks,
            "difference": self.difference.to_json(),
            "gained": self.gained,
            "lost": self.lost,
            "p": self.p,
        }


def paired(
    first: ArrayLike,
    second: ArrayLike,
    solved_first: ArrayLike,
    solved_second: ArrayLike,
    *,
    seed: int = 0,
) -> Comparison:
    """Compare two runs on T common tasks.

    Args:
        first, second: the mean reward of each task in each run.
        solved_first, solved_second: whether each task counts as solved.
    """
    difference_T = np.asarray(second, float) - np.asarray(first, float)
    was_T, is_T = np.asarray(solved_first, bool), np.asarray(solved_second, bool)
    gained, lost = int((is_T & ~was_T).sum()), int((was_T & ~is_T).sum())
    estimate = bootstrap(difference_T, seed=seed)[0] if len(difference_T) else Estimate(math.nan)
    return Comparison(len(difference_T), estimate, gained, lost, mcnemar(gained, lost))


def mcnemar(gained: int, lost: int) -> float:
    """The two-sided p of McNemar's exact test: a fair coin over the tasks that flipped."""
    flipped = gained + lost
    tail, ways = 0, 1
    for i in range(min(gained, lost) + 1):
        tail += ways  # C(flipped, i), in whole numbers: exact at any size
        ways = ways * (flipped - i) // (i + 1)
    return min(1.0, 2 * tail / (1 << flipped))
