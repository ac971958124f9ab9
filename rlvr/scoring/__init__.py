"""Verdicts for batches: the killable worker pool and the lanes into it."""

from rlvr.scoring.lanes import close, default_pool
from rlvr.scoring.pool import Pool
from rlvr.scoring.score import ascore, score, submit

__all__ = ["Pool", "ascore", "close", "default_pool", "score", "submit"]
