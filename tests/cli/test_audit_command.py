"""`rlvr audit`: what it prints, writes, and exits with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_a_clean_environment(rlvr_cli: Any, tmp_path: Path) -> None:
    done = rlvr_cli("audit", "arithmetic", "--tasks", "8", "--env", "level=2", "--policy", "random",
                    "-k", "4", "--html", tmp_path / "a.html", "--json", tmp_path / "a.json")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "arithmetic passes" in done.stdout
    assert "Hack floor" in done.stdout
    assert "pass-rates" in done.stdout
    page = (tmp_path / "a.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "level=2" in page
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["ok"]
    assert found["options"] == {"level": 2}


def test_a_failure_has_status_1(rlvr_cli: Any, tmp_path: Path) -> None:
    rows = [{"question": f"Is {n} odd?", "answer": f"#### {n % 2}"} for n in range(30)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = rlvr_cli("audit", "gsm8k", "--data", "rows.jsonl", "--only", "hacks")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "gsm8k does not pass" in done.stdout
    assert "the most frequent of 30 answers earns 50%" in done.stdout


def test_a_saved_run(rlvr_cli: Any, tmp_path: Path) -> None:
    made = rlvr_cli(
        "eval", "arithmetic", "--policy", "random", "-k", "4", "--limit", "8", "--run", "run"
    )
    assert made.returncode == 0
    done = rlvr_cli("audit", "arithmetic", "--run", "run", "--only", "unscored-share")
    assert done.returncode == 0
    assert "0.0% of 32 rollouts have no verdict" in done.stdout
    other = rlvr_cli("audit", "countdown", "--run", "run")
    assert other.returncode == 2
    assert "no rollouts of countdown" in other.stderr


def test_the_probes_are_listed(rlvr_cli: Any) -> None:
    done = rlvr_cli("audit", "--list")
    assert done.returncode == 0
    assert "thinking-only" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name an ENV"),
        (["no_such"], "no environment 'no_such'"),
        (["arithmetic", "--only", "gould"], "Did you mean 'gold'"),
        (["arithmetic", "--policy", "oracle", "--model", "m"], "Name one of"),
    ],
)
def test_a_mistake_is_a_line_and_status_2(rlvr_cli: Any, arguments: list[str], said: str) -> None:
    done = rlvr_cli("audit", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


NOISY = """
import rlvr

@rlvr.verifier
def noisy(task, answer):
    print("a line of the verifier")
    return answer == task.reference

@rlvr.verifier(inline=True)
def near(task, answer):
    print("a line of this process")
    return answer == task.reference

@rlvr.environment("noisy_sums")
def make(split="train"):
    tasks = [rlvr.Task(f"Say {n} in \\\\boxed{{{{}}}}.", str(n)) for n in range(100, 120)]
    return rlvr.SingleTurn(tasks, 0.5 * noisy + 0.5 * near)
"""


def test_prints_of_a_verifier_do_not_bury_the_report(rlvr_cli: Any, tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text(NOISY)
    command = ("audit", "noisy.py", "--tasks", "4", "--only", "quiet", "--only", "gold")
    done = rlvr_cli(*command)
    assert "prints 23 characters per verification" in done.stdout
    assert "a line of" not in done.stdout + done.stderr
    shown = rlvr_cli(*command, environ={"RLVR_PRINTS": "stderr"})
    assert "a line of the verifier" in shown.stderr
    assert "a line of this process" in shown.stderr
    assert "a line of" not in shown.stdout
