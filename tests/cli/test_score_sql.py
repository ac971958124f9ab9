"""`rlvr score sql`, as a script would use it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any


def test_lines(rlvr_cli: Any, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "d.sqlite")
    connection.executescript("CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    connection.close()
    before = (tmp_path / "d.sqlite").read_bytes()
    reference = {
        "sql": "SELECT a, b FROM t",
        "databases": ["d.sqlite"],
    }  # beside, as `rlvr` is run there
    lines = [
        {"id": 1, "reference": reference, "response": "```sql\nSELECT a, b FROM t ORDER BY a DESC\n```"},
        {"id": 2, "reference": reference, "response": "```sql\nSELECT b, a FROM t\n```"},
        {"id": 3, "reference": reference, "response": "```sql\nSELECT b, a FROM t\n```",
         "options": {"preset": "spider"}},
        {"id": 4, "reference": reference, "response": "DELETE FROM t"},
        {"id": 5, "reference": reference, "response": "```sql\nDELETE FROM t\n```"},
        {"id": 6, "reference": reference | {"databases": ["gone.sqlite"]}, "response": "SELECT 1"},
        {"id": 7, "reference": reference, "response": "SELECT 1", "options": {"preset": "x"}},
    ]  # fmt: skip
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    done = rlvr_cli("score", "sql", file)
    assert done.returncode == 3
    out = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["id"] for one in out] == [1, 2, 3, 4, 5, 6, 7]
    assert [one.get("reward") for one in out] == [1.0, 0.0, 1.0, 0.0, 0.0, None, None]
    assert [one.get("status") for one in out[:5]] == [
        "correct", "incorrect", "correct", "unparsable", "incorrect"
    ]  # fmt: skip
    assert [one.get("cause") for one in out[5:]] == ["gold", "input"]
    assert (tmp_path / "d.sqlite").read_bytes() == before
