"""Sets of instructions for any prompt: drawn so that one text can follow them all, which is built to show it."""

from rlvr.verifiers.instructions.composing.compose import Constraint, compose, redraw
from rlvr.verifiers.instructions.composing.satisfy import satisfying

__all__ = ["Constraint", "compose", "redraw", "satisfying"]
