"""Rows of a data file as they stand: read a batch at a time, and written back unchanged.

JSONL lines keep their bytes, Parquet rows their schema. What can't be read is a row too, with the
reason, so that nothing is lost on the way. An environment's tasks are rows of JSONL.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, MissingExtraError, OptionError
from rlvr.core.registry import make
from rlvr.core.task import Task

COLUMNS = ("prompt", "question", "problem", "messages")
"""Where a prompt is looked for, in this order."""
_BATCH = 1000
_BATCH_BYTES = 8 << 20  # so that a thousand long lines aren't held at once


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        number: of its line, or of the row in a Parquet file or an environment, from 1.
        fields: what it holds; None where it can't be read.
        raw: a JSONL line as it stands, with its line end if it has one.
        why: it can't be read.
        blank: a line of white space alone: no row, and kept.
    """

    number: int
    fields: Mapping[str, Any] | None
    raw: bytes = b""
    why: str = ""
    blank: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows in a row; of a Parquet file, with the record batch they are of."""

    rows: Sequence[Row]
    records: Any = None


class Sink(Protocol):
    """Where batches go, each less the rows that aren't kept."""

    def write(self, batch: Batch, keep: Sequence[bool]) -> None:
        """Append the kept rows of the batch, in order."""
        ...


class Rows:
    """A file's or an environment's rows.

    Args:
        source: a path (`.parquet`, or JSONL by any other name), or an environment's name, with
            `:split` behind it or without. A file wins over an environment of its name.

    Raises `DataError` where it's neither.
    """

    def __init__(self, source: str | Path) -> None:
        self.name = str(source)
        self.path: Path | None = Path(source)
        self._env: Environment | None = None
        if not self.path.is_file():
            self.path = None
            name, _, split = self.name.partition(":")
            if os.sep in name or Path(name).suffix or Path(self.name).exists():
                raise DataError(f"There's no file {self.name!r}.")
            self._env = make(name, split=split) if split else make(name)
        elif self.path.suffix == ".json":
            raise DataError(
                f"{self.name} is one JSON value, which can't be read line by line: write it as JSONL."
            )

    @property
    def parquet(self) -> bool:
        """Whether the rows are those of a Parquet file."""
        return self.path is not None and self.path.suffix == ".parquet"

    def __iter__(self) -> Iterator[Batch]:
        if self._env is not None:
            return _task_batches(self._env)
        assert self.path is not None
        return _parquet_batches(self.path) if self.parquet else _jsonl_batches(self.path)

    def sink(self, path: Path) -> AbstractContextManager[Sink]:
        """A file of the same form at `path`, which is there once it's whole.

        Raises `OptionError` where the name's ending says another form.
        """
        if self.parquet != (path.suffix == ".parquet"):
            form = "Parquet" if self.parquet else "JSONL"
            raise OptionError(f"The rows of {self.name} are {form}: give {path} that ending.")
        return _ParquetSink(path, self.path) if self.parquet else _JsonlSink(path)


class Whole:
    """A path to write to that gets its name when all is written, and is gone otherwise."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.part = path.with_name(f".{path.name}.{os.getpid()}.part")

    def __enter__(self) -> Path:
        return self.part

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        if kind is None:
            self.part.replace(self.path)
        else:
            self.part.unlink(missing_ok=True)


class _JsonlSink:
    def __init__(self, path: Path) -> None:
        self._whole = Whole(path)

    def __enter__(self) -> _JsonlSink:
        self._file = self._whole.part.open("wb")
        self._stack = ExitStack()  # what can't be closed, on a full disk, isn't whole
        self._stack.push(self._whole.__exit__)
        self._stack.callback(self._file.close)
        return self

    def write(self, batch: Batch, keep: Sequence[bool]) -> None:
        self._file.writelines(r.raw for r, kept in zip(batch.rows, keep, strict=True) if kept)

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


class _ParquetSink:
    def __init__(self, path: Path, like: Path | None) -> None:
        self._whole = Whole(path)
        self._like = like

    def __enter__(self) -> _ParquetSink:
        parquet = _parquet()
        self._writer = parquet.ParquetWriter(self._whole.part, parquet.read_schema(self._like))
        self._stack = ExitStack()
        self._stack.push(self._whole.__exit__)
        self._stack.callback(self._writer.close)
        return self

    def write(self, batch: Batch, keep: Sequence[bool]) -> None:
        import pyarrow

        kept = batch.records.filter(pyarrow.array(keep, pyarrow.bool_()))
        if kept.num_rows:
            self._writer.write_batch(kept)

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)


def prompts_of(fields: Mapping[str, Any], column: str | None = None) -> list[str]:
    """The texts that a row asks: its prompt, or each user turn of its messages.

    Args:
        fields: the row's.
        column: where the prompt is, by default the first of `COLUMNS` that it has.

    Raises `DataError` where there's none.
    """
    names = COLUMNS if column is None else (column,)
    name = next((one for one in names if fields.get(one) is not None), None)
    if name is None:
        raise DataError(f"it has no {' or '.join(names)}, but {', '.join(fields) or 'nothing'}")
    value = fields[name]
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        turns = [one.get("content") for one in value if one.get("role") == "user"]
        if turns and all(isinstance(one, str) for one in turns):
            return turns
    raise DataError(f"its {name!r} is neither a text nor messages with a user's text")


def _jsonl_batches(path: Path) -> Iterator[Batch]:
    rows: list[Row] = []
    held = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            rows.append(_row(number, line))
            held += len(line)
            if len(rows) == _BATCH or held > _BATCH_BYTES:
                yield Batch(rows)
                rows, held = [], 0
    if rows:
        yield Batch(rows)


def _row(number: int, line: bytes) -> Row:
    if not line.strip():
        return Row(number, None, line, blank=True)
    try:
        fields = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        return Row(number, None, line, f"it isn't JSON in UTF-8: {error}")
    if not isinstance(fields, dict):
        return Row(number, None, line, "it isn't a JSON object")
    return Row(number, fields, line)


def _parquet_batches(path: Path) -> Iterator[Batch]:
    start = 0
    try:
        with _parquet().ParquetFile(path) as file:
            for records in file.iter_batches(_BATCH):
                found = records.to_pylist()
                yield Batch([Row(start + i, one) for i, one in enumerate(found, 1)], records)
                start += len(found)
    except (ValueError, OSError) as error:  # pyarrow's own errors are of these types
        raise DataError(f"{path} can't be read as Parquet: {error}") from error


def _task_batches(env: Environment) -> Iterator[Batch]:
    for start in range(0, len(env.tasks), _BATCH):
        stop = min(start + _BATCH, len(env.tasks))
        yield Batch([_task_row(i + 1, env.tasks[i]) for i in range(start, stop)])


def _task_row(number: int, task: Task) -> Row:
    fields = task.to_json()
    return Row(number, fields, json.dumps(fields).encode() + b"\n")


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files need the package 'pyarrow': pip install 'rlvr[data]'."
        ) from error
    return pyarrow.parquet
