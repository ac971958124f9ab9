"""SQLite's functions that can read the clock, or that no limit stops, put behind a look at their arguments.

The authorizer sees a function's name and not what it is given, and `'n' || 'ow'` is only known once the query
runs. So the functions of date and time are replaced by ones that ask SQLite itself: in a generated column it
works them out as ever, but refuses to read the clock or the machine's time zone.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from rlvr.verifiers.sql.guard import VALUE_BYTES, QueryGuard, not_deterministic

DATES = ("date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff")
_PRINTS = ("printf", "format")
_CLOCK_READ = "reading the clock or the time zone, which aren't the same tomorrow or elsewhere"
_IN_CACHE = 65_536  # results of calls: a column's dates repeat
_SHORT = 40  # characters of an argument whose call is kept
_DIGITS = re.compile(r"[0-9]++")
_ASKED = re.compile(r"%[-+ #!,0-9.*]*+")  # flags, width and precision of one conversion


def replace(connection: sqlite3.Connection, guard: QueryGuard, clock: bool) -> None:
    """Replace them on `connection`; what one refuses, it tells `guard`. With `clock` it may be read."""
    there = {
        name for (name,) in connection.execute("SELECT DISTINCT name FROM pragma_function_list")
    }
    for name in (*_PRINTS, *(() if clock else DATES)):
        if name in there:
            # SQLite takes no other kind in indexes, and works out a call with constants once.
            connection.create_function(name, -1, _replacement(name, guard), deterministic=True)


def _replacement(name: str, guard: QueryGuard) -> Callable[..., Any]:
    limit = 0 if name in DATES else VALUE_BYTES

    def function(*args: Any) -> Any:
        if limit and _printed(args) > limit:
            guard.too_large = f"{name}() writes more than {limit} characters"
            raise ValueError(guard.too_large)
        try:
            return _worked_out(name, args)
        except sqlite3.OperationalError as error:
            if not_deterministic(error):
                guard.denied = _CLOCK_READ
            raise

    return function


def _printed(args: tuple[Any, ...]) -> int:
    """Return the most characters that printf's widths and precisions ask for: it writes them one by one."""
    asked = "".join(_ASKED.findall(_text(args[0]))) if args else ""
    stars = asked.count("*")
    return _sum(asked) + (stars * max(map(_whole, args[1:]), default=0) if stars else 0)


def _whole(arg: Any) -> int:
    """Return the size of the largest whole number that SQLite may read off an argument."""
    if isinstance(arg, int | float):
        return int(min(abs(arg), 1e18))
    return _sum(_text(arg).strip()[:100])


def _sum(text: str) -> int:
    """Return the sum of the whole numbers in a text; a number of more than 10 digits counts as 10^10."""
    numbers = (digits.lstrip("0") or "0" for digits in _DIGITS.findall(text))
    return sum(int(digits) if len(digits) <= 10 else 10**10 for digits in numbers)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class _Column(threading.local):
    """A database of a thread's own, with tables whose generated columns work calls out."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=OFF")
        self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES)
        self.known: dict[str, str] = {}

    def value(self, name: str, args: tuple[Any, ...]) -> Any:
        """Return the value of a call. Raises `sqlite3.OperationalError` if it would read the clock."""
        table = f"{name}_{len(args)}"
        if table not in self.known:
            self.known[table] = self._made(table, name, len(args))
        self.connection.execute(self.known[table], args or (None,))
        return self.connection.execute(f"SELECT result FROM {table}").fetchone()[0]

    def _made(self, table: str, name: str, count: int) -> str:
        """Make a table for calls with `count` arguments, and return the statement that puts some in its row."""
        arguments = [f"a{number}" for number in range(count)]
        columns = arguments or ["unused"]
        call = f"{name}({', '.join(arguments)})"
        self.connection.execute(f"CREATE TABLE {table}({', '.join(columns)}, result AS ({call}))")
        values = ", ".join("?" * len(columns))
        return f"REPLACE INTO {table}(rowid, {', '.join(columns)}) VALUES (1, {values})"


_column = _Column()


@lru_cache(maxsize=_IN_CACHE, typed=True)
def _remembered(name: str, *args: Any) -> Any:
    return _column.value(name, args)


def _worked_out(name: str, args: tuple[Any, ...]) -> Any:
    # Short texts alone, which make short results: what a response wrote mustn't stay in memory. And no real
    # numbers: -0.0 is 0.0 to the cache and another text to SQLite.
    for arg in args:
        if not (type(arg) is int or arg is None or (type(arg) is str and len(arg) <= _SHORT)):
            return _column.value(name, args)
    return _remembered(name, *args) if name in DATES else _column.value(name, args)
