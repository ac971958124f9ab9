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
"""Name to `module:class`; the class takes no argument, its options are set per line."""


def verifier_of_kind(kind: str) -> Verifier:
    """A new verifier of that kind with its default options. Raises KeyError where there's none."""
    module, _, name = KINDS[kind].partition(":")
    made: Verifier = getattr(importlib.import_module(module), name)()
    return made
