"""Where the query is in a response, and what is mended about it. Linear in the response's length."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import NamedTuple

from rlvr.verifiers.extraction import after_thinking
from rlvr.verifiers.fences import fenced_blocks
from rlvr.verifiers.sql.statement import (
    TOKEN,
    begins_like_a_statement,
    first_statement,
    only_statement,
)

_NAMES = frozenset(
    [
        "sql",
        "sqlite",
        "sqlite3",
        "mysql",
        "postgres",
        "postgresql",
        "pgsql",
        "tsql",
        "plsql",
        "psql",
    ]
)
# What models and shells put before a query: "SQLite:", "sqlite>", "SQL query:", a line "sql".
_PREFIX = re.compile(
    r"\A\s*+(?:(?:sqlite3?|mysql|postgres(?:ql)?|sql|query|answer)\b[ \t]*+){1,3}+[:>]?\s*+"
    r"(?=(?:--|/\*|SELECT\b|WITH\b|VALUES\b))",
    re.IGNORECASE,
)
# A line where a query may begin. "With this in mind" and "Select the rows" are prose.
_START = re.compile(
    r"^(?:[ \t>*-]|[0-9]{1,3}[.)])*+(?:[\w* ]{1,40}+:[* \t]*+)?"
    r"(?=SELECT\b|select\b|Select\b[^\n]*\b(?i:from)\b|VALUES\s*\("
    r"|(?i:WITH)\s+(?:(?i:RECURSIVE)\s+)?[\w\"`\[\]]++\s*(?:\([^()]*+\)\s*)?(?i:AS)\b)",
    re.MULTILINE,
)
_BLANK = re.compile(r"\n(?=[ \t\r]*+\n)")
_ANSWER = re.compile(r"<answer>((?:[^<]|<(?!/?answer>))*+)</answer>", re.IGNORECASE)


_PROSE = (
    200_000  # characters of a text without fences that are looked at; SQLite reads half as many
)


class Found(NamedTuple):
    """`query` is None where none was found, and `reason` says why in words for a person."""

    query: str | None
    reason: str = ""


def find_query(response: str) -> Found:
    """The query in `response`.

    Only what follows the last `</think>` counts, and of that the last `<answer>…</answer>` where
    there's one with a query. There: the last block that is fenced as SQL, else the last that names no language,
    else, where nothing is fenced, the text from the first line of the last paragraph that begins
    a SELECT, WITH or VALUES, up to a semicolon or a blank line outside brackets.
    """
    text = after_thinking(response)
    answers = _ANSWER.findall(text)
    if answers:
        found = _in_text(answers[-1])
        if found.query is not None:
            return found
    return _in_text(text)


def _in_text(text: str) -> Found:
    blocks = [block for block in fenced_blocks(text) if block.text.strip()]
    for names in (_NAMES, {""}):
        chosen = [block.text for block in blocks if block.language in names]
        if chosen:
            sql = mended(chosen[-1])
            if not begins_like_a_statement(sql):  # words before it, in the block
                sql = _in_prose(sql) or sql
            return Found(sql)
    if blocks:
        others = ", ".join(list(dict.fromkeys(block.language[:20] for block in blocks))[:5])
        return Found(None, f"no fenced block in SQL: the blocks are in {others}")
    query = _in_prose(text)
    if query is None:
        said = "there's no fenced block in SQL, and no line begins with SELECT, WITH or VALUES"
        return Found(None, said if text.strip() else "the response is empty")
    return Found(query)


def mended(sql: str) -> str:
    """`sql` without a shell's prompt or a label before it, and without semicolons after it."""
    return only_statement(_PREFIX.sub("", sql, count=1))


def _in_prose(text: str) -> str | None:
    """The last query in a text without fences. A WITH and the SELECT on its next line are one."""
    text = text[-_PROSE:]
    start = end = 0
    gaps = [match.start() for match in _BLANK.finditer(text)]
    for match in _START.finditer(text):
        if match.end() >= end:
            start, end = match.end(), _end(text, match.end(), gaps)
    query = first_statement(text[start:end])[0]
    return query or None if end else None


def _end(text: str, start: int, gaps: list[int]) -> int:
    """Return the end of the query that begins at `start`: a semicolon, or a blank line outside brackets.

    Args:
        gaps: where the text's blank lines begin. What stands behind the first isn't read, as far as
            possible: of a text with thousands of queries each would read all that follows.
    """
    depth, at, last = 0, start, start  # `last`: the end of the last token that is no comment
    while True:
        place = bisect_left(gaps, last)
        gap = gaps[place] if depth == 0 and place < len(gaps) else len(text)
        match = TOKEN.search(text, at, gap)
        if match is None:
            return gap
        comment = match.group().startswith(("--", "/*"))
        if match.end() == gap < len(text) and not comment:
            # Cut off by the gap: a string or a name that may have blank lines in it.
            match = TOKEN.match(text, match.start()) or match
        at = match.end()
        mark = match.group()
        if comment:
            continue
        if mark == ";":
            return at
        depth = max(0, depth + (mark == "(") - (mark == ")"))
        last = at
