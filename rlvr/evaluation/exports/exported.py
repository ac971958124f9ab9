"""`Exported`: what an export wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        paths: the files.
        summary: how much of what, for a person.
        notes: what was left out and why, a line each.
    """

    paths: list[Path]
    summary: str
    notes: list[str] = field(default_factory=list)
