"""`Jail`: the host's end of one warm jail. It speaks with the broker inside; one thread at a time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlvr.core.errors import JailError, OptionError, SandboxError
from rlvr.sandboxes import bootstrap, functions
from rlvr.sandboxes.base import (
    Execution,
    FunctionTests,
    Input,
    Limit,
    Limits,
    Program,
    Run,
    TestRun,
)
from rlvr.sandboxes.languages import LANGUAGES, Language, language_of
from rlvr.sandboxes.link import Backend, Link
from rlvr.sandboxes.runner import frames

_START_S = 20.0  # a jail that isn't there by then won't be
_GRACE_S = 15.0  # beyond what a request's own limits add up to
_MIB = 1 << 20
_MOST_FILES = 200
_COMPILER = Limits(memory_mb=2048, output_kb=1024, processes=128, file_mb=256, disk_mb=512)

Proceed = Callable[[int, Execution], bool]


class Jail:
    """One warm jail.

    Args:
        backend: builds it.
        memory_mb: of all that is in it together.

    Raises `SandboxError` where it can't be started. After a `JailError` it's of no more use.
    """

    def __init__(self, backend: Backend, memory_mb: int) -> None:
        self._link: Link = backend.launch(bootstrap.CODE, memory_mb)
        self._data = bytearray()
        self._awaited = 0
        hello = {
            "do": "hello",
            "tools": sorted({tool for each in LANGUAGES.values() for tool in each.tools}),
            "limits": _limits(Limits(), LANGUAGES["python"]),
        }
        try:
            self._send(bootstrap.sources() + frames.packed(hello), 1, _START_S)
            answer, _ = self._answer(_START_S)
        except BaseException:
            self._link.close()
            raise
        self.python = str(answer["python"])
        self.tools: Mapping[str, bool] = answer["tools"]

    def close(self) -> None:
        """End it. Any thread may."""
        self._link.close()

    def abandon(self) -> None:
        """In a forked child: it's the parent's."""
        self._link.abandon()

    @property
    def is_ready(self) -> bool:
        """Whether it can take another program: nothing is under way, and nothing has failed."""
        return self._awaited == 0

    def has(self, language: Language) -> bool:
        """Whether programs in that language can run here."""
        return all(self.tools.get(tool) for tool in language.tools)

    def run(
        self, program: Program, inputs: Sequence[Input], limits: Limits, proceed: Proceed | None
    ) -> Run:
        """Run a program on inputs, in order, until `proceed` says no."""
        language = self._language(program.language)
        files = _checked({language.file: program.source, **program.files}, "program")
        command = [part.format(memory_mb=int(limits.memory_mb)) for part in language.run]
        allowed = _limits(limits, language)
        opening = {
            "do": "open",
            "files": list(files),
            "compile": list(language.compile),
            "environment": dict(language.environment),
            "limits": allowed,
            "compile_limits": _limits(_compiling(limits), None),
        }
        requests = [_request(language, command, one, allowed) for one in inputs]
        seconds = limits.wall_s + _GRACE_S
        # The first input goes along with the program, so that the jail doesn't wait for us.
        first = frames.packed(opening, list(files.values())) + b"".join(requests[:1])
        self._send(first, 1 + len(requests[:1]), seconds)
        opened, _ = self._answer(limits.compile_s + _GRACE_S)
        executions: list[Execution] = []
        for i, (given, request) in enumerate(zip(inputs, requests, strict=True)):
            if i:
                self._send(request, 1, seconds)
            answer, blobs = self._answer(seconds)
            error = opened.get("compile_error", answer.get("compile_error"))
            if error is not None:
                return Run((), str(error))
            execution = _execution(answer, blobs, given)
            executions.append(execution)
            if proceed is not None and not proceed(i, execution):
                break
        error = opened.get("compile_error")
        return Run(tuple(executions), None if error is None else str(error))

    def run_tests(
        self, solution: bytes, tests: FunctionTests, limits: Limits, stop: bool
    ) -> TestRun:
        """Run a Python solution's tests, the two apart from each other."""
        allowed = _limits(limits, LANGUAGES["python"])
        # The tests run a little longer than the solution may: whose time is over is then plain.
        longer = dataclasses.replace(
            limits, wall_s=limits.wall_s + 1, memory_mb=max(1024, limits.memory_mb)
        )
        header, blobs = functions.request(solution, tests, stop)
        header |= {"limits": allowed, "test_limits": _limits(longer, LANGUAGES["python"])}
        seconds = longer.wall_s + _GRACE_S
        began = time.monotonic()
        self._send(frames.packed(header, blobs), 1, seconds)
        answer, output = self._answer(seconds)
        return functions.result(answer, output, tests, time.monotonic() - began)

    def _language(self, name: str) -> Language:
        language = language_of(name)
        if not self.has(language):
            missing = " and ".join(tool for tool in language.tools if not self.tools.get(tool))
            raise SandboxError(
                f"The sandbox has no {missing}, so it can't run programs in {language.name}. Install "
                f"it on this machine (bubblewrap), or rebuild the image with `rlvr sandbox build "
                f"--languages {language.name}` (docker)."
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


def _limits(limits: Limits, language: Language | None) -> dict[str, Any]:
    """The limits as the runner takes them."""
    allowed: dict[str, Any] = dataclasses.asdict(limits)
    # Twice over and some more: what is merely reserved shouldn't fail, what can't ever fit should.
    space = (2 * limits.memory_mb + 512) * _MIB if language and language.address_space else 0
    return {**allowed, "address_space": int(space)}


def _compiling(limits: Limits) -> Limits:
    return dataclasses.replace(_COMPILER, wall_s=limits.compile_s, cpu_s=2 * limits.compile_s)


def _request(language: Language, command: list[str], given: Input, limits: dict[str, Any]) -> bytes:
    files = _checked(given.files, "input")
    _checked(dict.fromkeys(given.collect, b""), "collected")
    header = {
        "do": "run",
        "command": [*command, *given.args] if command else None,
        "file": language.file,
        "args": list(given.args),
        "files": list(files),
        "collect": list(given.collect),
        "limits": limits,
    }
    return frames.packed(header, [given.stdin, *files.values()])


def _checked(files: Mapping[str, bytes], what: str) -> Mapping[str, bytes]:
    """Raises `OptionError` where a name isn't a plain one, or there are too many."""
    for name in files:
        if not name or "/" in name or "\0" in name or name in (".", ".."):
            raise OptionError(f"The {what} file {name!r:.80} needs a plain name, without a folder.")
    if len(files) > _MOST_FILES:
        raise OptionError(f"There are {len(files)} {what} files; at most {_MOST_FILES} can be.")
    return files


def _execution(answer: dict[str, Any], blobs: list[bytes], given: Input) -> Execution:
    try:
        stdout, stderr, *collected = blobs
        refused: dict[str, str] = answer["refused"]
        names = [name for name in given.collect if name not in refused]
        limit = answer["limit"]
        if limit is None and "larger than its limit" in refused.values():
            limit = Limit.FILES
        return Execution(
            status=answer["status"],
            signal=answer["signal"],
            limit=None if limit is None else Limit(limit),
            stdout=stdout,
            stderr=stderr,
            wall_s=float(answer["wall"]),
            cpu_s=float(answer["cpu"]),
            memory_mb=float(answer["memory"]),
            files=dict(zip(names, collected, strict=True)),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise JailError(f"The jail answered nonsense: {error!r}.") from None
