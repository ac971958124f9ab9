"""Instructions that a program can check: IFEval's 25, IFBench's 58 and 29 more of IF-RLVR.

The checks are in modules by family, each a function from a `ResponseText` and its kwargs to a bool under its
public id (`registry`); `Instructions` is the verifier over them.
"""

from rlvr.verifiers.instructions.kwargs import (
    Relation,
)
from rlvr.verifiers.instructions.registry import (
    instruction,
)
from rlvr.verifiers.instructions.text import ResponseText
from rlvr.verifiers.instructions.verifier import Instructions

__all__ = ["Instructions", "Relation", "ResponseText", "instruction"]
