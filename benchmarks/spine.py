"""The spine's speed: start, inline scoring, the pool's own cost, recovery from a killed worker.

    python benchmarks/spine.py [PART…]

Prints each figure beside its bar. Figures of one run belong together; machines differ, ratios less.
"""

from __future__ import annotations

import os
import resource
import socket
import statistics
import subprocess
import sys
import time

import rlvr
from rlvr.scoring import default_pool
from rlvr.scoring.pool import Pool

TASK = rlvr.Task("What is 6 * 7?", "42")


@rlvr.verifier
def trivial(task: rlvr.Task, answer: str) -> bool:
    return answer == task.reference


@rlvr.verifier
def dies_once(task: rlvr.Task, answer: str) -> bool:
    """Kills its worker the first time it's asked, as the kernel does when memory is short."""
    import signal

    try:
        os.close(os.open(answer, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return True
    os.kill(os.getpid(), signal.SIGKILL)
    return False


START = {
    "import gymnasium": ["-c", "import gymnasium"],
    "import rlvr": ["-c", "import rlvr"],
    "rlvr --help": ["-m", "rlvr", "--help"],
    "rlvr score, one line": ["-m", "rlvr", "score", "math", "-"],
    "a cold process's first verdict of a worker": ["-c", "import spine; spine.first_verdict()"],
}
BARS = {"import rlvr": "≤ 1.1 of gymnasium", "rlvr --help": "≤ 0.12 s", "rlvr score, one line": "≤ 0.2 s",
        "a cold process's first verdict of a worker": "≤ 0.5 s"}  # fmt: skip


def first_verdict() -> None:
    (verdict,) = rlvr.score([TASK], ["\\boxed{42}"], trivial)
    assert float(verdict) == 1.0


def starts(rounds: int = 11) -> dict[str, tuple[float, float]]:
    """Seconds of wall time and of processor time of fresh processes, taken in turn: medians."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in START}
    # Byte code is cached in an ordinary installation, so it is here.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    line = b'{"reference": "42", "response": "\\\\boxed{42}"}\n'
    for _ in range(rounds + 1):
        for name, arguments in START.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], input=line, capture_output=True, check=True,
                           env=env, cwd=os.path.dirname(os.path.abspath(__file__)))  # fmt: skip
            wall = time.perf_counter() - began
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            times[name].append((wall, used))
    medians = {name: zip(*seen[1:], strict=True) for name, seen in times.items()}
    return {name: tuple(map(statistics.median, pair)) for name, pair in medians.items()}  # type: ignore[misc]


def inline_rate(count: int = 50_000) -> float:
    """Numeric answers settled a second, in one thread."""
    tasks = [rlvr.Task("", str(i), str(i)) for i in range(count)]
    responses = [f"Half of it is {i / 2}, so the total is \\boxed{{{i}}}." for i in range(count)]
    verifier = rlvr.Math()
    rates = []
    for _ in range(3):
        began = time.perf_counter()
        verdicts = rlvr.score(tasks, responses, verifier)
        rates.append(count / (time.perf_counter() - began))
        assert all(float(verdict) == 1.0 for verdict in verdicts)
    return statistics.median(rates)


def pool_overhead_ms(count: int = 3000) -> float:
    """Return the time that the pool adds to one verification: its median minus the median in place."""
    response = "\\boxed{42}"
    rlvr.score([TASK], [response], trivial)
    through, direct = [], []
    for _ in range(count):
        began = time.perf_counter()
        rlvr.score([TASK], [response], trivial)
        through.append(time.perf_counter() - began)
        began = time.perf_counter()
        trivial.verify(TASK, response)
        direct.append(time.perf_counter() - began)
    return 1e3 * (statistics.median(through) - statistics.median(direct))


def recovery_ms(folder: str, count: int = 20) -> float:
    """One worker, which is killed while it judges: until its replacement has judged the same item."""
    times = []
    with Pool(workers=1) as pool:
        pool.submit(trivial, TASK, "\\boxed{42}").result()
        for i in range(count):
            answer = os.path.join(folder, str(i))
            began = time.perf_counter()
            verdict = pool.submit(dies_once, TASK, f"\\boxed{{{answer}}}").result()
            times.append(time.perf_counter() - began)
            assert float(verdict) == 1.0
    return 1e3 * statistics.median(times)


def pool_rate(count: int) -> float:
    """Verdicts of a trivial function a second, in calls of `count` items."""
    tasks, responses = [TASK] * count, ["\\boxed{42}"] * count
    rates = []
    for _ in range(5):
        began = time.perf_counter()
        rlvr.score(tasks, responses, trivial)
        rates.append(count / (time.perf_counter() - began))
    return statistics.median(rates)


def round_trip_ms(count: int = 3000) -> float:
    """Return the time of a message to another process and back: nothing can be below it."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        while message := theirs.recv(4096):
            theirs.sendall(message)
        os._exit(0)
    theirs.close()
    times = []
    for _ in range(count):
        began = time.perf_counter()
        ours.sendall(b"x" * 300)
        ours.recv(4096)
        times.append(time.perf_counter() - began)
    ours.close()
    os.waitpid(child, 0)
    return 1e3 * statistics.median(times)


def start() -> None:
    found = starts()
    for name, (wall, used) in found.items():
        ratio = used / found["import gymnasium"][1]
        print(
            f"{name:<46}{wall:>9.3f} s{used:>9.3f} s of processor{ratio:>7.2f}   bar {BARS.get(name, '')}"
        )


def inline() -> None:
    print(f"{'numeric answers settled inline, a second':<46}{inline_rate():>11.0f}   bar ≥ 50000")


def pool() -> None:
    default_pool().start()
    print(f"{'a message to a process and back, ms':<46}{round_trip_ms():>11.3f}")
    print(f"{'the pool adds to a verification, ms':<46}{pool_overhead_ms():>11.3f}   bar ≤ 0.08")
    for count in (10, 100, 1000, 10_000):
        print(
            f"{f'verdicts a second, {count} in a call':<46}{pool_rate(count):>11.0f}   bar ≥ 8000"
        )


def recovery() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print(f"{'recovery from a killed worker, ms':<46}{recovery_ms(folder):>11.1f}   bar ≤ 20")


def main() -> None:
    parts = {"start": start, "inline": inline, "pool": pool, "recovery": recovery}
    for name in sys.argv[1:] or parts:
        parts[name]()


if __name__ == "__main__":
    main()
