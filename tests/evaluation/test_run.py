"""A run on disk."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path

import pytest

import rlvr
from rlvr.core.errors import DataError
from rlvr.core.verdict import correct
from rlvr.runs.rollouts import Rollout
from rlvr.runs.run import Run


def about(run: Run) -> dict:
    return json.loads((run.path / "run.json").read_text(encoding="utf-8"))


def git(folder: Path, *arguments: str) -> str:
    # A configuration of its own: neither the user's nor the machine's.
    settings = ["-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "train.py").write_text("first\n")
    git(folder, "add", "train.py")
    git(folder, "commit", "-q", "-m", "first")
    monkeypatch.chdir(folder)
    return folder


def test_run_json_says_what_was_asked_with_what(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "eval", {"seed": 3, "split": None})
    found = about(run)
    assert found["kind"] == "eval"
    assert found["config"] == {"seed": 3, "split": None}
    assert {"gymnasium", "numpy", "sympy"} <= set(found["versions"])
    assert found["began"].endswith("+00:00")
    assert found["python"].count(".") == 2


def test_a_clean_tree(repository: Path) -> None:
    expected = {"commit": git(repository, "rev-parse", "HEAD"), "dirty": False}
    assert about(Run.create(None, "eval", {}))["git"] == expected
    # The first run's own files, which git doesn't track, make no tree dirty.
    assert about(Run.create(None, "eval", {}))["git"] == expected


def test_a_tree_with_changes(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    (repository / "train.py").write_text("second\n")
    assert about(Run.create(None, "eval", {}))["git"] == {"commit": commit, "dirty": True}
    git(repository, "add", "train.py")
    (repository / "below").mkdir()
    monkeypatch.chdir(repository / "below")
    assert about(Run.create(None, "eval", {}))["git"] == {"commit": commit, "dirty": True}


def test_no_repository_and_no_commit_is_null(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert about(Run.create("outside", "eval", {}))["git"] is None
    git(tmp_path, "init", "-q")
    assert about(Run.create("unborn", "eval", {}))["git"] is None


def test_no_git_is_null(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))
    assert about(Run.create("run", "eval", {}))["git"] is None


@pytest.mark.parametrize("file", ["run.json", "rollouts.jsonl", "metrics.jsonl"])
def test_a_run_that_is_there_is_left_alone(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("precious")
    with pytest.raises(DataError, match=r"There's a run in .* already. Choose another folder"):
        Run.create(tmp_path, "eval", {})
    assert [path.name for path in tmp_path.iterdir()] == [file]
    assert (tmp_path / file).read_text() == "precious"


def test_runs_of_one_second_get_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [Run.create(None, "eval", {"number": i}) for i in range(4)]
    assert len({run.path for run in runs}) == 4
    assert [about(run)["config"]["number"] for run in runs] == [0, 1, 2, 3]
    assert all(run.path.parent.name == "runs" for run in runs)


def test_rollouts_are_whole_lines_on_disk_at_once(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", "eval", {}) as run:
        task = rlvr.Task("2+2?\u2028", "4", "sum", {"level": 1})
        for sample in range(2):
            messages = [*task.prompt, {"role": "assistant", "content": "\\boxed{4}\n\ud800"}]
            rollout = Rollout("sums", "dev", task, sample, messages, correct("math", answer="4"))
            run.rollout(rollout.to_json(step=7))
            lines = (run.path / "rollouts.jsonl").read_text().split("\n")
            assert len(lines) == sample + 2
            assert lines[-1] == ""
    assert json.loads(lines[1]) == {
        "task": "sum",
        "sample": 1,
        "env": "sums",
        "part": "dev",
        "step": 7,
        "messages": [
            {"role": "user", "content": "2+2?\u2028"},
            {"role": "assistant", "content": "\\boxed{4}\n\ud800"},
        ],
        "reference": "4",
        "verdict": correct("math").to_json() | {"detail": {"answer": "4"}},
        "stop": "stop",
        "tokens": {"prompt": None, "completion": None, "sent": 0},
        "seconds": {"generate": 0.0, "verify": 0.0},
        "metadata": {"level": 1},
    }
    assert Rollout.from_json(json.loads(lines[1])) == rollout


def test_metrics_are_read_back_and_what_is_no_figure_is_null(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", "eval", {}) as run:
        assert run.read_metrics() == []
        run.metrics(step=1, reward=0.5)
        run.metrics(step=2, reward=math.nan, kl=math.inf)
    first, second = run.read_metrics()
    assert (first["step"], first["reward"]) == (1, 0.5)
    assert (second["step"], second["reward"], second["kl"]) == (2, None, None)
    assert 0 <= first["seconds"] <= second["seconds"]
