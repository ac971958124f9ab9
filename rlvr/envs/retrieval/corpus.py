"""Passages, and the corpora that they come from: a file, or any iterable of rows."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rlvr.core.errors import DataError
from rlvr.envs.data import read_file

Rows: TypeAlias = "Iterable[Passage | Mapping[str, Any]]"
Corpus: TypeAlias = "str | os.PathLike[str] | Rows"
"""A JSONL, JSON or Parquet file of passages, or passages themselves."""

_MOST_ID = 100
_NO_ID = re.compile(r"[\[\],;\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MOST_TEXT = 1_000_000


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that can be found, read and cited by its id.

        rlvr.tools.Passage("tolvik", "Tolvik", "Tolvik is a town on the river Ane.")

    Attributes:
        id: unique in its corpus; up to 100 characters without brackets, commas, semicolons and line ends, so that
            `[id]` cites it.
        title: a short name; "" if it has none.
        text: the text, of at most a million characters.

    Raises `DataError` if a field isn't valid.
    """

    id: str
    title: str
    text: str

    def __post_init__(self) -> None:
        for field in ("id", "title", "text"):
            if not isinstance(getattr(self, field), str):
                raise DataError(f"a passage's {field} is text, not {getattr(self, field)!r:.60}.")
        if self.id != " ".join(self.id.split()) or not 0 < len(self.id) <= _MOST_ID:
            raise DataError(
                f"a passage's id has 1 to {_MOST_ID} characters and no white space around it, not {self.id!r:.60}."
            )
        if _NO_ID.search(self.id):
            raise DataError(
                f"the id {self.id!r:.60} can't be cited: it has a bracket, a comma, a semicolon or a line end. Leave "
                f"ids out, and passages are numbered."
            )
        if len(self.title) + len(self.text) > _MOST_TEXT:
            raise DataError(f"the passage {self.id!r:.60} has over {_MOST_TEXT} characters.")

    @classmethod
    def of(cls, row: Passage | Mapping[str, Any], number: int) -> Passage:
        """Make a passage from a row with `text`, and perhaps `id` and `title`; without an id, its number is one."""
        if isinstance(row, Passage):
            return row
        if not isinstance(row, Mapping) or "text" not in row:
            raise DataError(f'a passage is an object with a "text", not {row!r:.80}.')
        id = row.get("id")
        if id is None:
            id = number
        if isinstance(id, int) and not isinstance(id, bool):
            id = str(id)
        return cls(id, row.get("title") or "", row["text"])

    def to_json(self) -> str:
        """Return the passage as JSON."""
        return json.dumps([self.id, self.title, self.text], ensure_ascii=True)

    @classmethod
    def from_json(cls, data: str) -> Passage:
        """Make the passage that `to_json` wrote, without another check."""
        passage = object.__new__(cls)
        for field, value in zip(("id", "title", "text"), json.loads(data), strict=True):
            object.__setattr__(passage, field, value)
        return passage


def read_passages(corpus: Corpus) -> Iterator[Passage]:
    """Yield the passages of a corpus in its order.

    Raises `DataError` naming the row that is no passage. A line of a file that isn't JSON is left out with a warning.
    """
    if isinstance(corpus, str | os.PathLike):
        path = Path(corpus)
        if not path.is_file():
            raise DataError(
                f"There's no corpus {str(path)!r}: it is a JSONL or Parquet file of passages."
            )
        rows: Rows = read_file(path)
        where = path.name
    else:
        rows, where = corpus, "the corpus"
    for number, row in enumerate(rows, 1):
        try:
            yield Passage.of(row, number)
        except DataError as error:
            raise DataError(f"Row {number} of {where}: {error}") from None


def digest_of_file(path: Path) -> str:
    """Return a digest of a file's content. Raises `DataError` if it can't be read."""
    digest = hashlib.blake2b(path.suffix.encode(), digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise DataError(f"The corpus {str(path)!r} can't be read: {error.strerror}.") from None
    return digest.hexdigest()


def digest_of_passages(passages: Iterable[Passage]) -> str:
    """Return a digest of passages in their order."""
    digest = hashlib.blake2b(digest_size=16)
    for passage in passages:
        digest.update(passage.to_json().encode() + b"\n")
    return digest.hexdigest()
