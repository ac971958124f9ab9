"""Verification of mathematical answers; see `verifier.Math`."""

from rlvr.verifiers.math.verifier import Math

__all__ = ["Math"]
