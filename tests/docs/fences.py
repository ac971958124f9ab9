"""The fenced blocks of the README and the documentation, and the stand-ins of a page's blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_OPENS = re.compile(r"( *)(`{3,}|~{3,}) *([^\s`]*)[^`\n]*")

StandIns = Mapping[str, Sequence[tuple[str, str]]]
"""By page: what the reader sees, and what is run in its place."""


@dataclass(frozen=True)
class Fence:
    """One block: its page, the line of its first line (from 1), its language and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def fences(page: Path) -> Iterator[Fence]:
    """As CommonMark has them, also inside lists."""
    opened: tuple[int, str, str, int] | None = None
    inside: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if opened is None:
            match = _OPENS.fullmatch(line)
            if match:
                opened, inside = (len(match[1]), match[2], match[3], number + 1), []
            continue
        indent, mark, language, first = opened
        shut = line.strip()
        if shut and set(shut) == {mark[0]} and len(shut) >= len(mark):
            yield Fence(name_of(page), first, language, "\n".join(inside) + "\n")
            opened = None
        else:
            inside.append(line[min(indent, len(line) - len(line.lstrip())) :])
    assert opened is None, f"{page}: the fence of line {opened[3] - 1} is never closed"


ALL = [fence for page in PAGES for fence in fences(page)]


def in_languages(*languages: str) -> dict[str, list[Fence]]:
    """By page, the blocks in one of these."""
    found: dict[str, list[Fence]] = {}
    for fence in ALL:
        if fence.language in languages:
            found.setdefault(fence.page, []).append(fence)
    return found


def stood_in(text: str, stand_ins: Sequence[tuple[str, str]]) -> str:
    """`text` as it's run."""
    for seen, run in stand_ins:
        text = text.replace(seen, run)
    return text
