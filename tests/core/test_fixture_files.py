"""Fixtures: what may be one, when one holds, and files of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.errors import DataError
from rlvr.core.fixtures import read_fixtures
from rlvr.core.verdict import Cause, Scored, Status, Unscored

RIGHT = Scored(1.0, Status.CORRECT)
HALF = Scored(0.5, Status.PARTIAL)
WRONG = Scored(0.0, Status.INCORRECT)
UNREADABLE = Scored(0.0, Status.UNPARSABLE)
NONE = Unscored(Cause.SANDBOX, "no jail")


@pytest.mark.parametrize(
    ("kind", "reward", "holds"),
    [
        ("right", None, [RIGHT]),
        ("wrong", None, [HALF, WRONG, UNREADABLE]),
        ("malformed", None, [HALF, WRONG, UNREADABLE]),
        ("wrong", 0, [WRONG, UNREADABLE]),
        ("borderline", 0.5, [HALF]),
        ("borderline", [0.5, 1], [RIGHT, HALF]),
    ],
)
def test_when_one_holds(kind: Any, reward: Any, holds: list[Any]) -> None:
    fixture = rlvr.Fixture(kind, "…", "id", reward)
    assert [v for v in (RIGHT, HALF, WRONG, UNREADABLE, NONE) if fixture.holds(v)] == holds


def write(folder: Path, *rows: Any) -> Path:
    path = folder / "fixtures.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_file(tmp_path: Path) -> None:
    own = {"kind": "borderline", "prompt": "2+2?", "reference": "4", "response": ["a", "b"]}
    path = write(
        tmp_path,
        {"kind": "right", "task": "train-0", "response": "one line\u2028and another"},
        "",
        own | {"reward": [0, 0.5], "why": "either", "metadata": {"level": 1}},
    )
    by_id, with_task = read_fixtures(path)
    assert (by_id.task, by_id.turns) == ("train-0", ("one line\u2028and another",))
    assert with_task.turns == ("a", "b")
    assert with_task.expected == "0 to 0.5"
    assert isinstance(with_task.task, rlvr.Task)
    assert with_task.task.metadata == {"level": 1}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "line 2: Expecting"),
        ("[]", "a JSON object, not"),
        ({"kind": "good", "task": "a", "response": "b"}, "one of right, wrong, malformed"),
        ({"kind": "right", "task": "a"}, "'response' is missing"),
        ({"kind": "right", "task": "a", "response": []}, "a text, or a list"),
        ({"kind": "right", "response": "b"}, 'a "task" .an id., or'),
        ({"kind": "right", "prompt": "p", "response": "b"}, "needs reference"),
        ({"kind": "right", "task": "a", "prompt": "p", "response": "b"}, 'or a "prompt"'),
        ({"kind": "right", "task": "a", "respnse": "b"}, "no field 'respnse'"),
        ({"kind": "borderline", "task": "a", "response": "b"}, "says what it earns"),
        ({"kind": "wrong", "task": "a", "response": "b", "reward": [1, 0]}, "a number, or"),
        ({"kind": "wrong", "task": "a", "response": "b", "reward": True}, "a number, or"),
        ({"kind": "wrong", "task": 3, "response": "b"}, "an id or a Task"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, row: Any, says: str) -> None:
    path = write(tmp_path, {"kind": "right", "task": "a", "response": "b"}, row)
    with pytest.raises(DataError, match=says) as raised:
        read_fixtures(path)
    assert "fixtures.jsonl, line 2" in str(raised.value)


def test_a_file_that_is_not_there() -> None:
    env = rlvr.SingleTurn([rlvr.Task("2+2?", "4")], rlvr.Math(), fixtures="nowhere.jsonl")
    with pytest.raises(DataError, match=r"'nowhere\.jsonl' can't be read"):
        env.fixtures  # noqa: B018


def test_what_is_no_fixture_is_refused() -> None:
    env = rlvr.SingleTurn([rlvr.Task("2+2?", "4")], rlvr.Math(), fixtures=[{"kind": "right"}])  # type: ignore[list-item]
    with pytest.raises(DataError, match=r"is an rlvr\.Fixture"):
        env.fixtures  # noqa: B018
