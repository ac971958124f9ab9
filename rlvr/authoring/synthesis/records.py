"""The folder of a synthesis: what was asked, the policies' answers, and each candidate once, kept or rejected.

`run.json` has the configuration and versions, `answers.jsonl` the policies' answers, `tasks.jsonl` the kept rows,
`rejected.jsonl` the other candidates with their reasons, `personas.jsonl` the personas, `report.json` the figures. Lines are
appended as they are decided, each whole, so that a killed synthesis goes on with all that it had.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlvr.authoring.synthesis.asking import Answers
from rlvr.authoring.synthesis.report import SynthesisReport
from rlvr.core.errors import DataError
from rlvr.core.files import Appender, drop_torn_end, dumped, read_lines, replacing
from rlvr.core.secrets import scrubbed_options
from rlvr.runs.run import Run, about

TASKS, REJECTED, ANSWERS, PERSONAS = (
    "tasks.jsonl",
    "rejected.jsonl",
    "answers.jsonl",
    "personas.jsonl",
)
_MAY_DIFFER = ("count", "replies", "patience")
"""Options that a resumed synthesis may change: they decide when it ends, and nothing else."""


class SynthesisFolder:
    """The records of a synthesis, on disk or, without a folder, in memory.

    Attributes:
        answers: the policies' answers.
        rows: the kept rows in order.
        rejected: the lines of rejected candidates in order.

    Args:
        path: the folder; None for none.
        config: what was asked for.
        resume: go on with the folder.

    Raises `DataError` if the folder has a synthesis already, and with `resume` if it has none or one of something else.
    """

    def __init__(self, path: Path | None, config: dict[str, Any], resume: bool = False) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self.rejected: list[dict[str, Any]] = []
        self._outcomes: dict[str, dict[str, Any]] = {}
        self._run: Run | None = None
        self._tasks: Appender | None = None
        self._others: Appender | None = None
        if path is None:
            if resume:
                raise DataError("A synthesis without a folder can't be resumed.")
            self.answers = Answers(None)
            return
        if resume:
            _check_same(path, config)
            self._run = Run.resume(path)
            self._read(path)
        else:
            check_free(path)
            self._run = Run.create(path, "synthesis", config)
        self.answers = Answers(path / ANSWERS)
        self._tasks, self._others = Appender(path / TASKS), Appender(path / REJECTED)

    def outcome(self, id: str) -> dict[str, Any] | None:
        """Return the line of a candidate that was decided before; None for a new one."""
        return self._outcomes.get(id)

    def keep(self, row: dict[str, Any]) -> None:
        """Append a kept row."""
        self.rows.append(row)
        if self._tasks is not None:
            self._tasks.write(row)

    def reject(self, line: dict[str, Any]) -> None:
        """Append a rejected candidate."""
        self.rejected.append(line)
        if self._others is not None:
            self._others.write(line)

    def write_personas(self, personas: list[dict[str, Any]]) -> None:
        """Write the personas, if there are any."""
        if self.path is None or not personas:
            return
        with replacing(self.path / PERSONAS) as file:
            file.writelines(dumped(persona).encode() + b"\n" for persona in personas)

    def finish(self, report: SynthesisReport) -> None:
        """Write the report."""
        if self._run is not None:
            self._run.finish(report.to_json())

    def close(self) -> None:
        """Close the files."""
        self.answers.close()
        for file in (self._tasks, self._others, self._run):
            if file is not None:
                file.close()

    def _read(self, path: Path) -> None:
        for name in (TASKS, REJECTED):
            drop_torn_end(path / name)
            for line in read_lines(path / name, noun="a candidate"):
                row = line.row
                # A candidate that a power cut left twice is the first of the two.
                self._outcomes.setdefault(str(row["id"]), row)


def check_free(path: Path) -> None:
    """Raise `DataError` if there's a synthesis in a folder, or files that would be overwritten."""
    if any((path / name).exists() for name in ("run.json", TASKS, REJECTED, ANSWERS)):
        raise DataError(
            f"There's a synthesis in {str(path)!r} already. Choose another folder, or go on with it: --resume."
        )


def _check_same(path: Path, config: dict[str, Any]) -> None:
    before = about(path)
    if before.get("kind") != "synthesis" or not isinstance(before.get("config"), dict):
        raise DataError(f"{str(path)!r} has a run, and no synthesis.")
    for name, value in scrubbed_options(config).items():
        old = before["config"].get(name)
        if name not in _MAY_DIFFER and old != value:
            raise DataError(
                f"The synthesis in {str(path)!r} was begun with {name} {old!r:.80}, not {value!r:.80}. Resume it with "
                f"the same options, or choose another folder."
            )
