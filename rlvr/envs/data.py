"""Rows of a data set: from a local file or from the Hugging Face Hub.

A local file wins where one is named (`data=`) or found under the folder `RLVR_DATA`; else the
Hub is asked. Formats: JSONL, JSON (a list of rows, or columns of rows), Parquet.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, DataWarning, MissingExtraError, OptionError

Row = Mapping[str, Any]


@dataclass(frozen=True)
class DataSource:
    """The place of a data set's rows.

    Attributes:
        hub_id: of the data set on the Hub.
        config: its configuration there, where it has several.
        splits: our names of its splits to the Hub's.
        files: our names of its splits to paths under `RLVR_DATA`.
        columns: that its rows must have.
    """

    hub_id: str
    config: str | None
    splits: Mapping[str, str]
    files: Mapping[str, str]
    columns: Sequence[str]

    def rows(self, split: str, data: str | None = None) -> list[Row]:
        """Read all rows of a split and check their columns. Raises `DataError` that says what to do."""
        self.check_split(split)
        path = self._local(split, data)
        rows = list(read_file(path)) if path else self._from_hub(split)
        if not rows:
            raise DataError(f"There are no rows in {path or self.hub_id}.")
        check_columns(rows, self.columns, str(path or self.hub_id))
        return rows

    def check_split(self, split: str) -> None:
        """Raise `OptionError` if there's no such split."""
        if split not in self.splits:
            names = ", ".join(self.splits)
            raise OptionError(f"{self.hub_id} has the splits {names}, not {split!r}.")

    def _local(self, split: str, data: str | None) -> Path | None:
        if data is not None:
            path = Path(data)
            if path.is_dir():
                if split not in self.files:
                    raise DataError(
                        f"Name the file of {split!r} itself: {str(path)!r} is a folder."
                    )
                path = path / self.files[split]
            if not path.is_file():
                raise DataError(f"There's no file {str(path)!r}.")
            return path
        folder = os.environ.get("RLVR_DATA")
        if folder and not Path(folder).is_dir():
            raise DataError(f"RLVR_DATA names {folder!r}, and there's no such folder.")
        if folder and split in self.files:
            path = Path(folder) / self.files[split]
            if path.is_file():
                return path
            warnings.warn(
                f"RLVR_DATA={folder} has no {self.files[split]}: asking the Hub for {self.hub_id}.",
                DataWarning,
                stacklevel=2,
            )
        return None

    def _from_hub(self, split: str) -> list[Row]:
        try:
            import datasets
        except ImportError as error:
            raise MissingExtraError(
                f"Loading {self.hub_id!r} from the Hub needs the package 'datasets': "
                f"pip install 'rlvr[data]'. Or name a local file: data=PATH, or RLVR_DATA=FOLDER with "
                f"{self.files.get(split, 'its file')} in it{_missing_in(os.environ.get('RLVR_DATA'))}."
            ) from error
        try:
            loaded = datasets.load_dataset(self.hub_id, self.config, split=self.splits[split])
        except Exception as error:
            why = " ".join(str(error).split())  # theirs may have many lines
            raise DataError(
                f"The Hub's data set {self.hub_id!r} can't be loaded "
                f"({type(error).__name__}: {why:.200}). Name a local file instead: "
                f"data=PATH, or RLVR_DATA=FOLDER with {self.files.get(split, 'its file')} in it."
            ) from error
        return [dict(row) for row in loaded]


def _missing_in(folder: str | None) -> str:
    return f", which {folder!r} hasn't" if folder else ""


def read_file(path: Path) -> Iterator[Row]:
    """Read the rows of a `.parquet`, `.json` or (with any other suffix) JSONL file.

    A malformed line of JSONL is left out, with a `DataWarning` that names its number. Raises
    `DataError` where the file as a whole can't be read.
    """
    if path.suffix == ".parquet":
        try:
            import pyarrow.parquet
        except ImportError as error:
            raise MissingExtraError(
                "Parquet files need the package 'pyarrow': pip install 'rlvr[data]'."
            ) from error
        try:
            yield from pyarrow.parquet.read_table(path).to_pylist()
        except (ValueError, OSError) as error:  # pyarrow's own errors are of these types
            raise DataError(f"{path} can't be read as Parquet: {error}") from error
        return
    try:
        if path.suffix == ".json":
            yield from _rows_of_json(json.loads(path.read_text(encoding="utf-8-sig")))
            return
        with path.open("rb") as lines:  # as bytes, so that a line that isn't UTF-8 has its number
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield from _row_of_line(line, number, path)
    except (ValueError, OSError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} can't be read: {error}") from error


def check_columns(rows: Iterable[Row], needed: Sequence[str], where: str) -> None:
    """Raise `DataError` if a row lacks a column, with the columns it has and those it needs."""
    for number, row in enumerate(rows, 1):
        missing = [column for column in needed if column not in row]
        if missing:
            raise DataError(
                f"Row {number} of {where} has no column {missing[0]!r}. It has: "
                f"{', '.join(row)}. It needs: {', '.join(needed)}."
            )


def _rows_of_json(data: Any) -> Iterator[Row]:
    if isinstance(data, dict) and data and all(isinstance(v, dict) for v in data.values()):
        columns = list(data)  # pandas' default: {"column": {"0": value}}
        for key in data[columns[0]]:
            yield {column: data[column].get(key) for column in columns}
    elif isinstance(data, list) and all(isinstance(row, dict) for row in data):
        yield from data
    else:
        raise DataError("A JSON file of tasks is a list of objects, or columns of values by row.")


def _row_of_line(line: bytes, number: int, path: Path) -> Iterator[Row]:
    """Yield a line's row, or nothing and warn: one bad line in a million must not cost the rest."""
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        message = f"Line {number} of {path} is not JSON in UTF-8 and is left out: {error}"
        warnings.warn(message, DataWarning, stacklevel=2)
        return
    if isinstance(row, dict):
        yield row
    else:
        message = f"Line {number} of {path} is not a JSON object and is left out."
        warnings.warn(message, DataWarning, stacklevel=2)
