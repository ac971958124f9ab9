"""`rlvr eval`: suites, servers, runs gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stub_server import Stub

SUITE = """
[[environment]]
name = "arithmetic"
part = "dev"
limit = 5

[[environment]]
name = "arithmetic"
part = "unseen"
split = "test"
limit = 7
k = 3
"""


def test_a_suite_reports_its_parts_apart(rlvr_cli: Any, tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text(SUITE)
    done = rlvr_cli("eval", "--suite", "suite.toml", "--policy", "empty", "--run", "run", "-k", "2")
    assert done.returncode == 0, done.stderr
    assert "arithmetic (dev): reward 0.0000 ± 0.0000" in done.stdout
    assert "10 scored, 0 unscored of 10" in done.stdout
    assert "21 scored, 0 unscored of 21" in done.stdout
    reports = json.loads((tmp_path / "run" / "report.json").read_text())["reports"]
    assert [(one["part"], one["tasks"], one["rollouts"]) for one in reports] == [
        ("dev", 5, 10),
        ("unseen", 7, 21),
    ]
    again = rlvr_cli(
        "eval", "--suite", "suite.toml", "--policy", "empty", "--run", "run", "-k", "2", "--resume"
    )
    assert "31 rollouts are there already" in again.stderr
    assert "21 scored, 0 unscored of 21" in again.stdout
    assert len((tmp_path / "run" / "rollouts.jsonl").read_text().splitlines()) == 31


def test_a_server_and_its_key(rlvr_cli: Any, tmp_path: Path) -> None:
    with Stub() as stub:
        arguments = [
            "arithmetic",
            "--model",
            "adder",
            "--base-url",
            stub.url,
            "--limit",
            "20",
            "-k",
            "2",
            "--temperature",
            "0.5",
        ]
        options = ["--env", "operators=+", "--env", "prompt={compact}=", "--run", "run"]
        key = {"OPENAI_API_KEY": "sesame"}
        done = rlvr_cli("eval", *arguments, *options, environ=key)
        assert done.returncode == 0, done.stderr
        assert "pass@2" in done.stdout
        other = rlvr_cli("eval", *arguments, *options, "--resume", "--seed", "9")
    assert other.returncode == 2
    assert "was begun with seed 0, not 9" in other.stderr
    for file in (tmp_path / "run").iterdir():
        assert b"sesame" not in file.read_bytes()


@pytest.mark.parametrize(
    ("suite", "says"),
    [
        ("", "has no [[environment]]"),
        ("[[environment]]\nnam = 1", "has a field 'nam'"),
        ("[[environment]]\nk = 1", "has no name"),
        ('[[environment]]\nname = "arithmetic"\npart = "test"', "'dev' or 'unseen'"),
        (SUITE.replace("unseen", "dev"), "have one name: give one a label"),
        ("[[", "can't be read"),
    ],
)
def test_a_broken_suite_is_told(rlvr_cli: Any, tmp_path: Path, suite: str, says: str) -> None:
    (tmp_path / "suite.toml").write_text(suite)
    done = rlvr_cli("eval", "--suite", "suite.toml", "--policy", "empty")
    assert done.returncode == 2
    assert says in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["suite.toml"]
