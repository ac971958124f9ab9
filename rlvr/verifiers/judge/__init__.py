"""A model that judges by a rubric: what it's asked, how its answer is read, and what becomes of faults."""

from rlvr.verifiers.judge.verifier import Judge

__all__ = ["Judge"]
