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

from rlvr.verifiers.sql.guard import VALUE_BYTES, Guard, not_deterministic

DATES = ("date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff")
_PRINTS = ("printf", "format")
_CLOCK_READ = "reading the clock or the time zone, which aren't the same tomorrow or elsewhere"
_IN_CACHE = 65_536  # results of calls: a column's dates repeat
_DIGITS = re.compile(r"[0-9]++")


def replace(connection: sqlite3.Connection, guard: Guard, clock: bool) -> None:
    """Replace them on `connection`; what one refuses, it tells `guard`. With `clock` it may be read."""
    there = {
        name for (name,) in connection.execute("SELECT DISTINCT name FROM pragma_function_list")
    }
    for name in (*_PRINTS, *(() if clock else DATES)):
        if name in there:
            # SQLite takes no other kind in indexes, and works out a call with constants once.
            connection.create_function(name, -1, _replacement(name, guard), deterministic=True)


def _replacement(name: str, guard: Guard) -> Callable[..., Any]:
    worked_out, limit = _EVALUATORS[name], 0 if name in DATES else VALUE_BYTES

    def function(*args: Any) -> Any:
        if limit and _printed(args) > limit:
            guard.too_large = f"{name}() writes more than {limit} characters"
            raise ValueError(guard.too_large)
        try:
            return worked_out(*args)
        except sqlite3.OperationalError as error:
            if not_deterministic(error):
                guard.denied = _CLOCK_READ
            raise

    return function


def _printed(args: tuple[Any, ...]) -> int:
    """Return the most characters that printf's widths and precisions ask for: it writes them one by one."""
    template = _text(args[0]) if args else ""
    asked = sum(int(digits[:10]) for digits in _DIGITS.findall(template))
    stars = template.count("*")
    return asked + stars * max((_whole(arg) for arg in args[1:]), default=0) if stars else asked


def _whole(arg: Any) -> int:
    """Return the size of the largest whole number that SQLite may read off an argument."""
    if isinstance(arg, int | float):
        return int(min(abs(arg), 1e18))
    return max((int(digits[:10]) for digits in _DIGITS.findall(_text(arg)[:100])), default=0)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class _Column(threading.local):
    """A database of a thread's own, with tables whose generated columns work calls out."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=OFF")
        self.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_BYTES)
        self.known: dict[tuple[str, int], str] = {}

    def value(self, name: str, args: tuple[Any, ...]) -> Any:
        """Return the value of a call. Raises `sqlite3.OperationalError` if it would read the clock."""
        update = self.known.get((name, len(args)))
        if update is None:
            update = self.known[name, len(args)] = self._made(name, len(args))
        self.connection.execute(update, args or (None,))
        return self.connection.execute(f"SELECT result FROM {name}_{len(args)}").fetchone()[0]

    def _made(self, name: str, count: int) -> str:
        arguments = [f"a{number}" for number in range(count)]
        columns = ", ".join(arguments or ["unused"])
        table = f"{name}_{count}"
        self.connection.execute(
            f"CREATE TABLE {table}({columns}, result AS ({name}({', '.join(arguments)})))"
        )
        self.connection.execute(
            f"INSERT INTO {table} VALUES ({', '.join(['NULL'] * max(1, count))})"
        )
        return f"UPDATE {table} SET {', '.join(f'{one} = ?' for one in arguments or ['unused'])}"


_column = _Column()


def _evaluator(name: str) -> Callable[..., Any]:
    @lru_cache(maxsize=_IN_CACHE, typed=True)
    def remembered(*args: Any) -> Any:
        return _column.value(name, args)

    def worked_out(*args: Any) -> Any:
        # -0.0 is 0.0 to the cache and other text to SQLite.
        plain = all(type(arg) is str or type(arg) is int or arg is None for arg in args)
        return remembered(*args) if plain else _column.value(name, args)

    return worked_out


_EVALUATORS = {name: _evaluator(name) for name in (*DATES, *_PRINTS)}
