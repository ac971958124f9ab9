"""Neighbour databases: what they keep to, what they tell apart, and that a seed makes them again."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.authoring.neighbours import neighbours_of
from rlvr.authoring.neighbours.base import Base
from rlvr.authoring.neighbours.demands import demands_of
from rlvr.authoring.neighbours.equivalents import equivalence_rule
from rlvr.authoring.neighbours.fill import PROFILES, candidate
from rlvr.authoring.neighbours.mutants import Mutant, constants, mutants_of

SCHEMA = """
CREATE TABLE team (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, city TEXT);
CREATE TABLE player (
  id INTEGER PRIMARY KEY, team_id INT NOT NULL REFERENCES team(id), name TEXT NOT NULL,
  age INT CHECK (age BETWEEN 10 AND 60), goals INT, "odd ""name" TEXT
);
CREATE TABLE stint (team TEXT, year INT, boss TEXT, PRIMARY KEY (team, year));
CREATE TABLE report (n INTEGER PRIMARY KEY, team TEXT NOT NULL, year INT NOT NULL,
  FOREIGN KEY (team, year) REFERENCES stint(team, year));
CREATE UNIQUE INDEX one_name_a_team ON player(team_id, name);
CREATE VIEW old AS SELECT * FROM player WHERE age > 30;
INSERT INTO team VALUES (1, 'Reds', 'York'), (2, 'Blues', 'York'), (3, 'Greens', NULL);
INSERT INTO player VALUES (1, 1, 'Ann', 20, 3, 'x'), (2, 1, 'Bob', 30, 0, NULL),
  (3, 2, 'Cy', 31, 3, 'y'), (4, 2, 'Dee', 25, NULL, 'x');
INSERT INTO stint VALUES ('Reds', 2000, 'M'), ('Reds', 2001, 'N');
INSERT INTO report VALUES (1, 'Reds', 2000), (2, 'Reds', 2001);
"""


@pytest.fixture
def teams(tmp_path: Path) -> str:
    path = tmp_path / "teams.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.close()
    return str(path)


def opened(data: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(data)
    return connection


GOLDS = (
    "SELECT name FROM player WHERE age > 25",
    "SELECT count(*) FROM player WHERE name LIKE 'A%' AND goals >= 3",
    "SELECT t.name, count(*) FROM team t JOIN player p ON t.id = p.team_id GROUP BY t.id",
    "SELECT name FROM player ORDER BY goals DESC LIMIT 1",
    "SELECT city FROM team GROUP BY city HAVING count(*) > 1",
    "SELECT name FROM team WHERE id NOT IN (SELECT team_id FROM player)",
    "SELECT max(year) FROM report WHERE team = 'Reds'",
    "SELECT name FROM player WHERE age = 99",
)


@pytest.mark.parametrize("gold", GOLDS)
def test_constraints_are_kept(teams: str, gold: str) -> None:
    base = Base.of(teams)
    rng = random.Random(gold)
    for profile in PROFILES:
        made = candidate(base, demands_of(gold, base.schema), profile, rng)
        assert made.execute("PRAGMA foreign_key_check").fetchall() == []
        assert made.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert made.execute(
            "SELECT count(*) FROM player WHERE typeof(age) = 'text'"
        ).fetchone() == (0,)
        assert made.execute("SELECT count(*) FROM old").fetchone() is not None
        for table in ("team", "player"):
            assert made.execute(f"SELECT count(*) FROM {table}").fetchone()[0] <= 120
        made.close()


@pytest.mark.parametrize("gold", GOLDS)
def test_a_seed_makes_them_again(teams: str, gold: str) -> None:
    first, again, other = (neighbours_of(gold, teams, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.databases != other.databases or not first.databases


@pytest.mark.parametrize("gold", GOLDS[:-1])
def test_each_tells_something_apart_and_the_gold_says_something(teams: str, gold: str) -> None:
    found = neighbours_of(gold, teams, most=4)
    assert 1 <= len(found.databases) <= 4
    assert sum(found.killed.values()) >= len(found.databases)
    assert found.killed["constant"] == found.passing["constant"] == 1
    for data in found.databases:
        assert len(data) < 64 << 10
    results = {str(opened(data).execute(gold).fetchall()) for data in found.databases}
    results.add(str(sqlite3.connect(teams).execute(gold).fetchall()))
    assert len(results) > 1  # or a constant would do


def test_a_gold_that_nothing_can_be_the_answer_of(teams: str) -> None:
    found = neighbours_of("SELECT name FROM player WHERE age = 99", teams)  # a CHECK forbids it
    assert found.empty
    assert found.killed["constant"] == 0


def test_an_empty_gold_gets_rows(teams: str) -> None:
    gold = "SELECT name FROM player WHERE age = 59"
    found = neighbours_of(gold, teams)
    assert not found.empty
    assert any(opened(data).execute(gold).fetchall() for data in found.databases)


def mutants(gold: str, path: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for mutant in mutants_of(gold, Base.of(path).schema):
        found.setdefault(mutant.kind, set()).add(mutant.sql)
    return found


def test_mutants(teams: str) -> None:
    found = mutants(
        "SELECT DISTINCT t.name FROM team t JOIN player p ON t.id = p.team_id "
        "WHERE p.age > 25 AND p.name LIKE '%a%' ORDER BY t.name LIMIT 2", teams
    )  # fmt: skip
    assert set(found) == {
        "distinct", "comparison", "literal", "pattern", "logic", "condition", "negation", "join",
        "column", "order", "limit",
    }  # fmt: skip
    assert any("p.age >= 25" in sql for sql in found["comparison"])
    assert any("p.age > 26" in sql for sql in found["literal"])
    assert any("LEFT JOIN" in sql for sql in found["join"])
    assert any("LIMIT" not in sql for sql in found["limit"])


def test_every_mutant_is_another_text_and_none_is_the_gold(teams: str) -> None:
    for gold in GOLDS:
        made = [m.sql for m in mutants_of(gold, Base.of(teams).schema)]
        assert len(made) == len(set(made))
        assert gold not in made


def test_constants_say_what_the_result_is() -> None:
    rows: list[Any] = [(1, "it's", None, b"\x00", 0.5)]
    (mutant,) = constants(rows, 5)
    assert sqlite3.connect(":memory:").execute(mutant.sql).fetchall() == rows
    (nothing,) = constants([], 2)
    result = sqlite3.connect(":memory:").execute(nothing.sql)
    assert (result.fetchall(), len(result.description)) == ([], 2)


@pytest.mark.parametrize(
    ("gold", "mutant", "same"),
    [
        ("SELECT name FROM team", "SELECT DISTINCT name FROM team", True),
        ("SELECT city FROM team", "SELECT DISTINCT city FROM team", False),
        ("SELECT id, city FROM team", "SELECT DISTINCT id, city FROM team", True),
        ("SELECT count(*) FROM team", "SELECT count(name) FROM team", True),
        ("SELECT count(*) FROM team", "SELECT count(DISTINCT name) FROM team", True),
        ("SELECT count(*) FROM team", "SELECT count(city) FROM team", False),
        ("SELECT count(*) FROM team WHERE city = 'x'", "SELECT count(city) FROM team WHERE city = 'x'", True),
        ("SELECT count(*) FROM player", "SELECT count(DISTINCT team_id) FROM player", False),
        ("SELECT count(*) FROM player p JOIN team t ON p.team_id = t.id",
         "SELECT count(*) FROM player p LEFT JOIN team t ON p.team_id = t.id", True),
        ("SELECT count(*) FROM team t JOIN player p ON p.team_id = t.id",
         "SELECT count(*) FROM team t LEFT JOIN player p ON p.team_id = t.id", False),
        ("SELECT max(age) FROM player", "SELECT max(age) FROM player LIMIT 1", True),
        ("SELECT max(age) FROM player", "SELECT max(age) FROM player LIMIT 0", False),
        ("SELECT name FROM player", "SELECT name FROM player LIMIT 1", False),
        ("SELECT name FROM team WHERE id IN (SELECT team_id FROM player)",
         "SELECT name FROM team WHERE id IN (SELECT DISTINCT team_id FROM player)", True),
        ("SELECT age FROM player WHERE age > 1", "SELECT age FROM player WHERE age >= 1", False),
        ("SELECT NAME FROM `Team`", 'SELECT name FROM "team"', True),
        ("SELECT name FROM team WHERE city = 'York'", "SELECT name FROM team WHERE city = 'yORK'", False),
        ("SELECT city, count(*) FROM team GROUP BY city",
         "SELECT DISTINCT city, count(*) FROM team GROUP BY city", True),
    ],
)  # fmt: skip
def test_what_is_shown_to_be_the_gold(teams: str, gold: str, mutant: str, same: bool) -> None:
    assert bool(equivalence_rule(gold, Mutant("x", mutant), Base.of(teams).schema)) is same


def test_the_command(rlvr_cli: Any, teams: str, tmp_path: Path) -> None:
    rows = [
        {"question": "Who?", "sql": GOLDS[0], "database": "teams"},
        {"id": 7, "reference": {"sql": GOLDS[1], "databases": [teams]}, "response": "x"},
        {"question": "Who?", "sql": "SELECT nope FROM team", "database": "teams"},
        {"question": "Who else?", "sql": GOLDS[0], "database": "teams"},
    ]
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for out, workers in (("one", 1), ("two", 2)):
        done = rlvr_cli("data", "neighbours", file, "-o", tmp_path / out, "--workers", workers)
        assert done.returncode == 3, done.stderr
        assert "no such column: nope" in done.stderr
        assert "killed" in done.stdout
    digests = [
        {
            p.name: hashlib.sha256(p.read_bytes()).digest()
            for p in (tmp_path / out / "databases").iterdir()
        }
        for out in ("one", "two")
    ]
    assert digests[0] == digests[1] != {}
    made = [json.loads(line) for line in (tmp_path / "one/tasks.jsonl").read_text().splitlines()]
    assert made[0]["databases"][0] == teams
    assert len(made[0]["databases"]) > 1
    assert made[0]["databases"] == made[3]["databases"]
    assert made[1]["reference"]["databases"][0] == teams
    assert len(made[1]["reference"]["databases"]) > 1
    assert made[2]["databases"] == [teams]
    env = rlvr.make("sql", data=str(tmp_path / "one/tasks.jsonl"))
    (right, constant) = rlvr.score(
        [env.tasks[0]] * 2,
        [f"```sql\n{GOLDS[0]}\n```", "```sql\nVALUES ('Bob'), ('Cy')\n```"],
        env.verifier,
    )
    assert (float(right), float(constant)) == (1.0, 0.0)


def test_a_database_that_is_not_there(rlvr_cli: Any, tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text('{"sql": "SELECT 1", "database": "nowhere"}\n')
    done = rlvr_cli("data", "neighbours", file, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "There's no database 'nowhere'" in done.stderr


@pytest.mark.sweep
def test_real_golds(data: Path) -> None:
    lines = (data / "sql/queries.jsonl").read_text().splitlines()
    rows = random.Random(0).sample([json.loads(line) for line in lines], 25)
    passing = killed = equivalent = 0
    for row in rows:
        found = neighbours_of(row["sql"], str(data / f"sql/databases/{row['database']}.sqlite"))
        passing += sum(found.passing.values())
        killed += sum(found.killed.values())
        equivalent += sum(found.equivalent.values())
        assert not found.empty
        assert found.killed["constant"] == found.passing["constant"]
    assert killed >= 0.6 * (passing - equivalent)
