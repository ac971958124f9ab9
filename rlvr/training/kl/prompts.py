"""The prompts that KL is measured on, published or from a file, and the settings of the measurement.

The published set has 64 prompts in 8 domains (mathematics, programming, databases, instructions, knowledge, writing,
advice, languages). Most of them are far from any training task, so that their KL shows a run's side effects. The set
never changes within a version.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, OptionError, TaskError
from rlvr.core.task import Task

VERSION = 1


@dataclass(frozen=True)
class MeasureConfig:
    """The settings of the sampling. Two measurements with the same settings are comparable.

    Attributes:
        samples: Responses to each prompt.
        max_new_tokens: Most tokens of a response. The KL of a response that is cut is that of its beginning.
        temperature: Temperature of the sampling, and of both models' probabilities.
        seed: Seed of the sampling.
        batch_size: Sequences per forward pass.

    Raises `OptionError` if a number is out of range.
    """

    samples: int = 4
    max_new_tokens: int = 256
    temperature: float = 1.0
    seed: int = 0
    batch_size: int = 16

    def __post_init__(self) -> None:
        if min(self.samples, self.max_new_tokens, self.batch_size) < 1 or self.temperature <= 0:
            raise OptionError(
                "samples, max_new_tokens and batch_size are at least 1, and the temperature is above "
                "0: KL is estimated from samples."
            )
        if self.seed < 0:
            raise OptionError(f"seed is 0 or more, not {self.seed}.")


@dataclass(frozen=True)
class PromptSet:
    """Prompts and their origin.

    Attributes:
        name: `rlvr-1` for the published set, or the file's name.
        digest: The first 16 hexadecimal digits of the file's SHA-256. Two measurements with the same digest are of the
            same prompts.
        tasks: One task per prompt; its reference is None.
        domains: The domain of each prompt; "" if the file has none.
    """

    name: str
    digest: str
    tasks: tuple[Task, ...]
    domains: tuple[str, ...]


def prompt_set(path: str | Path | None = None) -> PromptSet:
    """Return the published prompts, or those of a JSONL file with `prompt` (text or messages), `id`, `domain`.

    Raises `DataError`, with the line's number, if a line can't be read or has no prompt.
    """
    if path is None:
        name, data = f"rlvr-{VERSION}", (files(__package__) / "prompts.jsonl").read_bytes()
    else:
        try:
            name, data = Path(path).name, Path(path).read_bytes()
        except OSError as error:
            raise DataError(
                f"The prompts {str(path)!r} can't be read: {error.strerror}."
            ) from error
    tasks, domains = [], []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            row = _row(name, number, line)
            tasks.append(_task(name, number, row))
            domains.append(str(row.get("domain", "")))
    if not tasks:
        raise DataError(f'{name!r} has no prompts: a line is {{"prompt": …}}.')
    digest = hashlib.sha256(data).hexdigest()[:16]
    return PromptSet(name, digest, tuple(tasks), tuple(domains))


def _row(name: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"Line {number} of {name!r} is no JSON: {error}.") from error
    if not isinstance(row, dict) or not row.get("prompt"):
        raise DataError(f'Line {number} of {name!r} has no prompt: a line is {{"prompt": …}}.')
    return row


def _task(name: str, number: int, row: dict[str, Any]) -> Task:
    try:
        return Task(row["prompt"], None, str(row.get("id", number)))
    except TaskError as error:
        raise DataError(f"Line {number} of {name!r}: {error}") from error
