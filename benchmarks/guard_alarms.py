r"""False alarms: how many healthy runs each guard warns of or stops, and how soon a failed reward is seen.

    python benchmarks/guard_alarms.py [--runs 1000]

`unscored` is tried alone, at true shares of unscored rollouts up to 25% (its limit is 30%), whole tasks (bad
references, prompts that are too long) and each rollout by itself (a sandbox that fails now and then), with 2
groups of 4 a step up to 16 of 8, over 120 steps. Its bar is one run in 1,000. At 40% the share of runs that are
stopped within 15 steps is printed.

The other guards see runs of 100 steps in which tasks are of different difficulty and lengths, entropy and cuts are
as they are by chance: nothing goes with the reward, and nothing changes.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from rlvr.core.task import Task
from rlvr.core.verdict import Scored, Status, Verdict
from rlvr.evaluation.rollouts import Rollout
from rlvr.training.guards import GuardConfig, Guards
from rlvr.training.guards.unscored import Evidence, UnscoredGuard

SIZES = ((2, 4), (4, 4), (8, 8), (16, 8))
RIGHT, WRONG = Scored(1.0, Status.CORRECT), Scored(0.0, Status.INCORRECT)
PROSE = (
    "so the train leaves at nine and needs three hours while a bus brings everybody from hotels to "
    "stations which takes half an hour then we add both numbers divide by four and get what was asked"
)


def rollout(
    task: int, verdict: Verdict, text: str = "", tokens: int = 0, stop: str = "stop"
) -> Rollout:
    messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": text}]
    return Rollout("env", None, Task("?", "", f"t{task}"), 0, messages, verdict, stop, None, tokens)


def stopped_at(
    share: float, groups: int, size: int, whole: bool, dice: np.random.Generator, steps: int
) -> int | None:
    """Return the step at which the guard would stop a run of so many unscored, whatever its last three had."""
    evidence = UnscoredGuard(0.3)._evidence
    assert isinstance(evidence, Evidence)
    for step in range(1, steps + 1):
        if whole:
            shares = (dice.random(groups) < share).astype(float)
        else:
            shares = dice.binomial(size, share, groups) / size
        if evidence.add(list(shares)):
            return step
    return None


def unscored(runs: int) -> None:
    print("unscored: runs stopped of", runs, "in 120 steps; at 40%: stopped within 15 steps")
    for groups, size in SIZES:
        for whole in (True, False):
            dice = np.random.default_rng(0)
            shown = []
            for share in (0.15, 0.2, 0.25):
                found = [stopped_at(share, groups, size, whole, dice, 120) for _ in range(runs)]
                shown.append(f"{share:.0%}: {sum(step is not None for step in found)}")
            soon = [stopped_at(0.4, groups, size, whole, dice, 15) for _ in range(runs // 4)]
            seen = np.mean([step is not None for step in soon])
            how = "by task" if whole else "each   "
            print(f"  {groups:2}×{size} {how}  {'  '.join(shown)}   40%: {seen:.1%}")


def healthy(dice: np.random.Generator, groups: int, size: int) -> list[Rollout]:
    """Return a step's rollouts: difficulties by task, lengths and words by chance."""
    found = []
    for task in range(groups):
        chance = dice.choice([0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0])
        for _ in range(size):
            tokens = int(dice.integers(20, 60))
            text = " ".join(dice.choice(PROSE.split(), tokens)) + "."
            cut = "length" if dice.random() < 0.05 else "stop"
            found.append(
                rollout(task, RIGHT if dice.random() < chance else WRONG, text, tokens, cut)
            )
    return found


def others(runs: int) -> None:
    print("the others: runs with an alarm of", runs, "in 100 steps")
    names = [name for name in GuardConfig.names() if name != "unscored"]
    for groups, size in SIZES:
        alarms: Counter[str] = Counter()
        for seed in range(runs):
            dice, guards = np.random.default_rng(seed), Guards()
            fired = set()
            for step in range(1, 101):
                metrics = {"entropy": float(dice.normal(0.4, 0.03))}
                fired |= {a.name for a in guards.check(step, healthy(dice, groups, size), metrics)}
            alarms.update(fired)
        print(f"  {groups:2}×{size}  " + "  ".join(f"{name}: {alarms[name]}" for name in names))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000, help="of each kind, for `unscored`")
    parser.add_argument("--others", type=int, default=40, help="runs for the other guards")
    a = parser.parse_args()
    unscored(a.runs)
    others(a.others)


if __name__ == "__main__":
    main()
