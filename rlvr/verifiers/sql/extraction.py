"""The query in a response, without what surrounds it. Linear in the response's length."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from rlvr.core.thinking import after_thinking
from rlvr.verifiers.extraction import find_answer
from rlvr.verifiers.fences import Block, code_spans, holds_marks, readings, tagged
from rlvr.verifiers.sql.statement import (
    STARTS,
    TOKEN,
    begins_like_a_statement,
    first_statement,
    first_word,
    only_statement,
)

_NAMES = (
    "postgres",
    "pg",
    "sqlite",
    "sqlite3",
)  # of SQL's dialects, besides those with "sql" in them
_LANGUAGES = frozenset(
    (*_NAMES, "sql", "mysql", "postgresql", "pgsql", "psql", "plsql", "tsql", "mssql", "sparksql")
)  # that a block on one line may begin with
_ANSWERS = frozenset(("answer", "final_answer", "finalanswer", "solution", "final_solution"))
# The labels and prompts that models and shells put before a query: "SQLite:", "sqlite>", "SQL query:", a line "sql".
_PREFIX = re.compile(
    r"\A\s*+(?:(?:sqlite3?|mysql|postgres(?:ql)?|sql|query|answer)\b[ \t]*+){1,3}+[:>]?\s*+"
    r"(?=(?:--|/\*|SELECT\b|WITH\b|VALUES\b))",
    re.IGNORECASE,
)
_WITH = r"(?i:WITH)\s+(?:(?i:RECURSIVE)\s+)?[\w\"`\[\]]++\s*(?:\([^()]*+\)\s*)?(?i:AS)\b"
# A line where a query may begin. "With this in mind" and "Select the rows" are prose.
_START = re.compile(
    r"^(?:[ \t>*-]|[0-9]{1,3}[.)])*+(?:[\w* ]{1,40}+:[* \t]*+)?"
    rf"(?=(?:\([ \t\n]*+){{0,9}}+(?:SELECT\b|select\b|Select\b[^\n]*\b(?i:from)\b|VALUES\s*\(|{_WITH}))",
    re.MULTILINE,
)
_WITHIN_LINE = re.compile(rf"\b(?:SELECT\b|{_WITH}(?=\s*\())")
_FROM = re.compile(r"\bFROM\b|\A\s*+(?:WITH|VALUES)\b", re.IGNORECASE)
# Where a query without fences may end: a blank line, a sentence, a label, a tag or a fence on the next line.
_GAP = re.compile(
    r"\n(?=[ \t\r]*+\n|[ \t]*+(?:</|<\||\[/|```|[A-Za-z][\w ]{0,40}:(?!:)"
    r"|[A-Z][a-z']*+ (?:[^-\n]|-(?!-))*[\w)\"'`][.:!?][ \t\r]*(?:\n|\Z)))"
)
_BETWEEN = re.compile(r"(?:\s|--[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)*+")
_WORD = re.compile(r"\w+")
_PART = re.compile(r"[\w\"`\[\]]++\s*(?:\([^()]*+\)\s*)?AS\b", re.IGNORECASE)
_BETWEEN_LENGTH = 300  # of the comments between two parts of a query
_GOES_ON = frozenset(
    [
        "FROM",
        "WHERE",
        "GROUP",
        "ORDER",
        "HAVING",
        "LIMIT",
        "OFFSET",
        "WINDOW",
        "UNION",
        "INTERSECT",
        "EXCEPT",
        "JOIN",
        "INNER",
        "LEFT",
        "RIGHT",
        "FULL",
        "OUTER",
        "CROSS",
        "NATURAL",
        "ON",
        "USING",
        "AND",
        "OR",
    ]
)
_IS_OPEN = frozenset(
    [
        "SELECT",
        "DISTINCT",
        "ALL",
        "FROM",
        "WHERE",
        "BY",
        "HAVING",
        "ON",
        "AND",
        "OR",
        "NOT",
        "AS",
        "JOIN",
        "UNION",
        "INTERSECT",
        "EXCEPT",
        "WITH",
        "RECURSIVE",
        "IN",
        "BETWEEN",
        "LIKE",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "IS",
        "OVER",
    ]
)
# Outside strings: the tags and end tokens behind a query. No query holds "</".
_CLOSER = re.compile(
    r"'(?:[^']|'')*+'|\"[^\"]*+\"|`[^`]*+`|--[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/"
    r"|(?P<end></[A-Za-z]|<\|\w{1,40}\|?>|\[/[A-Za-z]|\*\*\s*\Z)"
)
_PROSE = 200_000  # characters of a text without fences that are read; SQLite reads half as many


class FoundQuery(NamedTuple):
    """The query, or None and the reason in words for a person."""

    query: str | None
    reason: str = ""


def find_query(response: str) -> FoundQuery:
    """Return the query in `response`.

    Only what follows the thinking part counts, and of that the last `<answer>` or `<solution>` if there's a
    query in it. The first of these that gives a query decides: blocks by each of `fences.readings`, the last
    one in SQL, else the last one without a language, else the last one; then, if no block begins like a
    statement, a query that begins a line, one between tags, in backticks, in JSON, in a box, or within a line.
    """
    text = after_thinking(response)
    answer = next(tagged(text, _ANSWERS.__contains__), "") if "<" in text else ""
    query = _query(answer) if answer else None
    if query is None or not _is_query(query):
        query = _query(text) or query
    if query is not None:
        return FoundQuery(query)
    if not text.strip():
        return FoundQuery(None, "the response is empty")
    blocks = [block for block in next(readings(text)) if block.text.strip()]
    if blocks:
        languages = ", ".join(list(dict.fromkeys(block.language[:20] for block in blocks))[:5])
        return FoundQuery(None, f"no fenced block in SQL: the blocks are in {languages}")
    message = "there's no fenced block in SQL, and no line begins with SELECT, WITH or VALUES"
    return FoundQuery(None, message)


def repaired(sql: str) -> str:
    """Return `sql` without a shell's prompt or a label before it, and without semicolons, tags or prose after it."""
    sql = _PREFIX.sub("", sql, count=1)
    if "</" in sql or "<|" in sql or "[/" in sql or "**" in sql:
        end = next((mark.start() for mark in _CLOSER.finditer(sql) if mark["end"]), len(sql))
        sql = sql[:end]
    return _without_prose(only_statement(sql))


# ---------------------------------------------------------------- the readings


def _query(text: str, depth: int = 0) -> str | None:
    """Return the query in a text: the first reading's, or else a statement that is no query; None if there's none."""
    other = None
    for blocks in readings(text, _LANGUAGES) if "```" in text or "~~~" in text else ():
        for sql in _in_blocks(blocks):
            if _is_query(sql):
                return sql
            if other is None and begins_like_a_statement(sql):
                other = sql
    if other is not None:
        return other
    bare = _in_prose(text)
    if bare and _FROM.search(bare):
        return bare
    return next(filter(_is_query, _elsewhere(text, depth)), bare)


def _is_query(sql: str) -> bool:
    return first_word(sql) in STARTS and not holds_marks(sql)


def _in_blocks(blocks: list[Block]) -> Iterator[str]:
    """Return what may be the query in a reading's blocks, the likeliest first."""
    groups: tuple[list[Block], ...] = ([], [], [])
    for block in blocks:
        if block.text.strip() or block.info:
            in_sql = "sql" in block.language or block.language in _NAMES
            groups[0 if in_sql else 2 if block.language else 1].append(block)
    for group in groups:
        for block in reversed(group):
            text = block.text
            if block.info and first_word(block.info) in STARTS:
                text = f"{block.info}\n{text}"
            sql = repaired(text)
            if not begins_like_a_statement(sql):  # words before it, in the block
                sql = _in_json(sql) or _in_prose(sql) or sql
            yield sql


def _elsewhere(text: str, depth: int) -> Iterator[str]:
    """Return what may be the query in a text without one in a block or at a line's start, the likeliest first."""
    for part in tagged(text) if depth < _MOST_DEPTH else ():
        if len(part) < len(text) and (sql := _query(part, depth + 1)):
            yield sql
    for span in reversed(code_spans(text)):
        if len(span.split(None, 2)) > 1:
            yield repaired(span)
    if (sql := _in_json(text)) is not None:
        yield sql
    if "\\boxed" in text:
        yield repaired(find_answer(text).answer or "")
    yield _within_a_line(text) or ""


_MOST_DEPTH = 3  # of tags within tags


def _in_json(text: str) -> str | None:
    """Return the one query among the values of a JSON object."""
    text = text.strip()
    if not (text.startswith("{") and text.endswith("}") and len(text) <= _PROSE):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    strings = [repaired(part) for part in value.values() if isinstance(part, str)]
    queries = [sql for sql in strings if first_word(sql) in STARTS]
    return queries[0] if len(queries) == 1 else None


def _in_prose(text: str) -> str | None:
    """Return the last query that begins a line. A WITH and the SELECT on its next line are one."""
    text = text[-_PROSE:]
    start = end = 0
    gaps = [match.start() for match in _GAP.finditer(text)]
    for match in _START.finditer(text):
        if match.end() >= end:
            start, end = match.end(), _end(text, match.end(), gaps)
    query = repaired(first_statement(text[start:end])[0])
    return query or None if end else None


def _within_a_line(text: str) -> str | None:
    """Return the first query in the last paragraph that has one; it has a FROM."""
    for paragraph in reversed(text[-_PROSE:].split("\n\n")):
        match = _WITHIN_LINE.search(paragraph)
        if match is not None:
            gaps = [gap.start() for gap in _GAP.finditer(paragraph)]
            end = _end(paragraph, match.start(), gaps)
            query = repaired(first_statement(paragraph[match.start() : end])[0])
            if _FROM.search(query):
                return query
    return None


# ---------------------------------------------------------------- where it ends


def _end(text: str, start: int, gaps: list[int]) -> int:
    """Return the end of the query that begins at `start`: a semicolon, or a gap outside brackets that it doesn't bridge.

    Args:
        gaps: where the text's gaps begin. What stands behind the first isn't read, as far as
            possible: of a text with thousands of queries each would read all that follows.
    """
    depth, at, last = 0, start, start  # `last`: the end of the last token that is no comment
    word = ""
    whole = not text.startswith(("WITH", "with", "With"), start)  # whether its own SELECT has come
    while True:
        place = bisect_left(gaps, last)
        gap = gaps[place] if depth == 0 and place < len(gaps) else len(text)
        match = TOKEN.search(text, at, gap)
        if match is None:
            following = _following(text, last, gap, word, whole) if gap < len(text) else -1
            if following < 0:
                return gap
            at = last = following
            continue
        mark = match.group()
        comment = mark.startswith(("--", "/*"))
        if match.end() == gap < len(text) and not comment:
            # Cut off by the gap: a string or a name that may have blank lines in it.
            match = TOKEN.match(text, match.start()) or match
            mark = match.group()
        at = match.end()
        if comment:
            continue
        if mark == ";":
            return at
        depth = max(0, depth + (mark == "(") - (mark == ")"))
        word = mark.upper()
        whole = whole or (depth == 0 and word in ("SELECT", "VALUES"))
        last = at


def _following(text: str, last: int, gap: int, word: str, whole: bool) -> int:
    """Return where a query goes on behind a gap, or -1.

    Args:
        last: the end of the query's last token before the gap.
        word: that token, in upper case.
        whole: whether it has its own SELECT, and not only the parts of a WITH.
    """
    between = _BETWEEN.match(text, gap, gap + _BETWEEN_LENGTH)
    at = between.end() if between else gap
    if at >= min(len(text), gap + _BETWEEN_LENGTH):
        return -1
    tail = TOKEN.sub("", text[last:gap]).strip()
    if tail[-1:] in tuple(",=<>+-/|") or (not tail and word in _IS_OPEN) or text[at] in "),":
        return at
    match = _WORD.match(text, at)
    following = match.group() if match else ""
    if not whole and (following.upper() in STARTS or _PART.match(text, at)):
        return at
    is_sentence = following[:1].isupper() and following[1:].islower()
    return at if following.upper() in _GOES_ON and not is_sentence else -1


def _without_prose(sql: str) -> str:
    """Return `sql` without the words that follow its semicolon on another line and begin no statement."""
    if ";" not in sql:
        return sql
    body, rest = first_statement(sql)
    if first_word(body) in STARTS and rest[:200].lstrip(" \t\r").startswith("\n"):
        return sql if begins_like_a_statement(rest) or not first_word(rest).isalpha() else body
    return sql
