"""SQL's words, strings, comments and brackets, and the properties of a statement that they show.

One regular expression, linear and without recursion: it runs in the caller's thread on whatever a
model wrote. What needs a grammar is sqlglot's, in a worker.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

TOKEN = re.compile(
    r"""
      --[^\n]*+                              # a comment
    | /\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)        # another
    | '(?:[^']|'')*+(?:'|\Z)                 # a string
    | "(?:[^"]|"")*+(?:"|\Z)                 # names
    | `(?:[^`]|``)*+(?:`|\Z)
    | \[[^\]]*+(?:\]|\Z)
    | [^\W\d][\w$]*+                         # a word
    | [();]
    """,
    re.VERBOSE,
)
_FIRST_WORD = re.compile(r"\s*+([^\W\d][\w$]*+)")
STARTS = ("SELECT", "WITH", "VALUES")
_WRITES = frozenset(
    [
        "INSERT",
        "UPDATE",
        "DELETE",
        "REPLACE",
        "MERGE",
        "CREATE",
        "DROP",
        "ALTER",
        "TRUNCATE",
        "ATTACH",
        "DETACH",
        "PRAGMA",
        "VACUUM",
        "REINDEX",
        "ANALYZE",
        "BEGIN",
        "COMMIT",
        "END",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "GRANT",
        "REVOKE",
        "EXPLAIN",
        "SET",
        "USE",
    ]
)


class SqlToken(NamedTuple):
    """A word, string, quoted name, bracket or semicolon; `depth` counts the brackets around it."""

    text: str
    start: int
    end: int
    depth: int


def tokens(sql: str, start: int = 0) -> Iterator[SqlToken]:
    """Return the tokens from `start` on that carry structure, without comments; the rest is skipped."""
    depth = 0
    for match in TOKEN.finditer(sql, start):
        text = match.group()
        if text.startswith(("--", "/*")):
            continue
        if text == ")":
            depth = max(0, depth - 1)
        yield SqlToken(text, match.start(), match.end(), depth)
        if text == "(":
            depth += 1


def first_statement(sql: str) -> tuple[str, str]:
    """Return the text before the first semicolon that ends a statement, and the text after it."""
    if ";" in sql:
        for token in tokens(sql):
            if token.text == ";":
                return sql[: token.start].strip(), sql[token.end :]
    return sql.strip(), ""


def only_statement(sql: str) -> str:
    """Return `sql` without the semicolons and comments at its end; unchanged if more follows."""
    bare = sql.rstrip("; \t\r\n\f\v")
    if ";" not in bare:
        return bare.lstrip()
    body, rest = first_statement(sql)
    return body if not _code(rest).strip("; \t\r\n\f\v") else sql.strip()


def first_word(sql: str) -> str:
    """Return the first word or string behind comments and opening brackets, in upper case; "" if there is none."""
    if (word := _FIRST_WORD.match(sql)) is not None:  # as in most queries
        return word[1].upper()
    return next((token.text for token in tokens(sql) if token.text != "("), "").upper()


def begins_like_a_statement(sql: str) -> bool:
    """Return whether the first word is one that a statement begins with, a query's or another's."""
    word = first_word(sql)
    return word in STARTS or word in _WRITES


def refusal(sql: str) -> str:
    """Return why `sql` can't be a query, in words for a person; "" if it may be one.

    The clear message only: what keeps a query from writing is SQLite's authorizer.
    """
    if "\0" in sql:
        return "the query has a NUL character in it"
    word = first_word(sql)
    if word in _WRITES:
        return f"only a query is allowed here, which is one SELECT; this is {word}"
    if word not in STARTS:
        return f"a query begins with {', '.join(STARTS[:-1])} or {STARTS[-1]}, not {word[:40]!r}"
    if _code(first_statement(sql)[1]).strip("; \t\r\n\f\v"):
        return "there's more than one statement; one query is allowed"
    return ""


def orders(sql: str) -> bool:
    """Return whether ORDER BY is outside all brackets: that of the outermost query."""
    words = [token.text.upper() for token in tokens(sql) if token.depth == 0]
    return any(pair == ("ORDER", "BY") for pair in itertools.pairwise(words))


def without_word(sql: str, word: str) -> str:
    """Return `sql` without a word, wherever it's no string, name or comment."""
    kept, last = [], 0
    for token in tokens(sql):
        if token.text.upper() == word:
            kept.append(sql[last : token.start])
            last = token.end
    return "".join([*kept, sql[last:]])


def _code(sql: str) -> str:
    """Return `sql` without its comments."""
    return TOKEN.sub(lambda m: "" if m.group().startswith(("--", "/*")) else m.group(), sql)
