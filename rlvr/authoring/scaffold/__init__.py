"""A new environment as an installable package: complete, small, and clean by the audit as it's written.

What is written are the real files of `templates/`, in which `__NAME__` and its like are replaced
and nothing else is.
"""

from rlvr.authoring.scaffold.package import write_package
from rlvr.authoring.scaffold.plan import KINDS, VERIFIERS, Plan

__all__ = ["KINDS", "VERIFIERS", "Plan", "write_package"]
