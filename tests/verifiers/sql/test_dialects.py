"""Queries in MySQL's and PostgreSQL's dialects, run on SQLite."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

import rlvr
from rlvr import Sql, Status
from rlvr.core.errors import CannotScore
from rlvr.verifiers.sql.patterns import BadPattern, LinearPattern, TooCostly, program

DAYS = """
CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, kind TEXT, price REAL, qty INTEGER, added TEXT, note TEXT);
INSERT INTO item VALUES (1, 'apple', 'fruit', 1.5, 10, '2023-01-05', NULL), (2, 'Pear', 'fruit', 2.25, 0, '2023-02-11', 'ripe'),
  (3, 'hammer', 'tool', 12.0, 3, '2021-06-01', 'ONeil'), (4, 'saw', 'tool', 19.99, 1, '2024-02-29', NULL);
"""
MYSQL = [  # an expression and its value in SQLite
    ("YEAR(added), MONTH(added), DAY(added)", "strftime('%Y',added)+0, strftime('%m',added)+0, strftime('%d',added)+0"),
    ("QUARTER(added), DAYOFYEAR(added)", "(strftime('%m',added)+2)/3, strftime('%j',added)+0"),
    ("DAYOFWEEK(added), WEEKDAY(added)", "strftime('%w',added)+1, (strftime('%w',added)+6)%7"),
    ("HOUR('2020-01-01 13:45:10'), MINUTE('2020-01-01 13:45:10'), SECOND('2020-01-01 13:45:10')", "13, 45, 10"),
    ("DAYNAME('2023-01-05'), MONTHNAME('2023-01-05'), LAST_DAY('2024-02-03')", "'Thursday', 'January', '2024-02-29'"),
    ("DATE_SUB(added, INTERVAL 1 MONTH)", "CASE id WHEN 4 THEN '2024-01-29' ELSE date(added, '-1 month') END"),
    ("DATE_ADD('2023-01-31', INTERVAL 1 MONTH), DATE_SUB('2024-02-29', INTERVAL 1 YEAR)", "'2023-02-28', '2023-02-28'"),
    ("DATE_ADD('2023-01-31', INTERVAL 2 WEEK), '2023-01-31' + INTERVAL 1 HOUR", "'2023-02-14', '2023-01-31 01:00:00'"),
    ("added + INTERVAL qty DAY, ADDDATE('2023-01-01', 31)", "date(added, qty || ' days'), '2023-02-01'"),
    ("TIMESTAMPDIFF(MONTH, '2023-01-31', '2023-02-28'), TIMESTAMPDIFF(YEAR, '2021-06-01', '2023-06-30')", "0, 2"),
    ("DATE_FORMAT('2023-02-05 13:04:09', '%M %e, %Y %h:%i %p')", "'February 5, 2023 01:04 PM'"),
    ("STR_TO_DATE('05/02/2023', '%d/%m/%Y'), DATEDIFF('2023-03-01', '2023-02-01 23:00:00')", "'2023-02-05', 28"),
    ("EXTRACT(YEAR_MONTH FROM added), UNIX_TIMESTAMP('2023-02-05'), FROM_UNIXTIME(1675555200)",
     "strftime('%Y%m',added)+0, unixepoch('2023-02-05'), '2023-02-05'"),
    ("LEFT(name, 2), RIGHT(name, 2), RIGHT(name, 0)", "substr(name,1,2), substr(name,-2), ''"),
    ("CONCAT_WS('-', name, note, kind), CONCAT(name, note)", "name||coalesce('-'||note,'')||'-'||kind, name||note"),
    ("LPAD(id, 3, '0'), REPEAT('ab', 2), REVERSE('abc'), SPACE(2)", "'00'||id, 'abab', 'cba', '  '"),
    ("SUBSTRING_INDEX(added, '-', 1), SUBSTRING_INDEX('a-b-c', '-', -1)", "substr(added,1,4), 'c'"),
    ("FIELD('b', 'a', 'b'), ELT(2, 'x', 'y'), FIND_IN_SET('b', 'a,b'), STRCMP('a', 'b')", "2, 'y', 2, -1"),
    ("FORMAT(1234567.891, 2), TRUNCATE(19.99, 1), 7.5 MOD 2, ROUND(1250.5, -2)", "'1,234,567.89', 19.9, 1.5, 1300.0"),
    ("name REGEXP '^[A-H]', name NOT REGEXP 'a', REGEXP_REPLACE('a1b22', '[0-9]+', '#')",
     "lower(substr(name,1,1)) BETWEEN 'a' AND 'h', 0, 'a#b#'"),
    ("LENGTH('é'), CHAR_LENGTH('é'), (id = 1) XOR (id < 3)", "2, 1, id = 2"),
    ("YEAR(note), YEAR('no date'), CONCAT_WS(NULL, 'a')", "NULL, NULL, NULL"),
]  # fmt: skip
POSTGRES = [
    ("EXTRACT(YEAR FROM added::date), DATE_PART('month', added::timestamp)", "strftime('%Y',added)+0, strftime('%m',added)+0"),
    ("EXTRACT(DOW FROM added::date), EXTRACT(QUARTER FROM added::date)", "strftime('%w',added)+0, (strftime('%m',added)+2)/3"),
    ("EXTRACT(EPOCH FROM TIMESTAMP '2023-02-05 00:00:01')", "unixepoch('2023-02-05')+1"),
    ("DATE_TRUNC('month', added::date), DATE_TRUNC('year', added::timestamp)", "date(added,'start of month'), date(added,'start of year')"),
    ("DATE_TRUNC('week', DATE '2023-02-05')::date, DATE_TRUNC('hour', TIMESTAMP '2023-02-05 13:45:10')",
     "'2023-01-30', '2023-02-05 13:00:00'"),
    ("TO_CHAR(added::date, 'YYYY-MM'), TO_CHAR(DATE '2023-02-05', 'FMMonth DD, Dy')", "strftime('%Y-%m',added), 'February 05, Sun'"),
    ("TO_DATE('05/02/2023', 'DD/MM/YYYY'), TO_CHAR(1234.5, 'FM9,999.00')", "'2023-02-05', '1,234.50'"),
    ("(added::date + INTERVAL '1 month 2 days')::date", "date(added,'+1 month','+2 days')"),
    ("DATE '2024-02-29' - INTERVAL '1 year', DATE '2023-01-31' + INTERVAL '1' MONTH", "'2023-02-28', '2023-02-28'"),
    ("added::date + qty * INTERVAL '1 day', added::date + 2", "date(added, qty||' days'), date(added,'+2 days')"),
    ("DATE '2023-06-30' - added::date", "CAST(julianday('2023-06-30')-julianday(added) AS INT)"),
    ("EXTRACT(YEAR FROM AGE(DATE '2023-06-30', DATE '2021-07-01')), AGE(DATE '2023-03-01', DATE '2023-01-31')", "1, '1 mon 1 day'"),
    ("EXTRACT(EPOCH FROM (TIMESTAMP '2023-01-02' - TIMESTAMP '2023-01-01 12:00:00')) / 3600", "12.0"),
    ("CONCAT(name, '-', note), CONCAT_WS(', ', name, note)", "name||'-'||coalesce(note,''), name||coalesce(', '||note,'')"),
    ("LEFT(name, -1), RIGHT(name, 1), SPLIT_PART(added, '-', 1)", "substr(name,1,length(name)-1), substr(name,-1), substr(added,1,4)"),
    ("INITCAP('hello wORLD'), TRANSLATE('abc', 'ab', 'x'), BTRIM('xax', 'x'), CHR(65)", "'Hello World', 'xc', 'a', 'A'"),
    ("OVERLAY('abcdef' PLACING 'ZZ' FROM 2 FOR 3), STRPOS(name, 'a'), LPAD('a', 3)", "'aZZef', instr(name,'a'), '  a'"),
    ("name ~ '^[a-h]', name ~* '^P', name !~ 'a'", "substr(name,1,1) BETWEEN 'a' AND 'h', name='Pear', 0"),
    ("name SIMILAR TO '(s|h)a%', SUBSTRING(added FROM '^([0-9]+)')", "name IN ('saw','hammer'), substr(added,1,4)"),
    ("REGEXP_REPLACE('a1b22', '[0-9]+', '#'), REGEXP_REPLACE('a1b22', '([0-9])', '<\\1>', 'g')", "'a#b22', 'a<1>b<2><2>'"),
    ("TRUNC(19.99), TRUNC(19.99, 1), MOD(7, 3), DIV(7, 2), ROUND(AVG(price) OVER ()::numeric, 1)", "19, 19.9, 1, 3, round(avg(price) OVER (), 1)"),
    ("added::date BETWEEN DATE '2023-01-01' AND DATE '2023-12-31', added::timestamp = DATE '2023-01-05'", "added LIKE '2023%', id = 1"),
    ("id = ANY(ARRAY[1, 2]), note IS DISTINCT FROM 'ripe', price::numeric(10, 1)", "id < 3, note IS NOT 'ripe', round(price, 1)"),
]  # fmt: skip
WHOLE = [
    ("mysql", "SELECT COUNT(*) FROM item WHERE YEAR(added) = 2023", "SELECT 2"),
    ("mysql", "SELECT STDDEV(qty), VAR_SAMP(qty) FROM item WHERE id < 3", "SELECT 5.0, 50.0"),
    ("mysql", "SELECT GROUP_CONCAT(name ORDER BY price DESC SEPARATOR '|') FROM item", "SELECT 'saw|hammer|Pear|apple'"),
    ("mysql", "SELECT GROUP_CONCAT(DISTINCT kind ORDER BY kind DESC), COUNT(DISTINCT kind, note) FROM item", "SELECT 'tool,fruit', 2"),
    ("mysql", "(SELECT name FROM item WHERE id = 1) UNION (SELECT name FROM item WHERE id = 2)", "SELECT name FROM item WHERE id < 3"),
    ("mysql", "SELECT 1 FROM DUAL", "SELECT 1"),
    ("mysql", "(SELECT name FROM item WHERE id < 3)", "SELECT name FROM item WHERE id < 3"),
    ("mysql", "((SELECT id FROM item ORDER BY id DESC LIMIT 2)) ORDER BY id LIMIT 1", "SELECT id FROM item ORDER BY id LIMIT 1 OFFSET (SELECT count(*) - 2 FROM item)"),
    ("postgres", "SELECT id FROM item WHERE AGE(DATE '2024-01-01', added::date) > INTERVAL '9 days'",
     "SELECT id FROM item WHERE added < '2023-12-23'"),
    ("postgres", "SELECT id FROM item WHERE TIMESTAMP '2024-01-01' - added::timestamp BETWEEN INTERVAL '2 hours' AND INTERVAL '10 months'",
     "SELECT id FROM item WHERE julianday('2024-01-01') - julianday(added) BETWEEN 2 / 24.0 AND 300"),
    ("postgres", "SELECT x FROM (VALUES (1, '3 days'), (2, '100 hours'), (3, '1 mon')) v(x, y) ORDER BY y::interval DESC", "SELECT 3 UNION ALL SELECT 2 UNION ALL SELECT 1"),
    ("postgres", "SELECT STRING_AGG(name, ', ' ORDER BY price) FROM public.item", "SELECT 'apple, Pear, hammer, saw'"),
    ("postgres", "SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY qty), MODE() WITHIN GROUP (ORDER BY kind) FROM item", "SELECT 2.0, 'fruit'"),
    ("postgres", "SELECT kind FROM item GROUP BY kind HAVING BOOL_AND(price < 5)", "SELECT 'fruit'"),
    ("postgres", "SELECT x FROM (VALUES (1), (2)) AS t(x)", "SELECT 1 UNION ALL SELECT 2"),
    ("postgres", "SELECT t.b FROM (SELECT id, name FROM item) AS t(a, b) WHERE t.a = 4", "SELECT 'saw'"),
    ("postgres", "SELECT SUM(g) FROM generate_series(2, 10, 4) AS g", "SELECT 18"),
    ("postgres", "SELECT d::date FROM generate_series(DATE '2023-01-31', DATE '2023-03-01', INTERVAL '1 month') d",
     "SELECT '2023-01-31' UNION ALL SELECT '2023-02-28'"),
    ("postgres", "SELECT DATE_TRUNC('month', added::date) AS m, COUNT(*) FILTER (WHERE EXTRACT(DAY FROM added::date) > 3) FROM item GROUP BY m ORDER BY m",
     "SELECT date(added, 'start of month') m, sum(strftime('%d', added) > '03') FROM item GROUP BY m ORDER BY m"),
]  # fmt: skip

Answers = Callable[..., rlvr.Verdict]


@pytest.fixture
def answers(make_database: Callable[[str], str]) -> Answers:
    """`answers(dialect, query, gold, **options)`: the verdict, in this process."""
    database = make_database(DAYS)

    def judged(dialect: Any, query: str, gold: str, **options: Any) -> rlvr.Verdict:
        task = rlvr.Task("", {"sql": gold, "databases": [database]}, "t")
        return Sql(dialect=dialect, **options).verify(task, f"```sql\n{query}\n```")

    return judged


@pytest.mark.parametrize(
    ("dialect", "expression", "value"),
    [("mysql", *pair) for pair in MYSQL] + [("postgres", *pair) for pair in POSTGRES],
)
def test_expressions(answers: Answers, dialect: str, expression: str, value: str) -> None:
    verdict = answers(dialect, f"SELECT {expression} FROM item", f"SELECT {value} FROM item")
    assert verdict.reward == 1.0, verdict.feedback


@pytest.mark.parametrize(("dialect", "query", "gold"), WHOLE)
def test_queries(answers: Answers, dialect: str, query: str, gold: str) -> None:
    verdict = answers(dialect, query, gold)
    assert verdict.reward == 1.0, verdict.feedback
    assert answers(dialect, query, query).reward == 1.0  # as a gold, too, which SQLite can't run


def test_a_wrong_answer_stays_wrong(answers: Answers) -> None:
    gold = "SELECT count(*) FROM item WHERE added LIKE '2023%'"
    assert answers("mysql", "SELECT COUNT(*) FROM item WHERE YEAR(added) = 2024", gold).reward == 0
    assert (
        answers(
            "postgres",
            "SELECT STRING_AGG(name, ',' ORDER BY id DESC) FROM item",
            "SELECT group_concat(name) FROM item",
        ).reward
        == 0
    )


@pytest.mark.parametrize(
    ("dialect", "query", "says"),
    [
        ("postgres", "SELECT ARRAY_AGG(name) FROM item", "SQLite has no arrays"),
        ("postgres", "SELECT 1 FROM item i CROSS JOIN LATERAL (SELECT i.id) s", "LATERAL has no counterpart"),
        ("mysql", "SELECT kind, COUNT(*) FROM item GROUP BY kind WITH ROLLUP", "ROLLUP has no counterpart"),
        ("mysql", "SELECT LOAD_FILE('/etc/passwd')", "no such function: LOAD_FILE; of mysql's functions"),
        ("postgres", "SELECT pg_read_file('/etc/passwd')", "no such function"),
        ("mysql", "SELECT mysql_year('2023-01-01')", "there's no function mysql_year"),
        ("mysql", "SELECT YEAR(NOW())", "which isn't the same tomorrow"),
        ("postgres", "SELECT CURRENT_DATE - INTERVAL '1 day'", "which isn't the same tomorrow"),
        ("mysql", "SELECT RAND()", "random(), which isn't the same twice"),
        ("postgres", "SELECT name ~ '(a)\\1' FROM item", "a pattern with groupref"),
        ("postgres", "SELECT name ~ '(' FROM item", "a pattern that can't be read"),
        ("mysql", "SELECT LEFT(name) FROM item", "left() isn't called with 1 arguments"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_refused_with_its_name(
    answers: Answers, dialect: str, query: str, says: str
) -> None:
    verdict = answers(dialect, query, "SELECT 1")
    assert verdict.reward == 0.0
    assert says in verdict.feedback
    if "mysql_year" not in query:  # as a gold it's nobody's wrong answer
        with pytest.raises(CannotScore, match="the gold fails on"):
            answers(dialect, "SELECT 1", query)


def test_the_functions_are_their_dialects_alone(answers: Answers) -> None:
    for call in (
        "YEAR(added)",
        "mysql_year(added)",
        "postgres_part('year', added)",
        "CONCAT_WS('-', name)",
    ):
        assert answers("sqlite", f"SELECT {call} FROM item", "SELECT 1").status is Status.INCORRECT
    assert answers("postgres", "SELECT YEAR(added) FROM item", "SELECT 1").reward == 0.0


@pytest.mark.parametrize(
    ("dialect", "expression"),
    [
        ("mysql", "LENGTH(REPEAT('a', 1000000000))"), ("postgres", "LPAD('a', 2000000000)"), ("mysql", "SPACE(99999999)"),
        ("postgres", "REGEXP_REPLACE(REPEAT('a', 1000000), '(a|b|ab)*c', 'x')"), ("mysql", "REPEAT('a', 500000) REGEXP '(a*)*b'"),
        ("postgres", "REGEXP_REPLACE(REPEAT('a', 100000), 'a', REPEAT('b', 1000), 'g')"),
        ("mysql", "GROUP_CONCAT(REPEAT('a', 900000) ORDER BY id)"), ("postgres", "STRING_AGG(REPEAT('a', 900000), ',' ORDER BY id)"),
        ("postgres", "(SELECT COUNT(*) FROM generate_series(1, 1000000000000))"),
    ],
)  # fmt: skip
def test_no_function_hangs_or_grows(answers: Answers, dialect: str, expression: str) -> None:
    query = f"SELECT {expression}, COUNT(*) FROM item"
    began = time.thread_time()
    verdict = answers(dialect, query, "SELECT 1, 2", max_steps=1_000_000)
    assert verdict.status is Status.LIMIT, verdict.feedback
    assert time.thread_time() - began < 10


@pytest.mark.parametrize(
    "expression",
    ["STR_TO_DATE(REPEAT('1', 30), '%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d%d')", "DATE_ADD('9999-12-31', INTERVAL 1 DAY)", "LAST_DAY('9999-99-99')",
     "DATE_ADD('2023-01-01', INTERVAL 1e300 DAY)", "CONV(REPEAT('f', 100000), 16, 37)", "MOD(1, 0)", "TIMESTAMPDIFF(YEAR, 'a', 'b')",
     "FORMAT(9e999, 2) + NULL", "MAKEDATE(99999, 1)", "SEC_TO_TIME(9e999)"],
)  # fmt: skip
def test_what_makes_no_sense_is_null(answers: Answers, expression: str) -> None:
    assert answers("mysql", f"SELECT {expression}", "SELECT NULL").reward == 1.0


def test_a_pattern_matches_what_pythons_matches() -> None:
    rng = random.Random(1)
    atoms = [
        "a",
        "b",
        ".",
        "[ab]",
        "[^a]",
        "(a|b)",
        "(ab|c)",
        "x?",
        r"\d",
        r"\b",
        "^",
        "$",
        "(?:b|)",
    ]
    tried = 0
    while tried < 2000:
        parts = (
            rng.choice(atoms) + rng.choice(["", "", "*", "+", "?", "{1,2}", "*?", "+?"])
            for _ in range(rng.randrange(1, 5))
        )
        pattern, text = "".join(parts), "".join(rng.choices("aabbc1 \n", k=rng.randrange(9)))
        try:
            expected, made = re.search(pattern, text), LinearPattern(pattern, 0)
        except (re.error, BadPattern):
            continue
        tried += 1
        made.quick = None
        match = made.search(text, 0, lambda steps: None)
        assert (match and match[:2]) == (expected and list(expected.span())), (pattern, text)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a*)*b", "(a|a)*c", "(.*)(.*)(.*)x", "(a|aa)+$|b"])
def test_no_pattern_takes_more_steps_than_its_length_times_the_texts(pattern: str) -> None:
    spent = []
    program(pattern, 0).search("a" * 2000 + "!", 0, spent.append)
    assert sum(spent) < 2001 * 60


def test_a_pattern_that_costs_too_much_stops() -> None:
    def spend(steps: int) -> None:
        raise TooCostly

    with pytest.raises(TooCostly):
        program("(a|b)*c", 0).search("a" * 10, 0, spend)
    with pytest.raises(BadPattern, match="too long once its repeats"):
        program("((a{1,30}){1,30}){1,30}", 0)
