"""A run on disk: what was asked, what came of it, line by line.

`runs/NAME/` holds `run.json` (the configuration, versions, git state, times), `rollouts.jsonl`,
`metrics.jsonl` and `report.json`, and `verifiers.log` if a verifier printed something. Lines are only ever appended, each whole and flushed, so that
killing a process loses what was in flight and no more: what a kill tore is dropped when the run is
opened again, and a line that doesn't fit on the disk is taken back. One process at a time has a run open.
No key or password is written (`rlvr.core.secrets`), and no NaN.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import math
import os
import platform
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, OptionError
from rlvr.core.files import Appender, drop_torn_end, read_lines, write_json
from rlvr.core.secrets import protect_environment, scrubbed_options
from rlvr.runs.provenance import git_state, versions
from rlvr.scoring import prints

_FILES = ("run.json", "rollouts.jsonl", "metrics.jsonl")


class Run:
    """A run directory that this process alone writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._began = time.monotonic()
        self._files: dict[str, Appender] = {}
        protect_environment()
        self._lock = _lock(path)

    @staticmethod
    def check_free(path: str | Path | None) -> None:
        """Raise `DataError` where there's a run at `path`; for those who have long work to do before."""
        if path is not None and any((Path(path) / file).exists() for file in _FILES):
            raise DataError(
                f"There's a run in {str(path)!r} already. Choose another folder, or go on with it: "
                f"--run {path} --resume."
            )

    @classmethod
    def create(cls, path: str | Path | None, kind: str, config: dict[str, Any]) -> Run:
        """Return a new run at `path`, by default `runs/<kind>-<time>`. Raises `DataError` where one is there."""
        try:
            json.dumps(config)
        except (TypeError, ValueError) as error:
            raise OptionError(f"A run's configuration is plain JSON data: {error}.") from None
        config = scrubbed_options(config)
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
            "versions": versions(),
            "git": git_state(),
        }
        run = cls(path)
        try:
            run._write("run.json", about)
        except BaseException:
            run.discard()
            raise
        return run

    @classmethod
    def resume(cls, path: str | Path) -> Run:
        """Return the run at `path`, to go on with. Raises `DataError` where there's none or it's being written."""
        path = Path(path)
        about(path)
        run = cls(path)
        for file in ("rollouts.jsonl", "metrics.jsonl"):
            drop_torn_end(path / file)
        return run

    def note(self, **facts: Any) -> None:
        """Write facts into `run.json` that weren't known when the run began."""
        if facts:
            self._write("run.json", about(self.path) | facts)

    def finish(self, report: dict[str, Any]) -> None:
        """Write `report.json`, and into `run.json` when it was complete."""
        self._write("report.json", report)
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        self._write("run.json", about(self.path) | {"finished": finished})

    def discard(self) -> None:
        """Remove a run that failed before its first rollout, so that it leaves no trace."""
        self.close()
        if any((self.path / file).exists() for file in _FILES[1:]):
            return
        for file in ("run.json", ".lock", prints.LOG):
            (self.path / file).unlink(missing_ok=True)
        for folder in (*(entry for entry in self.path.iterdir() if entry.is_dir()), self.path):
            with contextlib.suppress(OSError):  # it isn't empty: something of the user's is in it
                folder.rmdir()

    def close(self) -> None:
        """Let go of the files and of the lock."""
        for file in self._files.values():
            file.close()
        self._files.clear()
        os.close(self._lock)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rollout(self, row: dict[str, Any]) -> None:
        """Append a rollout; `rlvr.runs.rollouts` has its form."""
        self._append("rollouts.jsonl", row)

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
        return read_metrics(self.path)

    def _append(self, file: str, row: dict[str, Any]) -> None:
        lines = self._files.get(file)
        if lines is None:
            lines = self._files[file] = Appender(self.path / file)
        lines.write(row)

    def _write(self, file: str, content: dict[str, Any]) -> None:
        write_json(self.path / file, content)


def about(path: str | Path) -> dict[str, Any]:
    """Return a run's `run.json`. Raises `DataError` if there is none."""
    try:
        data: dict[str, Any] = json.loads((Path(path) / "run.json").read_text(encoding="utf-8"))
        return data
    except (OSError, ValueError) as error:
        raise DataError(f"There's no run in {str(path)!r}: its run.json can't be read.") from error


def read_rollouts(path: str | Path) -> Iterator[dict[str, Any]]:
    """Return a run's rollouts, one at a time. What was torn is left out, with a warning unless it's the last line."""
    for line in read_lines(Path(path) / "rollouts.jsonl"):
        yield line.row


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """Return a run's lines of metrics; none if it has none."""
    return [line.row for line in read_lines(Path(path) / "metrics.jsonl", noun="metrics")]


def _lock(path: Path) -> int:
    """Return an open file that is locked for as long as this process lives, however it ends."""
    lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise DataError(
            f"Another process is writing the run in {str(path)!r}. Wait for it, or end it."
        ) from None
    return lock


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
