"""Verification of programs by running them on tests; see `verifier.Code`."""

from rlvr.verifiers.code.verifier import Code

__all__ = ["Code"]
