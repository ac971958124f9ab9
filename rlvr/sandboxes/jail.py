"""`Jail`: the host's end of one warm jail. It speaks with the broker inside; one thread at a time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlvr.core.errors import JailError, LacksError
from rlvr.sandboxes import bootstrap, functions, programs
from rlvr.sandboxes.base import (
    Execution,
    FunctionTests,
    Input,
    Limits,
    Program,
    ProgramRun,
    TestRun,
)
from rlvr.sandboxes.languages import LANGUAGES, Language, language_of, placed
from rlvr.sandboxes.link import Backend, Link
from rlvr.sandboxes.needs import IMPORTS, Inventory, Needs, unusable
from rlvr.sandboxes.packages import declared
from rlvr.sandboxes.runner import frames

_START_S = 20.0  # a jail that isn't there by then won't be
_GRACE_S = 15.0  # beyond what a request's own limits add up to
_IMPORTING = Limits(wall_s=60, cpu_s=60)  # the first import of a large package reads much
_LONGEST_S = 2e6  # poll(2) counts in milliseconds and 31 bits

Proceed = Callable[[int, Execution], bool]


class Jail:
    """One warm jail.

    Args:
        backend: builds it.
        memory_mb: of all that is in it together.

    Attributes:
        python: the version of the interpreter in it.
        tools: by name, whether it has this compiler or runtime.
        about: what this machine lets it hold, for `rlvr sandbox check`: whether "pids restart" with each run, what
            is "counted" by control groups, and why not, and why files are shared with other jails, if they are.

    Raises `SandboxError` where it can't be started. After a `JailError` it's of no more use.
    """

    def __init__(self, backend: Backend, memory_mb: int) -> None:
        self._link: Link = backend.launch(bootstrap.CODE, memory_mb)
        self._data = bytearray()
        self._awaited = 0
        hello = {
            "do": "hello",
            "tools": sorted({tool for language in LANGUAGES.values() for tool in language.tools}),
            "limits": programs.allowed(Limits(), LANGUAGES["python"]),
        }
        try:
            self._send(bootstrap.sources() + frames.packed(hello), 1, _START_S)
            answer, _ = self._answer(_START_S)
        except BaseException:
            self._link.close()
            raise
        self.inventory = Inventory(str(answer["python"]), answer["tools"], answer["packages"])
        self.about: Mapping[str, Any] = answer["about"]

    def close(self) -> None:
        """End it. Any thread may."""
        self._link.close()

    def abandon(self) -> None:
        """In a forked child: it's the parent's."""
        self._link.abandon()

    @property
    def is_ready(self) -> bool:
        """Return whether it can take another program: nothing is under way, and nothing has failed."""
        return self._awaited == 0

    def lacks(self, needs: Needs) -> list[str]:
        """Return what programs need and this jail hasn't, in words; packages are imported to know it."""
        missing = self.inventory.lacks(needs)
        names = list(declared(sorted(needs.packages)))
        if names and not missing:
            run = self.run(Program(IMPORTS), [Input(args=tuple(names))], _IMPORTING, None)
            missing = unusable(run.executions[0].stdout, names)
        return missing

    def run(
        self, program: Program, inputs: Sequence[Input], limits: Limits, proceed: Proceed | None
    ) -> ProgramRun:
        """Run a program on inputs, in order, until `proceed` says no."""
        language = placed(self._language(program.language), program)
        opening = programs.opening(program, language, limits)
        if programs.is_too_large(program, limits):
            return ProgramRun((), "its source doesn't fit into the limits disk_mb and files")
        requests = [programs.request(run_input, language, limits) for run_input in inputs]
        seconds = _patience(limits.wall_s)
        # The first input goes along with the program, so that the jail doesn't wait for us.
        self._send(opening + b"".join(requests[:1]), 1 + len(requests[:1]), seconds)
        opened, _ = self._answer(_patience(limits.compile_s))
        executions: list[Execution] = []
        for i, (run_input, request) in enumerate(zip(inputs, requests, strict=True)):
            if i:
                self._send(request, 1, seconds)
            answer, blobs = self._answer(seconds)
            error = opened.get("compile_error", answer.get("compile_error"))
            if error is not None:
                return ProgramRun((), str(error))
            execution = programs.execution(answer, blobs, run_input)
            executions.append(execution)
            if proceed is not None and not proceed(i, execution):
                break
        error = opened.get("compile_error")
        return ProgramRun(tuple(executions), None if error is None else str(error))

    def run_tests(
        self, solution: bytes, tests: FunctionTests, limits: Limits, stop: bool
    ) -> TestRun:
        """Run a Python solution's tests, the two apart from each other."""
        allowed = programs.allowed(limits, LANGUAGES["python"], programs.PATIENCE)
        # The tests may run a little longer than the solution: whose time is over is then plain. And they
        # have what they need to report, however little the solution may use.
        longer = dataclasses.replace(
            limits,
            wall_s=limits.wall_s + 1,
            cpu_s=limits.cpu_s + 1,
            memory_mb=max(1024, limits.memory_mb),
            file_mb=max(16, limits.file_mb),
        )
        header, blobs = functions.request(solution, tests, stop)
        theirs = programs.allowed(longer, LANGUAGES["python"], programs.PATIENCE)
        header |= {"limits": allowed, "test_limits": theirs}
        seconds = _patience(longer.wall_s)
        began = time.monotonic()
        self._send(frames.packed(header, blobs), 1, seconds)
        answer, output = self._answer(seconds)
        return functions.result(answer, output, tests, time.monotonic() - began)

    def _language(self, name: str) -> Language:
        language = language_of(name)
        if missing := self.inventory.missing_tools(name):
            raise LacksError(
                f"The sandbox has no {' and '.join(missing)}, so it can't run programs in "
                f"{language.name}. Install it on this machine (bubblewrap), or rebuild the image with "
                f"`rlvr sandbox build` (docker)."
            )
        return language

    def _send(self, data: bytes, answers: int, seconds: float) -> None:
        self._awaited += answers
        self._data += self._link.exchange(data, 0, time.monotonic() + seconds)

    def _answer(self, seconds: float) -> tuple[dict[str, Any], list[bytes]]:
        deadline = time.monotonic() + seconds
        try:
            while len(self._data) < (wanted := frames.needed(self._data)):
                self._data += self._link.exchange(b"", wanted - len(self._data), deadline)
            header, blobs = frames.unpacked(self._data[:wanted])
        except frames.FrameError as error:
            raise JailError(f"The jail answered nonsense: {error}.") from None
        del self._data[:wanted]  # the next answer may be there already
        if "fault" in header:  # still awaited: this jail isn't to be used again
            raise JailError(f"The jail failed: {header['fault']}.")
        self._awaited -= 1
        return header, blobs


def _patience(limit_s: float) -> float:
    """Seconds that an answer may take to come where a program may take `limit_s`."""
    return min(_LONGEST_S, programs.PATIENCE * limit_s) + _GRACE_S
