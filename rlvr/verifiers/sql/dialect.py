"""Queries in another dialect, translated into SQLite's. In a worker only: it reads a model's text.

sqlglot reads the dialect, and `translation` changes its tree. What SQLite lacks becomes a call of one of `dialect_functions`, and the rest is
sqlglot's translation. Functions by their own names come first, so that sqlglot doesn't change their formats; then
syntax (EXTRACT, INTERVAL, ORDER BY in aggregates), with the kind of each expression where dates are concerned.
Operators that SQLite has too (LIKE, =, CAST to integers) do what they do in SQLite, as they do in the gold.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from rlvr.verifiers.sql.aggregates import AGGREGATES
from rlvr.verifiers.sql.dialect_functions import FUNCTIONS
from rlvr.verifiers.sql.translation import ALIASES, Translation
from rlvr.verifiers.sql.translation_of_dates import Untranslatable

__all__ = ["DIALECTS", "Untranslatable", "in_sqlite"]

DIALECTS = ("sqlite", "mysql", "postgres")
LONGEST = 10_000
"""Characters that are read: sqlglot takes time and stack for them."""

# sqlglot reads these by their syntax, and rightly.
_OF_SQLGLOT = frozenset(
    ("CHAR", "CHR", "CONCAT", "DATE_PART", "GROUP_CONCAT", "INSERT", "MOD", "MODE", "OVERLAY", "PERCENTILE_CONT", "PERCENTILE_DISC",
     "REGEXP_LIKE", "ROUND")
)  # fmt: skip


def in_sqlite(sql: str, dialect: str) -> str:
    """Return `sql` as SQLite has it. Raises `Untranslatable`."""
    if dialect == "sqlite":
        return sql
    import sqlglot

    if len(sql) > LONGEST:
        raise Untranslatable(f"it has {len(sql)} characters, and at most {LONGEST} are read")
    try:
        trees = sqlglot.parse(sql, read=_reader(dialect))
        if len(trees) != 1 or trees[0] is None:
            raise Untranslatable("it isn't one statement")
        tree = Translation(dialect).of(trees[0])
        written: str = tree.sql("sqlite", unsupported_level=sqlglot.ErrorLevel.RAISE)
        return written
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


@lru_cache(maxsize=2)
def _reader(dialect: str) -> Any:
    """Return sqlglot's dialect, which leaves the functions that we have by their own names."""
    from sqlglot.dialects.mysql import MySQL
    from sqlglot.dialects.postgres import Postgres

    base: Any = MySQL if dialect == "mysql" else Postgres
    names = {
        name.upper() for name in (*FUNCTIONS[dialect], *AGGREGATES, *ALIASES[dialect])
    } - _OF_SQLGLOT

    class Parser(base.Parser):  # type: ignore[misc]
        FUNCTIONS = {
            name: build for name, build in base.Parser.FUNCTIONS.items() if name not in names
        }
        FUNCTION_PARSERS = {
            name: parse for name, parse in base.Parser.FUNCTION_PARSERS.items() if name not in names
        }

    return type(f"Rlvr{base.__name__}", (base,), {"Parser": Parser})
