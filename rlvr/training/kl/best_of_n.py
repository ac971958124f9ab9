"""Best-of-n: what the start model earns when the best of n samples counts, at what KL.

The curve that optimisation is held against (Stiennon et al. 2020; Gao et al. 2022, arXiv 2210.10760):
for its KL it is hard to beat, and it needs no training.
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
        n: samples of which the best counts.
        kl: nats a sequence, an upper bound.
        score: the mean over tasks, with its interval.
        tasks: that have n scored samples or more.
    """

    n: int
    kl: float
    score: Estimate
    tasks: int


def kl_of_best_of_n(n: int) -> float:
    """log n - (n - 1)/n, in nats: an upper bound of the KL of best-of-n to what it samples from.

    Stiennon et al. 2020 (arXiv 2009.01325, appendix G.3) have it as the KL; Beirami et al. 2024 (arXiv
    2401.01879) show that it's a bound, exact where no two samples are alike. With a reward that is
    0 or 1 ties are the rule, and the KL is smaller.
    """
    if n < 1:
        raise ValueError(f"n is at least 1, not {n}.")
    return math.log(n) - (n - 1) / n


def expected_best(rewards: Sequence[float], n: int) -> float:
    """The mean of the best of n, over all ways to take n of a task's k samples: unbiased.

    The i-th smallest is the best of C(i-1, n-1) of the C(k, n) subsets. With rewards of 0 and 1
    it's pass@n (Chen et al. 2021).

    Raises `ValueError` where there are fewer than n samples.
    """
    k = len(rewards)
    if not 1 <= n <= k:
        raise ValueError(f"the best of n needs n of the {k} samples, not {n}.")
    total = math.comb(k, n)
    ways = (math.comb(i, n - 1) for i in range(k))
    return math.fsum(r * (w / total) for r, w in zip(sorted(rewards), ways, strict=True))


def best_of_n(rows: Iterable[dict[str, Any]]) -> list[BestOfN]:
    """The curve from a run's rollouts (their lines), for n = 1, 2, 4, … and the most there are.

    Samples of one task and step are told apart by their task; where rollouts have steps, the
    first step's are the start model's. Unscored ones are left out.

    Raises `DataError` where nothing is scored, or no task more than once.
    """
    steps: dict[int, dict[tuple[str, str], list[float]]] = {}
    for row in rows:
        if row["verdict"]["scored"]:
            tasks = steps.setdefault(row.get("step") or 0, {})
            tasks.setdefault((row["env"], row["task"]), []).append(row["verdict"]["reward"])
    if not steps:
        raise DataError("There's no scored rollout for a best-of-n curve in that run.")
    samples = list(steps[min(steps)].values())
    most = max(map(len, samples))
    if most < 2:
        raise DataError(
            "A best-of-n curve needs several samples a task, and here each has one: `rlvr eval ENV "
            "--model START -k 32 --temperature 1` makes such a run."
        )
    curve = []
    for n in sorted({2**i for i in range(most.bit_length())} | {most}):
        best: NDArray[np.float64] = np.array([expected_best(s, n) for s in samples if len(s) >= n])
        curve.append(BestOfN(n, kl_of_best_of_n(n), bootstrap(best)[0], len(best)))
    return curve
