"""A worker's open databases and results of golds, kept between verifications.

A database is known by its file's identity, so a file that is written anew is opened anew and its
golds are run again. Both are bounded; what was used least recently goes first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Literal, TypeAlias

from rlvr.verifiers.sql.database import Database, Identity
from rlvr.verifiers.sql.execution import Rows

Role: TypeAlias = Literal["gold", "response", "look"]

_OPEN = 48  # databases; each has up to 2 MB of pages
_RESULT_BYTES = 64 << 20


class Store(threading.local):
    """The store of one thread: connections aren't shared."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[Role, str, bool, str], Database] = OrderedDict()
        self._results: OrderedDict[Hashable, Rows] = OrderedDict()
        self._size = 0

    def database(
        self, identity: Identity, role: Role, clock: bool, dialect: str = "sqlite"
    ) -> Database:
        """Return the database, open for this role: a gold never shares a connection with a response.

        Raises `CannotScore(gold)`.
        """
        key = (role, identity.path, clock, dialect)
        cached = self._open.get(key)
        if cached is not None and cached.identity == identity:
            self._open.move_to_end(key)
            return cached
        self.drop(cached)
        if len(self._open) >= _OPEN:
            self._open.popitem(last=False)[1].close()
        self._open[key] = opened = Database(identity, clock, role == "look", dialect)
        return opened

    def drop(self, database: Database | None) -> None:
        """Close a database, for example after a query exceeded a limit."""
        for key, cached in list(self._open.items()):
            if cached is database:
                del self._open[key]
                cached.close()

    def result(self, key: Hashable, make: Callable[[], Rows]) -> Rows:
        """Return the cached result under a key, or call `make` and cache its result. Raises what `make` raises."""
        cached = self._results.get(key)
        if cached is not None:
            self._results.move_to_end(key)
            return cached
        rows = self._results[key] = make()
        self._size += rows.size + 1000
        while self._size > _RESULT_BYTES and len(self._results) > 1:
            _, oldest = self._results.popitem(last=False)
            self._size -= oldest.size + 1000
        return rows


STORE = Store()
