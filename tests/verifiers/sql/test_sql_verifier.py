"""`Sql`: whose fault is whose, what comes back, what is kept between verifications."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr import Cause, Scored, Sql, Status, Unscored
from rlvr.core.errors import OptionError
from rlvr.scoring import Pool

Judge = Any  # the fixture of conftest.py

COUNT = "SELECT count(*) FROM singer"


def test_a_right_query(judge: Judge) -> None:
    assert judge(COUNT, "SELECT sum(1) FROM singer;") == Scored(
        1.0,
        Status.CORRECT,
        {"sql": 1.0},
        "",
        {"query": "SELECT sum(1) FROM singer", "databases": 1},
    )


@pytest.mark.parametrize(
    ("query", "status", "feedback"),
    [
        ("SELECT count(*) FROM concert", "incorrect", "another result: other rows"),
        ("SELECT nam FROM singer", "incorrect", "no such column: nam; nearest are singer.name, old.name"),
        ("SELECT singer_id FROM singer", "incorrect", "no such column: singer_id; there's concert.singer_id"),
        ("SELECT * FROM singers", "incorrect", "no such table: singers; nearest are singer"),
        ("SELECT * FROM xyz", "incorrect", "no such table: xyz; the tables are singer, concert, old"),
        ("SELECT id FROM singer, concert", "incorrect", "ambiguous column name: id; it's in singer, concert"),
        ("SELECT nofn(1)", "incorrect", "no such function: nofn"),
        ("SELECT FROM", "incorrect", 'near "FROM": syntax error'),
        ("SELECT 1; SELECT 2", "incorrect", "there's more than one statement; one query is allowed"),
        ("SELECT * FROM sqlite_master", "incorrect", "not allowed: reading sqlite_master"),
        ("SELECT random()", "incorrect", "not allowed: random()"),
        ("SELECT date('now')", "incorrect", "not allowed: reading the clock"),
        ("SELECT strftime('%Y', 'NOW')", "incorrect", "not allowed: reading the clock"),
        ("SELECT date()", "incorrect", "not allowed: reading the clock"),
        ("SELECT count(*) - 1 FROM singer WHERE name <> 'now'", "incorrect", "other rows"),
        ("SELECT value FROM json_each('[1]')", "incorrect", "not allowed: reading a virtual table"),
        ("WITH x AS (SELECT 1) DELETE FROM singer", "incorrect", "not allowed: DELETE"),
        ("DROP TABLE singer", "incorrect", "this is DROP"),
        ("WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r",
         "limit", "the query takes more than 1000000 steps"),
        ("WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x FROM r",
         "limit", "the query returns more than 1000 rows"),
        ("SELECT zeroblob(1000000000)", "limit", "too large a value"),
        ("```python\n1\n```", "unparsable", "no fenced block in SQL"),
    ],
)  # fmt: skip
def test_what_a_query_did_is_told(judge: Judge, query: str, status: str, feedback: str) -> None:
    verdict = judge(COUNT, query, max_steps=1_000_000, max_rows=1000)
    assert isinstance(verdict, Scored), verdict
    assert (verdict.reward, str(verdict.status)) == (0.0, status)
    assert feedback in verdict.feedback


def test_what_the_gold_gives_is_not_told(judge: Judge) -> None:
    verdict = judge("SELECT 'c4n4ry'", "SELECT 1")
    assert "c4n4ry" not in repr(verdict)


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ("SELECT nope FROM singer", "the gold fails on"),
        ("DELETE FROM singer", "this is DELETE"),
        ("SELECT 1; SELECT 2", "more than one statement"),
        ("", "blank"),
        ("SELECT random()", "not allowed: random()"),
        ("SELECT date('now')", "clock=true"),
        ("SELECT * FROM sqlite_master", "not allowed"),
        ("WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r",
         "max_steps and max_rows may be raised"),
    ],
)  # fmt: skip
def test_a_gold_that_fails_is_nobodys_wrong_answer(judge: Judge, gold: str, message: str) -> None:
    verdict = judge(gold, "SELECT 1", max_steps=1_000_000)
    assert isinstance(verdict, Unscored), verdict
    assert verdict.cause is Cause.GOLD
    assert message in verdict.message


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (None, 'is {"sql", "databases": [paths]}'),
        ({"sql": "SELECT 1"}, 'has no "databases"'),
        ({"sql": "SELECT 1", "databases": []}, 'has no "databases"'),
        ({"sql": "SELECT 1", "databases": [7]}, "one is no path"),
        ({"sql": 1, "databases": ["x"]}, "of type int"),
        ({"sql": "SELECT 1", "databases": ["x"], "more": 1}, "has 'more'"),
        ({"sql": "SELECT 1", "databases": ["nowhere.sqlite"]}, "No such file"),
        ({"sql": "SELECT 1", "databases": ["/"]}, "is no file"),
        ({"sql": "SELECT 1", "databases": ["x\ny" * 9]}, "No such file"),
    ],
)
def test_a_reference_that_cannot_be_used(pool: Pool, reference: Any, message: str) -> None:
    task = rlvr.Task("", reference, "t")
    (verdict,) = rlvr.score([task], ["```sql\nSELECT 1\n```"], Sql(), pool=pool)
    assert isinstance(verdict, Unscored), verdict
    assert verdict.cause is Cause.GOLD
    assert message in verdict.message


def test_a_file_that_is_no_database(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("no database " * 1000)
    verdict = judge("SELECT 1", "SELECT 1", databases=[str(tmp_path / "text.sqlite")])
    assert verdict.cause is Cause.GOLD
    assert "is no database that SQLite can read" in verdict.message


def test_changes_that_are_not_in_the_file_yet(judge: Judge, database: str) -> None:
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("INSERT INTO singer VALUES (6, 'Fay', 1, 'FR', 1)")
    connection.commit()
    verdict = judge(COUNT, COUNT)
    assert verdict.cause is Cause.GOLD
    assert "wal_checkpoint" in verdict.message
    connection.close()
    assert judge("SELECT 6", COUNT).reward == 1.0


def test_a_database_that_is_written_is_read_anew(judge: Judge, database: str) -> None:
    assert judge(COUNT, "SELECT 5").reward == 1.0
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM singer WHERE id = 1")
    assert judge(COUNT, "SELECT 5").reward == 0.0
    assert judge(COUNT, "SELECT 4").reward == 1.0


def test_odd_paths(judge: Judge, database: str, tmp_path: Path) -> None:
    for name in ("a b.sqlite", "q?mode=rwc#x%41.sqlite", "ü'\".sqlite"):
        path = tmp_path / name
        shutil.copy(database, path)
        assert judge(COUNT, "SELECT 5", databases=[str(path)]).reward == 1.0
    assert {p.name for p in tmp_path.iterdir()} >= {"q?mode=rwc#x%41.sqlite"}


def test_right_on_all_databases(judge: Judge, database: str, tmp_path: Path) -> None:
    more = str(tmp_path / "more.sqlite")
    shutil.copy(database, more)
    with sqlite3.connect(more) as connection:
        connection.execute("DELETE FROM singer WHERE id > 2")
    both = [database, more]
    assert judge(COUNT, COUNT, databases=both).reward == 1.0
    verdict = judge(COUNT, "SELECT 5", databases=both)
    assert verdict.feedback == "another result on database 2 of 2: other rows"
    assert verdict.detail["failed_on"] == 2


def test_an_empty_gold_is_said_to_be(judge: Judge) -> None:
    verdict = judge("SELECT name FROM singer WHERE 0", "SELECT NULL WHERE 0")
    assert verdict.reward == 1.0
    assert verdict.detail["empty_gold"] is True


def test_views_may_be_read(judge: Judge) -> None:
    assert judge("SELECT name FROM singer WHERE age > 40", "SELECT * FROM old").reward == 1.0


def test_queries_may_name_things_themselves(judge: Judge) -> None:
    with_ = "WITH c AS (SELECT * FROM singer) SELECT count(*) FROM c"
    recursive = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 5) SELECT count(*) FROM r"
    inner = "SELECT count(*) FROM (SELECT 1 FROM singer)"
    for query in (with_, recursive, inner):
        assert judge(COUNT, query).reward == 1.0


def test_text_that_is_not_utf_8(judge: Judge, database: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE singer SET name = CAST(x'ff41' AS TEXT) WHERE id = 1")
    gold = "SELECT name FROM singer"
    assert judge(gold, gold).reward == 1.0
    assert judge(gold, "SELECT 'A' UNION ALL SELECT name FROM singer WHERE id > 1").reward == 0.0


def test_values_that_are_stored_may_be_large(judge: Judge, make_database: Any) -> None:
    """Larger than a query may make: such a value is counted or passed over, and no query makes one."""
    script = "CREATE TABLE t (id INT, pic BLOB); INSERT INTO t VALUES (1, zeroblob(2000000)), (2, x'00'), (3, NULL);"
    databases = [make_database(script)]
    gold = "SELECT count(*) FROM t WHERE pic IS NOT NULL"
    for query in (
        "SELECT count(pic) FROM t",
        "SELECT sum(length(pic) > 0) FROM t",
        "SELECT count(DISTINCT pic) FROM t",
    ):
        assert judge(gold, query, databases=databases).reward == 1.0
        assert judge(query, gold, databases=databases).reward == 1.0
    for query in ("SELECT length(zeroblob(3000000))", "SELECT length(hex(pic)) FROM t"):
        assert judge(gold, query, databases=databases).status is Status.LIMIT


@pytest.mark.parametrize(
    ("dialect", "query"),
    [
        ("mysql", "SELECT IF(age > 40, 'old', 'young') FROM `singer`"),
        ("postgres", "SELECT CASE WHEN age::int > 40 THEN 'old' ELSE 'young' END FROM singer"),
    ],
)
def test_other_dialects(judge: Judge, dialect: str, query: str) -> None:
    gold = "SELECT iif(age > 40, 'old', 'young') FROM singer"
    assert judge(gold, query, dialect=dialect).reward == 1.0


def test_what_is_no_query_of_the_dialect(judge: Judge) -> None:
    verdict = judge(COUNT, "SELECT ((", dialect="mysql")
    assert verdict.status is Status.UNPARSABLE
    assert "can't be read as mysql" in verdict.feedback
    assert judge(COUNT, "SELECT " + "(" * 4000, dialect="mysql").reward == 0.0
    assert "at most 10000" in judge(COUNT, "SELECT " + "1," * 9000 + "1", dialect="mysql").feedback


@pytest.mark.parametrize("dialect", ["mysql", "postgres"])
@pytest.mark.parametrize(
    "query",
    [
        "SELECT week() DIV",
        "SELECT date_add() [",
        "SELECT date_trunc(a, () => FOLLOWING XOR",
        "SELECT date_trunc()",
        "SELECT extract(",
        "SELECT " + "NOT " * 1900 + "1",
        "SELECT " + "CASE WHEN " * 900,
        "SELECT a -> $ -> $1 => [",
    ],
)
def test_what_sqlglot_raises_is_no_fault(judge: Judge, dialect: str, query: str) -> None:
    verdict = judge(COUNT, query, dialect=dialect)
    assert isinstance(verdict, Scored), verdict
    assert verdict.reward == 0.0
    assert "raised" not in verdict.detail


CLOCKS = (
    "date('n' || 'ow')", "strftime('%Y')", "date(x'6e6f77')", "date(upper('now'))", "julianday()", "time('NOW')", "unixepoch('now')",
    "strftime('%s', (SELECT min(s) FROM (SELECT 'now' AS s)))", "datetime('2020-01-01', 'localtime')", "date('2020-01-01', 'utc')",
    "current_timestamp", "date(char(110, 111, 119))", "date('now' || char(0) || 'x')", "max(date('now'), 1)", "date(replace('nXw', 'X', 'o'))",
)  # fmt: skip


@pytest.mark.parametrize("call", CLOCKS)
def test_no_call_reads_the_clock(judge: Judge, call: str) -> None:
    for _ in range(2):
        verdict = judge(COUNT, f"SELECT 4 WHERE {call} IS NOT NULL")
        assert (verdict.reward, verdict.status) == (0.0, Status.INCORRECT)
        assert verdict.feedback.startswith("not allowed: "), verdict
    verdict = judge(f"SELECT {call}", "SELECT 1")
    assert isinstance(verdict, Unscored)
    assert "clock=true" in verdict.message or "current_timestamp" in call


@pytest.mark.parametrize(
    ("call", "value"),
    [
        ("date('2020-01-31', '+1 month')", "'2020-03-02'"),
        ("strftime('%Y-%m', '2020-01-31 10:00')", "'2020-01'"),
        ("julianday('2000-01-01 12:00')", "2451545.0"),
        ("date(2451545)", "'2000-01-01'"),
        ("unixepoch('1970-01-02')", "86400"),
        ("time('10:11')", "'10:11:00'"),
        ("datetime(NULL)", "NULL"),
        ("date('nowhere')", "NULL"),
        ("'now' || date('2020-01-01')", "'now2020-01-01'"),
        ("printf('%05.1f|%s|%d', 2.5, 'é', 7)", "'002.5|é|7'"),
        ("printf('%*d', 5, 7)", "'    7'"),
        ("printf()", "NULL"),
        ("printf('12345678: %s', 99999999)", "'12345678: 99999999'"),
    ],
)
def test_other_calls_are_what_they_were(judge: Judge, call: str, value: str) -> None:
    assert judge(f"SELECT {value}", f"SELECT {call}").reward == 1.0
    assert judge(f"SELECT {value}", f"SELECT {call}", clock=True).reward == 1.0


def test_every_function_that_may_read_the_clock_is_known() -> None:
    """SQLite says of each call in a generated column whether it's the same every time."""
    from rlvr.verifiers.sql.functions import DATES
    from rlvr.verifiers.sql.guard import changing_functions, not_deterministic

    connection = sqlite3.connect(":memory:")
    changing = changing_functions(connection)
    assert {"random", "randomblob", "current_date", "load_extension", "changes"} <= changing
    names = connection.execute(
        "SELECT DISTINCT name FROM pragma_function_list WHERE type = 's' AND name GLOB '[a-z]*'"
    ).fetchall()
    found = set()
    for (name,) in names:
        for args in (
            "",
            "'now'",
            "'%Y'",
            "'now', 'now'",
            "'%Y', 'now'",
            "'2020-01-01', 'localtime'",
        ):
            try:
                connection.execute("DROP TABLE IF EXISTS t")
                connection.execute(f"CREATE TABLE t(a, b AS ({name}({args})))")
                connection.execute("INSERT INTO t VALUES (1)")
                connection.execute("SELECT b FROM t").fetchall()
            except sqlite3.OperationalError as error:
                if not_deterministic(error):
                    found.add(name)
    assert found - changing <= set(DATES)
    assert {"date", "time", "datetime", "julianday", "strftime"} <= found


@pytest.mark.parametrize(
    "call",
    ["printf('%.*c', 999999999, 'x')", "printf('%.*c', '999999999', 'x')", "format('%.999999999c', 'x')",
     "printf('%.*c', 9e8, 'x')", "printf('%0000000000000.999999999c', 'x')", "printf(printf('%%.%dc', 999999999), 'x')"],
)  # fmt: skip
def test_printf_writes_no_more_than_a_value_may_have(judge: Judge, call: str) -> None:
    began = time.thread_time()
    verdict = judge(COUNT, f"SELECT length({call})")
    assert (verdict.reward, verdict.status) == (0.0, Status.LIMIT)
    assert time.thread_time() - began < 1.0


def test_views_and_indexes_by_dates_work(tmp_path: Path) -> None:
    path = tmp_path / "dated.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE t(a TEXT)")
        connection.execute("INSERT INTO t VALUES ('2020-05-06 07:08:09')")
        connection.execute(
            "CREATE VIEW days AS SELECT date(a) AS day, printf('%d', 5) AS five FROM t"
        )
        connection.execute("CREATE INDEX by_year ON t(strftime('%Y', a))")
    gold = {"sql": "SELECT '2020-05-06', '5', 1", "databases": [str(path)]}
    query = "SELECT day, five, (SELECT count(*) FROM t WHERE strftime('%Y', a) = '2020') FROM days"
    verdict = Sql().verify(rlvr.Task("", gold), f"```sql\n{query}\n```")
    assert isinstance(verdict, Scored), verdict
    assert verdict.reward == 1.0


def test_the_clock_may_be_allowed(judge: Judge) -> None:
    assert judge("SELECT date('now') > '2000'", "SELECT 1", clock=True).reward == 1.0
    assert judge("SELECT current_date > '2000'", "SELECT 1", clock=True).reward == 1.0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"preset": "exact"}, "preset is one of rlvr, spider, spider_distinct, bird"),
        ({"reward": "soft_f1"}, "of the preset 'bird' alone"),
        ({"preset": "bird", "columns": "any"}, "of the preset 'rlvr' alone"),
        ({"columns": True}, "columns is one of ordered, any"),
        ({"tolerance": -1}, "tolerance is at least 0"),
        ({"tolerance": "1"}, "tolerance is a number"),
        ({"clock": 1}, "clock is one of true or false"),
        ({"max_steps": 0}, "max_steps is a whole number above 0"),
        ({"max_rows": 1.5}, "max_rows is a whole number above 0"),
        ({"dialect": ["mysql"]}, "dialect is one of sqlite, mysql, postgres"),
        ({"budget": 1}, "no option 'budget'"),
    ],
)
def test_options(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Sql().configure(**options)


def test_a_demonstration_earns_full_reward(judge: Judge) -> None:
    task = rlvr.Task("", {"sql": "SELECT `name` FROM `singer`;", "databases": ["x"]})
    shown = Sql().demonstrate(task)
    assert shown == "```sql\nSELECT `name` FROM `singer`\n```"
    assert judge("SELECT name FROM singer", shown).reward == 1.0
    assert Sql().demonstrate(rlvr.Task("", {"sql": ""}, "t")) is None


def test_the_same_query_again_costs_no_run_of_the_gold(database: str) -> None:
    """Where the file's identity is the same, what's kept counts, whatever is in the file."""
    from rlvr.verifiers.sql.worker_cache import STORE

    task = rlvr.Task("", {"sql": "SELECT 'kept'", "databases": [database]}, "t")
    verifier = Sql()
    assert float(verifier.verify(task, "```sql\nSELECT 'kept'\n```")) == 1.0
    asked: list[Any] = []
    result = STORE.result
    STORE.result = lambda key, make: result(key, lambda: asked.append(key) or make())  # type: ignore[method-assign]
    try:
        verifier.verify(task, "```sql\nSELECT 'kept'\n```")
    finally:
        del STORE.result
    assert asked == []
    assert os.path.exists(database)
