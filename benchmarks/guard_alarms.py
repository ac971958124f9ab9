r"""False alarms: how many healthy runs each guard warns of or stops, and how soon a failure is seen.

    python benchmarks/guard_alarms.py [--runs 20000] [--others 300] [--size 16x8]

`unscored` is tried alone, at true shares of unscored rollouts of 20% and 25% (its limit is 30%), whole tasks (bad
references, prompts that are too long) and each rollout by itself (a sandbox that fails now and then), with 2
groups of 4 a step up to 16 of 8, over 120 steps. Its bar is one run in 1,000. At 40% the share of runs that are
stopped within 15 and 40 steps is printed, and the most that any test could stop within 15 with false stops in one run of 1,000
(Neyman and Pearson's, on failures by task).

The other guards see three kinds of runs of 100 steps. Typical ones: tasks of different difficulty, lengths and
cuts by chance. Borderline ones, of which nothing is to be said yet: whole tasks without a difference (60%), cut (15%), answered by
filler (20%), the better paid response longer in 65% of the pairs, entropy down to a fifth. And bad ones, in which each of it is over
its limit by far: the median step of the first warning is printed.
"""

from __future__ import annotations

import argparse
import functools
import math
from collections import Counter, deque
from typing import Any

import numpy as np

from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status
from rlvr.runs.rollouts import Rollout
from rlvr.training.guards import GuardConfig, Guards, responses
from rlvr.training.guards.unscored import WINDOW, UnscoredGuard

SIZES = ((2, 4), (4, 4), (8, 8), (16, 8))
LIMIT, SOON = 0.3, 15
RIGHT, WRONG = Scored(1.0, Status.CORRECT), Scored(0.0, Status.INCORRECT)
PROSE = (
    "so the train leaves at nine and needs three hours while a bus brings everybody from hotels to "
    "stations which takes half an hour then we add both numbers divide by four and get what was asked"
)
FILLER = "and so on " * 60
OTHERS = [name for name in GuardConfig.names() if name != "unscored"]


def stopped_at(
    share: float,
    groups: int,
    size: int,
    whole: bool,
    dice: np.random.Generator,
    runs: int,
    steps: int,
) -> np.ndarray[Any, Any]:
    """Return the steps at which the guard stops runs of so many unscored; infinity if it doesn't."""
    guard, last = UnscoredGuard(LIMIT), deque[Any](maxlen=WINDOW)
    found = np.full(runs, math.inf)
    for step in range(1, steps + 1):
        if whole:
            shares = (dice.random((runs, groups)) < share).astype(float)
        else:
            shares = dice.binomial(size, share, (runs, groups)) / size
        last.append(shares.mean(1))
        stops = guard.weigh(shares) & (sum(last) / len(last) > LIMIT)
        found[stops & np.isinf(found)] = step
    return found


def bound(groups: int) -> float:
    """Return the power of the best test of 25% against 40% on all of `SOON` steps' groups, at a level of 1/1,000."""
    count = SOON * groups

    def tail(share: float, least: int) -> float:
        return sum(
            math.comb(count, k) * share**k * (1 - share) ** (count - k)
            for k in range(least, count + 1)
        )

    return tail(0.4, next(least for least in range(count + 1) if tail(0.25, least) <= 1e-3))


def unscored(runs: int, sizes: tuple[tuple[int, int], ...]) -> None:
    print(f"unscored: runs stopped of {runs} in 120 steps; at 40%: stopped within {SOON}, 40 steps")
    for groups, size in sizes:
        for whole in (True, False):
            dice = np.random.default_rng(groups)
            shown = []
            for share in (0.2, 0.25):
                found = stopped_at(share, groups, size, whole, dice, runs, 120)
                shown.append(f"{share:.0%}: {np.isfinite(found).sum()}")
            found = stopped_at(0.4, groups, size, whole, dice, runs, 40)
            soon, late = (found <= SOON).mean(), np.isfinite(found).mean()
            how = f"by task (at most {bound(groups):.1%})" if whole else "each"
            print(
                f"  {groups:2}×{size}  {'  '.join(shown)}   40%: {soon:.1%}, {late:.1%}  {how}",
                flush=True,
            )


def texts(count: int) -> list[tuple[int, str]]:
    """Return answers of different lengths in words."""
    dice = np.random.default_rng(0)
    lengths = dice.integers(20, 60, count)
    return [(int(n), " ".join(dice.choice(PROSE.split(), n)) + ".") for n in lengths]


TEXTS = texts(500)
KINDS = {  # shares of tasks: without a difference, cut, filler; words that a right answer has more; entropy's end
    "typical": (None, 0.05, 0.02, 0, 0.4),
    "borderline": (0.6, 0.15, 0.2, 7, 0.08),
    "bad": (0.95, 0.6, 0.7, 40, 0.02),
}


def run(
    kind: str, guard: str | None, dice: np.random.Generator, groups: int, size: int
) -> dict[str, int]:
    """Return the step of each guard's first warning in 100 steps; in a bad run, all but `guard`'s share is typical."""
    alike, cut, filler, longer, end = KINDS[kind]
    if kind == "bad":
        typical = KINDS["typical"]
        names = ("zero_variance", "truncation", "degenerate", "reward_length", "entropy")
        alike, cut, filler, longer, end = (
            own if name == guard else usual
            for name, own, usual in zip(names, KINDS[kind], typical, strict=True)
        )
    guards, first = Guards(), {}
    for step in range(1, 101):
        rollouts = []
        for task in range(groups):
            chance = dice.choice([0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0])
            if alike is not None:
                chance = dice.integers(2) if dice.random() < alike else 0.5
            is_cut, is_filler = (
                dice.random() < cut,
                step > 5 * (kind == "bad") and dice.random() < filler,
            )
            for _ in range(size):
                right = dice.random() < chance
                words, text = TEXTS[dice.integers(len(TEXTS))]
                rollouts.append(
                    Rollout(
                        "env", None, Task("?", "", f"t{task}"), 0,
                        [{"role": "user", "content": "?"},
                         {"role": "assistant", "content": FILLER if is_filler else text}],
                        RIGHT if right else WRONG, "length" if is_cut else "stop", None, words + longer * right,
                    )
                )  # fmt: skip
        entropy = (0.4 if step <= 20 else end) * math.exp(dice.normal(0, 0.2))
        for alarm in guards.check(step, rollouts, {"entropy": entropy}):
            first.setdefault(alarm.name, step)
    return first


def others(runs: int, sizes: tuple[tuple[int, int], ...]) -> None:
    # The same few texts come again and again.
    responses.measured = functools.cache(responses.measured)  # type: ignore[assignment]
    for kind in ("typical", "borderline"):
        print(f"the others: {kind} runs with a warning, of {runs}, in 100 steps")
        for groups, size in sizes:
            alarms = Counter(
                name for seed in range(runs) for name in run(kind, None, np.random.default_rng(seed), groups, size)
            )  # fmt: skip
            print(
                f"  {groups:2}×{size}  " + "  ".join(f"{n}: {alarms[n]}" for n in OTHERS),
                flush=True,
            )
    print("the others: bad runs; median step of the first warning")
    for groups, size in sizes:
        shown = []
        for name in OTHERS:
            steps = [
                run("bad", name, np.random.default_rng(seed), groups, size).get(name, math.inf)
                for seed in range(15)
            ]
            shown.append(f"{name}: {np.median(steps):.0f}")
        print(f"  {groups:2}×{size}  " + "  ".join(shown), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=20_000, help="of each kind, for `unscored`")
    parser.add_argument(
        "--others", type=int, default=300, help="runs of each kind for the other guards"
    )
    parser.add_argument(
        "--size", choices=[f"{g}x{n}" for g, n in SIZES], help="by default all of them"
    )
    a = parser.parse_args()
    sizes = tuple(size for size in SIZES if a.size in (None, "{}x{}".format(*size)))
    if a.runs:
        unscored(a.runs, sizes)
    if a.others:
        others(a.others, sizes)


if __name__ == "__main__":
    main()
