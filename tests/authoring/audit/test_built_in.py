"""The built-in environments come out clean, or with findings that are documented."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rlvr
from rlvr.core.registry import environments

TASKS = {"code": 4, "code_agent": 2, "code_repair": 3, "math_python": 6, "humaneval": 6, "mbpp": 6, "if_rlvr": 15, "bird": 40,
         "spider": 40, "sql_explore": 40}  # fmt: skip
NAMES = [spec.name for spec in environments() if spec.origin == "rlvr"]


def options_of(name: str, data: Path, folder: Path) -> dict[str, Any]:
    """Data of the same form for environments whose own can't be had here."""
    if name == "bird":
        return {"data": str(data / "sql/queries.jsonl")}
    if name == "aime":
        rows = [{"problem": f"Find {n} + {3 * n}.", "answer": str(4 * n)} for n in range(20, 50)]
        path = folder / "aime.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return {"data": str(path)}
    return {}


GATE = ("shop",)  # and one of one turn by tests/cli/test_audit_command.py
assert set(GATE) <= set(NAMES)


@pytest.mark.sweep(gate=GATE)
@pytest.mark.parametrize("name", NAMES)
def test_it_passes(name: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # other splits aren't asked for over the network
    report = rlvr.audit(name, tasks=TASKS.get(name, 15), **options_of(name, data, tmp_path))
    assert report.ok, str(report)
    assert report.hack_floor is not None
