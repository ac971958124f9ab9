"""`Artifacts`: the declared files and folders of an episode's end, as plain data.

They are gathered out of the workspace by its runner, not by a command in it, so that nothing that the model has changed
there decides what they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rlvr.envs.terminal.draft import packed, unpacked

MOST_KB = 1024
"""Most KiB of all artifacts of an episode together."""
MOST_FILES = 1000
"""Most files, folders and links among them."""


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The files that an episode has left.

        Artifacts.of(transcript.outcome).files["report.json"]

    Attributes:
        files: content by path. Links and pipes aren't among them.
        entries: by path what else is known: `kind` (file, folder, link or other), `mode` as in "644", `target` of a link.
        excess: the reason why nothing was gathered, such as too many bytes; "" if all was.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    entries: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    excess: str = ""

    @classmethod
    def of(cls, outcome: Mapping[str, Any]) -> Artifacts:
        """Read an episode's outcome. Raises `KeyError`, `TypeError` or `ValueError` if it isn't one."""
        files = {str(path): unpacked(content) for path, content in outcome["files"].items()}
        entries = {str(path): dict(entry) for path, entry in outcome["entries"].items()}
        return cls(files, entries, str(outcome["excess"]))

    def to_json(self) -> dict[str, Any]:
        """Return the outcome that `of` reads."""
        return {
            "files": {path: packed(content) for path, content in sorted(self.files.items())},
            "entries": {path: dict(entry) for path, entry in sorted(self.entries.items())},
            "excess": self.excess,
        }

    def text(self, path: str) -> str | None:
        """Return a file as text, with U+FFFD for what isn't UTF-8; None if there is no such file."""
        content = self.files.get(path)
        return None if content is None else content.decode("utf-8", "replace")

    def below(self, folder: str) -> dict[str, bytes]:
        """Return the files below a folder, by their path from there."""
        prefix = folder.rstrip("/") + "/"
        return {
            path.removeprefix(prefix): content
            for path, content in self.files.items()
            if path.startswith(prefix)
        }


def too_large(
    files: Mapping[str, bytes],
    paths: Sequence[str],
    most_kb: int = MOST_KB,
    most_files: int = MOST_FILES,
) -> str:
    """Return the reason why artifacts are more than an episode may leave; "" if they aren't."""
    if len(files) > most_files or len(paths) > most_files:
        return f"there are more than {most_files} files at the declared places"
    size = sum(len(content) for content in files.values())
    if size > most_kb << 10:
        return f"the files at the declared places have {size >> 10} KiB, more than {most_kb}"
    return ""
