"""The files of a task's folder in Harbor's format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlvr.core.errors import DataError
from rlvr.core.tool_calls import MOST_CHARACTERS
from rlvr.envs.terminal.draft import packed, unpacked, writing

SOLUTION = "/solution"
"""The folder of a solution in the agent's workspace."""
_MOST_TESTS_MB = 16


def text_of(path: Path) -> str:
    """Return a file's text. Raises `DataError` if it can't be read."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} can't be read: {error}.") from None


def tree_of(folder: Path, needed: str) -> dict[str, Any]:
    """Return the files of a folder by their path in it. Raises `DataError` without the one that is needed."""
    if not (folder / needed).is_file():
        raise DataError(f"There's no {folder / needed}.")
    files = {}
    size = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and "__pycache__" not in path.parts:
            content = path.read_bytes()
            size += len(content)
            files[path.relative_to(folder).as_posix()] = packed(content)
    if size > _MOST_TESTS_MB << 20:
        raise DataError(f"{folder} has more than {_MOST_TESTS_MB} MiB.")
    return files


def solution_of(folder: Path) -> list[str]:
    """Return commands that write a solution's files and run its `solve.sh`; none if a call can't hold them."""
    if not (folder / "solve.sh").is_file():
        return []
    commands: list[str] = []
    for name, content in tree_of(folder, "solve.sh").items():
        if not isinstance(content, str) or (
            content and max(map(len, content.splitlines())) > MOST_CHARACTERS // 4
        ):
            return []
        path = f"{SOLUTION}/{name}"
        if "/" in name:
            commands.append(f"mkdir -p {path.rpartition('/')[0]}")
        commands += writing(path, unpacked(content).decode())
    return [*commands, f"bash {SOLUTION}/solve.sh"]


def plain_json(value: Any) -> Any:
    """Return what TOML gives as JSON data: dates become text."""
    if isinstance(value, Mapping):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain_json(item) for item in value]
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)
