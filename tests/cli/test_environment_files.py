"""`rlvr audit|show|eval FILE.py[:name]`, and errors of an author's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ONE = """
import rlvr

def puzzle(rng):
    a, b = (int(n) for n in rng.integers(10, 99, 2))
    return rlvr.Task(f"What is {a} + {b}? Put it in \\\\boxed{{}}.", str(a + b))

@rlvr.environment("NAME")
def make(split="train", size=200):
    return rlvr.SingleTurn(rlvr.generated(puzzle, split=split, size=size), rlvr.Math())
"""
TWO = """
import rlvr

@rlvr.environment("NAME_first")
def first():
    return rlvr.SingleTurn([rlvr.Task(f"{n}?", str(n)) for n in range(3)], rlvr.Math())

@rlvr.environment("NAME_second")
def second():
    raise ValueError("no data here")
"""


def write(folder: Path, stem: str, text: str) -> Path:
    path = folder / f"{stem}.py"
    path.write_text(text.replace("NAME", stem))
    return path


def test_a_file_is_an_environment(rlvr_cli: Any, tmp_path: Path) -> None:
    write(tmp_path, "own_sums", ONE)
    shown = rlvr_cli("show", "own_sums.py", "--split", "test")
    assert shown.returncode == 0, shown.stderr
    assert "own_sums · 200 tasks" in shown.stdout
    only = ("--only", "tasks-remade", "--only", "vectors", "--only", "splits", "--only", "gold")
    audited = rlvr_cli("audit", "./own_sums.py", "--tasks", "5", *only)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "made in another process" in audited.stdout
    run = rlvr_cli("eval", "own_sums.py", "--policy", "oracle", "--limit", "4", "--run", "run")
    assert run.returncode == 0, run.stderr
    assert "reward 1.0000" in run.stdout


def test_the_name_of_a_file_s_environment_names_the_file(rlvr_cli: Any, tmp_path: Path) -> None:
    write(tmp_path, "own_sums", ONE)
    done = rlvr_cli("audit", "own_sums")
    assert done.returncode == 2
    assert "A file is an environment by its path: own_sums.py." in done.stderr


def test_one_of_several_is_named(rlvr_cli: Any, tmp_path: Path) -> None:
    write(tmp_path, "own_two", TWO)
    both = rlvr_cli("show", "own_two.py")
    assert both.returncode == 2
    assert "own_two.py:own_two_first or own_two.py:own_two_second" in both.stderr
    for name in ("own_two_first", "first"):
        assert rlvr_cli("show", f"own_two.py:{name}").returncode == 0
    raised = rlvr_cli("show", "own_two.py:second")
    assert raised.returncode == 2
    assert "The factory of 'own_two_second' (from code) raised ValueError" in raised.stderr
    assert f"{tmp_path}/own_two.py, line 10" in raised.stderr
    assert "report it" not in raised.stderr


@pytest.mark.parametrize(
    ("stem", "text", "argument", "said"),
    [
        ("own_none", "x = 1\n", "own_none.py", 'decorate the function that makes it with @rlvr.environ'),
        ("own_broken", "1 / 0\n", "own_broken.py", "own_broken.py can't be imported: ZeroDivisionError"),
        ("own-dash", "", "own-dash.py", "rename it to own_dash.py"),
        ("json", "", "json.py", "another module 'json'"),
        ("own_exit", "raise SystemExit(0)\n", "own_exit.py", "can't be imported: SystemExit"),
        ("own_sums_too", ONE, "own_sums_too.py:own_sum", "Did you mean 'own_sums_too'"),
        ("own_there", ONE, "own_missing.py", "There's no file"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_environment_is_a_line_and_status_2(
    rlvr_cli: Any, tmp_path: Path, stem: str, text: str, argument: str, said: str
) -> None:
    write(tmp_path, stem, text)
    done = rlvr_cli("show", argument)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_exception_of_the_authors_code_is_reported_as_theirs(
    rlvr_cli: Any, tmp_path: Path
) -> None:
    late = ONE.replace("    a, b =", "    if rng.random() < 2: raise KeyError('late')\n    a, b =")
    write(tmp_path, "own_late", late)
    done = rlvr_cli("show", "own_late.py")
    assert done.returncode == 2, done.stdout
    assert "KeyError: 'late'" in done.stderr
    assert "own_late.py, line 5" in done.stderr
    assert "report it" not in done.stderr


def test_a_multi_turn_environment_without_a_reply_is_told_so(rlvr_cli: Any, tmp_path: Path) -> None:
    text = """
import rlvr

@rlvr.environment("NAME")
def make():
    return rlvr.MultiTurn(rlvr.TaskSet([rlvr.Task(f"{n}?", str(n)) for n in range(9)]), rlvr.Math())
"""
    write(tmp_path, "own_mute", text)
    done = rlvr_cli("audit", "own_mute.py", "--only", "truth", "--only", "episode")
    assert done.returncode == 1, done.stderr
    assert "needs a reply(task, messages)" in done.stdout
    assert "report it" not in done.stdout + done.stderr
