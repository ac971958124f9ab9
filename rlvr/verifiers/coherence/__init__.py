"""The degeneracy guard: whether a response is a text at all, whatever it says."""

from rlvr.verifiers.coherence.verifier import Coherent

__all__ = ["Coherent"]
