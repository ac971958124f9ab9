"""Run the project's checks side by side, print what fails, and try failed tests once more, alone.

`make test` runs the gate, `make test-all` everything (see docs/development.md):

    make test | make test-all | make test-vllm ALL=1

Two lanes share the processors. The first runs the main suite. The second runs the other parts, one after the
other; tests that import a trainer are among them, since the import takes ten seconds of each process. The second
lane is a single process for most of its time, so the first one, of several, is nice to it.

A part that passes is one line; a part that fails is printed whole. The slowest tests of all parts and each room's
share of the time follow. A test that fails runs once more at the end, by itself: if it passes then, the run passes,
and its last lines say `flaky: NAME`.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".pytest_cache" / "gate"
MAKE = ("make", "--no-print-directory")
SILENCE_S = 45.0
WITHOUT = "torch,transformers,trl,accelerate,peft"  # what tools/python-venv doesn't install
TRAINING = ("tests/training", "tests/adapters", "tests/recipes", "tests/docs", "tests/policies",
            "tests/cli/test_eval.py", "tests/cli/test_data_weakest.py",
            "tests/evaluation/exports/test_training_data.py")  # fmt: skip
"""Tests that import torch or a trainer: one process does it for all of them."""
SLOWEST = 40  # tests that are listed
MOST_RETRIED = 20  # more failures than these have one cause, and it isn't chance


@dataclass(frozen=True)
class Part:
    """One check: a command, or a run of pytest.

    Attributes:
        name: its name on the command line.
        command: the command line; for pytest, up to the options that hold for every test.
        paths: for pytest, the other arguments: the spread over processes, and the files.
        target: the Makefile's target that installs its environment, if it has one of its own.
        environment: variables added to this process's.
    """

    name: str
    command: Sequence[str]
    paths: Sequence[str] = ()
    target: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_pytest(self) -> bool:
        """Return True if its failures are tests', and can be tried again."""
        return "pytest" in self.command

    @property
    def cache(self) -> Path:
        """The folder where pytest notes which tests failed."""
        return CACHE / self.name

    def arguments(self, *rest: str) -> list[str]:
        """Return the command line that runs `rest`; by default, all of it."""
        if not self.is_pytest:
            return [*self.command, *(rest or self.paths)]
        notes = ("-o", f"cache_dir={self.cache}", f"--junitxml={self.results}")
        return [*self.command, *notes, *(rest or self.paths)]

    @property
    def results(self) -> Path:
        """The file where pytest notes each test's outcome and seconds."""
        return self.cache / "results.xml"

    def failed(self) -> list[str]:
        """Return the ids of the tests that failed in the last run."""
        try:
            return list(json.loads((self.cache / "v/cache/lastfailed").read_text()))
        except FileNotFoundError:
            return []


class Screen:
    """Standard output, shared by the lanes, that is never silent for long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = self._begun = time.monotonic()
        self._in_line = False
        self._running: set[str] = set()
        threading.Thread(target=self._stay_awake, daemon=True).start()

    def begin(self, name: str) -> None:
        """Note that a part runs."""
        with self._lock:
            self._running.add(name)

    def end(self, name: str) -> None:
        """Note that a part has ended."""
        with self._lock:
            self._running.discard(name)

    def write(self, data: bytes) -> None:
        """Pass on a part's output as it comes."""
        with self._lock:
            self._write(data)

    def line(self, text: str) -> None:
        """Print a line of its own."""
        with self._lock:
            self._write(("\n" * self._in_line + text + "\n").encode())

    def _write(self, data: bytes) -> None:
        if data:
            self._in_line = not data.endswith(b"\n")
            self._last = time.monotonic()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def _stay_awake(self) -> None:
        while True:
            time.sleep(1)
            with self._lock:
                names = ", ".join(sorted(self._running))
            if names and time.monotonic() - self._last > SILENCE_S:
                self.line(f"... {time.monotonic() - self._begun:.0f} s: {names}")


class Gate:
    """Runs parts in lanes, and notes the parts that failed."""

    def __init__(self) -> None:
        self.screen = Screen()
        self.broken: list[str] = []
        self._retried: list[tuple[Part, list[str]]] = []

    def lane(self, parts: Sequence[Part], aloud: bool) -> threading.Thread:
        """Start running parts one after the other; `aloud` shows their output as it comes."""
        thread = threading.Thread(target=self._run_all, args=(parts, aloud), daemon=True)
        thread.start()
        return thread

    def call(self, what: str, command: Sequence[str], aloud: bool, **environment: str) -> Finished:
        """Run a command to its end; the screen calls it `what`."""
        self.screen.begin(what)
        output = b""
        with subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            for data in _output(process):
                output += data
                if aloud:
                    self.screen.write(data)
            status = process.wait()
        self.screen.end(what)
        return Finished(status, output)

    def retry(self) -> list[str]:
        """Run failed tests once more, alone. Returns those that pass now."""
        flaky = []
        for part, tests in self._retried:
            self.screen.line(f"== {part.name}, once more and alone: {' '.join(tests)}")
            shutil.rmtree(part.cache, ignore_errors=True)
            done = self.call(part.name, part.arguments(*tests), True, **part.environment)
            passed = sum(case.passed for case in _cases(part.results))
            still = part.failed()
            # A run that broke off, and a test that is skipped this time, say nothing.
            if passed + len(still) == len(tests) and done.status == (1 if still else 0):
                flaky += [test for test in tests if test not in still]
            if done.status or passed < len(tests):
                self.broken.append(part.name)
        return flaky

    def _run_all(self, parts: Sequence[Part], aloud: bool) -> None:
        for part in parts:
            try:
                self._run(part, aloud)
            except Exception as error:
                self.screen.line(f"== {part.name} failed: {error!r}")
                self.broken.append(part.name)

    def _run(self, part: Part, aloud: bool) -> None:
        begun = time.monotonic()
        shutil.rmtree(part.cache, ignore_errors=True)
        done = Finished(0, b"")
        if part.target:
            done = self.call(part.target, [*MAKE, part.target], aloud)
        if done.status == 0:
            done = self.call(part.name, part.arguments(), aloud, **part.environment)
        if done.status and not aloud:
            self.screen.line(f"== {part.name}")
            self.screen.write(done.output)
        how = f"{'failed' if done.status else 'passed'} in {time.monotonic() - begun:.0f} s"
        last = f": {done.last_line}" if part.is_pytest and not aloud else ""
        self.screen.line(f"== {part.name} {how}{last}")
        failed = part.failed() if part.is_pytest and done.status == 1 else []
        if failed and len(failed) <= MOST_RETRIED:
            self._retried.append((part, failed))
        elif done.status:
            self.broken.append(part.name)


@dataclass(frozen=True)
class Finished:
    """The outcome of a command."""

    status: int
    output: bytes

    @property
    def last_line(self) -> str:
        """The last line it printed."""
        return (self.output.decode(errors="replace").strip().splitlines() or [""])[-1]


def _output(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield what a process prints until it ends, even if one that it left behind holds its output open."""
    assert process.stdout is not None
    while True:
        ready, _, _ = select.select([process.stdout], [], [], 1.0)
        if not ready and process.poll() is not None:
            return
        if ready:
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                return
            yield data


@dataclass(frozen=True)
class Case:
    """A test in pytest's XML: its name, whether it passed, and its seconds with setup and teardown."""

    module: str
    name: str
    passed: bool
    seconds: float

    @property
    def room(self) -> str:
        """The folder of `tests` that it is in."""
        return "/".join(self.module.split(".")[:-1][:2])


def _cases(results: Path) -> list[Case]:
    """Return the tests that ran, from pytest's XML."""
    try:
        cases = list(ElementTree.parse(results).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return []
    wrong = ("failure", "error", "skipped")
    return [
        Case(
            case.get("classname", ""),
            case.get("name", ""),
            all(case.find(tag) is None for tag in wrong),
            float(case.get("time", 0)),
        )
        for case in cases
    ]


def durations(cases: Sequence[Case]) -> list[str]:
    """Return lines with each room's share of the tests' time, and the slowest tests."""
    rooms: Counter[str] = Counter()
    for case in cases:
        rooms[case.room] += case.seconds
    whole = rooms.total() or 1.0
    slowest = sorted(cases, key=lambda case: -case.seconds)[:SLOWEST]
    return [
        "== seconds of tests, by room",
        *(f"{spent:8.1f} s {spent / whole:6.1%}  {room}" for room, spent in rooms.most_common()),
        f"== the {len(slowest)} slowest tests",
        *(f"{case.seconds:8.1f} s  {case.module}::{case.name:.80}" for case in slowest),
    ]


def parts(jobs: int, everything: bool) -> tuple[list[Part], list[Part]]:
    """Return the parts of the two lanes: the main suite, and everything beside it."""
    venv, vllm, trainers, mcp = (
        os.environ[name] for name in ("VENV", "VLLM_VENV", "TRAINERS_VENV", "MCP_VENV")
    )
    whole = ["--all"] if everything else []
    spread = ("-n", str(jobs), "--dist", "loadfile", "--no-loadscope-reorder")
    here = {"PYTHONPATH": str(ROOT)}

    def pytest(name: str, venv: str, marker: str, path: str, target: str) -> Part:
        command = [f"{venv}/bin/python", "-m", "pytest", *whole, "-m", marker]
        return Part(name, command, (path,), target, here)

    command = [f"{venv}/bin/python", "-m", "pytest", *whole]
    nice = ["nice", "-n", "5"]
    rest = tuple(f"--ignore={folder}" for folder in TRAINING)
    main = [Part("main", [*nice, *command], (*spread, *rest))]
    beside = [
        Part("lint", [*MAKE, "lint"]),
        Part("types", [*MAKE, "types"]),
        Part("docs", [*MAKE, "docs"]),
        Part("training", command, TRAINING),
        pytest("verl", trainers, "verl", "tests/adapters/verl", "trainers-environment"),
        pytest("openrlhf", trainers, "openrlhf", "tests/adapters/openrlhf", "trainers-environment"),
        pytest("vllm", vllm, "vllm", "tests/vllm_cpu", "vllm-environment"),
        pytest("mcp", mcp, "mcp", "tests/envs/mcp", "mcp-environment"),
    ]
    if everything:
        for version in ("3.12", "3.13"):
            other = os.environ["VENV" + version.replace(".", "")]
            command = [f"{other}/bin/python", "-m", "pytest", "--without", WITHOUT]
            main.append(
                Part(f"python{version}", command, spread, f"python{version}-environment", here)
            )
    return main, beside


def run(main: Sequence[Part], beside: Sequence[Part]) -> int:
    """Run the parts of the two lanes. Returns the exit status."""
    gate = Gate()
    targets = {part.target for part in (*main, *beside)}
    if "" in targets:  # the environment that several parts share
        gate.screen.line("== set-up")
        if gate.call("set-up", [*MAKE, "install", "readers"], True).status:
            return 1
    # What the last parts need is fetched while the first ones run. A part whose fetch failed says so itself.
    fetching = [
        threading.Thread(target=gate.call, args=(target, [*MAKE, target], False))
        for target in sorted({part.target for part in beside} - {""})
    ]
    for thread in fetching:
        thread.start()
    for thread in [gate.lane(main, True), gate.lane(beside, False), *fetching]:
        thread.join()
    cases = [case for part in (*main, *beside) if part.is_pytest for case in _cases(part.results)]
    for line in durations(cases) if cases else ():
        gate.screen.line(line)
    flaky = gate.retry()
    for name in dict.fromkeys(gate.broken):
        gate.screen.line(f"failed: {name}")
    for test in flaky:
        gate.screen.line(f"flaky: {test}")
    return 1 if gate.broken else 0


def main() -> None:
    """Run the parts that the command line names, and exit with their status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these (default: every part)")
    parser.add_argument("--all", action="store_true", help="with the exhaustive cases")
    parser.add_argument(
        "--jobs", type=int, default=3, help="processes of the main suite (default 3)"
    )
    options = parser.parse_args()
    lanes = parts(options.jobs, options.all)
    names = [part.name for lane in lanes for part in lane]
    for name in options.parts:
        if name not in names:
            parser.error(f"there's no part {name!r}; there are {', '.join(names)}")
    # A shell's background job ignores interrupts, and tests of theirs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chosen = options.parts or names
    sys.exit(run(*([part for part in lane if part.name in chosen] for lane in lanes)))


if __name__ == "__main__":
    main()
