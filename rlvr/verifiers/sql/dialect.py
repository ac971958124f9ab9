"""A query in another dialect made SQLite's, by sqlglot. In a worker only: it reads a model's text."""

from __future__ import annotations

DIALECTS = ("sqlite", "mysql", "postgres")
LONGEST = 10_000
"""Characters that are read: sqlglot takes time and stack for them."""


class Untranslatable(Exception):
    """The query can't be read in that dialect; the message says where."""


def in_sqlite(sql: str, dialect: str) -> str:
    """`sql` as SQLite has it. Raises `Untranslatable`."""
    if dialect == "sqlite":
        return sql
    import sqlglot

    if len(sql) > LONGEST:
        raise Untranslatable(f"it has {len(sql)} characters, and at most {LONGEST} are read")
    try:
        trees = sqlglot.parse(sql, read=dialect)
        if len(trees) != 1 or trees[0] is None:
            raise Untranslatable("it isn't one statement")
        return trees[0].sql("sqlite")
    except sqlglot.errors.SqlglotError as error:
        lines = str(error).splitlines() or ["it can't be read"]
        raise Untranslatable(lines[0][:300]) from None
    except RecursionError:
        raise Untranslatable("it's nested too deeply") from None
    except (Untranslatable, MemoryError):
        raise
    except (
        Exception
    ) as error:  # sqlglot on what is malformed: AttributeError, IndexError, TypeError, …
        raise Untranslatable(f"sqlglot can't read it ({type(error).__name__})") from None
