"""Building blocks for the code of environments, and for probes of the audit::

    from rlvr.authoring import find_answer, read_file

Reading: `read_file` the rows of a data file, `read_fixtures` responses with known verdicts. Responses: `find_answer`,
`find_query` and `after_thinking`. Prompts: `describe` for tools, `schema_text` for databases, `public_part` for programs,
`Constraint` for instructions. `Look` runs a policy's own queries. Findings of a probe: `ok`, `note`, `fail`,
`nothing`. Tasks from a few examples: `synthesise`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlvr.core.lazy import lazy_exports

_HOME = {
    "Audit": "rlvr.authoring.audit",
    "Constraint": "rlvr.verifiers.instructions.composing",
    "Finding": "rlvr.authoring.audit",
    "Look": "rlvr.verifiers.sql.result_text",
    "ProbeOutcome": "rlvr.authoring.audit",
    "after_thinking": "rlvr.core.thinking",
    "describe": "rlvr.envs.tools",
    "fail": "rlvr.authoring.audit",
    "find_answer": "rlvr.verifiers.extraction",
    "find_query": "rlvr.verifiers.sql.extraction",
    "note": "rlvr.authoring.audit",
    "nothing": "rlvr.authoring.audit",
    "ok": "rlvr.authoring.audit",
    "public_part": "rlvr.verifiers.code.reference",
    "read_file": "rlvr.envs.data",
    "read_fixtures": "rlvr.core.fixtures",
    "schema_text": "rlvr.envs.schema_text",
    "synthesise": "rlvr.authoring.synthesis",
}

if TYPE_CHECKING:
    from rlvr.authoring.audit import Audit, Finding, ProbeOutcome, fail, note, nothing, ok
    from rlvr.authoring.synthesis import synthesise
    from rlvr.core.fixtures import read_fixtures
    from rlvr.core.thinking import after_thinking
    from rlvr.envs.data import read_file
    from rlvr.envs.schema_text import schema_text
    from rlvr.envs.tools import describe
    from rlvr.verifiers.code.reference import public_part
    from rlvr.verifiers.extraction import find_answer
    from rlvr.verifiers.instructions.composing import Constraint
    from rlvr.verifiers.sql.extraction import find_query
    from rlvr.verifiers.sql.result_text import Look

__all__ = [
    "Audit",
    "Constraint",
    "Finding",
    "Look",
    "ProbeOutcome",
    "after_thinking",
    "describe",
    "fail",
    "find_answer",
    "find_query",
    "note",
    "nothing",
    "ok",
    "public_part",
    "read_file",
    "read_fixtures",
    "schema_text",
    "synthesise",
]

__getattr__, __dir__ = lazy_exports(__name__, _HOME)
