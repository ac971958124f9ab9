"""`rlvr data synthesise`, as a user runs it: policies in files and on servers, a kill, and the exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.synthesis import make_inputs, rows_in
from tests.stub_server import Stub

SCRIPTS = '''
import os, signal
from pathlib import Path
from benchmarks.synthesis import Proposer, Solver, rows_in

class Same(Proposer):
    """Its replies depend on the request alone, so that a second process goes on alike."""

    def _item(self, examples, rng):
        self.kinds = {}
        return super()._item(examples, rng)

def policy():
    return Same(rows_in(Path("eval.jsonl")))

class Killed(Solver):
    """It is killed in the middle of its third group of answers, once."""

    batch_size = 16
    asked = 0

    def respond(self, requests):
        Killed.asked += 1
        if Killed.asked == 3 and not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().respond(requests)

number = 7

class Sums:
    name = "sums"

    def respond(self, requests):
        rows = [[{"prompt": f"What is {r.seed % 500 + 100} + {r.seed % 333 + i}? Put the result in \\\\boxed{{}}.",
                  "reference": str(r.seed % 500 + 100 + r.seed % 333 + i)} for i in range(5)] for r in requests]
        return [__import__("json").dumps(items) for items in rows]
'''
ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_inputs(tmp_path, 0)
    (tmp_path / "scripts.py").write_text(SCRIPTS)
    return tmp_path


@pytest.mark.sweep
def test_a_killed_command_goes_on(rlvr_cli: Any, folder: Path) -> None:
    """The second process has the rows of one that wasn't killed, and asks for nothing that is there."""
    arguments = [
        "data", "synthesise", "gsm8k", "--from", "70.jsonl", "--count", "25", "--policy", "scripts.py",
        "--against", "eval.jsonl", "--split", "train",
    ]  # fmt: skip
    whole = rlvr_cli(*arguments, "--solver", "scripts.py:Solver", "-o", "whole")
    assert whole.returncode == 0, whole.stderr
    assert "25 of 25 tasks, from 68 examples" in whole.stdout
    assert "tasks: whole/tasks.jsonl" in whole.stdout
    # Killed in a process of its own: the tests' warm one must live.
    killed = subprocess.run(
        [sys.executable, "-m", "rlvr", *arguments, "--solver", "scripts.py:Killed", "-o", "cut"],
        cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before = (folder / "cut/answers.jsonl").read_text().splitlines()
    again = rlvr_cli(*arguments, "--solver", "scripts.py:Killed", "-o", "cut")
    assert again.returncode == 2
    assert "--resume" in again.stderr
    resumed = rlvr_cli(*arguments, "--solver", "scripts.py:Killed", "-o", "cut", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    after = (folder / "cut/answers.jsonl").read_text().splitlines()
    assert after[: len(before)] == before
    assert len({(row["key"], row["sample"]) for row in map(json.loads, after)}) == len(after)
    rows = {name: rows_in(folder / name / "tasks.jsonl") for name in ("whole", "cut")}
    assert [row["question"] for row in rows["cut"]] == [row["question"] for row in rows["whole"]]
    # The rows are read as any rows file.
    done = rlvr_cli(
        "eval",
        "gsm8k",
        "--data",
        "whole/tasks.jsonl",
        "--split",
        "train",
        "--policy",
        "oracle",
        "--run",
        "run",
    )
    assert done.returncode == 0, done.stderr
    done = rlvr_cli("data", "dedupe", "whole/tasks.jsonl", "--near")
    assert "25 rows: 0 duplicates, 0 not read, 25 kept" in done.stdout
    done = rlvr_cli("data", "decontaminate", "whole/tasks.jsonl", "--against", "eval.jsonl")
    assert done.returncode == 0, done.stdout
    assert rlvr_cli("runs", ".").returncode == 0


def test_a_server_solves(rlvr_cli: Any, folder: Path) -> None:
    rows = [
        {
            "prompt": f"What is {i} + {i + 1}? Put the result in \\boxed{{}}.",
            "reference": str(2 * i + 1),
        }
        for i in range(30)
    ]
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Stub() as stub:
        done = rlvr_cli(
            "data", "synthesise", "arithmetic", "--from", "sums.jsonl", "-o", "out", "--policy", "scripts.py:Sums",
            "--solver-model", "adder", "--solver-base-url", stub.url, "--count", "12",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert all(body["temperature"] == 1.0 and body["n"] == 3 for body in stub.bodies)
    for row in rows_in(folder / "out/tasks.jsonl"):
        assert row["metadata"]["origin"]["solver"] == "adder"
    config = json.loads((folder / "out/run.json").read_text())["config"]
    assert config["sampling"]["max_tokens"] == 4096
    done = rlvr_cli(
        "eval",
        "tasks/arithmetic",
        "--data",
        "out/tasks.jsonl",
        "--policy",
        "oracle",
        "--run",
        "run",
    )
    assert done.returncode == 0, done.stderr


def test_fewer_tasks_are_exit_status_three(rlvr_cli: Any, folder: Path) -> None:
    done = rlvr_cli(
        "data", "synthesise", "gsm8k", "--from", "70.jsonl", "-o", "out", "--policy", "scripts.py",
        "--solver", "scripts.py:Solver", "--replies", "2", "--count", "50",
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "of 50 tasks: 2 replies were asked for" in done.stderr
    assert json.loads((folder / "out/report.json").read_text())["complete"] is False


@pytest.mark.sweep(gate=4)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "scripts.py", "--model", "m"], "Name one of --policy and --model"),
        ([], "Name one of --policy and --model"),
        (["--policy", "scripts.py", "--difficulty", "0.5"], "two pass rates"),
        (["--policy", "scripts.py", "--difficulty", "0,0.2"], "No task can be kept"),
        (["--policy", "scripts.py:number"], "no policy"),
        (["--policy", "scripts.py:nothing"], "has no 'nothing'"),
        (["--policy", "nothing.py"], "FILE.py or FILE.py:NAME"),
        (["--policy", "scripts.py", "--solver-base-url", "http://localhost:1/v1"], "--solver-model"),
        (["--model", "m", "--base-url", "http://localhost:1/v1", "--temperature", "0"], "same greedy answer"),
        (["--policy", "scripts.py", "--against", "nowhere.jsonl"], "nowhere.jsonl"),
        (["--policy", "scripts.py", "--resume"], "There's no run in"),
    ],
)  # fmt: skip
def test_bad_usage(rlvr_cli: Any, folder: Path, arguments: list[str], message: str) -> None:
    done = rlvr_cli("data", "synthesise", "gsm8k", "--from", "70.jsonl", "-o", "out", *arguments)
    assert done.returncode == 2, done.stdout
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "out/tasks.jsonl").exists()
