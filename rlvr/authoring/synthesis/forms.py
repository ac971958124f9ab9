"""The form of a synthesis's rows: the columns of the examples, and how the environment makes a task of a row.

If the environment reads the examples as a data file (its option `data`), new rows have their columns, and are read by
the environment itself. Otherwise rows are tasks: a prompt and a reference.
"""

from __future__ import annotations

import copy
import inspect
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlvr.authoring.rows import RowSource, question_of
from rlvr.authoring.synthesis.reading import check_plain
from rlvr.core.environment import Environment
from rlvr.core.errors import DataError, OptionError
from rlvr.core.registry import find, make
from rlvr.core.task import Task, content_text
from rlvr.core.tasks import TaskSet

_IDS = ("id", "task_id", "unique_id", "question_id", "key")
_LEFT_OUT = ("metadata", "source", "source_file", "url")
_CLOSED = (
    "database", "databases", "db_id", "db", "limits", "checker", "language", "packages", "public", "test_imports",
)  # fmt: skip
"""Columns whose values decide what is read and run, and for how long: a new row may only have an example's."""
_LONGEST = 100_000
"""The longest row, in characters of JSON."""


class RowForm:
    """The form of the rows, and the examples in it.

    Attributes:
        env: the environment whose verifier judges the tasks.
        columns: the columns that a policy writes.
        examples: the usable examples: their rows and tasks, by id.
        unusable: the examples that the environment can't read, by id, with the reason.
        reads_file: True if the environment reads its rows from a file (`data=FILE`).
    """

    def __init__(self, env: Environment, rows: Sequence[Mapping[str, Any]], reads_file: bool):
        if env.is_interactive:
            raise OptionError(
                f"Synthesis makes tasks of one response; {env.name!r} replies to a model's messages."
            )
        self.env = env
        self.reads_file = reads_file
        self.examples: dict[str, tuple[dict[str, Any], Task]] = {}
        self.unusable: dict[str, str] = {}
        self._head: tuple[dict[str, Any], ...] | None = None
        self._ids = [name for name in _IDS if any(name in row for row in rows)]
        self._needs_all = False
        if reads_file:
            self._needs_all = self._is_refused_without(rows[0])
            left_out = () if self._needs_all else (*_IDS, *_LEFT_OUT)
            names = dict.fromkeys(name for row in rows for name in row)
            often = len(rows) / 2
            self.columns = [
                name
                for name in names
                if name not in left_out and sum(row.get(name) is not None for row in rows) >= often
            ]
        else:
            self.columns = ["prompt", "reference"]
            self._head = _common_head(rows)
        self._closed = _closed_values(rows)
        self._read_examples(rows)
        if not self.examples:
            id, why = next(iter(self.unusable.items()))
            raise DataError(f"None of the {len(rows)} examples can be used. Example {id}: {why}")
        tasks = [Task(task.prompt, task.reference, id) for id, (_, task) in self.examples.items()]
        whole = copy.copy(env)
        whole.tasks = TaskSet(tasks, env.name)
        self.question = question_of(whole)

    @classmethod
    def of(
        cls, env: Environment | str, examples: Sequence[Mapping[str, Any]], **options: Any
    ) -> RowForm:
        """Return the form that the examples have.

        Args:
            env: an environment or a name.
            options: options of the environment.

        Raises `DataError` if no example can be used, `OptionError` for an environment with several turns.
        """
        if isinstance(env, Environment):
            made_with = dict(env.made_with or {})
            name = env.name if env.made_with is not None else None
        else:
            made_with, name = dict(options), env
        rows = [dict(row) for row in examples]
        if not rows:
            raise DataError("There are no examples.")
        made_with.pop("data", None)
        if name is not None and _has_option(name, "data"):
            try:
                return cls(_FileRows(name, made_with, rows).env, rows, True)
            except OptionError:
                raise
            except Exception as error:
                if not all("prompt" in row and "reference" in row for row in rows[:1]):
                    raise DataError(
                        f"{name!r} doesn't read the examples as its rows ({error}), and they aren't tasks with "
                        f"prompt and reference."
                    ) from error
        return cls(env if isinstance(env, Environment) else make(env, **options), rows, False)

    def shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of an example's row that a policy is shown."""
        if self.reads_file:
            return {name: row[name] for name in self.columns if row.get(name) is not None}
        task = Task(row["prompt"], row["reference"], "")
        prompt: Any = row["prompt"]
        if self._head is not None:
            prompt = content_text(task.prompt[-1])
        return {"prompt": prompt, "reference": row["reference"]}

    def row(self, item: Any) -> dict[str, Any]:
        """Return a policy's item as a row with the form's columns. Raises `DataError` if it isn't one."""
        if not isinstance(item, Mapping):
            raise DataError(f"it is {item!r:.60}, not a JSON object")
        check_plain(dict(item))
        missing = [name for name in self.columns if item.get(name) in (None, "", [], {})]
        needed = [name for name in missing if all(row.get(name) for row in self._rows())]
        if needed:
            raise DataError(f"it has no {needed[0]!r}")
        row = {name: item[name] for name in self.columns if item.get(name) is not None}
        size = len(json.dumps(row))
        if size > _LONGEST:
            raise DataError(f"it has {size} characters")
        for name, value in _closed_in(row):
            if json.dumps(value, sort_keys=True) not in self._closed.get(name, ()):
                raise DataError(f"its {name!r} is {value!r:.60}, which no example has")
        if not self.reads_file and self._head:
            if not isinstance(row["prompt"], str):
                raise DataError("its 'prompt' isn't a text")
            row["prompt"] = [*self._head, {"role": "user", "content": row["prompt"]}]
        return row

    def kept(self, row: Mapping[str, Any], id: str, number: int) -> dict[str, Any]:
        """Return a row with ids of its own in the columns of ids that the examples have."""
        ids: dict[str, Any] = {"id": id}
        for name in self._ids:
            if name == "id":  # by which a resumed synthesis knows it
                continue
            are_numbers = all(
                type(example.get(name)) is int for example, _ in self.examples.values()
            )
            ids[name] = number if are_numbers else id
        return {**row, **ids}

    def task(self, row: Mapping[str, Any], id: str, number: int) -> Task:
        """Return the task that the environment makes of a row. Raises `DataError` if it can't."""
        whole = self.kept(row, id, number)
        try:
            if self.reads_file:
                task = _FileRows(self.env.name, self.env.made_with or {}, [whole]).only()
            else:
                task = Task(whole["prompt"], whole["reference"], id)
            return Task(task.prompt, task.reference, id, task.metadata)
        except Exception as error:  # an author's reader may raise anything over an odd row
            raise DataError(f"the environment can't read it: {error}") from None

    def _rows(self) -> list[dict[str, Any]]:
        return [row for row, _ in self.examples.values()]

    def _read_examples(self, rows: Sequence[Mapping[str, Any]]) -> None:
        # If a row was left out, each is read alone, and says why.
        tasks = list(self.env.tasks) if self.reads_file and len(self.env.tasks) == len(rows) else []
        for number, row in enumerate(rows, 1):
            given_id = next((row[name] for name in _IDS if row.get(name) is not None), number)
            id = str(given_id)
            if id in self.examples or id in self.unusable:
                id = f"{id} ({number})"
            try:
                if not self.reads_file and (row.get("prompt") is None or "reference" not in row):
                    raise DataError("it has no prompt and reference")
                bare = {name: row[name] for name in self.columns if row.get(name) is not None}
                if not self.reads_file:
                    bare = {"prompt": row["prompt"], "reference": row["reference"]}
                task = tasks[number - 1] if tasks else self.task(bare, id, number)
                self.examples[id] = (
                    dict(row),
                    Task(task.prompt, task.reference, id, task.metadata),
                )
            except DataError as error:
                self.unusable[id] = str(error)

    def _is_refused_without(self, row: Mapping[str, Any]) -> bool:
        """Return True if the environment needs a column that would be left out."""
        bare = {name: value for name, value in row.items() if name not in _LEFT_OUT}
        try:
            _FileRows(self.env.name, self.env.made_with or {}, [bare]).only()
        except Exception:
            return True
        return False


class _FileRows:
    """Rows as an environment reads them from a file.

    Attributes:
        env: the environment.
        tasks: its tasks.
    """

    def __init__(self, name: str, options: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]):
        folder = tempfile.TemporaryDirectory(prefix="rlvr-rows-")
        path = Path(folder.name) / "rows.jsonl"
        with folder, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
            options = {key: value for key, value in options.items() if key != "data"}
            self.env = make(name, data=str(path), **options)
            try:
                self.tasks = list(self.env.tasks)
            except DataError as error:
                # A row that was left out is said in a warning.
                warned = "; ".join(str(warning.message) for warning in caught)
                raise DataError(warned.replace(str(path), "the file") or str(error)) from None

    def only(self) -> Task:
        """Return the only row's task. Raises `DataError` if there isn't exactly one."""
        if len(self.tasks) != 1:
            raise DataError(f"it makes {len(self.tasks)} tasks")
        return self.tasks[0]


def read_examples(source: str | Path) -> list[dict[str, Any]]:
    """Return the rows of a file or an environment. Raises `DataError` for a row that can't be read."""
    rows = []
    for batch in RowSource(source):
        for row in batch.rows:
            if row.blank:
                continue
            if row.fields is None:
                raise DataError(f"Row {row.number} of {source} can't be read: {row.why}.")
            rows.append(dict(row.fields))
    return rows


def _has_option(name: str, option: str) -> bool:
    return option in inspect.signature(find(name).load()).parameters


def _common_head(rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...] | None:
    """Return the messages before the last that all prompts begin with; None if they differ."""
    heads = set()
    head: tuple[dict[str, Any], ...] = ()
    for row in rows:
        if isinstance(row.get("prompt"), list) and row["prompt"]:
            head = tuple(row["prompt"][:-1])
            heads.add(json.dumps(head, sort_keys=True))
        elif row.get("prompt") is not None:
            head = ()
            heads.add("[]")
    return head if len(heads) == 1 else None


def _closed_in(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the closed columns of a row, and those of a reference that is an object."""
    pairs = [(name, row[name]) for name in _CLOSED if row.get(name) is not None]
    reference = row.get("reference")
    return pairs + (_closed_in(reference) if isinstance(reference, Mapping) else [])


def _closed_values(rows: Sequence[Mapping[str, Any]]) -> dict[str, set[str]]:
    values: dict[str, set[str]] = {}
    for row in rows:
        for name, value in _closed_in(row):
            values.setdefault(name, set()).add(json.dumps(value, sort_keys=True))
    return values
