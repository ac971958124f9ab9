"""`Exported`: what an export wrote; and names for files, made of names that a run holds."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

_LONGEST = 160  # bytes of a part of a path, of at most 255 with what is put around it


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        paths: the files.
        summary: the number of rows or samples, for a person.
        notes: lines that say how many rollouts were left out, and why.
    """

    paths: list[Path]
    summary: str
    notes: list[str] = field(default_factory=list)


def file_part(name: str) -> str:
    """Return a name as one part of a path: without separators, no longer than a file system takes."""
    plain = re.sub(r'["<>:/|\\\\?*\[\]]+', "__", _printable(name))
    return plain if plain.strip(". ") == plain and _fits(plain) else _marked(plain, name)


def member_name(name: str) -> str:
    """Return a name for a member of an archive: unchanged, slashes included, unless unpacking it could write elsewhere.

    A changed one gets a digest, so that no two are the same.
    """
    plain = _printable(name.replace("\0", "\ufffd"))
    parts = plain.split("/")
    harmless = "\\" not in plain and not re.match(r"[A-Za-z]:", plain)
    harmless = harmless and all(part.strip(". ") and _fits(part) for part in parts)
    if plain == name.replace("\0", "\ufffd") and harmless and _fits(plain, 1000):
        return plain
    return _marked(re.sub(r"[/\\:]+|\.\.+", "_", plain), name)


def _printable(name: str) -> str:
    """Replace control characters, line ends and marks of direction by U+FFFD."""
    return "".join(c if c.isprintable() else "\ufffd" for c in name)


def _fits(part: str, longest: int = _LONGEST) -> bool:
    return len(part.encode("utf-8", "replace")) <= longest


def _marked(plain: str, name: str) -> str:
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{plain.strip('. ')[:40]}-{digest}"
