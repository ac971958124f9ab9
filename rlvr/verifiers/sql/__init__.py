"""Verification of SQL by running it; see `verifier.Sql`."""

from rlvr.verifiers.sql.verifier import Sql

__all__ = ["Sql"]
