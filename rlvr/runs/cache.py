"""A cache of verdicts on disk, by the verifier, the task and the response.

Any number of processes may use one file. What has no verdict isn't kept, nor what ran into a limit,
since another machine, or a quieter one, may say otherwise.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import sqlite3
import threading
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import cloudpickle

from rlvr.core.errors import DataError, DataWarning
from rlvr.core.verdict import Scored, Status, Verdict
from rlvr.core.verifier import Verifier
from rlvr.runs.rollouts import read_verdict

_EVERY_S, _EVERY = 1.0, 1000  # seconds and verdicts between two writes: what a kill may cost
_TABLE = "create table if not exists verdicts (key blob primary key, verdict text) without rowid"


class VerdictCache:
    """A file of verdicts, used from any thread.

    Raises `DataError` if the file is something else.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.found = 0
        self._lock = threading.Lock()
        self._new: dict[bytes, str] = {}
        self._wrote = time.monotonic()
        self._broken = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                self.path, timeout=30, check_same_thread=False, isolation_level=None
            )
            self._database.execute("pragma journal_mode = wal")
            self._database.execute("pragma synchronous = normal")
            self._database.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            raise DataError(f"The cache {str(path)!r} can't be used: {error}.") from error

    def get(self, key: bytes) -> Verdict | None:
        """Return the verdict under `key`, or None."""
        with self._lock:
            if self._broken:
                return None
            try:
                text = self._new.get(key)
                if text is None:
                    row = self._database.execute(
                        "select verdict from verdicts where key = ?", (key,)
                    ).fetchone()
                    text = None if row is None else row[0]
                verdict = None if text is None else read_verdict(json.loads(text))
            except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
                self._give_up(error)
                return None
        self.found += verdict is not None
        return verdict

    def put(self, key: bytes, verdict: Verdict) -> None:
        """Keep a verdict, unless it is unscored or ran into a limit."""
        if not isinstance(verdict, Scored) or verdict.status is Status.LIMIT:
            return
        if verdict.detail.get("limit"):  # a part of it, or one of its tests
            return
        try:
            text = json.dumps(verdict.to_json() | {"detail": verdict.detail}, allow_nan=False)
        except (TypeError, ValueError):
            return  # a detail that's no plain data would come back as something else
        with self._lock:
            if self._broken:
                return
            self._new[key] = text
            if time.monotonic() - self._wrote > _EVERY_S or len(self._new) >= _EVERY:
                self._write()

    def close(self) -> None:
        """Write the rest, and close the file."""
        with self._lock:
            self._write()
            self._database.close()

    def _write(self) -> None:
        try:
            # Short, so that no other process waits for it.
            self._database.execute("begin immediate")
            self._database.executemany(
                "insert or replace into verdicts values (?, ?)", self._new.items()
            )
            self._database.execute("commit")
        except sqlite3.Error as error:
            self._give_up(error)
        self._new.clear()
        self._wrote = time.monotonic()

    def _give_up(self, error: Exception) -> None:
        """Stop using a cache that is broken: that costs time and nothing else."""
        if not self._broken:
            self._broken = True
            warnings.warn(
                f"The cache {str(self.path)!r} isn't used any further: {error}.",
                DataWarning,
                stacklevel=4,
            )


def identity(verifier: Verifier) -> bytes:
    """Return a digest of everything visible from outside that decides a verifier's verdicts.

    That is its class, name, version and options, and those of its parts; the source files of its class and
    its function; the code of rlvr's verifiers, and the libraries they compare with. What an author's verifier reads
    from elsewhere (a word list, a helper module) isn't seen: `version` is for that.
    """
    digest = hashlib.blake2b(digest_size=16)
    digest.update(_of_rlvr())
    for part in [verifier, *getattr(verifier, "parts", ())]:
        if part is not verifier:
            digest.update(identity(part))
        for source in (type(part), getattr(part, "judge", None)):
            digest.update(_source(source))
        digest.update(repr((type(part).__qualname__, part.name, part.version)).encode())
    # Not the same bytes in every process for every verifier: then it's judged again, no more.
    digest.update(cloudpickle.dumps(verifier))
    return digest.digest()


def _source(thing: Any) -> bytes:
    try:
        file = inspect.getsourcefile(inspect.unwrap(thing)) if thing is not None else None
        return b"" if file is None else Path(file).read_bytes()
    except (TypeError, OSError):
        return b""  # defined in a notebook or by a shell: cloudpickle has it by value


@functools.cache
def _of_rlvr() -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    house = Path(__file__).parents[1]
    for room in ("core", "verifiers", "sandboxes", "scoring"):
        for file in sorted((house / room).rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                digest.update(file.read_bytes())
    for package in ("sympy", "mpmath", "sqlglot"):
        digest.update(metadata.version(package).encode())
    digest.update(sqlite3.sqlite_version.encode())
    return digest.digest()
