"""The reader of runs: rollouts one at a time, each with its place in the file.

Comparisons, exports, the viewer, rescoring and resuming all read a run here, by one policy. A line that
was torn (by a full disk or a power cut) is left out with a warning. Any other line that is not a rollout
is an error that names it, because rollouts become training data and published figures; only the viewer
passes `bad`, to show the rest of such a run beside a notice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError
from rlvr.core.files import read_lines
from rlvr.core.task import Message
from rlvr.runs.rollouts import Rollout

_KNOWN = {
    "task", "sample", "env", "part", "step", "messages", "prompt_messages", "reference", "verdict",
    "stop", "tokens", "seconds", "metadata", "token_ids", "logprobs",
}  # fmt: skip
_FAULTS = (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Record:
    """A rollout of a run.

    Attributes:
        rollout: the episode.
        step: the training step; None if the run has none.
        labels: the line's fields that a rollout does not have.
        offset: the line's place in `rollouts.jsonl`, in bytes.
    """

    rollout: Rollout
    step: int | None
    labels: dict[str, Any]
    offset: int

    @property
    def prompt(self) -> list[Message]:
        """The messages before the first response."""
        return self.rollout.prompt

    @property
    def completion(self) -> list[Message]:
        """The messages from the first response on, including the environment's replies."""
        return self.rollout.completion

    @property
    def response(self) -> str | None:
        """The last response; None if there is none."""
        return self.rollout.response

    @property
    def truncated(self) -> bool:
        """True if the episode was cut at the token limit or ran out of turns."""
        return self.rollout.truncated

    @property
    def part(self) -> tuple[str, str | None]:
        """The environment, and its part of the evaluation."""
        return self.rollout.env, self.rollout.part


def size_of(path: str | Path) -> int:
    """Return the current size of the rollouts of the run at `path`, in bytes."""
    file = Path(path) / "rollouts.jsonl"
    return file.stat().st_size if file.exists() else 0


def read_records(
    path: str | Path,
    step: int | None = None,
    end: int | None = None,
    *,
    plain: bool = False,
    env: str = "",
    bad: Callable[[str], object] | None = None,
) -> Iterator[Record]:
    """Yield the rollouts of the run at `path`, in the file's order; none if it has none.

    Args:
        step: yield only the rollouts of this training step.
        end: read only lines that are whole before this byte. A run may grow while it is exported:
            callers that read it twice pass `size_of` it both times.
        plain: replace values that the JSON and Arrow readers of other tools refuse: half of a surrogate
            pair by U+FFFD, and NaN and the infinities by None.
        env: the environment of rollouts that do not name theirs.
        bad: called with a message for each line that is not a rollout, which is then left out.

    Raises `DataError` naming the line if it is not a rollout and there is no `bad`.
    """
    file = Path(path) / "rollouts.jsonl"
    parse = _plain if plain else json.loads
    for line in read_lines(file, parse if bad is None else _lenient(parse), end):
        where = f"Line {line.number} of {str(file)!r}"
        try:
            record = _record(line.row, line.offset, where, env)
        except DataError as error:
            if bad is None:
                raise
            bad(str(error))
            continue
        if step is None or record.step == step:
            yield record


class Lines:
    """Random access to a run's rollouts by offset, for exports that choose first and read texts after."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path) / "rollouts.jsonl"
        self._file = self._path.open("rb")

    def __getitem__(self, offset: int) -> Record:
        self._file.seek(offset)
        row = _plain(self._file.readline())  # it was read before, when it was chosen
        return _record(row, offset, f"Byte {offset} of {str(self._path)!r}")

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _record(row: Any, offset: int, where: str, env: str = "") -> Record:
    try:
        if isinstance(row, _NoJson):
            raise row.error
        rollout = Rollout.from_json(row, env)
        step = row.get("step")
        if step is not None and (type(step) is not int or step.bit_length() > 63):
            raise TypeError(f"a step that is not a whole number: {step!r:.40}")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} can't be read as a rollout: {error}.") from error
    except _FAULTS as error:
        raise DataError(
            f"{where} is not a rollout as `rlvr eval` writes it: {type(error).__name__}: {error}."
        ) from error
    labels = {} if row.keys() <= _KNOWN else {k: v for k, v in row.items() if k not in _KNOWN}
    return Record(rollout, step, labels, offset)


@dataclass(frozen=True, slots=True)
class _NoJson:
    """The row of a line that is not JSON and was not torn."""

    error: Exception


def _lenient(parse: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def parsed(line: bytes) -> Any:
        try:
            return parse(line)
        except (ValueError, RecursionError) as error:
            if line.startswith(b'{"') or b"\0" in line:
                raise  # it was torn: `read_lines` looks for a whole row behind it
            return _NoJson(error)

    return parsed


def _plain(line: bytes) -> Any:
    """Return a line of JSON as data that every reader takes."""
    row = json.loads(line, parse_float=_finite, parse_constant=lambda name: None)
    # Runs are written in ASCII: there a surrogate can only be an escape.
    doubtful = not line.isascii() or b"\\ud" in line or b"\\uD" in line
    return _without_surrogates(row) if doubtful else row


def _finite(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None  # 1e999


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        if value.isascii():
            return value
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value
