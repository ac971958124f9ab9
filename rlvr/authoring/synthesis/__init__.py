"""Synthesis: a policy writes tasks from a few examples, and each is kept only if it passes every check.

A candidate is kept if the environment reads it, its text hides nothing, it repeats no example, no kept task and no
problem of an evaluation set, its reference is valid for the verifier, another policy that doesn't see the reference
agrees with it, and its pass rate is in the range that is asked for. docs/synthesis.md has the whole flow.
"""

from rlvr.authoring.synthesis.flow import Synthesis, synthesise
from rlvr.authoring.synthesis.options import SynthesisOptions
from rlvr.authoring.synthesis.report import SynthesisReport

__all__ = ["Synthesis", "SynthesisOptions", "SynthesisReport", "synthesise"]
