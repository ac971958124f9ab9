"""Markdown's fenced blocks, as CommonMark reads them.

Linear in the text's length: it runs in the caller's thread on whatever a model wrote.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# A fence: its indentation, with the marks of a list's items before it, then what follows it. Every
# repetition is possessive, so that no line is read twice. Backticks may not follow backticks.
_FENCE = re.compile(
    r"((?:[ \t]|[-*+][ \t]|[0-9]{1,9}+[.)][ \t])*+)(?:(`{3,}+)([^`]*+)|(~{3,}+)(.*+))\r?\Z",
    re.DOTALL,
)
_NAME = re.compile(r"[\s{.]*+([a-z][a-z0-9_+#-]*+)", re.IGNORECASE)
_CLOSING_INDENT = 3  # further in than its opening, a closing fence is text (CommonMark 4.5)


class Block(NamedTuple):
    """A fenced block: the first word of its info string in lower case ("" without one), and its text."""

    language: str
    text: str


def fenced_blocks(text: str) -> list[Block]:
    """The fenced code blocks in a Markdown text, in order.

    A fence is three or more backticks or tildes on a line of their own, at any indentation or as a
    list's item. It's closed by as many of the same, or more, without an info string. The last may
    lack its end and then runs to the text's; it's none where nothing follows. The fence's
    indentation is taken off the block's lines.
    """
    blocks: list[Block] = []
    opening = ""  # of the block we're in
    indent = 0
    language = ""
    inside: list[str] = []
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if not opening:
            if fence is not None:
                opening = fence[2] or fence[4]
                indent = len(fence[1])
                language = _first_word(fence[3] or fence[5] or "")
        elif fence is not None and _closes(fence, opening, indent):
            blocks.append(Block(language, "\n".join([*inside, ""])))
            opening = ""
            inside = []
        else:
            margin = len(line) - len(line.lstrip(" \t"))
            inside.append(line[min(margin, indent) :])
    if opening and any(line.strip() for line in inside):
        blocks.append(Block(language, "\n".join(inside)))
    return blocks


def _closes(fence: re.Match[str], opening: str, indent: int) -> bool:
    marks = fence[2] or fence[4]
    info = fence[3] or fence[5] or ""
    return (
        marks[0] == opening[0]
        and len(marks) >= len(opening)
        and not info.strip()
        and not fence[1].strip()
        and len(fence[1]) <= indent + _CLOSING_INDENT
    )


def _first_word(info: str) -> str:
    """Of an info string, without what tools put around a language: `{.python}`, `python:main.py`."""
    named = _NAME.match(info)
    return named[1].lower() if named else info.strip()


def fenced(source: str, language: str) -> str:
    """`source` as a fenced block that `fenced_blocks` gives back whole."""
    longest = max((len(run) for run in re.findall(r"`{3,}", source)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}{language}\n{source.rstrip()}\n{marks}"
