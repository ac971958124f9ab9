"""A database of singers, and a judge that goes through the scoring pool."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.scoring import Pool

SCHEMA = """
CREATE TABLE singer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, age INT, country TEXT, worth REAL);
CREATE TABLE concert (id INTEGER PRIMARY KEY, singer_id INT REFERENCES singer(id), year INT);
CREATE VIEW old AS SELECT name FROM singer WHERE age > 40;
INSERT INTO singer VALUES (1, 'Ann', 30, 'FR', 1.5), (2, 'Bob', 40, 'FR', 2.0),
  (3, 'Cy', 50, 'US', 0.1), (4, 'Dee', 50, NULL, 0.2), (5, 'Eve', 20, 'US', 0.7);
INSERT INTO concert VALUES (1, 1, 2014), (2, 1, 2015), (3, 2, 2015), (4, 3, 2015);
"""

Judge = Callable[..., "rlvr.Verdict"]


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    with Pool(workers=1) as made:
        yield made


def make(path: Path, script: str = SCHEMA) -> str:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return str(path)


@pytest.fixture
def database(tmp_path: Path) -> str:
    return make(tmp_path / "singers.sqlite")


@pytest.fixture
def judge(pool: Pool, database: str) -> Judge:
    """`judge(gold, query, **options)`, on the singers or on `databases=[…]`."""

    def judged(gold: str, query: str, databases: Any = None, **options: Any) -> rlvr.Verdict:
        task = rlvr.Task("", {"sql": gold, "databases": databases or [database]}, "t")
        response = query if "```" in query else f"```sql\n{query}\n```"
        return rlvr.score([task], [response], rlvr.Sql(**options), pool=pool)[0]

    return judged


@pytest.fixture
def make_database(tmp_path: Path) -> Callable[[str], str]:
    """`make_database(script)`: a database of its own, and its path."""
    return lambda script: make(tmp_path / "own.sqlite", script)
