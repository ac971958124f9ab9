"""`SavedRun`: a run's folder as everything reads it that doesn't write it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError
from rlvr.core.secrets import scrubbed_options
from rlvr.envs.slices import By
from rlvr.runs.reading import Record, read_records
from rlvr.runs.report import EvaluationSize, Report
from rlvr.runs.run import read_metrics
from rlvr.runs.tally import PartKey, Tallies


@dataclass(frozen=True)
class SavedRun:
    """A run on disk.

    Attributes:
        path: the folder.
        about: `run.json` without passwords, which a run of an older version may hold; empty if it can't
            be read.
        warnings: what was odd about the files.
    """

    path: Path
    about: dict[str, Any]
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: str | Path) -> SavedRun:
        """Open the run at `path`. Raises `DataError` if there is none, or none with rollouts."""
        path = Path(path)
        if not path.is_dir():
            raise DataError(
                f"There's no run in {str(path)!r}: no folder has that name. `rlvr eval` prints its "
                f"run's folder at the end; without --run it is in runs/."
            )
        if not (path / "rollouts.jsonl").is_file():
            runs = sorted(file.parent.name for file in path.glob("*/rollouts.jsonl"))
            hint = f" Did you mean {str(path / runs[-1])!r}?" if runs else ""
            raise DataError(
                f"There's no run in {str(path)!r}: it has no rollouts.jsonl, as `rlvr eval ENV --run "
                f"DIR` writes it.{hint}"
            )
        run = cls(path, {})
        about = run.read_json("run.json")
        if isinstance(about, dict):
            run.about.update(scrubbed_options(about))
        return run

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that the run was made with."""
        config = self.about.get("config")
        return config if isinstance(config, dict) else {}

    @property
    def env(self) -> str:
        """The environment of rollouts that do not name theirs."""
        env = self.config.get("environment")
        return env if isinstance(env, str) else ""

    @property
    def policy(self) -> str:
        """The name of the model or the script that answered; "" if the run does not say."""
        return str(self.config.get("policy") or self.config.get("model") or "")

    @property
    def asked(self) -> dict[PartKey, EvaluationSize]:
        """The size of the evaluation of each part; only of those that the run says it of."""
        sizes = {}
        rows = self.about.get("asked")
        for row in rows if isinstance(rows, list) else []:
            try:
                sizes[str(row["env"]), row.get("part")] = EvaluationSize(
                    int(row["tasks"]), int(row["k"])
                )
            except (KeyError, TypeError, ValueError, AttributeError):
                continue
        return sizes

    def describe(self) -> str:
        """Return a line that says what was measured: environments, splits, tasks, samples, model and sampling."""
        return describe(self.about)

    def records(
        self, step: int | None = None, bad: Callable[[str], object] | None = None
    ) -> Iterator[Record]:
        """Yield the rollouts. See `read_records`."""
        return read_records(self.path, step, env=self.env, bad=bad)

    def tallies(self, by: By | None = None) -> Tallies:
        """Read the run's table, sliced by `by`. Raises `DataError` if a line is not a rollout."""
        return Tallies(by).of(self.records())

    def reports(self, by: By | None = None) -> list[Report]:
        """Return the report of each environment and part, computed from the rollouts."""
        return reports_of(self.tallies(by), self.asked, by is not None)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the lines of `metrics.jsonl`; none if there are none."""
        return read_metrics(self.path)

    def read_json(self, name: str) -> Any:
        """Return a JSON file of the run; None, and a warning, if it can't be read."""
        path = self.path / name
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_bytes().decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            self.warnings.append(f"{name} can't be read ({str(error)[:100]}); shown without it")
            return None

    def collect_warnings(self) -> _Collected:
        """Return a context in which warnings about the run's lines become `self.warnings`."""
        return _Collected(self.warnings)


class _Collected(warnings.catch_warnings):
    def __init__(self, into: list[str]) -> None:
        super().__init__(record=True)
        self._into = into

    def __enter__(self) -> Any:
        self._caught = super().__enter__()
        warnings.simplefilter("always")
        return self._caught

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._into += [str(warning.message) for warning in self._caught or ()]


def reports_of(
    tallies: Tallies,
    asked: dict[PartKey, EvaluationSize],
    sliced: bool = False,
    price: tuple[float, float] | None = None,
) -> list[Report]:
    """Return the report of each part, with those of its slices if `sliced`."""
    slices = tallies.slices if sliced else {}
    return [
        Report.of(tally, price, asked.get(key), slices.get(key))
        for key, tally in tallies.parts.items()
    ]


def describe(about: dict[str, Any]) -> str:
    """Return `SavedRun.describe` of the contents of a `run.json`."""
    config = about.get("config")
    config = config if isinstance(config, dict) else {}
    rows = about.get("asked")
    parts = [_part(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if not parts:
        name = config.get("environment") or config.get("environments") or config.get("suite")
        parts = [_names(name)] if name else []
        if isinstance(config.get("split"), str):
            parts.append(f"{config['split']} split")
    model = config.get("model")
    policy = f"model {model}" if isinstance(model, str) else f"policy {config.get('policy', '?')}"
    settings = [policy]
    names = {
        "temperature": "temperature",
        "max_tokens": "max tokens",
        "thinking_tokens": "thinking tokens",
        "template": "template",
        "seed": "seed",
    }
    if about.get("kind") == "train":
        names |= {"trainer": "trainer", "steps": "steps"}
    for name, label in names.items():
        # A script has no temperature, whatever the flag's default is.
        if config.get(name) is not None and (isinstance(model, str) or name == "seed"):
            settings.append(f"{label} {config[name]}")
    return "; ".join(parts) + (" · " if parts else "") + ", ".join(settings)


def _part(row: dict[str, Any]) -> str:
    name = f"{row.get('env')} ({row['part']})" if row.get("part") else str(row.get("env"))
    split = [f"{row['split']} split"] if row.get("split") else []
    shots = [f"{row['shots']} shots"] if row.get("shots") else []
    shots += [f"prompt {row['format']}"] if row.get("format") else []
    return ", ".join([name, *split, f"{row.get('tasks')} tasks", f"k {row.get('k')}", *shots])


def _names(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_names, value))
    return str(value.get("name", "?") if isinstance(value, dict) else value)
