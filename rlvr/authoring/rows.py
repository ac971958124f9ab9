"""Rows of a data file or an environment: read in batches, and written back unchanged.

JSONL lines keep their bytes, Parquet rows their schema. A line that can't be read is a row, too, with the
reason, so that nothing is lost. An environment's tasks are rows of JSONL, and `question_of` finds the question in
a task's prompt, without the text that the environment puts around it.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, MissingExtraError, OptionError
from rlvr.core.files import replacing
from rlvr.core.registry import find, make
from rlvr.core.task import Task
from rlvr.envs.data import read_file
from rlvr.envs.prompt import Prompt

Value = TypeVar("Value")
COLUMNS = ("prompt", "question", "problem", "messages")
"""The columns that may hold a prompt, the first choice first."""
_BATCH = 1000
_BATCH_BYTES = 8 << 20  # so that a thousand long lines aren't held at once
_BOM = b"\xef\xbb\xbf"  # Excel and PowerShell write one
_ALIKE = 20  # least number of different prompts whose common text is taken for the environment's
_COMPARED = 2000  # most prompts that are compared to find that text
_LABEL = re.compile(r"\w[\w ]{0,30}:\s+")  # "Question: "
_FIELD = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_CONTEXT = {"schema", "hint", "tests", "instructions", "tools", "language"}
"""Fields of built-in templates that accompany the question."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        number: the number of its line, or of the row in a Parquet file or an environment, from 1.
        fields: its content; None if it can't be read.
        raw: the unchanged JSONL line, with its line end if it has one.
        why: the reason if it can't be read.
        blank: True for a line of white space, which is kept and isn't counted.
        question: of an environment's task, the prompt without the environment's own text; otherwise "".
    """

    number: int
    fields: Mapping[str, Any] | None
    raw: bytes = b""
    why: str = ""
    blank: bool = False
    question: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows; of a Parquet file, with their record batch."""

    rows: Sequence[Row]
    records: Any = None


Writer: TypeAlias = Callable[[Batch, Sequence[bool]], object]
"""A function that appends the kept rows of a batch to an output file, in order."""


class RowSource:
    """The rows of a file or an environment.

    Args:
        source: a path (`.parquet`, `.json`, or JSONL with any other ending), or an environment's name, which `:split` may
            follow. A file is preferred to an environment of its name.

    Raises `DataError` if it is neither.
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

    @functools.cached_property
    def question(self) -> Callable[[Task], str]:
        """The function that finds the question in an environment's task."""
        assert self._env is not None
        return question_of(self._env)

    @property
    def parquet(self) -> bool:
        """True for a Parquet file."""
        return self.path is not None and self.path.suffix == ".parquet"

    def __iter__(self) -> Iterator[Batch]:
        if self._env is not None:
            return _task_batches(self._env, self.question)
        assert self.path is not None
        if self.path.suffix == ".json":
            return _json_batches(self.path)
        return _parquet_batches(self.path) if self.parquet else _jsonl_batches(self.path)

    @contextlib.contextmanager
    def writer(self, path: Path) -> Iterator[Writer]:
        """Open an output file of the same form, which is at `path` once it is whole.

        Raises `OptionError` if the ending of its name is another form's.
        """
        if self.parquet != (path.suffix == ".parquet"):
            form = "Parquet" if self.parquet else "JSONL"
            raise OptionError(f"The rows of {self.name} are {form}: give {path} that ending.")
        with replacing(path) as file:
            if not self.parquet:
                yield lambda batch, keep: file.writelines(
                    row.raw for row, is_kept in zip(batch.rows, keep, strict=True) if is_kept
                )
                return
            parquet = _parquet()
            # If it can't be closed, as on a full disk, no file is left.
            with parquet.ParquetWriter(file, parquet.read_schema(self.path)) as records:

                def write(batch: Batch, keep: Sequence[bool]) -> None:
                    kept_records = batch.records.filter(keep)
                    if kept_records.num_rows:
                        records.write_batch(kept_records)

                yield write

    def with_values(self, values: Sequence[Value]) -> Iterator[tuple[Batch, Sequence[Value]]]:
        """Yield each batch with its part of `values`, which has one for each row of an earlier reading.

        Raises `DataError` if the source has grown since then.
        """
        start = 0
        for batch in self:
            part = values[start : start + len(batch.rows)]
            if len(part) < len(batch.rows):
                raise DataError(f"{self.name} grew while it was read: wait until it is complete.")
            start += len(part)
            yield batch, part


def prompts_of(fields: Mapping[str, Any], column: str | None = None) -> list[str]:
    """Return the texts that a row asks: its prompt, or each user turn of its messages.

    Args:
        fields: the row's content.
        column: the prompt's column; by default the first of `COLUMNS` that the row has.

    Raises `DataError` if it has none.
    """
    names = COLUMNS if column is None else (column,)
    name = next((name for name in names if fields.get(name) is not None), None)
    if name is None:
        raise DataError(f"it has no {' or '.join(names)}, but {', '.join(fields) or 'nothing'}")
    value = fields[name]
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and value and all(isinstance(message, dict) for message in value):
        turns = [message.get("content") for message in value if message.get("role") == "user"]
        if turns and all(isinstance(turn, str) for turn in turns):
            return turns
    raise DataError(f"its {name!r} is neither a text nor messages with a user's text")


def question_of(env: Environment) -> Callable[[Task], str]:
    """Return a function that finds the question in a task's prompt, without the environment's own text.

    If the environment was made with a template (its option `prompt`), the question is the field of that template.
    Otherwise the text that all its prompts begin or end with is left out, up to the end of a line or a sentence.
    """
    template = _template(env)
    if template is not None:
        return lambda task: _field_of(template, _user(task)) or _user(task)
    count = min(len(env.tasks), _COMPARED)
    prompts = [_user(env.tasks[i * len(env.tasks) // count]) for i in range(count)]
    if len(set(prompts)) < _ALIKE:
        return _user
    common = _common_start(prompts)
    start = common[: common.rfind("\n") + 1]
    label = _LABEL.match(common[len(start) :])
    start += label[0] if label else ""
    end = _common_start([prompt[::-1] for prompt in prompts])[::-1]
    line, sentence = end.find("\n"), re.search(r"(?<=[.?!])\s", end)
    cut = line if line >= 0 else sentence.start() if sentence else len(end)
    end = end[cut:]

    def question(task: Task) -> str:
        prompt = _user(task)
        if not prompt.startswith(start) or not prompt.endswith(end):
            return prompt
        return prompt[len(start) : len(prompt) - len(end)].strip() or prompt

    return question


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    size = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), None)
    return first[:size]


def _user(task: Task) -> str:
    texts = [message["content"] for message in task.prompt if message["role"] == "user"]
    return texts[-1] if texts else task.text


def _template(env: Environment) -> re.Pattern[str] | None:
    """Return a pattern with the group `question` for the template that an environment was made with."""
    if env.made_with is None:
        return None
    parameter = inspect.signature(find(env.name).load()).parameters.get("prompt")
    if parameter is None:
        return None
    value = env.made_with.get("prompt", parameter.default)
    if value is parameter.empty or value is None:
        return None
    text = Prompt.of(value).user
    fields = [match for match in _FIELD.finditer(text) if match[1] not in _CONTEXT]
    if len(fields) != 1:
        return None
    pattern, at = "", 0
    for match in _FIELD.finditer(text):
        group = "(?P<question>.*)" if match[1] == fields[0][1] else ".*?"
        pattern += re.escape(text[at : match.start()]) + group
        at = match.end()
    return re.compile(pattern + re.escape(text[at:]), re.DOTALL)


def _field_of(template: re.Pattern[str], prompt: str) -> str:
    match = template.fullmatch(prompt)
    return match["question"].strip() if match is not None else ""


def _jsonl_batches(path: Path) -> Iterator[Batch]:
    rows: list[Row] = []
    size = 0
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if number == 1:
                line = line.removeprefix(_BOM)
            rows.append(_row(number, line))
            size += len(line)
            if len(rows) == _BATCH or size > _BATCH_BYTES:
                yield Batch(rows)
                rows, size = [], 0
    if rows:
        yield Batch(rows)


def _json_batches(path: Path) -> Iterator[Batch]:
    """Yield the rows of a JSON file, a list of objects, as lines of JSONL."""
    rows = [
        Row(
            number,
            fields,
            json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n",
        )
        for number, fields in enumerate(read_file(path), 1)
    ]
    for start in range(0, len(rows), _BATCH):
        yield Batch(rows[start : start + _BATCH])


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
                rows = records.to_pylist()
                yield Batch([Row(start + i, fields) for i, fields in enumerate(rows, 1)], records)
                start += len(rows)
    except (ValueError, OSError) as error:  # pyarrow's own errors are of these types
        raise DataError(f"{path} can't be read as Parquet: {error}") from error


def _task_batches(env: Environment, question: Callable[[Task], str]) -> Iterator[Batch]:
    for start in range(0, len(env.tasks), _BATCH):
        stop = min(start + _BATCH, len(env.tasks))
        yield Batch([_task_row(i + 1, env.tasks[i], question) for i in range(start, stop)])


def _task_row(number: int, task: Task, question: Callable[[Task], str]) -> Row:
    fields = task.to_json()
    return Row(number, fields, json.dumps(fields).encode() + b"\n", question=question(task))


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtraError(
            "Parquet files need the package 'pyarrow': pip install 'rlvr[data]'."
        ) from error
    return pyarrow.parquet
