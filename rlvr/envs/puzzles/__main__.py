"""`python -m rlvr.envs.puzzles [NAME …]`: what the oracle and the naive strategy earn, by level."""

from __future__ import annotations

import importlib
import sys
import time

from rlvr.core.registry import make
from rlvr.core.task import Task
from rlvr.core.verifier import Verifier
from rlvr.envs.puzzles import PUZZLES, naive
from rlvr.scoring import score

COUNT = 300
ENOUGH_S = 30.0
"""Seconds after which no more tasks of a level are made."""


def _measure(name: str, level: int) -> str:
    env = make(name, level=level)
    tasks: list[Task] = []
    start = time.perf_counter()
    while len(tasks) < COUNT and time.perf_counter() - start < ENOUGH_S:
        tasks.append(env.tasks[len(tasks)])
    rate = len(tasks) / (time.perf_counter() - start)
    oracle = _mean(tasks, [env.verifier.demonstrate(task) or "" for task in tasks], env.verifier)
    lazy = _mean(tasks, [naive(name)(task) for task in tasks], env.verifier)
    return f"| `{name}` | {level} | {len(tasks)} | {oracle:.3f} | {lazy:.3f} | {rate:.0f} |"


def _mean(tasks: list[Task], responses: list[str], verifier: Verifier) -> float:
    return sum(map(float, score(tasks, responses, verifier))) / len(tasks)


def main(names: list[str]) -> None:
    """Print the table that `docs/puzzles.md` has."""
    print("| environment | level | tasks | oracle | naive | tasks/s |\n|---|---|---|---|---|---|")
    for name in names or list(PUZZLES):
        for level in importlib.import_module(f"rlvr.envs.puzzles.{name}").LEVELS:
            print(_measure(name, level), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
