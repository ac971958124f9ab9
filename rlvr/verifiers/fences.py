"""Fenced blocks, code spans and tags: the parts of a response that may hold a program or a query.

All functions are linear in the text's length: they run in the caller's thread on any text that a model writes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

# A fence: its indentation, with the marks of a list's items or of a quotation before it, then the rest of
# its line. Every repetition is possessive, so that no line is read twice. Backticks may not follow backticks.
_BEFORE = r"(?:[ \t\ufeff\u200b>]|[-*+][ \t]|[0-9]{1,9}+[.)][ \t])*+"
_FENCE = re.compile(rf"({_BEFORE})(?:(`{{3,}}+)([^`]*+)|(~{{3,}}+)(.*+))\r?\Z", re.DOTALL)
_NAME = re.compile(r"[\s{.]*+([a-z][a-z0-9_+#-]*+)", re.IGNORECASE)
_CLOSING_INDENT = 3  # further in than its opening, a closing fence is text (CommonMark 4.5)
_QUOTED = re.compile(r"\A[ \t]*+>[ \t]?")
_MOST_QUOTATIONS = 5  # levels of nesting
_TAGS = re.compile(r"\s*+(?:<[^<>\s]{1,40}>\s*+)*+")


class Block(NamedTuple):
    """A fenced block.

    Attributes:
        language: the first word of its info string in lower case; "" without one.
        text: its lines.
        info: the rest of its info string, which may be its first line: "```sql SELECT name".
    """

    language: str
    text: str
    info: str = ""


def fenced_blocks(text: str) -> list[Block]:
    """Return the fenced code blocks in a Markdown text, in order.

    A fence is three or more backticks or tildes on a line of their own, at any indentation, in a list item or in a
    quotation. It is closed by at least as many of the same characters without an info string; tags may follow
    (`</answer>`, `<|im_end|>`). The last block may lack its end and then runs to the end of the text, unless nothing
    follows the fence. The fence's indentation is removed from the block's lines, and so are the marks of a quotation.
    """
    blocks: list[Block] = []
    opening = ""  # the marks of the present block's opening fence
    indent = 0
    quotations = 0
    language = info = ""
    inside: list[str] = []
    for line in text.split("\n"):
        for _ in range(quotations if opening else 0):
            line = _QUOTED.sub("", line, count=1)
        fence = _FENCE.match(line)
        if not opening:
            if fence is not None:
                opening = fence[2] or fence[4]
                quotations = min(fence[1].count(">"), _MOST_QUOTATIONS)
                indent = 0 if quotations else len(fence[1])
                language, info = _parts(fence[3] or fence[5] or "")
        elif fence is not None and _closes(fence, opening, indent):
            blocks.append(Block(language, "\n".join([*inside, ""]), info))
            opening = ""
            inside = []
        else:
            margin = len(line) - len(line.lstrip(" \t"))
            inside.append(line[min(margin, indent) :])
    if opening and any(line.strip() for line in inside):
        blocks.append(Block(language, "\n".join(inside), info))
    return blocks


def _closes(fence: re.Match[str], opening: str, indent: int) -> bool:
    marks = fence[2] or fence[4]
    info = fence[3] or fence[5] or ""
    return (
        marks[0] == opening[0]
        and len(marks) >= len(opening)
        and _TAGS.fullmatch(info) is not None
        and not fence[1].strip()
        and len(fence[1]) <= indent + _CLOSING_INDENT
    )


def _parts(info: str) -> tuple[str, str]:
    """Return an info string's language, without additions of tools (`{.python}`, `python:main.py`), and its rest."""
    name = _NAME.match(info)
    return (name[1].lower(), info[name.end() :].strip()) if name else (info.strip(), "")


# ---------------------------------------------------------------- readings of a text, the strict one first


def readings(text: str, languages: Collection[str] = ()) -> Iterator[list[Block]]:
    """Yield the ways to read a text's blocks, the strict one first.

    Try the next reading only if the one before has no block that can be right: for example, if a block has a fence's
    marks in it (`holds_marks`), or none begins like a query.

    1. `fenced_blocks`: fences are alone on their lines, as CommonMark requires.
    2. Marks anywhere: at the end of the code's last line, after prose or a tag, followed by `<|im_end|>`, by
       `</answer>` or by prose; or an opening fence with its code on the same line. Marks in quotes are text, and
       so are those on a line of their own that is indented further than the opening.
    3. A block that the prompt opened: all text before the first marks.

    Args:
        languages: names, in lower case, that are a language if they are between the marks and code on one line.
    """
    yield fenced_blocks(text)
    if 0 < text.count("```") + text.count("~~~") <= _MOST_MARKS:
        runs = _runs(text)
        yield _loose_blocks(text, runs, languages)
        if runs and text[: runs[0].start].strip():
            yield [Block("", text[: runs[0].start])]


def holds_marks(block: str) -> bool:
    """Return True if a block's text has marks that may be its real end: not in quotes, and not indented further."""
    return ("```" in block or "~~~" in block) and any(
        run.indent <= _CLOSING_INDENT or not run.first for run in _runs(block)
    )


class _Run(NamedTuple):
    """Three or more backticks in a row, or as many tildes at a line's start.

    Attributes:
        indent: characters before it on its line.
        first: True if only blanks and the marks of a list or a quotation are before it on its line.
        last: True if only blanks follow it on its line.
        line_end: the end of its line.
    """

    start: int
    end: int
    marks: str
    indent: int
    first: bool
    last: bool
    line_end: int


_RUN = re.compile(r"\n|(?<!`)`{3,}+(?![\"'])|^~{3,}+", re.MULTILINE)
_INDENT = re.compile(_BEFORE)
_MOST_MARKS = 5_000  # in a text that is read in more than one way
_MAY_FOLLOW = " \t\r\n<.,;:)*"  # marks that are glued to a string's closing quote


def _runs(text: str) -> list[_Run]:
    """Return a text's runs of marks, in order, without those in quotes."""
    runs: list[_Run] = []
    on_line: list[re.Match[str]] = []
    line = 0

    def end_line(end: int) -> None:
        blank_to = _INDENT.match(text, line).end()  # type: ignore[union-attr]
        blank_from = on_line[-1].end() if not text[on_line[-1].end() : end].strip() else end + 1
        for run in on_line:
            first, last = run.start() <= blank_to, run.end() >= blank_from
            runs.append(_Run(run.start(), run.end(), run[0], run.start() - line, first, last, end))
        on_line.clear()

    for match in _RUN.finditer(text):
        start, end = match.span()
        if match[0] == "\n":
            if on_line:
                end_line(start)
            line = end
        elif start == 0 or text[start - 1] not in "\"'" or text[end : end + 1] in _MAY_FOLLOW:
            on_line.append(match)
    if on_line:
        end_line(len(text))
    return runs


def _loose_blocks(text: str, runs: list[_Run], languages: Collection[str]) -> list[Block]:
    """Return the blocks between marks at any place in the text."""
    blocks: list[Block] = []
    at = 0
    while at < len(runs):
        opening = runs[at]
        close = at + 1
        while close < len(runs) and not _may_close(opening, runs[close]):
            close += 1
        end = runs[close].start if close < len(runs) else len(text)
        if end <= opening.line_end:  # all on one line
            language, begin = _first_word(text, opening.end, end, languages)
            body, info = text[begin:end].strip(), ""
        else:
            language, info = _parts(text[opening.end : opening.line_end])
            body = text[opening.line_end + 1 : end]
            if opening.first and opening.indent:
                body = _without_indent(body, opening.indent)
        if body.strip() or info:
            blocks.append(Block(language, body if body.endswith("\n") else body + "\n", info))
        # If the next marks open a block, the end of this one was left out.
        at = close if close < len(runs) and _opens(text, runs[close], languages) else close + 1
    return blocks


def _may_close(opening: _Run, run: _Run) -> bool:
    if run.marks[0] != opening.marks[0] or len(run.marks) < len(opening.marks):
        return False
    return not (run.first and run.last and run.indent > opening.indent + _CLOSING_INDENT)


def _opens(text: str, run: _Run, languages: Collection[str]) -> bool:
    """Return True if only a language's name follows a run that is first on its line, and more lines follow."""
    word = text[run.end : min(run.line_end, run.end + 40)].strip().lower()
    return (
        run.first and word in languages and bool(text[run.line_end : run.line_end + 4000].strip())
    )


def _first_word(text: str, start: int, end: int, languages: Collection[str]) -> tuple[str, int]:
    """Return the language that a block on one line begins with ("" for none), and the position of the rest."""
    name = _NAME.match(text, start, end)
    if name is None or name[1].lower() not in languages:
        return "", start
    return name[1].lower(), name.end()


def _without_indent(body: str, indent: int) -> str:
    lines = body.split("\n")
    return "\n".join(line[min(indent, len(line) - len(line.lstrip(" \t"))) :] for line in lines)


# ---------------------------------------------------------------- code spans and tags

_TAG = re.compile(r"<(/?)([A-Za-z][\w-]{0,40})>")


def code_spans(text: str) -> list[str]:
    """Return the texts between backticks within lines of Markdown, in order: `x`, or ``x`` with backticks in it."""
    runs = list(re.finditer(r"`++", text))
    following: dict[int, int] = {}  # the next run of each length
    closing = [-1] * len(runs)
    for at in range(len(runs) - 1, -1, -1):
        length = len(runs[at][0])
        closing[at] = following.get(length, -1)
        following[length] = at
    spans = []
    at = 0
    while at < len(runs):
        close = closing[at]
        if close >= 0:
            spans.append(text[runs[at].end() : runs[close].start()])
        at = max(at, close) + 1
    return spans


def tagged(text: str, accepts: Callable[[str], bool] = lambda name: True) -> Iterator[str]:
    """Return the texts between `<name>` and `</name>`, the last one first; a tag that is never closed runs to the end.

    Args:
        accepts: returns True for a name, in lower case, that counts.
    """
    if "<" not in text:
        return iter(())
    opened: dict[str, int] = {}
    parts: list[tuple[int, int]] = []
    for tag in _TAG.finditer(text):
        name = tag[2].lower()
        if not accepts(name):
            continue
        if not tag[1]:
            opened[name] = tag.end()
        elif name in opened:
            parts.append((opened.pop(name), tag.start()))
    if opened and (not parts or max(opened.values()) > parts[-1][1]):
        parts.append((max(opened.values()), len(text)))
    return (text[start:end] for start, end in reversed(parts))


def fenced(source: str, language: str) -> str:
    """Return `source` as a fenced block, from which `fenced_blocks` reads the same source."""
    longest = max((len(run) for run in re.findall(r"`{3,}", source)), default=2)
    marks = "`" * (longest + 1)
    return f"{marks}{language}\n{source.rstrip()}\n{marks}"
