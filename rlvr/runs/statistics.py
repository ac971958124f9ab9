"""Statistics of samples: pass@k, majority@k, intervals over tasks, and paired comparisons.

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
_Z = 1.959963984540054  # of 95%
_MANY = 20_000  # tasks: from here on the bootstrap is its normal limit to the digits that are shown
_EQUAL = 1e-12  # means that differ by less are equal
_MOST_FLIPS = 2000
_PARTS, _MOST_STEPS = 1000, 1 << 17
_CELLS = 4_000_000  # of one chunk of the bootstrap's counts: 32 MB


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95% interval. NaN if there is none: of nothing, or of a single task."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def half(self) -> float:
        """Half the width of the interval, for `value ± half`."""
        return (self.high - self.low) / 2

    def to_json(self) -> dict[str, float | None]:
        """Return value, low and high; null for those that do not exist."""
        figures = {"value": self.value, "low": self.low, "high": self.high}
        return {name: v if math.isfinite(v) else None for name, v in figures.items()}


def pass_at_k(samples: ArrayLike, correct: ArrayLike, k: int) -> Floats:
    """Return the unbiased chance that one of k samples is correct, from n samples of which c are.

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
    """Return 1 if the most frequent answer of a task's samples is correct, otherwise 0.

    Args:
        votes: each sample's answer and whether it's correct. None is no answer and no vote. All
            correct samples are one answer, however it's written; wrong ones are told apart as given.

    Returns:
        1 or 0; if several answers are the most frequent, the correct one's chance in a draw among
        them. 0 if no sample voted, NaN if there are no samples.
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
    """Return ratios of sums over tasks, each with its 95% interval.

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
    if tasks > _MANY:
        return linearized(top_T_F, below_T_F)
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
    """Return any figure of sums over tasks, with its interval as in `bootstrap`.

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
    """Return sums over tasks drawn with replacement, shape (replicates, F)."""
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
    """Return the share below the expanded percentile interval: 2.5% if there are many tasks."""
    z, v = _Z, tasks - 1
    # Student's quantile by the first terms of its expansion in 1/v (Abramowitz and Stegun 26.7.5).
    t = z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    return 0.5 * math.erfc(t * math.sqrt(tasks / v) / math.sqrt(2))


def linearized(numerators_T_F: Floats, denominators_T_F: Floats) -> list[Estimate]:
    """Return the estimates of `bootstrap` by their limit for many tasks, without drawing.

    The variance of a ratio of sums over tasks by its linearization (Cochran 1977, Sampling Techniques,
    6.4), which is the clustered standard error of a mean over rollouts.
    """
    tasks = len(numerators_T_F)
    with np.errstate(divide="ignore", invalid="ignore"):
        below_F = denominators_T_F.sum(0)
        values_F = numerators_T_F.sum(0) / below_F
        if tasks < 2:
            return [Estimate(float(value)) for value in values_F]
        off_T_F = numerators_T_F - values_F * denominators_T_F
        errors_F = np.sqrt((off_T_F**2).sum(0) * tasks / (tasks - 1)) / below_F
    return [
        Estimate(float(value), float(value - _Z * error), float(value + _Z * error))
        for value, error in zip(values_F, errors_F, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Two runs on the tasks that both have.

    Attributes:
        tasks: the number of tasks in both.
        difference: the mean over tasks of the second run's mean reward minus the first's.
        higher, lower: tasks on which the second run's mean reward is higher, and lower. The others tie.
        p: of the sign-flip test on the tasks' differences: how likely a mean difference this far from 0
            is if the runs' labels were exchanged at random within each task.
    """

    tasks: int
    difference: Estimate
    higher: int
    lower: int
    p: float

    @property
    def ties(self) -> int:
        """Tasks on which the two runs' mean rewards are equal."""
        return self.tasks - self.higher - self.lower

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "tasks": self.tasks,
            "difference": self.difference.to_json(),
            "higher": self.higher,
            "lower": self.lower,
            "ties": self.ties,
            "p": self.p if math.isfinite(self.p) else None,
        }


def paired(first: ArrayLike, second: ArrayLike, *, seed: int = 0) -> PairedDifference:
    """Compare two runs on T common tasks.

    Args:
        first, second: each task's mean reward in each run. The runs may have different numbers of
            samples per task, because a mean over samples is unbiased for any number of them.
    """
    difference_T = np.asarray(second, float) - np.asarray(first, float)
    difference_T[abs(difference_T) < _EQUAL] = 0.0
    if not len(difference_T):
        return PairedDifference(0, Estimate(math.nan), 0, 0, math.nan)
    return PairedDifference(
        len(difference_T),
        bootstrap(difference_T, seed=seed)[0],
        int((difference_T > 0).sum()),
        int((difference_T < 0).sum()),
        sign_flip(difference_T),
    )


def sign_flip(differences: ArrayLike) -> float:
    """Return the two-sided p of the sign-flip test of paired differences (Fisher's randomization test).

    Zeros are ties and say nothing. The distribution is exact up to rounding the differences to a lattice;
    with one sample per task and rewards of 0 and 1 it is that of McNemar's test. Half of the probability
    of the observed value counts (mid-p), which holds the level on average where the exact p stays
    below it (Fagerland, Lydersen and Laake 2013). With more than a few thousand differences the
    normal limit is used.
    """
    values = np.asarray(differences, float)
    values = values[abs(values) >= _EQUAL]
    total = float(values.sum())
    if not len(values) or abs(total) < _EQUAL:
        return 1.0
    if len(values) > _MOST_FLIPS:
        return math.erfc(abs(total) / math.sqrt(2 * float(values @ values)))
    steps = _lattice(abs(values))
    # chances[i]: the probability that the steps with a positive sign sum to i.
    chances = np.ones(1)
    for step in np.sort(steps).tolist():
        longer = np.zeros(len(chances) + step)
        longer[: len(chances)] += chances
        longer[step:] += chances
        chances = longer / 2
    observed = abs(int((np.sign(values) * steps).sum()))
    middle = int(steps.sum())
    above = (middle + observed) // 2  # a sum s of signed steps is 2i - middle
    p = 2 * chances[above + 1 :].sum() + chances[above]
    return float(min(1.0, p))


def _lattice(sizes: Floats) -> NDArray[np.int64]:
    """Return the sizes as multiples of a common step: exactly if one is coarse enough."""
    # Means over up to 16 samples of rewards of 0 and 1 are multiples of 1/720720, and differences of
    # most pairs of numbers of samples of far coarser steps.
    for parts in range(1, _PARTS):
        scaled = sizes * parts
        rounded = np.rint(scaled)
        if np.all(abs(scaled - rounded) < 1e-6 * parts) and rounded.sum() <= _MOST_STEPS:
            return rounded.astype(np.int64)
    scale = _MOST_STEPS / float(sizes.sum())
    return np.maximum(1, np.rint(sizes * scale)).astype(np.int64)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number (Holm 1979): the smallest first, each times those left.

    A NaN is no test: it stays, and does not count.
    """
    order = sorted((p, i) for i, p in enumerate(p_values) if p == p)
    corrected, least = list(p_values), 0.0
    for rank, (p, i) in enumerate(order):
        least = max(least, min(1.0, p * (len(order) - rank)))
        corrected[i] = least
    return corrected
