"""Run the project's checks side by side, print what fails, and try failed tests once more, alone.

`make test` runs the gate, `make test-all` everything (see docs/development.md):

    make test | make test-all | make test-vllm ALL=1

Two lanes share the processors. The first runs the main suite. The second runs the other parts, one after the
other; tests that import a trainer are among them, since the import takes ten seconds of each process.

A part that passes is one line; a part that fails is printed whole. A test that fails runs once more at the end,
by itself: if it passes then, the run passes, and its last lines say `flaky: NAME`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".pytest_cache" / "gate"
MAKE = ("make", "--no-print-directory")
SILENCE_S = 45.0
WITHOUT = "torch,transformers,trl,accelerate,peft"  # what tools/python-venv doesn't install
TRAINING = ("tests/training", "tests/adapters", "tests/recipes", "tests/docs")  # import a trainer
MOST_RETRIED = 20  # more failures than these have one cause, and it isn't chance


@dataclass(frozen=True)
class Part:
    """One check: a command, or a run of pytest.

    Attributes:
        name: what it's called on the command line.
        command: what runs; for pytest, up to the options that hold for every test.
        paths: for pytest, the rest of its arguments: how to spread tests, and which to run.
        target: the Makefile's target that it needs first.
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
        cache = ["-o", f"cache_dir={self.cache}"] if self.is_pytest else []
        return [*self.command, *cache, *(rest or self.paths)]

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
        self.running: set[str] = set()
        threading.Thread(target=self._stay_awake, daemon=True).start()

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
            if time.monotonic() - self._last > SILENCE_S and self.running:
                seconds = time.monotonic() - self._begun
                self.line(f"... {seconds:.0f} s: {', '.join(sorted(self.running))}")


class Gate:
    """Runs parts in lanes, and keeps what became of them."""

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
        """Run a command to its end, named `what` while nothing else is to be seen."""
        self.screen.running.add(what)
        output = b""
        with subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            while data := os.read(process.stdout.fileno(), 1 << 16):
                output += data
                if aloud:
                    self.screen.write(data)
        status = process.wait()
        self.screen.running.discard(what)
        return Finished(status, output)

    def retry(self) -> list[str]:
        """Run failed tests once more, alone. Returns those that pass now."""
        flaky = []
        for part, tests in self._retried:
            self.screen.line(f"== {part.name}, once more and alone: {' '.join(tests)}")
            shutil.rmtree(part.cache, ignore_errors=True)
            done = self.call(part.name, part.arguments(*tests), True, **part.environment)
            if done.status not in (0, 1):  # a run that broke off says nothing of its tests
                self.broken.append(part.name)
                continue
            still = part.failed()
            flaky += [test for test in tests if test not in still]
            self.broken += [part.name] if still else []
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


def parts(jobs: int, everything: bool) -> tuple[list[Part], list[Part]]:
    """Return the parts of the two lanes: the main suite, and everything beside it."""
    venv, vllm, trainers = (os.environ[name] for name in ("VENV", "VLLM_VENV", "TRAINERS_VENV"))
    whole = ["--all"] if everything else []
    spread = ("-n", str(jobs), "--dist", "loadfile", "--no-loadscope-reorder")
    here = {"PYTHONPATH": str(ROOT)}

    def pytest(name: str, venv: str, marker: str, path: str, target: str) -> Part:
        command = [f"{venv}/bin/python", "-m", "pytest", *whole, "-m", marker]
        return Part(name, command, (path,), target, here)

    command = [f"{venv}/bin/python", "-m", "pytest", *whole]
    rest = tuple(f"--ignore={folder}" for folder in TRAINING)
    main = [Part("main", command, (*spread, *rest), "readers")]
    beside = [
        Part("lint", [*MAKE, "lint"]),
        Part("types", [*MAKE, "types"]),
        Part("docs", [*MAKE, "docs"]),
        Part("training", command, TRAINING, "readers"),
        pytest("verl", trainers, "verl", "tests/adapters/verl", "trainers-environment"),
        pytest("openrlhf", trainers, "openrlhf", "tests/adapters/openrlhf", "trainers-environment"),
        pytest("vllm", vllm, "vllm", "tests/vllm_cpu", "vllm-environment"),
    ]
    if everything:
        for version in ("3.12", "3.13"):
            other = os.environ["VENV" + version.replace(".", "")]
            command = [f"{other}/bin/python", "-m", "pytest", "--without", WITHOUT]
            main.append(
                Part(f"python{version}", command, spread, f"python{version}-environment", here)
            )
    return main, beside


def run(chosen: Sequence[str], jobs: int, everything: bool) -> int:
    """Run the gate, or the parts chosen. Returns the exit status."""
    gate = Gate()
    gate.screen.line("== set-up")
    if gate.call("set-up", [*MAKE, "install"], True).status:
        return 1
    main, beside = (
        [part for part in lane if not chosen or part.name in chosen]
        for lane in parts(jobs, everything)
    )
    # What the last parts need is fetched while the first ones run.
    fetched = [Part("environments", [*MAKE, part.target]) for part in beside if "-" in part.target]
    for thread in [gate.lane(main, True), gate.lane(beside, False), gate.lane(fetched, False)]:
        thread.join()
    flaky = gate.retry()
    for name in dict.fromkeys(gate.broken):
        gate.screen.line(f"failed: {name}")
    for test in flaky:
        gate.screen.line(f"flaky: {test}")
    return 1 if gate.broken else 0


def main() -> None:
    """Read the command line, and exit with what the parts came to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help="only these (default: every part)")
    parser.add_argument("--all", action="store_true", help="with the exhaustive cases")
    parser.add_argument("--jobs", type=int, default=2, help="processes of the main suite")
    given = parser.parse_args()
    # A shell's background job ignores interrupts, and tests of theirs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(run(given.parts, given.jobs, given.all))


if __name__ == "__main__":
    main()
