"""The generic verifiers by the names that `rlvr score` takes."""

from __future__ import annotations

import importlib

from rlvr.core.verifier import Verifier

KINDS: dict[str, str] = {
    "math": "rlvr.verifiers.math:Math",
    "code": "rlvr.verifiers.code:Code",
    "sql": "rlvr.verifiers.sql:Sql",
    "ifeval": "rlvr.verifiers.instructions:Instructions",
    "ifbench": "rlvr.verifiers.instructions:Instructions",
}
"""Names with their `module:class`. The class needs no argument; its options are set per line."""


def verifier_of_kind(kind: str) -> Verifier:
    """Return a verifier of a kind with its default options. Raises `KeyError` for an unknown kind."""
    module, _, name = KINDS[kind].partition(":")
    instance: Verifier = getattr(importlib.import_module(module), name)()
    return instance
