"""A run's rollouts as the exports read them: one at a time, with the place each has in the file.

Exports become training data and published figures, so a line that is no rollout is an error that
names it, not a warning; only lines that were torn are left out, as everywhere. What a run may hold
and JSON's and Arrow's readers refuse is replaced in every record: half of a surrogate pair, which is
no character, by U+FFFD, and NaN and the infinities by None.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
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


@dataclass(frozen=True, slots=True)
class Record:
    """A rollout of a run.

    Attributes:
        rollout: what the line holds.
        step: of training, None where the run has none.
        labels: fields of the line that a rollout hasn't got.
        offset: of the line in `rollouts.jsonl`, in bytes.
    """

    rollout: Rollout
    step: int | None
    labels: dict[str, Any]
    offset: int

    @property
    def prompt(self) -> list[Message]:
        """The messages before the first response."""
        return list(self.rollout.task.prompt)

    @property
    def completion(self) -> list[Message]:
        """The messages from the first response on, the environment's among them."""
        return self.rollout.messages[len(self.rollout.task.prompt) :]

    @property
    def response(self) -> str | None:
        """The last response, None where there's none."""
        said = (m["content"] for m in reversed(self.completion) if m["role"] == "assistant")
        return next(said, None)

    @property
    def truncated(self) -> bool:
        """Whether it was cut at the length or out of turns."""
        return self.rollout.stop in ("length", "turns")

    @property
    def part(self) -> tuple[str, str | None]:
        """The environment, and its part of an evaluation."""
        return self.rollout.env, self.rollout.part


def size_of(path: str | Path) -> int:
    """How long the rollouts of the run at `path` are by now, in bytes."""
    file = Path(path) / "rollouts.jsonl"
    return file.stat().st_size if file.exists() else 0


def read_records(
    path: str | Path, step: int | None = None, end: int | None = None
) -> Iterator[Record]:
    """The rollouts of the run at `path`, in the file's order.

    Args:
        step: only those of this step.
        end: only what is whole before this byte. A run may go on while it's exported: whoever reads
            it twice gives `size_of` it both times.

    Raises `DataError` where there are none, or a line is no rollout.
    """
    file = Path(path) / "rollouts.jsonl"
    found, at_step = False, False
    for line in read_lines(file, _parsed, end):
        record = _record(line.row, line.offset, f"Line {line.number} of {str(file)!r}")
        found = True
        if step is None or record.step == step:
            at_step = True
            yield record
    if not found:
        raise DataError(f"The run in {str(path)!r} has no rollouts yet: there's nothing to export.")
    if not at_step:
        raise DataError(f"The run in {str(path)!r} has no rollouts of step {step}.")


class Lines:
    """Rollouts of a run by their offsets, for exports that choose first and read texts after."""

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path) / "rollouts.jsonl"
        self._file = self._path.open("rb")

    def __getitem__(self, offset: int) -> Record:
        self._file.seek(offset)
        row = _parsed(self._file.readline())  # it was read before, when it was chosen
        return _record(row, offset, f"Byte {offset} of {str(self._path)!r}")

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def text_of(value: Any) -> str:
    """A string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _record(row: Any, offset: int, where: str) -> Record:
    try:
        rollout = Rollout.from_json(row)
        step = row.get("step")
        if not all(
            isinstance(m[key], str) for m in rollout.messages for key in ("role", "content")
        ):
            raise TypeError("a message whose role or content is no text")
        for name, number in (("sample", rollout.sample), ("step", step or 0)):
            if type(number) is not int or number.bit_length() > 63:
                raise TypeError(f"a {name} that is no whole number: {number!r:.40}")
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} can't be read as a rollout: {error}.") from error
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError(
            f"{where} is no rollout as `rlvr eval` writes it: {type(error).__name__}: {error}."
        ) from error
    return Record(rollout, step, {k: v for k, v in row.items() if k not in _KNOWN}, offset)


def _parsed(line: bytes) -> Any:
    """A line of JSON as data that every reader takes."""
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
        return [_without_surrogates(one) for one in value]
    return value
