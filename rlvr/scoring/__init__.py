"""Verdicts for batches: the killable worker pool and the lanes into it."""

from typing import TYPE_CHECKING

from rlvr.core.lazy import lazy_exports
from rlvr.scoring.lanes import close, default_pool
from rlvr.scoring.score import ascore, score, submit

if TYPE_CHECKING:
    from rlvr.scoring.pool import Pool

__all__ = ["Pool", "ascore", "close", "default_pool", "score", "submit"]

__getattr__, __dir__ = lazy_exports(__name__, {"Pool": "rlvr.scoring.pool"})
