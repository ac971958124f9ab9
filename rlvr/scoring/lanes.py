"""This process's worker pool, for verifications that `settle` can't decide, and the end of it and of the event loop.

Neither is imported before it is needed: most answers are judged without them.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rlvr.scoring.pool import Pool

_lock = threading.RLock()
_pool: Pool | None = None


def default_pool() -> Pool:
    """Return this process's pool, which is made at the first call. `RLVR_WORKERS` sets its size."""
    global _pool
    with _lock:
        if _pool is None:
            from rlvr.scoring.pool import Pool

            wanted = os.environ.get("RLVR_WORKERS", "")
            _pool = Pool(int(wanted) if wanted.isascii() and wanted.isdigit() else None)
        return _pool


def new_batch() -> None:
    """Compare each verifier with its pickle again before it judges, since its globals may have changed."""
    pickles = sys.modules.get("rlvr.scoring.pickles")  # otherwise nothing is pickled yet
    if pickles is not None:
        pickles.new_batch()


def close() -> None:
    """Close this process's pool and event loop. Called at exit; the next `score` makes new ones.

    Waiting and running verifications become `Unscored`.
    """
    global _pool
    with _lock:
        pool, _pool = _pool, None
    event_loop = sys.modules.get("rlvr.scoring.event_loop")  # imported by async verifiers alone
    if event_loop is not None:
        event_loop.close()
    if pool is not None:
        pool.close()


def _forked() -> None:
    """Forget the pool in a forked child, where it belongs to the parent."""
    global _pool, _lock
    _lock = threading.RLock()
    _pool = None


atexit.register(close)
os.register_at_fork(after_in_child=_forked)
