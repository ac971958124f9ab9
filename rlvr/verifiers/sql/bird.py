"""The semantics of BIRD's evaluation (Li et al., arXiv:2305.03111, and its mini-dev), for its figures.

- **EX**: the two results are the same *set* of rows: neither order nor repetition counts.
- **Soft F1**: rows without repetition, paired by position; of each pair, which cells the other has.
- **R-VES**: for a result that is right by EX, steps by the ratio of the gold's time to the query's.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from rlvr.verifiers.sql.execution import Row

RUNS = 100
"""Turns in which the published evaluator times each query."""


def difference(gold: list[Row], rows: list[Row]) -> str:
    """Return why `rows` isn't right by EX; "" if it is."""
    missing, more = set(gold) - set(rows), set(rows) - set(gold)
    if not missing and not more:
        return ""
    return f"{len(missing)} rows are missing and {len(more)} are others"


def soft_f1(gold: list[Row], rows: list[Row]) -> float:
    """Return Soft F1, in [0, 1]. Cells count by share of the gold's columns, as published; two empty results earn 1."""
    if not gold and not rows:
        return 1.0
    wanted, got = list(dict.fromkeys(gold)), list(dict.fromkeys(rows))
    # In whole rows: what both have, what the response alone has, what the gold alone has.
    both, extra = 0.0, float(max(0, len(got) - len(wanted)))
    missing = float(max(0, len(wanted) - len(got)))
    for ours, theirs in zip(wanted, got, strict=False):
        common = sum(value in ours for value in theirs)
        both += common / len(ours)
        extra += (len(theirs) - common) / len(ours)
        missing += sum(value not in theirs for value in ours) / len(ours)
    precision = both / (both + extra) if both + extra else 0.0
    recall = both / (both + missing) if both + missing else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def r_ves(ratio: float) -> float:
    """Return the reward for a right query by gold's time / query's time: 0.25 to 1.25."""
    steps = ((2.0, 1.25), (1.0, 1.0), (0.5, 0.75), (0.25, 0.5))
    return next((reward for least, reward in steps if ratio >= least), 0.25)


def time_ratio(gold: Callable[[], object], query: Callable[[], object], runs: int = RUNS) -> float:
    """Return the mean of gold's time / query's time over `runs` turns, without those 3σ from it."""
    ratios = []
    for _ in range(runs):
        began = time.perf_counter()
        query()
        between = time.perf_counter()
        gold()
        ratios.append((time.perf_counter() - between) / (between - began))
    mean, spread = statistics.fmean(ratios), statistics.pstdev(ratios)
    return statistics.fmean([r for r in ratios if abs(r - mean) < 3 * spread] or ratios)
