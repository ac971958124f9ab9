"""`rlvr.tools.Sql`: statements stay within their bounds, whatever a model writes, and the final state is the outcome."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr import Cause, Scored, Unscored
from rlvr.core.errors import OptionError
from rlvr.core.task import Task
from rlvr.verifiers.sql.changes import Change, FinalState, pages_of

SCHEMA = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, status TEXT);
INSERT INTO orders VALUES (1, 'lamp', 'paid'), (2, 'chair', 'open');
CREATE TABLE log (entry);
CREATE VIEW paid AS SELECT * FROM orders WHERE status = 'paid';
CREATE TRIGGER noted AFTER UPDATE ON orders BEGIN INSERT INTO log VALUES (new.id); END;
"""
STATE = {"orders": "SELECT id, status FROM orders ORDER BY id"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    connection.close()
    return path


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def call(statement: str, tool: str = "sql") -> str:
    arguments = {"statement": statement} if tool == "sql" else {}
    return f"<tool_call>{json.dumps({'name': tool, 'arguments': arguments})}</tool_call>"


def played(toolbox: Any, reference: Any, *messages: str) -> tuple[list[str], rlvr.Verdict, Any]:
    verifier = rlvr.Outcome() if toolbox.changes else rlvr.Math()
    env = rlvr.ToolEnv([Task("?", reference)], verifier, toolbox, max_turns=60, deadline_s=300)

    async def play() -> tuple[list[str], rlvr.Verdict, Any]:
        results = []
        async with env.episode(env.tasks[0]) as episode:
            for message in messages:
                if not episode.over:
                    results += [new["content"] for new in await episode.respond(message)]
            return results, await episode.verdict(), episode.outcome

    results, verdict, outcome = asyncio.run(play())
    return (
        [r.removeprefix("<tool_response>\n").removesuffix("\n</tool_response>") for r in results],
        verdict,
        outcome,
    )


def test_a_change_is_the_outcome(shop: Path) -> None:
    before = shop.read_bytes()
    toolbox = rlvr.tools.Sql(shop, changes=True, state=STATE)
    right = {"orders": [[1, "shipped"], [2, "open"]]}
    update = call("UPDATE orders SET status = 'shipped' WHERE item = 'lamp'")
    results, verdict, outcome = played(
        toolbox, right, call("", "tables"), update, call("SELECT entry FROM log"), "Done."
    )
    assert "CREATE TABLE orders" in results[0]
    assert results[1:] == ["1 row changed", "entry\n1"]
    assert outcome == right
    assert verdict.scored
    assert verdict.reward == 1
    assert played(toolbox, right, "The lamp is shipped.")[1].reward == 0  # type: ignore[union-attr]
    assert shop.read_bytes() == before
    assert not list(shop.parent.glob("rlvr-sql-*"))


READS = [
    "UPDATE orders SET item = 1", "INSERT INTO log VALUES (1)", "DELETE FROM orders", "WITH a AS (SELECT 1) DELETE FROM log",
]  # fmt: skip
HOSTILE = [
    "ATTACH '{folder}/other.sqlite' AS other", "ATTACH ':memory:' AS m", "DETACH main", "PRAGMA writable_schema = 1",
    "PRAGMA user_version = 99", "SELECT load_extension('x')", "CREATE TABLE more (a)", "CREATE TEMP TABLE more (a)",
    "CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM orders; END", "DROP TABLE orders", "ALTER TABLE orders RENAME TO o",
    "VACUUM INTO '{folder}/other.sqlite'", "BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT a", "RELEASE a",
    "INSERT INTO sqlite_master VALUES (1, 2, 3, 4, 5)", "UPDATE sqlite_master SET sql = ''", "SELECT readfile('/etc/passwd')",
    "SELECT * FROM pragma_table_info('orders')", "CREATE VIRTUAL TABLE v USING fts5(a)", "SELECT zeroblob(1000000000)",
    "SELECT printf('%.1000000000d', 1)", "SELECT 1; DELETE FROM orders", "SELECT ?", "SELECT '\ud800'", "\0", "SELECT random()",
    "SELECT " + "(" * 2000 + "1" + ")" * 2000, "SELECT " + "1+" * 40000 + "1", "UPDATE paid SET item = 'x'", "ANALYZE",
    "INSERT OR ROLLBACK INTO orders VALUES (1, 'x', 'y')", "INSERT INTO orders VALUES (9, NULL, 'y')", "no SQL at all",
]  # fmt: skip


@pytest.mark.sweep(gate=1)
@pytest.mark.parametrize("changes", [False, True])
def test_hostile_statements_do_nothing(changes: bool, shop: Path) -> None:
    before = shop.read_bytes()
    toolbox = rlvr.tools.Sql(shop, changes=changes)
    statements = [
        text.replace("{folder}", str(shop.parent))
        for text in [*HOSTILE, *([] if changes else READS)]
    ]
    results, verdict, outcome = played(
        toolbox, "1", *map(call, statements), call("SELECT count(*) FROM orders"), "\\boxed{1}"
    )
    kept = {
        text: result
        for text, result in zip(statements, results, strict=False)
        if not result.startswith("error: ")
    }
    assert not kept
    assert results[-1].endswith("2")
    assert isinstance(verdict, Scored)
    assert shop.read_bytes() == before
    assert {path.name for path in shop.parent.iterdir()} == {"shop.sqlite"}
    if changes:
        assert outcome["orders"] == [[1, "lamp", "paid"], [2, "chair", "open"]]
        assert outcome["log"] == []


def test_statements_that_never_end_are_ended(shop: Path) -> None:
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
    toolbox = rlvr.tools.Sql(shop, changes=True, max_steps=1_000_000)
    results, verdict, outcome = played(
        toolbox,
        {},
        call(f"{endless}SELECT max(n) FROM r"),
        call(f"INSERT INTO log {endless}SELECT n FROM r"),
        call(f"INSERT INTO log SELECT zeroblob(900000) FROM ({endless}SELECT n FROM r LIMIT 1000)"),
        call("SELECT count(*) FROM log"),
        "Done.",
    )
    assert "more than 1000000 steps" in results[0]
    assert "steps" in results[1] or "grow" in results[1]
    assert "may grow by 16 MiB" in results[2]
    assert results[3].endswith("0"), "a statement is done whole or not at all"
    assert outcome["log"] == []
    assert isinstance(verdict, Scored)


def test_a_state_that_is_too_large_or_odd_is_no_fault(shop: Path) -> None:
    many = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 5000) "
    _, verdict, outcome = played(
        rlvr.tools.Sql(shop, changes=True),
        {},
        call(f"INSERT INTO log {many}SELECT n FROM r"),
        call("UPDATE orders SET item = x'00ff', status = 9e999 WHERE id = 1"),
        call("UPDATE orders SET item = CAST(x'ff41' AS TEXT), status = -9e999 WHERE id = 2"),
        "Done.",
    )
    assert isinstance(verdict, Scored)
    assert outcome["log"] == {"unreadable": "the query returns more than 2000 rows"}
    assert outcome["orders"] == [[1, "x'00ff'", "Inf"], [2, "\ufffdA", "-Inf"]]


def test_no_statement_is_done_twice(shop: Path) -> None:
    """A job whose worker died is tried again, perhaps after the statement was done."""
    task = Task("", {"path": str(shop), "number": 1, "most_pages": pages_of(str(shop))}, "")
    change = Change(20, 1000, 1_000_000)
    for _ in range(3):
        verdict = change.verify(task, "INSERT INTO log VALUES ('once')")
        assert isinstance(verdict, Scored)
        assert verdict.reward == 1
    state = FinalState().verify(Task("", {"path": str(shop), "queries": None}, ""), "")
    assert isinstance(state, Scored)
    assert state.detail["state"]["log"] == [["once"]]


def test_a_worker_killed_within_a_transaction_leaves_the_state_before(shop: Path) -> None:
    pid = os.fork()
    if not pid:  # dies with a journal that has to be undone
        connection = sqlite3.connect(shop, isolation_level=None)
        connection.execute("PRAGMA cache_size=1")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO log VALUES (?)", [("x" * 1000,)] * 2000)
        os._exit(0)
    os.waitpid(pid, 0)
    assert shop.with_name("shop.sqlite-journal").exists()
    state = FinalState().verify(Task("", {"path": str(shop), "queries": None}, ""), "")
    assert isinstance(state, Scored)
    assert state.detail["state"]["log"] == []


def test_episodes_have_copies_of_their_own(shop: Path) -> None:
    env = rlvr.ToolEnv(
        [Task("?", {})], rlvr.Outcome(), rlvr.tools.Sql(shop, changes=True), deadline_s=300
    )

    async def one(number: int) -> Any:
        async with env.episode(env.tasks[0]) as episode:
            await episode.respond(call(f"INSERT INTO log VALUES ({number})"))
            (seen,) = await episode.respond(call("SELECT entry FROM log"))
            await episode.respond("Done.")
            await episode.verdict()
            return seen["content"], episode.outcome["log"]

    async def play() -> list[Any]:
        return list(await asyncio.gather(*(one(number) for number in range(8))))

    for number, (seen, log) in enumerate(asyncio.run(play())):
        assert seen == f"<tool_response>\nentry\n{number}\n</tool_response>"
        assert log == [[number]]


def test_a_task_names_its_database(shop: Path) -> None:
    toolbox = rlvr.tools.Sql("metadata.database")
    for metadata, cause in (
        ({"database": str(shop)}, None),
        ({}, Cause.GOLD),
        ({"database": __file__}, Cause.GOLD),
    ):
        env = rlvr.ToolEnv([Task("?", "1", "t", metadata)], rlvr.Math(), toolbox)

        async def play(env: rlvr.ToolEnv = env) -> rlvr.Verdict:
            async with env.episode(env.tasks[0]) as episode:
                if not episode.over and episode.fault is None:
                    await episode.respond(call("SELECT 1"))
                    await episode.respond("\\boxed{1}")
                return await episode.verdict()

        verdict = asyncio.run(play())
        assert (verdict.cause if isinstance(verdict, Unscored) else None) == cause


def test_options_are_checked_and_it_is_pickled(shop: Path) -> None:
    for options in ({"state": {}}, {"rows": 0}, {"max_steps": True}):
        with pytest.raises(OptionError):
            rlvr.tools.Sql(shop, **options)
    for path in (shop.parent / "nothing", __file__):
        with pytest.raises(OptionError):
            rlvr.tools.Sql(path)
    toolbox = rlvr.tools.Sql(shop, changes=True, state=STATE)
    assert pickle.loads(pickle.dumps(toolbox)) == toolbox
