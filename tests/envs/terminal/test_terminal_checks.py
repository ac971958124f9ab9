"""The checks on artifacts that read them as data."""

from __future__ import annotations

from typing import Any

import pytest

from rlvr.core.errors import CannotScore
from rlvr.envs.terminal.artifacts import Artifacts
from rlvr.envs.terminal.checks import digest, failure

FILES = {
    "a.txt": b"one\ntwo  \n\n",
    "a.json": b'{"x": [1, 2.0, true], "y": "\xc3\xa9"}',
    "twice.json": b'{"x": 1, "x": 2}',
    "nan.json": b'{"x": NaN}',
    "deep.json": b"[" * 50_000 + b"]" * 50_000,
    "long.json": b"9" * 100_000,
    "rows.jsonl": b'{"id": 1}\n\n{"id": 2}\n',
    "tree/a/b.txt": b"b",
    "tree/c.txt": b"c",
}
ARTIFACTS = Artifacts(
    FILES,
    {
        "run.sh": {"kind": "file", "mode": "755"},
        "link": {"kind": "link", "mode": "777", "target": "a.txt"},
        "pipe": {"kind": "other", "mode": "644"},
    },
)
HOLD: list[dict[str, Any]] = [
    {"kind": "text", "path": "a.txt", "equals": "one\ntwo"},
    {"kind": "json", "path": "a.json", "equals": {"y": "é", "x": [1, 2, True]}},
    {"kind": "rows", "path": "rows.jsonl", "equals": [{"id": 1}, {"id": 2}]},
    {"kind": "rows", "path": "rows.jsonl", "equals": [{"id": 2}, {"id": 1}], "ordered": False},
    {"kind": "tree", "path": "tree", "files": {"a/b.txt": digest("b"), "c.txt": digest("c")}},
    {"kind": "tree", "path": "nowhere", "files": {}},
    {"kind": "entry", "path": "run.sh", "mode": "755"},
    {"kind": "entry", "path": "link", "target": "a.txt"},
    {"kind": "absent", "path": "b.txt"},
]
FAIL: list[dict[str, Any]] = [
    {"kind": "text", "path": "a.txt", "equals": "one\ntwo\nthree"},
    {"kind": "text", "path": "a.txt", "equals": "two\none"},
    {"kind": "text", "path": "link", "equals": "one\ntwo"},
    {"kind": "json", "path": "a.json", "equals": {"x": [1, 2, 1], "y": "é"}},
    {"kind": "json", "path": "twice.json", "equals": {"x": 2}},
    {"kind": "json", "path": "nan.json", "equals": {"x": 0}},
    {"kind": "json", "path": "deep.json", "equals": []},
    {"kind": "json", "path": "long.json", "equals": 9},
    {"kind": "rows", "path": "rows.jsonl", "equals": [{"id": 2}, {"id": 1}]},
    {"kind": "rows", "path": "rows.jsonl", "equals": [{"id": 1}]},
    {"kind": "rows", "path": "a.txt", "equals": [1, 2]},
    {"kind": "tree", "path": "tree", "files": {"a/b.txt": digest("b")}},
    {"kind": "tree", "path": "tree", "files": {"a/b.txt": digest("x"), "c.txt": digest("c")}},
    {"kind": "entry", "path": "run.sh", "mode": "644"},
    {"kind": "entry", "path": "link", "target": "b.txt"},
    {"kind": "entry", "path": "none", "mode": "644"},
    {"kind": "absent", "path": "tree"},
    {"kind": "absent", "path": "pipe"},
]


@pytest.mark.parametrize("check", HOLD)
def test_checks_hold(check: dict[str, Any]) -> None:
    assert failure(check, ARTIFACTS) == ""


@pytest.mark.parametrize("check", FAIL)
def test_checks_fail_with_a_reason(check: dict[str, Any]) -> None:
    reason = failure(check, ARTIFACTS)
    assert reason
    assert str(check.get("equals", "-")) not in reason  # it may become an observation


@pytest.mark.parametrize(
    "check", [{"kind": "runs"}, {}, {"kind": "text"}, {"kind": "tree", "path": "tree"}]
)
def test_a_check_that_can_not_be_read_is_the_author_s_fault(check: dict[str, Any]) -> None:
    with pytest.raises(CannotScore):
        failure(check, ARTIFACTS)


def test_artifacts_survive_json() -> None:
    odd = Artifacts({"a": b"\xff\x00", "b": "é".encode(), "c\udcff": b""}, {}, "")
    assert Artifacts.of(odd.to_json()) == odd
