"""Where the program is in a response: Markdown's fences, as CommonMark reads them.

Linear in the response's length, and nothing is parsed as a program: `ast.parse` on what a model
wrote can crash the process it runs in.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rlvr.sandboxes.languages import language_of
from rlvr.verifiers.extraction import after_thinking

# A fence: its indentation, with the marks of a list's items before it, then what follows it. Every
# repetition is possessive, so that no line is read twice. Backticks may not follow backticks.
_FENCE = re.compile(
    r"((?:[ \t]|[-*+][ \t]|[0-9]{1,9}+[.)][ \t])*+)(?:(`{3,}+)([^`]*+)|(~{3,}+)(.*+))\r?\Z",
    re.DOTALL,
)
_NAME = re.compile(r"[\s{.]*+([a-z][a-z0-9_+#-]*+)", re.IGNORECASE)
_BARE = re.compile(r"[ \t]*+(?:`{3,}+|~{3,}+)")
_CLOSING_INDENT = 3  # further in than its opening, a closing fence is text (CommonMark 4.5)


class Found(NamedTuple):
    """`source` is None where no program was found, and `reason` says why in words for a person."""

    source: str | None
    reason: str = ""
    fenced: bool = False


class Block(NamedTuple):
    """A fenced block: the first word of its info string in lower case ("" without one), and its text."""

    language: str
    text: str


def find_program(response: str, language: str = "python", entry_point: str = "") -> Found:
    """The program in `response`.

    Only what follows the last `</think>` counts. There, of the fenced blocks that aren't blank:
    those in the asked language; else those that name no language; else, where nothing is fenced at
    all, the whole text. Of several the last counts; with an `entry_point`, the last that defines it.

    Args:
        language: a name or alias; all its aliases name it in a fence. Raises `OptionError`.
        entry_point: of the function or class that's asked for.
    """
    text = after_thinking(response)
    blocks = fenced_blocks(text)
    if not blocks:
        body, _, last = text.rstrip().rpartition("\n")
        if _BARE.fullmatch(last):  # the end of a fence that the prompt began
            text = body
        return Found(text) if text.strip() else Found(None, "the response is empty")
    asked = language_of(language)
    names = {asked.name, *asked.aliases}
    filled = [block for block in blocks if block.text.strip()]
    candidates = [block for block in filled if block.language in names]
    candidates = candidates or [block for block in filled if not block.language]
    if not candidates:
        others = dict.fromkeys(block.language[:20] for block in filled)
        why = f"only in {', '.join(list(others)[:5])}" if filled else "all blank"
        return Found(None, f"no fenced block in {asked.name}: the blocks are {why}")
    chosen = candidates[-1]
    if entry_point:
        defining = (one for one in reversed(candidates) if defines(one.text, entry_point))
        chosen = next(defining, chosen)
    return Found(chosen.text, "", fenced=True)


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


def defines(source: str, name: str) -> bool:
    """Whether Python code defines `name` at a line's start: a function, a class, an assignment."""
    pattern = (
        rf"^(?:(?:async[ \t]++)?+def|class)[ \t]++{re.escape(name)}\b"
        rf"|^{re.escape(name)}[ \t]*+(?::[^=\n]*+)?+=(?!=)"
    )
    return re.search(pattern, source, re.MULTILINE) is not None


def fenced(source: str, language: str) -> str:
    """`source` as a fenced block that `find_program` gives back whole."""
    longest = max((len(run) for run in re.findall(r"`{3,}", source)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}{language}\n{source.rstrip()}\n{marks}"
