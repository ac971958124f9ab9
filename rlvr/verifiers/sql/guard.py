"""The rights of a query: SQLite's authorizer, and its limits.

The guard is asked while a statement is compiled, for each thing that the statement would do, so
nothing is done before it's allowed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

VALUE_BYTES = 1_000_000
"""Bytes that one value in a query may have."""

STORED_BYTES = 64_000_000
"""Bytes that one value may have at most if the database holds as large ones."""

HEAP_BYTES = 256 << 20
"""Of memory for all of a process's SQLite. SQLite lets it be lowered only, so it's no option."""

_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 1_000,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 500,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 1_000_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 100,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_CLOCK = frozenset(("current_date", "current_time", "current_timestamp"))
_CHANCE = frozenset(("random", "randomblob"))
_FORBIDDEN = frozenset(("readfile", "writefile", "edit", "subtype"))
_DETERMINISTIC = 0x800  # SQLITE_DETERMINISTIC, among the flags of `PRAGMA function_list`


class QueryGuard:
    """An authorizer: SELECT, reading ordinary tables and views, and functions without side effects.

    Args:
        readable: the names of the tables and views that may be read, in lower case.
        modules: the names of virtual tables' modules, in lower case: none may be read.
        changing: the names of the functions that SQLite doesn't call deterministic, in lower case.
        clock: whether the functions that read the clock may be called.

    Attributes:
        denied: what the last statement wanted to do and may not, in words; "" where nothing.
        too_large: which value of it would be too large, in words; "" where none.
        failure: why a function of a dialect failed, in words; "" where none did.
        work: the steps of regular expressions in the last statement.
    """

    def __init__(
        self,
        readable: Collection[str],
        modules: Collection[str],
        changing: Collection[str],
        clock: bool = False,
    ) -> None:
        self._readable = readable
        self._modules = modules
        self._changing = changing
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Begin another statement."""
        self.denied = self.too_large = self.failure = ""
        self.work = 0

    def __call__(self, action: int, first: str | None, second: str | None, *_: str | None) -> int:
        """Answer SQLite's question whether a query may do something."""
        if action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            name = (first or "").lower()
            # Without a column it's also asked for what a query names itself, as in WITH.
            own = not second and not self._is_of_sqlite(name)
            if name in self._readable or own:
                return sqlite3.SQLITE_OK
            self.denied = f"reading {first}, which is no table or view of the database"
        elif action == sqlite3.SQLITE_FUNCTION:
            self.denied = self._refusal(second or "") or self.denied
            if not self._refusal(second or ""):
                return sqlite3.SQLITE_OK
        elif first == "sqlite_master":  # as it declares the virtual table that a query names
            self.denied = self.denied or "reading a virtual table, which a table of a module is"
        else:
            operation = _ACTIONS.get(action, "anything but reading")
            self.denied = f"{operation}: a query may only read"
        return sqlite3.SQLITE_DENY

    def _is_of_sqlite(self, name: str) -> bool:
        return name.startswith(("sqlite_", "pragma_")) or name in self._modules

    def _refusal(self, function: str) -> str:
        name = function.lower()
        if name in _CHANCE:
            return f"{name}(), which isn't the same twice"
        if name in _CLOCK:
            return "" if self._clock else f"{name}, which isn't the same tomorrow"
        if name in self._changing or name in _FORBIDDEN or name.startswith("sqlite_"):
            return f"the function {name}"
        return ""


def changing_functions(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the names of the scalar functions that SQLite doesn't call deterministic, in lower case.

    They read the clock or chance, say what the connection did before, or load code.
    """
    rows = connection.execute("SELECT name, flags FROM pragma_function_list WHERE type = 's'")
    return frozenset(name.lower() for name, flags in rows if not flags & _DETERMINISTIC)


def not_deterministic(error: sqlite3.Error) -> bool:
    """Return whether SQLite refused a call that reads the clock or the time zone."""
    return str(error).startswith("non-deterministic use of")


def limit(connection: sqlite3.Connection) -> None:
    """Set the limits of a connection, and of the heap of this process's SQLite."""
    connection.execute(f"PRAGMA hard_heap_limit={HEAP_BYTES}")
    for category, most in _LIMITS.items():
        connection.setlimit(category, most)


_ACTIONS = {
    value: name.removeprefix("SQLITE_").replace("_", " ")
    for name, value in vars(sqlite3).items()
    if name.startswith(
        (
            "SQLITE_CREATE_", "SQLITE_DROP_", "SQLITE_ALTER_", "SQLITE_INSERT", "SQLITE_UPDATE",
            "SQLITE_DELETE", "SQLITE_PRAGMA", "SQLITE_ATTACH", "SQLITE_DETACH",
            "SQLITE_TRANSACTION", "SQLITE_SAVEPOINT", "SQLITE_REINDEX", "SQLITE_ANALYZE",
        )
    )
}  # fmt: skip
