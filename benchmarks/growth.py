"""Measure how the cost of an item grows with the number of items: time, memory and the exponent.

    python benchmarks/growth.py [--sizes 1000 10000 100000] [PART…]

Each part runs at each size in a process of its own. Time is that of all processors, of the process and of those that
it started, so that other work on the machine counts little. Memory is the growth of the process's peak. The exponent
is that of the time between the last two sizes: 1 if an item costs the same however many there are, 2 if twice as many
cost twice as much each. Parts whose item takes microseconds have ten times as many.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import rlvr
from rlvr.scoring import close, submit

SIZES = (1000, 10_000, 100_000)
Part = Callable[[int, Path], Callable[[], object]]
PARTS: dict[str, Part] = {}
QUICK: set[str] = set()
"""Parts whose item takes microseconds."""


def part(quick: bool = False) -> Callable[[Part], Part]:
    """Add a function that prepares `n` items in a folder and returns the work to be measured."""

    def add(prepare: Part) -> Part:
        PARTS[prepare.__name__] = prepare
        if quick:
            QUICK.add(prepare.__name__)
        return prepare

    return add


@rlvr.verifier
def same(task: rlvr.Task, answer: str) -> bool:
    return answer == task.reference


def sums(n: int) -> list[rlvr.Task]:
    return [rlvr.Task(f"What is {i} + {i}?", str(2 * i), str(i)) for i in range(n)]


def answers(n: int) -> list[str]:
    return [f"It is \\boxed{{{2 * i + (i % 3 == 0)}}}." for i in range(n)]


def env(n: int, verifier: rlvr.Verifier | None = None) -> rlvr.SingleTurn:
    made = rlvr.SingleTurn(rlvr.TaskSet(sums(n), name="sums"), verifier or rlvr.Math())
    made.name = "sums"
    return made


def run(n: int, folder: Path, name: str = "run") -> Path:
    """A run with n rollouts, 8 per task."""
    rlvr.evaluate(env(max(1, n // 8)), "random", k=8, run=folder / name)
    return folder / name


def rows(n: int, file: Path, start: int = 0) -> Path:
    words = "train leaves town noon boxes apples market river bridge garden winter stone".split()  # noqa: SIM905
    with file.open("w") as out:
        for i in range(start, start + n):
            text = " ".join(f"{word} {i * 7919 % 100_003 + j}" for j, word in enumerate(words))
            row = {"prompt": f"{text}?", "reference": str(2 * i), "response": answers(1)[0]}
            out.write(json.dumps(row) + "\n")
    return file


def rlvr_command(*arguments: object) -> object:
    command = [sys.executable, "-m", "rlvr", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True)


@part()
def score(n: int, folder: Path) -> Callable[[], object]:
    tasks, responses = sums(n), answers(n)
    return lambda: rlvr.score(tasks, responses, same)


@part(quick=True)
def score_in_place(n: int, folder: Path) -> Callable[[], object]:
    tasks, responses = sums(n), answers(n)
    return lambda: rlvr.score(tasks, responses, rlvr.Math())


@part()
def ascore(n: int, folder: Path) -> Callable[[], object]:
    tasks, responses = sums(n), answers(n)
    return lambda: asyncio.run(rlvr.ascore(tasks, responses, same))


def submitted(n: int, threads: int) -> Callable[[], object]:
    tasks, responses = sums(n), answers(n)

    def some(first: int) -> None:
        for i in range(first, n, threads):
            submit(tasks[i], responses[i], same)

    def work() -> None:
        started = [threading.Thread(target=some, args=[i]) for i in range(threads)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        submit(tasks[0], responses[0], same).result()  # type: ignore[union-attr]

    return work


@part()
def submit_from_1_thread(n: int, folder: Path) -> Callable[[], object]:
    return submitted(n, 1)


@part()
def submit_from_64_threads(n: int, folder: Path) -> Callable[[], object]:
    return submitted(n, 64)


@part()
def command_line(n: int, folder: Path) -> Callable[[], object]:
    file = rows(n, folder / "rows.jsonl")
    return lambda: rlvr_command("score", "math", file, "-o", folder / "out.jsonl")


@part()
def evaluate(n: int, folder: Path) -> Callable[[], object]:
    subject = env(n)
    return lambda: rlvr.evaluate(subject, "random", run=folder / "run")


@part()
def resume(n: int, folder: Path) -> Callable[[], object]:
    path = run(n, folder)
    subject = env(max(1, n // 8))
    return lambda: rlvr.evaluate(subject, "random", k=8, run=path, resume=True)


@part()
def rescore(n: int, folder: Path) -> Callable[[], object]:
    from rlvr.evaluation.rescore import rescore as rescored
    from rlvr.runs.rollouts import Rollout
    from rlvr.runs.run import read_rollouts

    path, subject = run(n, folder), env(max(1, n // 8))
    return lambda: sum(
        1 for _ in rescored(subject, (Rollout.from_json(row) for row in read_rollouts(path)))
    )


@part()
def compare(n: int, folder: Path) -> Callable[[], object]:
    from rlvr.evaluation.compare import compare_runs

    first, second = run(n // 2, folder, "a"), run(n // 2, folder, "b")
    return lambda: compare_runs(first, second)


@part()
def viewer(n: int, folder: Path) -> Callable[[], object]:
    from rlvr.evaluation.viewer.view import write_view

    path = run(n, folder)
    return lambda: write_view([path])


@part()
def audit(n: int, folder: Path) -> Callable[[], object]:
    subject = env(n)
    return lambda: rlvr.audit(subject, tasks=20)


@part()
def decontamination(n: int, folder: Path) -> Callable[[], object]:
    train = rows(n, folder / "train.jsonl")
    against = rows(500, folder / "test.jsonl", start=n)
    output = folder / "clean.jsonl"
    return lambda: rlvr_command("data", "decontaminate", train, "--against", against, "-o", output)


@part()
def neighbours(n: int, folder: Path) -> Callable[[], object]:
    import sqlite3

    from rlvr.authoring.neighbours import neighbours_of

    path = folder / "shop.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE sale (id INTEGER PRIMARY KEY, item TEXT, price REAL)")
        sales = ((i, f"item {i % 97}", i * 7 % 1000 / 10) for i in range(n))
        database.executemany("INSERT INTO sale VALUES (?, ?, ?)", sales)
    query = "SELECT item, COUNT(*) FROM sale WHERE price > 50 GROUP BY item"
    return lambda: neighbours_of(query, str(path), most=3)


@part(quick=True)
def tasks(n: int, folder: Path) -> Callable[[], object]:
    return lambda: len(rlvr.TaskSet(sums(n)))


@part(quick=True)
def mixture(n: int, folder: Path) -> Callable[[], object]:
    mixed = rlvr.Mixture({"a": env(n // 2), "b": env(n // 4), "c": env(n // 4)}, [2, 1, 1])
    return lambda: sum(1 for _ in mixed.draw(n))


@part()
def trl_reward(n: int, folder: Path) -> Callable[[], object]:
    subject = env(n, same)
    columns = rlvr.trl.dataset(subject).to_dict()
    prompts = columns.pop("prompt")
    completions = [[{"role": "assistant", "content": text}] for text in answers(n)]
    reward: Any = rlvr.trl.reward(subject)
    return lambda: asyncio.run(reward(completions=completions, prompts=prompts, **columns))


def processor_s() -> float:
    """Return the processor time of this process and the children that it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def measure(name: str, n: int) -> dict[str, float]:
    """Measure a part here: processor time and wall time in seconds, and the growth of the peak memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        work = PARTS[name](n, Path(folder))
        close()  # preparing may have started workers
        before, peak = processor_s(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        work()
        wall = time.perf_counter() - began
        close()  # and waits for them, so that their time is known
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
        return {"cpu": processor_s() - before, "wall": wall, "mb": grown / 1024}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(measure(options.parts[0], options.one)))
        return
    print(
        f"{'part':<24}{'items':>9}{'µs an item':>12}{'wall':>9}{'MB':>8}{'B an item':>11}  exponent"
    )
    for name in options.parts or PARTS:
        rows = []
        for size in options.sizes:
            n = size * 10 if name in QUICK else size
            command = [sys.executable, __file__, name, "--one", str(n)]
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
            if ran.returncode:
                print(f"{name:<24}{n:>9}  failed: {ran.stderr.strip().splitlines()[-1]}")
                break
            rows.append((n, json.loads(ran.stdout.splitlines()[-1])))
            figures = rows[-1][1]
            line = f"{name:<24}{n:>9}{1e6 * figures['cpu'] / n:>12.1f}{1e6 * figures['wall'] / n:>9.1f}"
            line += f"{figures['mb']:>8.1f}{figures['mb'] * 2**20 / n:>11.0f}"
            if len(rows) > 1:
                (fewer, first), (more, second) = rows[-2:]
                exponent = math.log(second["cpu"] / first["cpu"]) / math.log(more / fewer)
                line += f"{exponent:>10.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
