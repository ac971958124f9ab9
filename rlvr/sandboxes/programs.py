"""Programs on the wire: what goes to a jail, and what its answer means.

What a jail could only choke on is refused here, as an `OptionError`: inside, it would look like a jail
that failed.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from typing import Any

from rlvr.core.errors import JailError, OptionError
from rlvr.sandboxes.base import Execution, Input, Limit, Limits, Program
from rlvr.sandboxes.languages import Language
from rlvr.sandboxes.runner import frames

PATIENCE = 10.0
"""Times its `wall_s` that a program may take on the clock while others keep it from a processor.

It has to get a tenth of a processor meanwhile: see `runner.supervise`.
"""

_MIB = 1 << 20
_PAGE = 4096
_MOST_FILES = 200
_MOST_NAME = 255  # bytes
_MOST_NAMES = 50_000  # bytes of JSON, all together: they go in one message
_MOST_ARGUMENTS = 100_000  # bytes, all together; one alone may not be more than 128 KiB in Linux
_COMPILER = Limits(memory_mb=2048, output_kb=1024, processes=128, file_mb=256, disk_mb=512)


def opening(program: Program, language: Language, limits: Limits) -> bytes:
    """Return the request for a new cell with the program in it. Raises `OptionError`."""
    if language.file in program.files:
        raise OptionError(
            f"A program in {language.name} has its source in {language.file!r}: no other file is called that."
        )
    files = _checked({language.file: program.source, **program.files}, "program")
    compiling = dataclasses.replace(
        _COMPILER, wall_s=limits.compile_s, cpu_s=min(2 * limits.compile_s, 10**6)
    )
    header = {
        "do": "open",
        "files": list(files),
        "compile": list(language.compile),
        "environment": _environment(language, limits),
        "limits": allowed(limits, language),
        "compile_limits": allowed(compiling, None, PATIENCE),
    }
    return frames.packed(header, list(files.values()))


def _environment(language: Language, limits: Limits) -> dict[str, str]:
    """Return a program's own variables. Another Python that it starts reads its limit of digits there."""
    variables = dict(language.environment)
    if language.name == "python" and limits.int_digits != Limits().int_digits:
        variables["PYTHONINTMAXSTRDIGITS"] = str(max(640, int(limits.int_digits)))
    return variables


def request(run_input: Input, language: Language, limits: Limits) -> bytes:
    """Return the request for one run of the program. Raises `OptionError`."""
    files = _checked(run_input.files, "input")
    if not _fit(files, limits):
        raise OptionError("The input files don't fit into the limits disk_mb and files.")
    _checked(dict.fromkeys(run_input.collect, b""), "collected")
    for argument in run_input.args:
        if "\0" in argument or _encoded(argument) is None:
            raise OptionError(f"The argument {argument!r:.80} can't stand in a command line.")
    if sum(len(_encoded(argument) or b"") + 16 for argument in run_input.args) > _MOST_ARGUMENTS:
        raise OptionError("The arguments are too long for a command line: use standard input.")
    sizes = {"memory_mb": int(limits.memory_mb), "stack_kb": int(limits.memory_mb) << 8}
    command = [part.format(**sizes) for part in language.run]
    header = {
        "do": "run",
        "command": command or None,
        "file": language.file,
        "args": list(run_input.args),
        "files": list(files),
        "collect": list(run_input.collect),
        "limits": allowed(limits, language, PATIENCE),
    }
    return frames.packed(header, [run_input.stdin, *files.values()])


def execution(answer: dict[str, Any], blobs: list[bytes], run_input: Input) -> Execution:
    """Read one run's execution from the jail's answer. Raises `JailError` if the answer is invalid."""
    try:
        stdout, stderr, *collected = blobs
        refused: dict[str, str] = answer["refused"]
        names = [name for name in run_input.collect if name not in refused]
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


@functools.lru_cache(maxsize=256)
def allowed(limits: Limits, language: Language | None, patience: float = 1.0) -> dict[str, Any]:
    """Return the limits in the form that the runner reads."""
    fields: dict[str, Any] = dataclasses.asdict(limits)
    # Twice over and some more: what is merely reserved shouldn't fail, what can't ever fit should.
    space = (2 * limits.memory_mb + 512) * _MIB if language and language.address_space else 0
    return {**fields, "address_space": int(space), "patience": patience}


def is_too_large(program: Program, limits: Limits) -> bool:
    """Return whether the files of a program are more than it may write. That's the program's fault: no `OptionError`."""
    return not _fit({"": program.source, **program.files}, limits)


def _fit(files: Mapping[str, bytes], limits: Limits) -> bool:
    # Each takes up whole pages.
    size = sum(len(data) + _PAGE for data in files.values())
    return size <= limits.disk_mb * _MIB and len(files) <= limits.files


def _checked(files: Mapping[str, bytes], kind: str) -> Mapping[str, bytes]:
    """Raise `OptionError` if a name isn't a plain one, or there are too many."""
    for name in files:
        if not name or "/" in name or "\0" in name or name in (".", ".."):
            raise OptionError(f"The {kind} file {name!r:.80} needs a plain name, without a folder.")
        encoded = _encoded(name)
        if encoded is None or len(encoded) > _MOST_NAME:
            raise OptionError(f"The {kind} file {name!r:.80} has a name that no file can have.")
    if len(files) > _MOST_FILES or len(json.dumps(list(files))) > _MOST_NAMES:
        raise OptionError(
            f"There are {len(files)} {kind} files; at most {_MOST_FILES} can be, with names of "
            f"{_MOST_NAMES} bytes together."
        )
    return files


def _encoded(name: str) -> bytes | None:
    """Return a text as Linux takes it; None if it can't."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None
