"""Any questions with a gold query and an SQLite database, as `spider` and `bird` have them.

A row of a file of one's own::

    {"question": "How many singers are there?", "sql": "SELECT count(*) FROM singer",
     "database": "concert_singer"}

`databases` may be there besides or instead: a list, of which the first is the one that's shown;
`rlvr data neighbours` makes such rows.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rlvr.core.environment import Environment
from rlvr.core.errors import CannotScore, DataError, DataWarning
from rlvr.core.registry import environment
from rlvr.core.task import Task
from rlvr.core.tasks import TaskSet
from rlvr.envs.data import DataSource, Row
from rlvr.envs.fixtures import sql_fixtures_of
from rlvr.envs.prompt import Prompt
from rlvr.envs.schema_text import schema_text
from rlvr.envs.turns import SingleTurn
from rlvr.verifiers.sql import Sql
from rlvr.verifiers.sql.reference import SqlReference
from rlvr.verifiers.sql.verifier import Dialect, Preset, Reward

PROMPT = Prompt(
    "An SQLite database has this schema:\n\n{schema}\n\nQuestion: {question}\n{hint}\n"
    "Answer with one SQLite query in a ```sql block."
)
QUESTION = ("question", "utterance")
GOLD = ("sql", "query", "SQL", "gold")
DATABASE = ("database", "db_id", "db")
HINT = ("evidence", "hint")
_KEPT = ("difficulty", "hardness", "level", "source", "question_id")
_SPLITS = {"train": "train", "dev": "validation", "test": "test"}


@environment("sql", gym_name="SQL")
def make(
    split: str = "train",
    dataset: str | None = None,
    config: str | None = None,
    data: str | None = None,
    databases: str | None = None,
    preset: Preset = "rlvr",
    reward: Reward = "match",
    dialect: Dialect = "sqlite",
    clock: bool = False,
    rows: int = 3,
    characters: int = 8000,
    prompt: Prompt | str | dict[str, str] = PROMPT,
) -> Environment:
    """Make questions that are answered by a query, from any data set.

    Args:
        split: train, dev or test.
        dataset: an id on the Hub.
        config: the data set's configuration, where it has several.
        data: a local file instead.
        databases: the folder of the SQLite files; by default those of `RLVR_DATA`, or beside `data`.
        preset: whose rules decide.
        reward: `match`, or with the preset bird `soft_f1` or `r_ves`.
        dialect: that a response is written in.
        clock: whether queries may read the clock.
        rows: of each table that the prompt shows.
        characters: that the schema may take in the prompt.
        prompt: may use {schema}, {question} and {hint}.
    """
    template = Prompt.of(prompt)
    files = {} if dataset else {"train": "sql/queries.jsonl"}
    source = DataSource(dataset or "a local file", config, _SPLITS, files, ())
    source.check_split(split)
    if data is None and dataset is None and not os.environ.get("RLVR_DATA"):
        raise DataError("sql has no data set of its own: name one with data=FILE or dataset=ID.")
    verifier = Sql(preset, reward, dialect=dialect, clock=clock)

    def load() -> list[Task]:
        return list(tasks_of(source, split, data, databases, template, rows, characters))

    fixtures = sql_fixtures_of("sql", (preset, dialect) == ("rlvr", "sqlite"))
    return SingleTurn(TaskSet(load, "sql"), verifier, fixtures=fixtures)


def tasks_of(
    source: DataSource,
    split: str,
    data: str | None,
    databases: str | None,
    prompt: Prompt,
    rows: int = 3,
    characters: int = 8000,
) -> Iterator[Task]:
    """Make the tasks of a source. A row that can't be used is left out, with a `DataWarning`."""
    folders = _folders(data, databases)
    for number, row in enumerate(source.rows(split, data)):
        try:
            yield _task(f"{split}-{number}", row, folders, prompt, rows, characters)
        except (DataError, CannotScore) as error:
            reason = error.message if isinstance(error, CannotScore) else str(error)
            message = f"Row {split}-{number} of {data or source.hub_id} is left out: {reason}"
            warnings.warn(message, DataWarning, stacklevel=2)


def _task(
    id: str, row: Row, folders: Sequence[Path], prompt: Prompt, rows: int, characters: int
) -> Task:
    question, gold = _text(row, QUESTION), _text(row, GOLD)
    listed = row.get("databases")
    names = listed if isinstance(listed, list) and listed else [_text(row, DATABASE)]
    paths = [str(_found(str(name), folders)) for name in names]
    reference = {"sql": gold, "databases": paths}
    SqlReference.of(reference)
    hint = next((str(row[name]).strip() for name in HINT if row.get(name)), "")
    fields = {
        "schema": schema_text(paths[0], rows, characters),
        "question": question.strip(),
        "hint": f"Hint: {hint}\n" if hint else "",
    }
    kept: dict[str, Any] = {key: row[key] for key in _KEPT if key in row}
    return Task(prompt.render(fields), reference, id, kept | {"database": Path(paths[0]).stem})


def _text(row: Row, names: Sequence[str]) -> str:
    text = next((row[name] for name in names if isinstance(row.get(name), str)), None)
    if text is None:
        raise DataError(f"it has no text under {' or '.join(names)}")
    return str(text)


def _folders(data: str | None, databases: str | None) -> list[Path]:
    """Return the folders of databases. Raises `DataError` if the named folder doesn't exist."""
    if databases is not None:
        if not Path(databases).is_dir():
            raise DataError(f"There's no folder {databases!r}, where the databases are to be.")
        return [Path(databases)]
    beside = [Path(data)] if data is not None else []
    if os.environ.get("RLVR_DATA"):
        beside.append(Path(os.environ["RLVR_DATA"]))
    beside = [path if path.is_dir() else path.parent for path in beside]
    inside = ("databases", "database", "sql/databases", ".")
    return [path / part for path in beside for part in inside]


def _found(name: str, folders: Sequence[Path]) -> Path:
    """Return a database by path, or by name in a folder: flat, or in a folder of its own as published."""
    for folder in folders:
        for path in (folder / name, folder / f"{name}.sqlite", folder / name / f"{name}.sqlite"):
            if path.is_file():
                return path.resolve()
    if Path(name).is_absolute() and Path(name).is_file():
        return Path(name)
    looked = ", ".join(map(str, folders)) or "nowhere"
    raise DataError(
        f"there's no database {name!r} (looked in {looked}): the Hub hasn't got the databases, so "
        f"name their folder with databases=FOLDER"
    )
