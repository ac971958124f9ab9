"""A run on disk: what was asked, what came of it, line by line.

`runs/NAME/` holds `run.json` (the configuration, versions, time), `rollouts.jsonl` and
`metrics.jsonl`. Lines are only ever appended, each whole and flushed.
"""

from __future__ import annotations

import json
import platform
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError
from rlvr.core.task import Task
from rlvr.core.verdict import Verdict

_PACKAGES = ("rlvr", "gymnasium", "numpy", "sympy", "torch", "transformers", "trl")


class Run:
    """An open run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._began = time.monotonic()

    @classmethod
    def create(cls, path: str | Path | None, kind: str, config: dict[str, Any]) -> Run:
        """A new run at `path`, by default `runs/<kind>-<time>`. Raises `DataError` where one is there."""
        began = datetime.now(UTC)
        if path is None:
            path = Path("runs") / f"{kind}-{began:%Y%m%d-%H%M%S}"
        path = Path(path)
        if (path / "run.json").exists():
            raise DataError(f"There's a run in {str(path)!r} already. Choose another folder.")
        path.mkdir(parents=True, exist_ok=True)
        about = {
            "kind": kind,
            "config": config,
            "began": began.isoformat(timespec="seconds"),
            "python": platform.python_version(),
            "versions": _versions(),
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
        """Append a line of metrics with the seconds since the run was opened."""
        elapsed = round(time.monotonic() - self._began, 3)
        self._append("metrics.jsonl", {"seconds": elapsed, **values})

    def read_metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics so far."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def _append(self, file: str, row: dict[str, Any]) -> None:
        with (self.path / file).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
