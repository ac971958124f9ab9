"""The audit finds an environment's faults before a policy finds them.

`probe_registry.py` collects the probes and `engine.py` runs them. A probe looks at a `Subject` (`subject.py`) and returns
a `Finding` (`finding.py`), which `rendering.py` prints. The probes are in a folder per group.
"""

from rlvr.authoring.audit.engine import audit
from rlvr.authoring.audit.finding import (
    Audit,
    Finding,
    ProbeOutcome,
    fail,
    note,
    nothing,
    ok,
)
from rlvr.authoring.audit.probe_registry import Probe, probe, probes
from rlvr.authoring.audit.subject import Subject

__all__ = [
    "Audit",
    "Finding",
    "Probe",
    "ProbeOutcome",
    "Subject",
    "audit",
    "fail",
    "note",
    "nothing",
    "ok",
    "probe",
    "probes",
]
