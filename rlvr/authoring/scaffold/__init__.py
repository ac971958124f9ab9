"""`rlvr new`: write a new environment as an installable package that is complete, small, and passes the audit.

Its files are those of `templates/`, with words such as `__NAME__` replaced.
"""

from rlvr.authoring.scaffold.package import write_package
from rlvr.authoring.scaffold.plan import KINDS, VERIFIERS, Plan

__all__ = ["KINDS", "VERIFIERS", "Plan", "write_package"]
