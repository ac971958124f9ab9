"""The prompts that KL is measured on: ours, the same for everyone, or a file of your own.

Ours are 64 in 8 domains (mathematics, programming, databases, instructions, knowledge, writing,
advice, languages), most of them far from what a run trains on: what it did there is what it did by
the way. They never change within a version; a new set is a new version.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError, TaskError
from rlvr.core.task import Task

VERSION = 1


@dataclass(frozen=True)
class PromptSet:
    """Prompts and where they come from.

    Attributes:
        name: `rlvr-1` for ours, or the file's name.
        digest: the first 16 hexadecimal digits of the file's SHA-256: two measurements are of the same
            prompts where it's the same.
        tasks: one a prompt; its reference is None.
        domains: of each prompt; "" where the file doesn't say.
    """

    name: str
    digest: str
    tasks: tuple[Task, ...]
    domains: tuple[str, ...]


def prompt_set(path: str | Path | None = None) -> PromptSet:
    """Ours, or those in a JSONL file: lines with `prompt` (a text or messages), `id`, `domain`.

    Raises `DataError`, with the line's number, where one can't be read or has no prompt.
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
