"""The types that go into a sandbox and come back.

`Program` × `Input`s → `ProgramRun` of `Execution`s, for programs that read standard input; a solution and
its `FunctionTests` → `TestRun`, for functions that a test calls. All frozen, all plain data, and
bytes stay bytes: nothing is decoded with its errors hidden.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from rlvr.core.errors import OptionError, nearest

_MOST = 10**6  # of any limit, in its own unit: no system call takes more


class Limit(StrEnum):
    """The limit that ended a program, found by the runner, outside the program's reach."""

    WALL = "wall"  # time on the clock
    CPU = "cpu"  # processor time, of all its processes together
    MEMORY = "memory"  # resident memory, of all its processes together
    PROCESSES = "processes"  # processes at once (too many threads are an error in the program)
    OUTPUT = "output"  # standard output or standard error
    FILE_SIZE = "file size"  # one file it wrote
    FILES = "files"  # what it left to be collected: too large, or too many


@dataclass(frozen=True, slots=True)
class Limits:
    """The resources that a program may use for one input.

    Attributes:
        wall_s: seconds on the clock. Time that a program waits for a processor isn't counted while it
            gets a tenth of one, up to ten times `wall_s` in all: a program that sleeps is ended by
            `wall_s`, a program that computes by `cpu_s`.
        cpu_s: seconds of processor time, all its processes together.
        memory_mb: resident memory in MiB, all its processes together.
        output_kb: standard output in KiB; the same again for standard error.
        processes: processes and threads at once.
        file_mb: one file it writes, in MiB.
        disk_mb: all files it writes, in MiB. They live in memory, and vanish with the test.
        files: how many files and folders it may make.
        compile_s: seconds on the clock to compile it.
        int_digits: digits of an integer that Python reads from text or writes as text; fewer than 640 are 640, Python's least.

    Raises `OptionError` where a number isn't positive (seconds) or isn't at least 1 (all else), or is
    more than a million.
    """

    wall_s: float = 10.0
    cpu_s: float = 5.0
    memory_mb: int = 512
    output_kb: int = 4096
    processes: int = 64
    file_mb: int = 32
    disk_mb: int = 64
    files: int = 4096
    compile_s: float = 30.0
    int_digits: int = 4300

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 < value <= _MOST:  # infinity and NaN aren't, either
                raise OptionError(
                    f"The limit {name} is a positive number, not {value!r:.40} (up to {_MOST})."
                )
            if value < 1 and not name.endswith("_s"):  # rounded to 0, many of them mean "no limit"
                raise OptionError(f"The limit {name} is at least 1, not {value!r:.40}.")

    @classmethod
    def of(cls, changes: Mapping[str, Any] | None, default: Limits | None = None) -> Limits:
        """Return `default` with `changes` such as `{"wall_s": 2, "memory_mb": 256}`. Raises `OptionError`."""
        changes = changes or {}
        if not isinstance(changes, Mapping):
            raise OptionError(f"Limits are names and numbers, not {changes!r:.80}.")
        names = [limit.name for limit in dataclasses.fields(cls)]
        for name in changes:
            if name not in names:
                raise OptionError(f"There's no limit {name!r:.40}. {nearest(str(name), names)}")
        return dataclasses.replace(default or cls(), **changes)


@dataclass(frozen=True, slots=True)
class Program:
    """A program as text, in one of the languages of `rlvr.sandboxes.languages`.

    Attributes:
        source: its main file.
        language: a name or an alias ("python", "cpp", "c++", "js", …).
        files: further files beside it, by plain name.
    """

    source: bytes
    language: str = "python"
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Input:
    """The input of one run of a program.

    Attributes:
        stdin: standard input.
        args: command-line arguments.
        files: put into its working directory, by plain name.
        collect: names of files there to be brought back.
    """

    stdin: bytes = b""
    args: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    collect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Execution:
    """The result of one run of a program.

    Attributes:
        status: its exit status; None where a signal ended it.
        signal: the signal that ended it; None where it exited. After a limit it may be the runner's own.
        limit: the limit it ran into; None where it kept within all of them.
        stdout: standard output as written, cut off at its limit.
        stderr: standard error, likewise.
        wall_s: seconds on the clock.
        cpu_s: seconds of processor time, children included.
        memory_mb: peak resident memory in MiB, as far as it was seen.
        files: what was asked for with `Input.collect` and is a plain file. Links and pipes are not.
    """

    status: int | None
    signal: int | None
    limit: Limit | None
    stdout: bytes
    stderr: bytes
    wall_s: float
    cpu_s: float
    memory_mb: float
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Return whether it exited with status 0, within all limits."""
        return self.status == 0 and self.limit is None

    @property
    def ending(self) -> str:
        """Return how it ended, in a few words: "exit status 1", "signal 11", "over its limit of memory"."""
        if self.limit is not None:
            return f"over its limit of {self.limit}"
        return f"exit status {self.status}" if self.signal is None else f"signal {self.signal}"


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """A program's executions, one for each input it was run on, in order.

    Where it doesn't compile, `compile_error` is the compiler's message and there are no executions.
    """

    executions: tuple[Execution, ...]
    compile_error: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionTests:
    """Tests that call a Python solution's functions, run apart from it.

    The solution never gets any of this but `prelude`, and the arguments it's called with.

    Attributes:
        asserts: Python statements, each a test of its own.
        check: source that defines `check(candidate)`; one test.
        entry_point: the name of the function that's tested, which `check` gets; "" if only the asserts tell.
        setup: source that runs before the tests, beside them.
        prelude: source that runs before the tests and, on its own, before the solution: what the
            prompt gave away anyway (imports, helper functions).
    """

    asserts: tuple[str, ...] = ()
    check: str = ""
    entry_point: str = ""
    setup: str = ""
    prelude: str = ""

    def __len__(self) -> int:
        return len(self.asserts) + bool(self.check)


@dataclass(frozen=True, slots=True)
class TestOutcome:
    """One test of a solution: whether it passed, and else why not ("AssertionError", "TypeError: …")."""

    passed: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class TestRun:
    """The results of a solution's tests.

    Attributes:
        outcomes: one for each test, in order.
        compile_error: the message, where the solution isn't Python; then no test has passed.
        load_error: what the solution raised or did before a test could call it; likewise.
        limit: the limit that ended it, if one did.
        broken: why the tests themselves can't be run; "" where they can. Not the solution's doing.
        stdout: what the solution printed, cut off at its limit.
        stderr: likewise.
        wall_s: seconds on the clock, of the whole.
    """

    __test__ = False  # no test class of pytest's

    outcomes: tuple[TestOutcome, ...]
    compile_error: str | None = None
    load_error: str | None = None
    limit: Limit | None = None
    broken: str = ""
    stdout: bytes = b""
    stderr: bytes = b""
    wall_s: float = 0.0
