"""A run on disk: what was asked, what came of it, line by line.

`runs/NAME/` holds `run.json` (the configuration, versions, git state, time), `rollouts.jsonl` and
`metrics.jsonl`. Lines are only ever appended, each whole and flushed.
"""

from __future__ import annotations

import itertools
import json
import math
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError
from rlvr.core.task import Task
from rlvr.core.verdict import Verdict

_FILES = ("run.json", "rollouts.jsonl", "metrics.jsonl")
_PACKAGES = ("rlvr", "gymnasium", "numpy", "sympy", "torch", "transformers", "trl")


class Run:
    """An open run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._began = time.monotonic()

    @staticmethod
    def check_free(path: str | Path | None) -> None:
        """Raise `DataError` where there's a run at `path`; for those who have long work to do before."""
        if path is not None and any((Path(path) / file).exists() for file in _FILES):
            raise DataError(f"There's a run in {str(path)!r} already. Choose another folder.")

    @classmethod
    def create(cls, path: str | Path | None, kind: str, config: dict[str, Any]) -> Run:
        """A new run at `path`, by default `runs/<kind>-<time>`. Raises `DataError` where one is there."""
        began = datetime.now(UTC)
        if path is None:
            path = _new_folder(Path("runs"), f"{kind}-{began:%Y%m%d-%H%M%S}")
        cls.check_free(path)
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        about = {
            "kind": kind,
            "config": config,
            "began": began.isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "versions": _versions(),
            "git": _git_state(),
        }
        (path / "run.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
        return cls(path)

    def rollout(
        self, task: Task, sample: int, response: str, verdict: Verdict, **more: Any
    ) -> None:
        """Append a single-turn rollout."""
        messages = [*task.prompt, {"role": "assistant", "content": response}]
        self._append(
            "rollouts.jsonl",
            {
                "task": task.id,
                "sample": sample,
                **more,
                "messages": messages,
                "reference": task.reference,
                "verdict": verdict.to_json(),
            },
        )

    def metrics(self, **values: Any) -> None:
        """Append a line of metrics with the seconds since the run was opened.

        A figure that isn't there (the mean of nothing, NaN) is written as null: NaN is no JSON.
        """
        elapsed = round(time.monotonic() - self._began, 3)
        figures = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in values.items()
        }
        self._append("metrics.jsonl", {"seconds": elapsed, **figures})

    def read_metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics so far."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def _append(self, file: str, row: dict[str, Any]) -> None:
        with (self.path / file).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")


def _new_folder(parent: Path, name: str) -> Path:
    """`parent/name`, or with a number behind it where another run of this second has that name."""
    parent.mkdir(parents=True, exist_ok=True)
    for number in itertools.count(1):
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir()
            return path
        except FileExistsError:
            continue
    raise AssertionError  # itertools.count has no end


def _git_state() -> dict[str, Any] | None:
    """The commit of the current directory, and whether tracked files differ from it.

    None where there's no git, no repository, or no commit yet. Untracked files don't count: the
    runs themselves are some.
    """
    commit = _git("rev-parse", "--verify", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return None
    return {"commit": commit.strip(), "dirty": bool(changes.strip())}


def _git(*arguments: str) -> str | None:
    # Without optional locks: it must not get in the way of a git command that runs beside it.
    command = ["git", "--no-optional-locks", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
