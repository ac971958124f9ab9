"""A judge model that grades responses by a rubric: its prompt, its answers, and its faults."""

from rlvr.verifiers.judge.verifier import Judge

__all__ = ["Judge"]
