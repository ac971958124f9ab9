"""The degeneracy guard: it refuses a response that is no text at all, whatever the text says."""

from rlvr.verifiers.coherence.verifier import Coherent

__all__ = ["Coherent"]
