"""The environments of SQL: prompts, rows, databases, and looks before the answer."""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import DataError, DataWarning
from rlvr.envs.schema_text import schema_text

GOLD = "SELECT count(*) FROM singer"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "databases" / "songs"
    home.mkdir(parents=True)
    connection = sqlite3.connect(home / "songs.sqlite")
    connection.executescript(
        'CREATE TABLE singer (id INTEGER PRIMARY KEY, "full name" TEXT, photo BLOB);'
        "CREATE TABLE empty (a);CREATE VIEW one AS SELECT 1 AS n;"
        f"INSERT INTO singer VALUES (1, 'Ann\nLee', x'00ff'), (2, '{'y' * 90}', NULL), (3, 'Z', 1);"
    )
    connection.close()
    return tmp_path


def make(folder: Path, *rows: Any, name: str = "sql", **options: Any) -> rlvr.Environment:
    file = folder / "own.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = rlvr.make(name, data=str(file), **options)
    made.reset(options={"task": 0})
    return made


ROW = {"question": "How many singers?", "sql": GOLD, "database": "songs"}


def test_the_prompt(folder: Path) -> None:
    text = make(folder, ROW | {"evidence": "count them"}, rows=2).tasks[0].text
    assert text == (
        "An SQLite database has this schema:\n\n"
        'CREATE TABLE singer (id INTEGER PRIMARY KEY, "full name" TEXT, photo BLOB);\n'
        '-- id | "full name" | photo\n'
        "-- 1 | Ann Lee | x'00ff'\n"
        f"-- 2 | {'y' * 39}… | NULL\n\n"
        "CREATE TABLE empty (a);\n-- (no rows)\n\n"
        "CREATE VIEW one AS SELECT 1 AS n;\n\n"
        "Question: How many singers?\nHint: count them\n\n"
        "Answer with one SQLite query in a ```sql block."
    )


@pytest.mark.parametrize("characters", [400, 200, 120, 60, 20])
def test_a_schema_is_cut_in_steps(folder: Path, characters: int) -> None:
    text = schema_text(str(folder / "databases/songs/songs.sqlite"), 3, characters)
    assert len(text) <= characters
    assert ("-- 1 |" in text) is (characters == 400)
    if characters == 200:
        assert text.startswith("CREATE TABLE singer")
    if characters == 120:
        assert "-- TABLE singer (id INTEGER" in text or "more: " in text


def test_judging(folder: Path) -> None:
    env = make(folder, ROW)
    assert env.step("```sql\nSELECT count(*) FROM singer\n```")[1:4] == (1.0, True, False)
    env.reset(options={"task": 0})
    assert env.step("```sql\nDELETE FROM singer\n```")[1:4] == (0.0, True, False)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"question": "?", "sql": GOLD, "database": "nowhere"}, "no database 'nowhere'"),
        ({"question": "?", "database": "songs"}, "no text under sql or query"),
        ({"sql": GOLD, "database": "songs"}, "no text under question"),
        ({"question": "?", "sql": "DROP TABLE singer", "database": "songs"}, "this is DROP"),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out(folder: Path, row: Any, says: str) -> None:
    with pytest.warns(DataWarning, match=says):
        assert len(make(folder, ROW, row).tasks) == 1


def test_a_folder_of_databases(folder: Path) -> None:
    env = make(folder, ROW, databases=str(folder / "databases"))
    assert len(env.tasks) == 1
    with pytest.raises(DataError, match="no folder"):
        make(folder, ROW, databases=str(folder / "elsewhere"))


def test_without_data_it_says_what_to_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RLVR_DATA", raising=False)
    with pytest.raises(DataError, match="data=FILE"):
        rlvr.make("sql")


def test_rows_of_bird(folder: Path) -> None:
    row = {"question": "Which?", "SQL": 'SELECT "full name" FROM singer', "db_id": "songs"}
    env = make(folder, row, name="bird", split="mini_dev")
    twice = '```sql\nSELECT "full name" FROM singer UNION ALL SELECT "full name" FROM singer\n```'
    assert env.step(twice)[1] == 1.0  # by BIRD's rules, repetition doesn't count


def test_spider_over_the_data_there_is(data: Path) -> None:
    env = rlvr.make("spider", data=str(data))
    assert len(env.tasks) == 2051
    assert max(len(task.text) for task in env.tasks) < 8500
    assert len({task.text for task in env.tasks}) > 2000
    assert env.tasks[0].text == rlvr.make("spider", data=str(data)).tasks[0].text


def test_looks_before_the_answer(folder: Path) -> None:
    env = make(folder, ROW, name="sql_explore", shown_rows=2)
    observation, reward, terminated, truncated, info = env.step(
        "```sql\nSELECT id FROM singer\n```"
    )
    assert observation.startswith("id\n1\n2\n… (more than 2 rows)\n\nPut a query")
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert "verdict" not in info
    assert env.step(f"<answer>{GOLD}</answer>")[1:4] == (1.0, True, False)


@pytest.mark.parametrize(
    ("response", "says"),
    [
        ("```sql\nSELECT nam FROM singer\n```", "It didn't run: no such column: nam"),
        ("```sql\nDELETE FROM singer\n```", "It didn't run: only a query is allowed"),
        ("```sql\nSELECT 1; SELECT 2\n```", "more than one statement"),
        ("Let me think.", "There's no query"),
        ("```sql\nSELECT 1 AS a WHERE 0\n```", "a\n(no rows)"),
        ("```sql\nSELECT name FROM sqlite_master\n```", "name\nsinger\nempty\none"),
        ("```sql\nSELECT photo, \"full name\" FROM singer\n```", "photo | full name\nx'00ff' | Ann Lee"),
        ("```sql\nSELECT zeroblob(900000)\n```", "x'0000000000000000000000000000000000000000'…"),
        ("```sql\nSELECT CAST(x'ff' AS TEXT)\n```", "?"),
        ("```sql\nWITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x FROM r\n```", "1\n2\n3"),
        ("```sql\nWITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r\n```", "steps"),
    ],
)  # fmt: skip
def test_whatever_a_look_is_something_comes_back(folder: Path, response: str, says: str) -> None:
    env = make(folder, ROW, name="sql_explore")
    observation, reward, terminated, truncated, _ = env.step(response)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert says in observation
    assert len(observation) < 2300
    observation.encode()


def test_the_last_turn_is_judged_as_it_stands(folder: Path) -> None:
    env = make(folder, ROW, name="sql_explore", max_turns=2)
    env.step("```sql\nSELECT 1\n```")
    assert env.step(f"```sql\n{GOLD}\n```")[1:4] == (1.0, False, True)


def test_a_database_that_is_gone_is_a_fault(folder: Path) -> None:
    env = make(folder, ROW, name="sql_explore")
    (folder / "databases/songs/songs.sqlite").unlink()
    _, reward, terminated, truncated, info = env.step("```sql\nSELECT 1\n```")
    assert math.isnan(reward)
    assert (terminated, truncated) == (False, True)
    assert info["verdict"].cause is rlvr.Cause.GOLD
