"""The spine's speed: import, inline scoring, the pool's own cost, recovery from a killed worker.

    python benchmarks/spine.py

Prints each figure beside its bar. Figures of one run belong together; machines differ, ratios less.
"""

from __future__ import annotations

import os
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


def import_ratio(rounds: int = 15) -> float:
    """`import rlvr` over `import gymnasium`, each in a fresh interpreter, taken in turn."""
    times: dict[str, list[float]] = {"gymnasium": [], "rlvr": []}
    timed = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    # Byte code is cached in an ordinary installation, so it is here.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(rounds + 1):
        for module, seen in times.items():
            ran = subprocess.run(
                [sys.executable, "-c", timed.format(module)],
                capture_output=True,
                check=True,
                env=env,
            )
            seen.append(float(ran.stdout))
    return statistics.median(times["rlvr"][1:]) / statistics.median(times["gymnasium"][1:])


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


def main() -> None:
    import tempfile

    default_pool().start()
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            ("import rlvr / import gymnasium", import_ratio(), "≤ 1.3"),
            ("numeric answers settled inline, a second", inline_rate(), "≥ 50000"),
            ("the pool adds to a verification, ms", pool_overhead_ms(), "≤ 0.3"),
            ("recovery from a killed worker, ms", recovery_ms(folder), "≤ 100"),
        ]
    for name, figure, bar in rows:
        print(f"{name:<42} {figure:>12.2f}   bar {bar}")


if __name__ == "__main__":
    main()
