"""Markdown that instructions ask for: bullets, emphasis, and code, in which neither counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_CODE_SPAN = re.compile(r"(?<!`)(`++)[^`\n]++\1(?!`)")
_ESCAPE = re.compile(r"\\[*_`\[\]]")
_RUN = re.compile(r"\*+|_+")
_BULLET = re.compile(r"(\s*)([*+-])\s+(\S.*)")
_RULE_SIGNS = frozenset("-*_+=|: \t")
_LAST_LETTER_OF_SPACED_SCRIPTS = "\u0e00"  # from Thai on, words aren't separated


class Bullet(NamedTuple):
    """A list item: the width of its indentation, its mark and its text."""

    indent: int
    mark: str
    text: str


def without_fences(lines: list[str]) -> list[str]:
    """Return the lines outside of fenced code; all of them if everything is within fences."""
    outside = list(_outside(lines))
    return outside if any(map(str.strip, outside)) else lines


def _outside(lines: list[str]) -> Iterator[str]:
    opening = ""
    for line in lines:
        fence = _FENCE.match(line)
        if opening:
            if fence is not None and fence[1].startswith(opening):
                opening = ""
        elif fence is not None:
            opening = fence[1]
        else:
            yield line


def bullet(line: str) -> Bullet | None:
    """Return the item that a line begins: a mark, white space and a text, as CommonMark has it.

    Rules (`---`, `* * *`), rulers of tables, underlines of headings and italics are no items.
    """
    match = _BULLET.match(line)
    if match is None or _RULE_SIGNS.issuperset(match[3]):
        return None
    return Bullet(len(match[1].expandtabs(4)), match[2], match[3].rstrip())


def bullets(lines: list[str]) -> list[Bullet]:
    """Return all list items outside of fenced code."""
    return [item for line in without_fences(lines) if (item := bullet(line)) is not None]


def emphases(lines: list[str]) -> int:
    """Return how many spans are emphasized with `*`, `**`, `***`, `_` or `__`, within lines.

    A star between spaces is a sign of multiplication, one behind a word refers to a footnote, and
    an escaped one or one in code is text.
    """
    if not any("*" in line or "_" in line for line in lines):
        return 0
    return sum(map(_emphases, without_fences(lines)))


def _emphases(line: str) -> int:
    if "*" not in line and "_" not in line:
        return 0
    item = _BULLET.match(line)
    line = item[3] if item else line
    if "`" in line:
        line = _CODE_SPAN.sub("x", line)
    if "\\" in line:
        line = _ESCAPE.sub("x", line)
    count = 0
    open_: dict[str, list[int]] = {"*": [], "_": []}
    for run in _RUN.finditer(line):
        before = line[run.start() - 1] if run.start() else " "
        after = line[run.end()] if run.end() < len(line) else " "
        length, stack = len(run[0]), open_[run[0][0]]
        if stack and not before.isspace() and not _is_letter(after):
            while length > 0 and stack:
                length -= stack.pop()
                count += 1
        elif not after.isspace() and not _is_letter(before):
            stack.append(length)
    return count


def _is_letter(sign: str) -> bool:
    return sign.isalnum() and sign < _LAST_LETTER_OF_SPACED_SCRIPTS
