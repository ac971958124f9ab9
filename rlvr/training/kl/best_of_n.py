"""Best-of-n: the reward and the KL of taking the best of n samples of the starting model.

Optimisation is compared with this curve (Stiennon et al. 2020; Gao et al. 2022, arXiv 2210.10760): it is hard to beat
at its KL, and needs no training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlvr.core.errors import DataError
from rlvr.runs.statistics import Estimate, bootstrap


@dataclass(frozen=True)
class BestOfN:
    """A point of the curve.

    Attributes:
        n: Samples of which the best counts.
        kl: Upper bound of the KL, in nats per sequence.
        score: Mean over tasks, with its interval.
        tasks: Number of tasks with at least n scored samples.
    """

    n: int
    kl: float
    score: Estimate
    tasks: int


def kl_of_best_of_n(n: int) -> float:
    """Return log n - (n - 1)/n, in nats: an upper bound of the KL of best-of-n to the sampled policy.

    Stiennon et al. 2020 (arXiv 2009.01325, appendix G.3) give it as the KL; Beirami et al. 2024 (arXiv 2401.01879) show
    that it is a bound, exact if no two samples are alike. With rewards of 0 and 1 ties are common, and the KL is smaller.
    """
    if n < 1:
        raise ValueError(f"n is at least 1, not {n}.")
    return math.log(n) - (n - 1) / n


def expected_best(rewards: Sequence[float], n: int) -> float:
    """Return the mean of the best of n over all subsets of n of a task's k samples, an unbiased estimate.

    The i-th smallest reward is the best of C(i-1, n-1) of the C(k, n) subsets. With rewards of 0 and 1 the result is
    pass@n (Chen et al. 2021).

    Raises `ValueError` if there are fewer than n samples.
    """
    k = len(rewards)
    if not 1 <= n <= k:
        raise ValueError(f"the best of n needs n of the {k} samples, not {n}.")
    total = math.comb(k, n)
    ways = (math.comb(i, n - 1) for i in range(k))
    return math.fsum(r * (w / total) for r, w in zip(sorted(rewards), ways, strict=True))


def best_of_n(rows: Iterable[dict[str, Any]]) -> list[BestOfN]:
    """Return the curve from the lines of a run's rollouts, for n = 1, 2, 4, … and the largest n.

    If rollouts have steps, those of the first step count: they are the starting model's. Unscored ones are left out.

    Raises `DataError` if nothing is scored, or no task has two scored samples.
    """
    steps: dict[int, dict[tuple[str, str], list[float]]] = {}
    for row in rows:
        if row["verdict"]["scored"]:
            tasks = steps.setdefault(row.get("step") or 0, {})
            tasks.setdefault((row["env"], row["task"]), []).append(row["verdict"]["reward"])
    if not steps:
        raise DataError("There's no scored rollout for a best-of-n curve in that run.")
    samples = list(steps[min(steps)].values())
    largest = max(map(len, samples))
    if largest < 2:
        raise DataError(
            "A best-of-n curve needs several samples per task, and here each has one: `rlvr eval ENV "
            "--model START -k 32 --temperature 1` makes such a run."
        )
    curve = []
    for n in sorted({2**i for i in range(largest.bit_length())} | {largest}):
        best: NDArray[np.float64] = np.array([expected_best(s, n) for s in samples if len(s) >= n])
        curve.append(BestOfN(n, kl_of_best_of_n(n), bootstrap(best)[0], len(best)))
    return curve
