"""The reference of an SQL task, read and checked.

`{"sql": the gold, "databases": [path, …]}`. Everything wrong with one is the author's fault and
nobody's wrong answer: `CannotScore(gold)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rlvr.core.errors import CannotScore
from rlvr.core.verdict import Cause
from rlvr.verifiers.sql.statement import only_statement, refusal

_KEYS = {"sql", "databases", "database"}


@dataclass(frozen=True, slots=True)
class SqlReference:
    """An SQL task's reference.

    Attributes:
        sql: the gold query, without a semicolon at its end.
        databases: paths of SQLite files; a response is right when it's right on each.
    """

    sql: str
    databases: tuple[str, ...]

    @classmethod
    def of(cls, data: Any) -> SqlReference:
        """Read a reference. Raises `CannotScore(gold)`."""
        if not isinstance(data, Mapping) or "sql" not in data:
            kind = list(data) if isinstance(data, Mapping) else type(data).__name__
            raise _wrong(f'is {{"sql", "databases": [paths]}}; this one is {kind!s:.200}')
        unknown = sorted(set(map(str, data)) - _KEYS)
        if unknown:
            raise _wrong(f'has {unknown[0]!r:.80}; it may have "sql" and "databases"')
        sql, paths = data["sql"], data.get("databases", data.get("database"))
        if not isinstance(sql, str) or not sql.strip():
            raise _wrong(f'has an "sql" that is blank or of type {type(sql).__name__}')
        if isinstance(paths, str):
            paths = [paths]
        if not isinstance(paths, list | tuple) or not paths:
            raise _wrong('has no "databases", which is a list of paths')
        if not all(isinstance(path, str) and path and "\0" not in path for path in paths):
            raise _wrong('has "databases" of which one is no path')
        query, why = _read(sql)
        if why:
            raise _wrong(f"can't be run: {why}")
        return cls(query, tuple(dict.fromkeys(paths)))


@lru_cache(maxsize=8192)
def _read(sql: str) -> tuple[str, str]:
    """Return the gold without a semicolon, and why it can't be run."""
    return only_statement(sql), refusal(sql)


def _wrong(why: str) -> CannotScore:
    return CannotScore(Cause.GOLD, f"an SQL reference {why}")
