"""The part of a run's `run.json` that a published log may repeat.

Addresses of servers, folders and the names of environment variables stay behind: an exported log is
made to be sent to others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlvr.runs.run import about


@dataclass(frozen=True)
class About:
    """A run's `run.json`.

    Attributes:
        policy: the policy's name.
        model: the model's name without its folder; None for a script.
        environment: the environment's name; None for a suite.
        version: the environment's version.
        sampling: those of temperature, max_tokens and seed that are known.
        began, finished: the times; `finished` is None for a run that was killed or still goes on.
        k: samples per task, if the run says.
        shots: the examples in the prompts of each environment and part.
        versions: the versions of packages.
        git: the commit and whether it was dirty, or None.
        id: a digest, the same for the same run.
    """

    policy: str
    model: str | None
    environment: str | None
    version: int | None
    sampling: dict[str, int | float]
    began: datetime
    finished: datetime | None
    k: int | None
    shots: dict[tuple[str, str | None], int]
    versions: dict[str, str]
    git: dict[str, Any] | None
    id: str

    @classmethod
    def read(cls, run: Path) -> About:
        """Read the run's `run.json`. Raises `DataError` if there is no run."""
        data = _object(about(run))
        config, versions, git = (_object(data.get(name)) for name in ("config", "versions", "git"))
        model = config.get("model")
        model = _name(model) if isinstance(model, str) else None
        sampling = {name: config.get(name) for name in ("temperature", "max_tokens", "seed")}
        began = _time(data.get("began"))
        return cls(
            policy=_name(str(config.get("policy") or model or "unknown")),
            model=model,
            environment=config.get("environment"),
            version=config.get("version"),
            sampling={k: v for k, v in sampling.items() if isinstance(v, int | float)},
            began=began or datetime.fromtimestamp(0, UTC),
            finished=_time(data.get("finished")),
            k=config.get("k") if isinstance(config.get("k"), int) else None,
            shots=_shots(data.get("asked")),
            versions={name: str(version) for name, version in versions.items()},
            git=git or None,
            id=hashlib.sha256(repr((data.get("began"), config)).encode()).hexdigest()[:22],
        )


def source_of(run: Path) -> dict[str, str]:
    """Return the columns that say where a row of training data comes from: `model` and `run`."""
    about = About.read(run)
    return {"model": about.model or about.policy, "run": run.resolve().name}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _shots(asked: Any) -> dict[tuple[str, str | None], int]:
    rows = [row for row in asked if isinstance(row, dict)] if isinstance(asked, list) else []
    return {
        (str(row.get("env")), row.get("part")): row["shots"]
        for row in rows
        if type(row.get("shots")) is int
    }


def _name(model: str) -> str:
    """Return a model's name; for a folder, the folder's own name."""
    if model.startswith(("/", ".", "~")):
        name = Path(model).name
        return "model" if name in ("", "..", "~") else name
    return model


def _time(value: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
