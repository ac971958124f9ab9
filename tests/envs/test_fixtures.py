"""The fixtures of the environments that come with rlvr: enough of each kind, and all of them hold."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.task import Task
from rlvr.envs import BUILT_IN
from rlvr.envs.fixtures import SqlFixtures
from rlvr.envs.schema_text import schema_text
from rlvr.testing.fixtures import judge_fixtures

NAMES = [spec.name for spec in BUILT_IN]
NEEDS_DATA_NAMED: dict[str, dict[str, Any]] = {"sql": {"data": "none.jsonl"}}


@pytest.fixture(autouse=True)
def _no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is needed: only the jail for programs, and NLTK's for instructions."""
    monkeypatch.delenv("RLVR_DATA", raising=False)


def make(name: str, **options: Any) -> rlvr.Environment:
    return rlvr.make(name, **NEEDS_DATA_NAMED.get(name, {}), **options)


@pytest.mark.parametrize("name", NAMES)
def test_there_are_enough_of_each_kind_and_all_hold(name: str) -> None:
    env = make(name)
    kinds = Counter(fixture.kind for fixture in env.fixtures)
    assert min(kinds["right"], kinds["wrong"], kinds["malformed"]) >= 2
    assert 1 <= kinds["borderline"] <= 2
    assert all(fixture.why for fixture in env.fixtures if fixture.kind == "borderline")
    verdicts = judge_fixtures(env)
    missed = [
        (fixture.kind, fixture.turns, fixture.expected, verdict)
        for fixture, verdict in zip(env.fixtures, verdicts, strict=True)
        if not fixture.holds(verdict)
    ]
    assert missed == []


@pytest.mark.parametrize("name", NAMES)
def test_each_brings_its_task_and_no_two_are_the_same(name: str) -> None:
    fixtures = make(name).fixtures
    assert all(isinstance(fixture.task, Task) for fixture in fixtures)
    assert len({(fixture.task, fixture.turns) for fixture in fixtures}) == len(fixtures)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("arithmetic", {"split": "test", "level": 5}),
        ("algebra", {"split": "dev", "level": 5}),
        ("code", {"reward": "fraction", "language": "cpp"}),
        ("code_repair", {"source": "mbpp", "max_turns": 3}),
        ("if_rlvr", {"level": 3, "turns": 3}),
        ("shop", {"level": 5, "calls": "native", "max_turns": 4}),
        ("sql_explore", {"max_turns": 2}),
        ("math_python", {"source": "arithmetic", "calls": "native"}),
        ("code_agent", {"source": "humaneval", "max_turns": 4}),
    ],
)
def test_they_hold_with_other_options_too(name: str, options: dict[str, Any]) -> None:
    env = make(name, **options)
    assert env.fixtures
    for fixture, verdict in zip(env.fixtures, judge_fixtures(env), strict=True):
        assert fixture.holds(verdict), (fixture, verdict)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gsm8k", {"mode": "flexible"}),
        ("math", {"mode": "flexible"}),
        ("countdown", {"mode": "whole"}),
        ("arithmetic", {"mode": "flexible"}),
        ("ifeval", {"mode": "loose"}),
        ("ifbench", {"mode": "strict"}),
        ("if_rlvr", {"guard": None}),
        ("spider", {"preset": "spider"}),
        ("bird", {"reward": "soft_f1"}),
        ("sql", {"dialect": "mysql"}),
        ("sql_explore", {"max_turns": 1}),
        ("shop", {"max_turns": 1}),
        ("code_repair", {"max_turns": 1}),
        ("math_python", {"max_turns": 3}),
        ("code_agent", {"max_turns": 3}),
    ],
)
def test_there_are_none_where_an_option_decides_otherwise(name: str, options: Any) -> None:
    assert make(name, **options).fixtures == ()


@pytest.mark.parametrize("name", ["gsm8k", "sql"])
def test_they_are_read_when_they_are_asked_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as unreadable:
        unreadable.setattr(Path, "read_text", None)
        env = make(name)
    assert env.fixtures
    assert env.fixtures is env.fixtures


@pytest.mark.parametrize("name", ["sql", "spider", "bird", "sql_explore"])
def test_queries_have_databases_that_are_as_the_prompt_says(name: str) -> None:
    for fixture in make(name).fixtures:
        assert isinstance(fixture.task, Task)
        first = fixture.task.reference["databases"][0]
        assert schema_text(first, 0 if name == "sql_explore" else 3) in fixture.task.text


def test_an_authors_queries_find_their_databases_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = sqlite3.connect(tmp_path / "one.sqlite")
    connection.executescript("CREATE TABLE t (n); INSERT INTO t VALUES (7)")
    connection.close()
    row = {"kind": "right", "prompt": "n?", "response": "SELECT n FROM t"}
    references: list[Any] = [
        {"sql": "SELECT 7", "databases": ["one.sqlite"]},
        {"sql": "SELECT 7", "databases": [str(tmp_path / "one.sqlite")]},
        {"sql": "SELECT 7", "databases": "one.sqlite"},
        {"sql": "SELECT 7"},
        "SELECT 7",
    ]
    lines = [json.dumps(row | {"reference": reference}) for reference in references]
    lines.append('{"kind": "wrong", "task": "none", "response": ""}')
    (tmp_path / "own.jsonl").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    fixtures = SqlFixtures("own.jsonl")
    env = rlvr.SingleTurn([rlvr.Task("", "")], rlvr.Sql(), fixtures=fixtures)
    verdicts = judge_fixtures(env)
    causes = [getattr(verdict, "cause", "scored") for verdict in verdicts]
    assert causes == ["scored", "scored", "gold", "gold", "gold", "input"]
    found = [fixture.holds(v) for fixture, v in zip(env.fixtures, verdicts, strict=True)]
    assert found == [True, True, False, False, False, False]
    # The id is of the task as it's written, wherever the folder is.
    assert env.fixtures[0].task.id == rlvr.Task("n?", references[0]).id  # type: ignore[union-attr]
