"""Write and read a run's files: each line is written whole or not at all, and so is each replaced file.

A full disk, a file size limit, a killed process and a power cut can each leave a partial line. `Appender` removes
a line that it couldn't write whole; `read_lines` skips lines that an older version or a power cut left
torn, and warns about them.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rlvr.core.errors import DataError, DataWarning
from rlvr.core.secrets import scrubbed_answer, scrubbed_data

_SHOWN = 10  # line numbers in a warning
_STARTS = 64  # places in a damaged line where a whole row may begin


class Appender:
    """A JSONL file that this process alone appends to. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        self._end = os.fstat(self._fd).st_size  # of the last whole line
        self._torn = False
        self._lock = threading.Lock()

    def write(self, row: Any) -> None:
        """Append a row as one line and hand it to the operating system at once.

        Raises `OSError` if the line doesn't fit; the file is then as it was before.
        """
        line = memoryview(dumped(row).encode() + b"\n")
        with self._lock:
            if self._torn:
                self._take_back()
            end = self._end + len(line)
            try:
                while line:
                    # An unbuffered write may be a short one: the rest says why.
                    line = line[os.write(self._fd, line) :]
                self._end = end
            except BaseException as error:
                self._torn = True
                with contextlib.suppress(OSError):
                    self._take_back()
                if isinstance(error, OSError):
                    raise OSError(
                        error.errno,
                        f"{error.strerror}; the line that didn't fit was taken back: make room and resume",
                        str(self.path),
                    ) from None
                raise

    def close(self) -> None:
        """Close the file."""
        with self._lock, contextlib.suppress(OSError):
            os.close(self._fd)

    def _take_back(self) -> None:
        """Truncate the file after the last whole line."""
        os.ftruncate(self._fd, self._end)
        self._torn = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a JSONL file.

    Attributes:
        number: the line's number, from 1.
        offset: the row's position in the file, in bytes.
        row: the result of `parse`.
    """

    number: int
    offset: int
    row: Any


def read_lines(
    path: Path,
    parse: Callable[[bytes], Any] = json.loads,
    end: int | None = None,
    noun: str = "a rollout",
) -> Iterator[Line]:
    """Yield the rows of a JSONL file; no rows if there's no file.

    Text after the last line end is torn, or is being written right now. A line that begins like a row
    and isn't JSON is torn, too: it is skipped, except a whole row that was appended right behind it, and a
    `DataWarning` at the end counts the torn lines.

    Args:
        parse: turns a line into a row; `ValueError` and `RecursionError` mean that it isn't JSON.
        end: read only lines that end before this byte.
        noun: the noun for a row in messages.

    Raises `DataError` naming a line that is neither a row nor torn.
    """
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    torn: list[int] = []
    offset, first = 0, b""
    with file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n") or (end is not None and offset + len(line) > end):
                break
            if line.strip():
                try:
                    yield Line(number, offset, parse(line))
                    first = first or line[: line.find(b":") + 1]
                except (ValueError, RecursionError) as error:
                    if not line.startswith(b'{"') and b"\0" not in line:  # which a power cut leaves
                        raise DataError(
                            f"Line {number} of {str(path)!r} can't be read as {noun}: {error}."
                        ) from error
                    torn.append(number)
                    whole = row_behind(line, parse, first)
                    if whole is not None:
                        start, row = whole
                        yield Line(number, offset + start, row)
            offset += len(line)
    if torn:
        warnings.warn(torn_lines(path, torn), DataWarning, stacklevel=2)


def torn_lines(path: Path, numbers: list[int]) -> str:
    """Return the warning about lines of a file that aren't JSON."""
    shown = ", ".join(map(str, numbers[:_SHOWN])) + (", …" if len(numbers) > _SHOWN else "")
    count = "1 line" if len(numbers) == 1 else f"{len(numbers)} lines"
    return (
        f"{count} of {str(path)!r} can't be read and left out ({shown}): torn, as by a full disk or a "
        f"power cut. Rows that are whole are all there."
    )


def row_behind(
    line: bytes, parse: Callable[[bytes], Any], beginning: bytes
) -> tuple[int, dict[str, Any]] | None:
    """Return the position and the content of a whole row at the end of a damaged line, or None.

    Inside a string every quote is escaped, so no string can look like a row's beginning.

    Args:
        beginning: the first bytes of the file's rows, such as `{"task":`; empty if unknown.
    """
    beginning, start = beginning or b'{"', 0
    for _ in range(_STARTS):
        start = line.find(beginning, start + 1)
        if start < 0:
            break
        with contextlib.suppress(ValueError, RecursionError):
            row = parse(line[start:])
            if isinstance(row, dict):
                return start, row
    return None


def drop_torn_end(path: Path) -> None:
    """Truncate a file after its last line end."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - 65536)
            file.seek(start)
            line_end = file.read(end - start).rfind(b"\n")
            if line_end >= 0:
                end = start + line_end + 1
                break
            end = start
        file.truncate(end)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces `path` once it is whole and on the disk; otherwise `path` stays as it was.

    A link, a pipe or a device (`/dev/stdout`) is written to in place. An `OSError` of writing names `path`.
    """
    path = Path(path)
    if path.is_symlink() or (path.exists() and not path.is_file()):
        with path.open("wb") as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex[:12]}.part")
    try:
        with naming(path, part):
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


@contextlib.contextmanager
def naming(path: Path, part: Path | None = None) -> Iterator[None]:
    """Let errors of writing name `path`: those that name no file (a full disk), and those of its `part`."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(part)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_json(path: str | Path, content: Any, indent: int | None = 2) -> None:
    """Write JSON to `path`, whole or not at all."""
    with replacing(path) as file:
        file.write(dumped(content, indent).encode() + b"\n")


def fill_standard_descriptors() -> None:
    """Open `/dev/null` as each closed descriptor from 0 to 2; some daemons start with them closed.

    Otherwise a socket or a pipe could get one of these numbers, and standard output or a child's standard error
    would be written into it.
    """
    while (fd := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(fd, True)
    os.close(fd)


def dumped(value: Any, indent: int | None = None) -> str:
    """Return a value as ASCII JSON, without this process's secret keys; NaN and infinities become null."""
    try:
        text = json.dumps(value, default=str, allow_nan=False, indent=indent)
    except ValueError:
        text = json.dumps(_finite(value), default=str, allow_nan=False, indent=indent)
    if scrubbed_answer(text) != text:
        text = json.dumps(scrubbed_data(json.loads(text)), indent=indent)
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value
