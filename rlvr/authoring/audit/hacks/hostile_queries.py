"""Hostile queries, which try to write, escape, hang, flood or cheat. An SQL verifier must survive all of them.

The verifier's tests and benchmarks run them on every database. `{t}` and `{c}` are a table and one of its columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rlvr.verifiers.sql.schema import Schema, quoted


class Hostile(NamedTuple):
    """A response's query, and the statuses it may have. None earns anything."""

    sql: str
    statuses: tuple[str, ...]


_WRONG = ("incorrect",)
_LIMIT = ("limit",)
_EITHER = ("incorrect", "limit")

_WRITES = """
DELETE FROM {t}
delete from {t} where 1
UPDATE {t} SET {c} = NULL
INSERT INTO {t} DEFAULT VALUES
INSERT INTO {t}({c}) VALUES (1)
REPLACE INTO {t}({c}) VALUES (1)
WITH x AS (SELECT 1) DELETE FROM {t}
WITH x(a) AS (SELECT 1) INSERT INTO {t}({c}) SELECT a FROM x
WITH x AS (SELECT 1) UPDATE {t} SET {c} = 0
/* a query */ DELETE FROM {t}
-- a query\nDELETE FROM {t}
SELECT 1; DELETE FROM {t}
SELECT count(*) FROM {t}; DROP TABLE {t}; --
SELECT 1;;DELETE FROM {t};
DROP TABLE {t}
DROP TABLE IF EXISTS {t}
ALTER TABLE {t} RENAME TO gone
ALTER TABLE {t} ADD COLUMN more
ALTER TABLE {t} DROP COLUMN {c}
CREATE TABLE more(a)
CREATE TABLE more AS SELECT * FROM {t}
CREATE TEMP TABLE more AS SELECT * FROM {t}
CREATE VIEW more AS SELECT 1
CREATE TEMP VIEW {t} AS SELECT 1
CREATE INDEX more ON {t}({c})
CREATE TRIGGER more AFTER INSERT ON {t} BEGIN DELETE FROM {t}; END
CREATE TEMP TRIGGER more AFTER INSERT ON {t} BEGIN DELETE FROM {t}; END
CREATE VIRTUAL TABLE more USING fts5(a)
CREATE VIRTUAL TABLE more USING rtree(a, b, c)
VACUUM
VACUUM INTO '/tmp/rlvr-stolen.sqlite'
REINDEX
ANALYZE
BEGIN
BEGIN EXCLUSIVE
COMMIT
SAVEPOINT a
ROLLBACK
ATTACH 'file:/tmp/rlvr-attached.sqlite' AS more
ATTACH DATABASE ':memory:' AS more
DETACH DATABASE main
PRAGMA writable_schema = ON
PRAGMA query_only = OFF
PRAGMA journal_mode = WAL
PRAGMA journal_mode = DELETE
PRAGMA user_version = 7
PRAGMA hard_heap_limit = 0
PRAGMA trusted_schema = ON
PRAGMA temp_store_directory = '/tmp'
PRAGMA wal_checkpoint(TRUNCATE)
PRAGMA incremental_vacuum
PRAGMA table_info({t})
EXPLAIN SELECT * FROM {t}
EXPLAIN QUERY PLAN SELECT * FROM {t}
"""
_OUT = """
SELECT load_extension('/tmp/evil.so')
SELECT load_extension('/tmp/evil.so', 'go') FROM {t}
SELECT readfile('/etc/passwd')
SELECT writefile('/tmp/rlvr-written', 'x')
SELECT edit('x', 'sh')
SELECT fts3_tokenizer('simple')
SELECT fts3_tokenizer('simple', x'4141414141414141')
SELECT * FROM sqlite_master
SELECT count(*) FROM sqlite_master
SELECT sql FROM sqlite_schema
SELECT * FROM main.sqlite_master
SELECT * FROM sqlite_temp_master
SELECT * FROM sqlite_sequence
SELECT name FROM pragma_table_info('{t}')
SELECT count(*) FROM pragma_database_list
SELECT file FROM pragma_database_list
SELECT * FROM pragma_function_list
SELECT * FROM pragma_hard_heap_limit(0)
SELECT * FROM dbstat
SELECT count(*) FROM sqlite_stmt
SELECT value FROM json_each('[1, 2, 3]')
SELECT count(*) FROM json_tree('[1]'), {t}
SELECT * FROM fts3tokenize('simple')
SELECT random()
SELECT {c} FROM {t} ORDER BY random()
SELECT randomblob(1000000000)
SELECT hex(randomblob(16)) FROM {t}
SELECT current_timestamp
SELECT current_date FROM {t}
SELECT date('now')
SELECT strftime('%s', "now")
SELECT changes()
SELECT total_changes() + last_insert_rowid()
SELECT sqlite_version()
SELECT sqlite_source_id()
SELECT sqlite_compileoption_get(0)
SELECT ?
SELECT :name, @other, $third
"""
_RUNAWAYS = """
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT x FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION SELECT x + 1 FROM r) SELECT max(x) FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT 100000000) SELECT x FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT * FROM r, {t} ORDER BY 1
WITH RECURSIVE r(x) AS (VALUES ('a') UNION ALL SELECT x || x FROM r) SELECT * FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 1000) SELECT count(*) FROM r a, r b, r c, r d
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 1000) SELECT a.x FROM r a, r b, r c
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 9999) SELECT DISTINCT a.x || '-' || b.x FROM r a, r b
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 9999) SELECT group_concat(zeroblob(900)) FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 9999) SELECT zeroblob(900000) FROM r
WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r WHERE x < 9999) SELECT count(*) OVER (ORDER BY a.x), sum(b.x) OVER (PARTITION BY a.x) FROM r a, r b
SELECT zeroblob(1000000000)
SELECT zeroblob(2147483647)
SELECT hex(zeroblob(900000))
SELECT replace(hex(zeroblob(10000)), '00', hex(zeroblob(10000)))
"""
_BOMBS = """
SELECT printf('%.*c', 100000000, 'x')
SELECT format('%1000000000d', 1)
SELECT length(replace(hex(zeroblob(1000)), '0', hex(zeroblob(400))))
SELECT json_array(zeroblob(10)) FROM {t}
SELECT json_extract('[[[[[[[[1]]]]]]]]', '$[0][0]') || hex({c}) FROM {t}
SELECT hex(zeroblob(20000)) LIKE '%0%0%0%0%0%0%0%0%1'
SELECT hex(zeroblob(20000)) GLOB '*0*0*0*0*0*0*0*0*1'
SELECT '' LIKE hex(zeroblob(100000))
SELECT abs(-9223372036854775808)
SELECT sum(9223372036854775807) FROM (SELECT 1 UNION ALL SELECT 2)
SELECT 1e308 * 1e308, 0.0 / 0.0
SELECT CAST(x'fffe' AS TEXT)
SELECT 'hostile' || char(0) || 'text'
SELECT nonsense({c}) FROM {t}
SELECT nothing_like_it FROM {t}
SELECT * FROM no_such_table
SELECT {c} FROM {t} WHERE
SELEC {c} FROM {t}
SELECT 'unterminated FROM {t}
SELECT "unterminated FROM {t}
SELECT (((((1
SELECT 1 /* unterminated
SELECT 1 FROM {t} GROUP BY
"""
_CONSTANTS = """
SELECT 'no such answer'
SELECT -1234567
VALUES (-1234567)
SELECT 'no', 'such', 'answer'
SELECT x'00ff'
"""


def hostile_queries(schema: Schema) -> Iterator[Hostile]:
    """Yield about 150 hostile queries for one database. Small budgets are enough to try them."""
    table = next(candidate for candidate in schema.tables if not candidate.is_view)
    names = {"{t}": quoted(table.name), "{c}": quoted(table.columns[0].name)}
    for lines, statuses in (
        (_WRITES, _WRONG),
        (_OUT, _EITHER),
        (_RUNAWAYS, _LIMIT),
        (_BOMBS, _EITHER),
        (_CONSTANTS, _WRONG),
    ):
        for line in lines.strip().split("\n"):
            sql = line.replace("\\n", "\n")
            for mark, name in names.items():
                sql = sql.replace(mark, name)
            yield Hostile(sql, statuses)
    for sql in _deep(quoted(table.name), quoted(table.columns[0].name)):
        yield Hostile(sql, _EITHER)


def _deep(table: str, column: str) -> Iterator[str]:
    yield f"SELECT {'(' * 5000}1{')' * 5000}"
    yield f"SELECT {'abs(' * 3000}1{')' * 3000}"
    yield f"SELECT {'NOT ' * 20_000}1"
    yield f"SELECT {'- ' * 20_000}1"
    yield f"SELECT {'1 + ' * 20_000}1"
    yield f"SELECT 1 WHERE {'1 AND ' * 10_000}1 AND 0"
    yield " UNION ALL ".join(["SELECT 1"] * 2000)
    yield f"SELECT {'(SELECT ' * 300}1{')' * 300}"
    yield f"SELECT CASE {'WHEN 0 THEN 1 ' * 5000}END, 'no'"
    yield f"SELECT {column} FROM {table} WHERE {column} IN ({', '.join(map(str, range(20_000)))}) AND 0"
    yield "SELECT " + ", ".join(["1"] * 1990) + f" FROM {table}"
    yield f"SELECT * FROM {', '.join([f'{table} t{i}' for i in range(64)])}"
    yield f"SELECT * FROM {', '.join([f'{table} t{i}' for i in range(100)])}"
    views = ", ".join(
        f"v{i + 1} AS (SELECT * FROM v{i} UNION ALL SELECT * FROM v{i})" for i in range(40)
    )
    yield f"WITH v0 AS (SELECT 1), {views} SELECT count(*) FROM v40"
    wide = ", ".join(f"v{i + 1} AS (SELECT a.*, b.* FROM v{i} a, v{i} b)" for i in range(20))
    yield f"WITH v0 AS (SELECT 1), {wide} SELECT * FROM v20"
    yield "SELECT 1\0; DELETE FROM " + table
    yield "SELECT '\ud800'"
    yield "SELECT " + "9" * 90_000
    yield "SELECT '" + "x" * 2_000_000 + "'"
    yield "SELECT " + "/* */" * 50_000
    yield ";" * 10_000
    yield "WITH " * 10_000
